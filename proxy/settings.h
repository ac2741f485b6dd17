/*
 * A session's settings: an allowlist with value checks, transactional SET and SET LOCAL, RESET, SHOW.  Pure, except that a time zone's name is
 * looked up in the system's zone files.  What must hold: a value that was accepted is in canonical form and holds no byte that its
 * check did not allow; values reach other connections only as parameters, never inside SQL text.
 *
 * Names x.y that the table does not know are stored and otherwise ignored, except noisegate.*, which are refused.
 */
#ifndef NG_PROXY_SETTINGS_H
#define NG_PROXY_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"

enum setting_id {
#define X(id, name, initial, check, argument, flags) SETTING_##id,
#include "proxy/settings.def"
#undef X
	SETTING_COUNT
};

enum { SETTING_REPORT = 1, SETTING_MIRROR = 2, SETTING_FIXED = 4, SETTING_LOCAL = 8 };

struct setting_custom;
struct setting_undo;

struct settings {
	char *start[SETTING_COUNT]; /* what RESET returns to; NULL: the table's default */
	char *value[SETTING_COUNT]; /* NULL: start */
	struct setting_custom *custom;
	struct setting_undo *undo; /* newest first */
	size_t n_undo, n_custom;
	uint64_t changed; /* bit per id, since settings_take_changes */
};

void settings_init(struct settings *s);
void settings_free(struct settings *s);

const char *setting_name(enum setting_id id);
unsigned setting_flags(enum setting_id id);
const char *settings_get(const struct settings *s, enum setting_id id);

/* What the server knows of a session (server_version, session_authorization, default search_path): the value RESET returns to, unchecked. */
MUST_CHECK bool settings_know(struct settings *s, enum setting_id id, const char *value);

/* A startup parameter: becomes the value RESET returns to.  Unknown names are ignored; a known one with a value that cannot be used fails. */
MUST_CHECK bool settings_start(struct settings *s, const char *name, const char *value, struct error *e);

/* SET; value NULL is DEFAULT.  Recorded for rollback; outside a transaction the caller commits at the end of the statement. */
MUST_CHECK bool settings_set(struct settings *s, const char *name, const char *value, bool local, struct error *e);
MUST_CHECK bool settings_reset_all(struct settings *s, struct error *e);

/* Marks nest: what came after a mark is undone by settings_rollback(mark); settings_commit ends SET LOCALs and forgets the records. */
size_t settings_mark(const struct settings *s);
void settings_rollback(struct settings *s, size_t mark);
void settings_commit(struct settings *s);

/* SHOW one: canonical name and value; 42704 with the nearest name. */
MUST_CHECK bool settings_show(const struct settings *s, const char *name, const char **canonical, const char **value, struct error *e);

/* Ids whose value may have changed since the last call. */
uint64_t settings_take_changes(struct settings *s);

/* A checked CHECK_MILLIS setting as milliseconds; 0: off. */
int64_t settings_millis(const struct settings *s, enum setting_id id);

/* The schemas of search_path, without "$user", into the arena. */
MUST_CHECK bool settings_path(const struct settings *s, struct arena *a, const char *const **out, size_t *n);

#endif
