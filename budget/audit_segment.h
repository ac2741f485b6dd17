/*
 * The files of an audit log: a directory with segments 00000001.audit, 00000002.audit, ..., each a header and records (budget/audit_record.h).
 *
 *   header = "NGAUDIT1" | log id (16) | sequence of the segment's first record (u64) | hash of the record before it (32; zeros before the first)
 *
 * So the 32 bytes before any record are the hash of the record before it, within a segment and across them.
 */
#ifndef NG_BUDGET_AUDIT_SEGMENT_H
#define NG_BUDGET_AUDIT_SEGMENT_H

#include "base/arena.h"
#include "base/error.h"
#include "budget/audit_record.h"

enum { AUDIT_ID = 16, AUDIT_HEADER = 64, AUDIT_PATH_MAX = 4096 };

struct audit_header {
	uint8_t log_id[AUDIT_ID];
	uint64_t first;
	uint8_t before[SHA256_SIZE];
};

void audit_header_put(struct wr *w, const struct audit_header *h);
MUST_CHECK bool audit_header_read(const uint8_t *p, size_t n, struct audit_header *out);

/* "DIR/00000001.audit", or DIR/name; false when too long. */
MUST_CHECK bool audit_segment_path(const char *dir, uint64_t segment, char out[AUDIT_PATH_MAX], struct error *e);
MUST_CHECK bool audit_file_path(const char *dir, const char *name, char out[AUDIT_PATH_MAX], struct error *e);

/* The numbers of the segments that are there, ascending, in the arena. */
MUST_CHECK bool audit_segment_list(struct arena *a, const char *dir, const uint64_t **out, size_t *n, struct error *e);

/* --- one segment, record by record ---------------------------------------------------------------------------------------------------- */

enum audit_step {
	AUDIT_STEP_RECORD,
	AUDIT_STEP_END,        /* exactly at the end of the file */
	AUDIT_STEP_INCOMPLETE, /* the file ends inside a record */
	AUDIT_STEP_BAD,        /* what stands there is no record that follows: reader.why */
	AUDIT_STEP_FAILED      /* it could not be read */
};

struct audit_reader {
	int fd;                /* -1: none */
	struct audit_header header;
	uint64_t offset;       /* of the next record */
	uint64_t next;         /* its sequence number */
	uint8_t before[SHA256_SIZE];
	const char *why;
	uint8_t *window;       /* bytes of the file from window_at */
	uint64_t window_at;
	size_t window_n, window_room;
};

/* Opens and reads the header.  AUDIT_STEP_RECORD: good; INCOMPLETE: shorter than a header; BAD: not a segment; FAILED with *e. */
enum audit_step audit_reader_open(struct audit_reader *r, const char *path, struct error *e);
void audit_reader_close(struct audit_reader *r); /* also of one that is zeroed with fd -1 */

/* The record points into the reader and is good until the next call.  After END and INCOMPLETE it may be asked again: the file may have grown. */
enum audit_step audit_reader_next(struct audit_reader *r, struct audit_record *out);

#endif
