/*
 * The engine: everything behind a session.  It owns the policy snapshot, the planner's inputs, the ledger, the upstream pool and the sidecar, and runs one statement at
 * a time for a session.  The session layer (wire protocol, portals, transactions, settings) sees only this header.
 */
#ifndef NG_PROXY_ENGINE_H
#define NG_PROXY_ENGINE_H

#include "base/arena.h"
#include "base/error.h"
#include "planner/plan.h"
#include "policies/snapshot.h"

#include <stdatomic.h>

struct engine;

/* Opens ledger, upstream pool (lazily connected) and sidecar (started here).  The engine holds its own reference to the snapshot.  Any thread may use an engine. */
MUST_CHECK bool engine_open(struct snapshot *policy, struct engine **out, struct error *e);
void engine_close(struct engine *g); /* waits for nothing: stop sessions first; stops the sidecar and removes its directory */

/*
 * Charges go to this ledger from now on; the one before is closed, its file stays.  For the audit of the guarantee, whose ledgers are throw-away; no
 * statement may run meanwhile.  The old one stays in use when it fails.
 */
MUST_CHECK bool engine_use_ledger(struct engine *g, const char *path, struct error *e);

struct snapshot *engine_policy(struct engine *g); /* a new reference: snapshot_drop it */

/* What ParameterStatus reports: the sidecar's server_version ("15.18 (...)") and server_version_num. */
const char *engine_server_version(struct engine *g);

/* Settings of a session that change answers; kept by the session layer, mirrored to the sidecar by the engine. */
struct session_view {
	const char *user, *analyst;     /* login and member */
	struct plan_settings plan;      /* analyst, search_path, timezone, epsilon, ... */
	const char *const *guc_names;   /* DateStyle, IntervalStyle, TimeZone, extra_float_digits, bytea_output, search_path, application_name, ... with values to mirror */
	const char *const *guc_values;
	size_t n_gucs;
	bool notices;                   /* noisegate.notices */
	bool receipts;                  /* noisegate.receipts */
	bool internal;                  /* the proxy asks for itself: public tables only, nothing in the audit log */
	const char *budget_rows, *query_rows; /* what noisegate.budget and noisegate.queries show, filled by the engine; NULL: nothing */
	const atomic_bool *cancelled;   /* becomes true on CancelRequest or shutdown: the engine gives up soon with ERR_CANCELLED */
};

struct field {
	const char *name;
	uint32_t type_oid, table_oid;
	int16_t type_length, column;
	int32_t type_modifier;
};

struct notice {
	const char *severity, *sqlstate, *message, *detail, *hint; /* severity "NOTICE" or "WARNING" */
};

/* A materialised answer.  cells: row-major, text or binary per column as asked; length -1 for NULL. */
struct cell {
	const uint8_t *data;
	int32_t length;
};
struct result {
	const struct field *fields;
	size_t n_fields;
	const struct cell *cells;
	size_t n_rows;
	const char *tag; /* "SELECT 4", "EXPLAIN" */
	const struct notice *notices;
	size_t n_notices;
};

struct description {
	const uint32_t *param_oids;
	size_t n_params;
	const struct field *fields; /* n_fields 0: returns no rows */
	size_t n_fields;
};

/* Checks and describes a STATEMENT_QUERY without running or charging anything; declared oids may be 0 or fewer than used. */
MUST_CHECK bool engine_describe(struct engine *g, const struct session_view *s, const char *sql, const uint32_t *param_oids,
				size_t n_params, struct arena *a, struct description *out, struct error *e);

/* For the audit log: a string that was refused before it could be a statement of the engine's, and who logged in, or tried. */
void engine_refused(struct engine *g, const char *user, const char *member, const char *sql, const struct error *why);
void engine_login(struct engine *g, const char *user, const char *member, const char *peer, bool accepted);

struct engine_param {
	uint32_t type_oid;
	bool binary;
	const uint8_t *data;
	int32_t length; /* -1: NULL */
};

/* Runs a STATEMENT_QUERY: plan, charge, upstream, noise, post-processing.  formats: 0 text, 1 binary; n_formats 0 (all text), 1 (all alike) or one a column. */
MUST_CHECK bool engine_run(struct engine *g, const struct session_view *s, const char *sql, const struct engine_param *params,
			   size_t n_params, const int16_t *formats, size_t n_formats, struct arena *a, struct result *out,
			   struct error *e);

#endif
