/*
 * Fuzzes every decoder of the audit log: audit_body_read, audit_checkpoint_read, audit_receipt_read, audit_reader_open and audit_reader_next.  The first input byte chooses.
 *
 * Not only "no crash": a body that is accepted is the one that the writer would make of its fields; JSON of it is balanced; a segment is accepted only as far as
 * its hashes go.
 */
#include "budget/audit_verify.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static void again(struct wr *w, struct rd fields)
{
	enum audit_field f;
	enum audit_kind kind;
	const char *name;
	bool list;
	struct rd v;

	while (audit_field_next(&fields, &f, &v)) {
		CHECK(audit_field_known(f, &name, &kind, &list));
		char *text = calloc(v.left + 1, 1);
		memcpy(text, v.p, v.left);
		if (kind == FIELD_TEXT) {
			audit_put_text(w, f, text);
		} else if (kind == FIELD_VALUE) {
			audit_put_value(w, f, text[0] ? text + 1 : NULL);
		} else if (kind == FIELD_GROUP) {
			size_t at = audit_group_begin(w, f);
			again(w, v);
			audit_group_end(w, at);
		} else if (kind == FIELD_BYTES) {
			audit_put_bytes(w, f, v.p, v.left);
		} else {
			audit_put_number(w, f, rd_u64(&v));
		}
		free(text);
	}
	CHECK(rd_end(&fields));
}

static void fuzz_body(const uint8_t *data, size_t size)
{
	struct audit_record r;
	struct wr w;

	if (!audit_body_read(data, size, &r))
		return;
	CHECK(audit_event_name(r.event) && r.fields.left == size - AUDIT_BODY_MIN);
	wr_init_heap(&w, 1 << 24);
	again(&w, r.fields);
	CHECK(wr_ok(&w) && w.n == r.fields.left && memcmp(w.p, r.fields.p, w.n) == 0);
	wr_clear(&w);
	audit_json_put(&w, &r);
	CHECK(wr_ok(&w) && w.p[0] == '{' && w.p[w.n - 1] == '}');
	wr_free(&w);
}

static void fuzz_texts(const uint8_t *data, size_t size)
{
	struct audit_place place;
	struct audit_seal seal;
	uint8_t salt[AUDIT_SALT];
	char *text = calloc(size + 1, 1);

	memcpy(text, data, size);
	if (audit_checkpoint_read(text, &place, &seal))
		CHECK(seal.n_text < strlen(text));
	if (audit_receipt_read(text, &place, salt, &seal))
		CHECK(seal.n_text < strlen(text) && strlen(text) < AUDIT_RECEIPT_MAX);
	free(text);
}

static void fuzz_segment(const uint8_t *data, size_t size)
{
	struct audit_reader r = { .fd = -1 };
	struct audit_record record;
	struct error e;
	char path[64];
	int fd = memfd_create("segment", 0);

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	enum audit_step step = audit_reader_open(&r, path, &e);
	uint64_t first = r.next, n = 0;
	while (step == AUDIT_STEP_RECORD && (step = audit_reader_next(&r, &record)) == AUDIT_STEP_RECORD)
		CHECK(record.sequence == first + n++ && r.offset <= size);
	CHECK(step != AUDIT_STEP_END || r.offset == size);
	audit_reader_close(&r);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_body(data + 1, size - 1);
		break;
	case 1:
		fuzz_texts(data + 1, size - 1);
		break;
	default:
		fuzz_segment(data + 1, size - 1);
	}
	return 0;
}
