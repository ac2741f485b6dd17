/*
 * Prepared statements and portals of one session.  Each has an arena of its own: a portal copies what it needs of its statement, so closing one never
 * touches the other.  A portal materialises its result once, when it first runs (a cursor: at DECLARE), and hands out slices.
 */
#ifndef NG_PROXY_PORTAL_H
#define NG_PROXY_PORTAL_H

#include "proxy/engine.h"
#include "proxy/wire_in.h"

struct prepared {
	struct prepared *next;
	struct arena arena;
	const char *name; /* "": the unnamed one */
	struct statement statement;
	struct description description; /* of a query; no fields and no parameters otherwise */
};

struct portal {
	struct portal *next;
	struct arena arena;
	const char *name; /* "": the unnamed one */
	struct statement statement;
	const struct engine_param *params;
	size_t n_params;
	const int16_t *formats; /* of result columns */
	size_t n_formats;
	const struct field *described; /* fields promised by Describe of the statement or portal */
	size_t n_described;
	bool ran;
	struct result result; /* once it ran; n_fields 0: a command, complete */
	size_t at;            /* rows handed out */
	bool cursor;          /* made by DECLARE */
	bool hold;            /* survives the end of its transaction */
	uint64_t serial;      /* grows with each portal of the session; 0: older than any transaction */
};

struct portals {
	struct prepared *statements;
	size_t n_statements;
	struct portal *portals;
	size_t n_portals;
	uint64_t serial;
};

void portals_free(struct portals *p);

struct prepared *prepared_find(const struct portals *p, const char *name);
/* A new one under name; the unnamed one replaces its predecessor, another name must be free (42P05).  Removed again by prepared_drop. */
MUST_CHECK bool prepared_add(struct portals *p, const char *name, const struct statement *st, struct prepared **out, struct error *e);
void prepared_drop(struct portals *p, const char *name); /* harmless when there is none */
void prepared_drop_all(struct portals *p);

struct portal *portal_find(const struct portals *p, const char *name);
/* As prepared_add; 42P03 when the name is taken. */
MUST_CHECK bool portal_add(struct portals *p, const char *name, const struct statement *st, struct portal **out, struct error *e);
void portal_drop(struct portals *p, struct portal *one);
void portals_drop_all(struct portals *p);
void portals_drop_cursors(struct portals *p);

/* End of a transaction that is kept: held portals stay for good, the others go. */
void portals_commit(struct portals *p);
/* Drops portals made after serial (0: all that no earlier transaction kept). */
void portals_rollback(struct portals *p, uint64_t serial);

#endif
