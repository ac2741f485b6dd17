/*
 * The policy of one collaboration: an immutable model, loaded from one YAML file (docs/policy.md), that every other room reads.
 * Nothing here does I/O after loading; nothing changes after loading.
 */
#ifndef NG_POLICIES_POLICY_H
#define NG_POLICIES_POLICY_H

#include "base/compiler.h"
#include "base/number.h"
#include "base/units.h"

/* Column types, those of PostgreSQL under their short names. */
enum sql_type {
	TYPE_BOOL,
	TYPE_INT2,
	TYPE_INT4,
	TYPE_INT8,
	TYPE_NUMERIC,
	TYPE_FLOAT8,
	TYPE_TEXT,
	TYPE_DATE,
	TYPE_TIMESTAMP,
	TYPE_TIMESTAMPTZ,
	TYPE_UUID,
	TYPE_COUNT
};

/* The name as pg_catalog spells it ("int4", "timestamptz"), and the names that a policy may use ("integer", "timestamp with time zone", ...). */
const char *sql_type_name(enum sql_type t);
MUST_CHECK bool sql_type_parse(const char *name, enum sql_type *out);
MUST_CHECK bool sql_type_is_number(enum sql_type t);

/* What policies/encoding.h knows of each. */
enum encoding {
	ENCODING_CLEARTEXT,
	ENCODING_FINGERPRINT,   /* HMAC: equal values of one domain have equal cells; opened by nobody */
	ENCODING_SEALED,        /* equal values look different; opened by key holders */
	ENCODING_DETERMINISTIC, /* AES-SIV: both */
	ENCODING_TOKEN,         /* random, from a vault: both, for holders of the vault */
	ENCODING_BEACON,        /* the first bits of an HMAC: searched with a constant */
	ENCODINGS
};

enum table_rule {
	RULE_PUBLIC,              /* no protection: may be joined on any key and read row by row */
	RULE_DIFFERENTIAL_PRIVACY,
	RULE_AGGREGATION,         /* exact aggregates under output constraints */
	RULE_LIST,                /* listed columns of rows that match a table of the querying member */
	RULE_CUSTOM               /* what the owner approved: templates, or any query within thresholds */
};

struct policy_column {
	const char *name;
	enum sql_type type;
	enum encoding encoding;
	const char *key;              /* not cleartext: name of what it was sealed with; NULL: the collaboration's one key.  Tokens: the vault, never NULL */
	const char *sealed_as;        /* joinable encodings: the column's name when it was sealed (tokens: the domain), lower case */
	bool any_name;                /* joins: any_name: one key for all columns, so that sealed_as does not matter */
	bool native_format;           /* format: noisegate, not C3R */
	unsigned bits;                /* beacons: 1..32 */
	bool searched;                /* beacons: the table's list or custom rule allows searching */
	bool has_bounds;              /* numbers only */
	struct decimal lo, hi;        /* lo < hi */
	struct decimal grid;          /* > 0; integers: 1; default for numeric and float8: 0.01 */
	const char *const *values;    /* public domain in canonical text, or NULL; no duplicates */
	size_t n_values;
	bool unique;                  /* a real constraint upstream says that no two rows share a value (check --connect verifies it) */
	bool domain;                  /* public tables: the column's values are the domain of group keys, read when a query runs */
	const char *comment;          /* shown in the catalog, or NULL */
};

enum agg_function { AGG_COUNT, AGG_COUNT_DISTINCT, AGG_SUM, AGG_SUM_DISTINCT, AGG_AVG, AGG_MIN, AGG_MAX, AGG_STDDEV, AGG_VARIANCE, AGG_FUNCTIONS };

/* "public", "differential_privacy", ... as the policy spells them. */
const char *table_rule_name(enum table_rule r);

/* A list of names; n 0 with items NULL: not given. */
struct name_list {
	const char *const *items;
	size_t n;
};
MUST_CHECK bool name_list_has(const struct name_list *l, const char *name);

/* RULE_AGGREGATION, after AWS Clean Rooms; columns by index into policy_table.columns, as bit sets over at most POLICY_COLUMNS_MAX. */
enum { POLICY_COLUMNS_MAX = 256 };
struct column_set {
	uint64_t bits[POLICY_COLUMNS_MAX / 64];
};
MUST_CHECK bool column_set_has(const struct column_set *s, size_t column);
void column_set_add(struct column_set *s, size_t column);

struct output_minimum {
	size_t column;
	int64_t minimum; /* 0: none, or 2..100000 */
};

struct output_constraint {
	size_t column;
	int64_t minimum; /* distinct values of column per output row, 2..100000 */
	const struct output_minimum *outputs; /* RULE_CUSTOM: where the result is made of these columns, another minimum holds */
	size_t n_outputs;
};

struct aggregation_rule {
	bool restricts; /* the part is there: under RULE_AGGREGATION always, beside differential privacy as a further restriction */
	struct column_set aggregates[AGG_FUNCTIONS]; /* columns allowed per function */
	struct column_set dimensions; /* grouped by, filtered on */
	struct column_set filters;    /* filtered on only */
	struct column_set joins;
	bool join_required; /* must be joined with a table owned by the querying member */
	bool allow_or;      /* join conditions may be combined with OR */
	struct name_list scalar_functions; /* over dimensions; items NULL: every listed one */
	const struct output_constraint *constraints; /* RULE_AGGREGATION: at least one; also RULE_CUSTOM's thresholds */
	size_t n_constraints;
};

struct list_rule {
	struct column_set columns; /* shown and filtered on */
	struct column_set joins;   /* compared with columns of the querying member's table */
	bool allow_or;
};

struct policy_template;

struct custom_rule {
	bool any_query;             /* of the analysts that `analysts` names */
	struct name_list templates; /* approved ones; those they name must exist */
	struct column_set disallowed_output;
	bool columns_only;          /* aggregates take bare columns: thresholds with expressions: columns */
	bool controls;              /* comparisons are limited to the two sets below */
	struct column_set literal_comparisons, column_comparisons;
};

struct policy_table {
	const char *schema, *name;          /* as analysts write it: brand.customers */
	const char *owner;                  /* member */
	const char *source_schema, *source_name; /* the upstream relation */
	enum table_rule rule;
	const char *unit_name;              /* privacy unit ("person"), or NULL unless RULE_DIFFERENTIAL_PRIVACY */
	size_t unit_column;                 /* its column, or with via the column that leads to it; meaningful when unit_name */
	const struct policy_table *via;     /* the unit of a row is that of the row of this table whose via_column (unique) equals unit_column; else NULL */
	size_t via_column;
	const struct policy_column *columns;
	size_t n_columns;
	int64_t max_rows, max_groups;       /* contribution, at least 1; RULE_DIFFERENTIAL_PRIVACY only */
	int64_t min_units;                  /* groups of private keys with fewer units are never shown; 0 and 1: none */
	struct aggregation_rule aggregation; /* RULE_AGGREGATION; RULE_CUSTOM: constraints only; RULE_DIFFERENTIAL_PRIVACY: further restrictions */
	struct list_rule list;               /* RULE_LIST */
	struct custom_rule custom;           /* RULE_CUSTOM */
	struct name_list analysts;           /* members who may ask; items NULL: every member with the ability */
	const struct policy_table *own;      /* own: free: the table as its owner may query it, public; else NULL */
	int64_t overlap;                     /* RULE_DIFFERENTIAL_PRIVACY: least noised number of units shared with another owner; 0: none asked */
	const char *comment;
};

/* A query that owners approved: SQL with :name parameters. */
struct policy_template {
	const char *name, *sql, *comment;
	const char *const *parameters;      /* their names */
	const enum sql_type *types;
	size_t n_parameters;
};

struct policy_unit {
	const char *name;
	enum sql_type type;
};

/* What columns were sealed with, and who could make or open their cells. */
struct policy_key {
	const char *name, *comment;
	struct name_list holders; /* members; items NULL: not said */
};

enum { ABILITY_CONTRIBUTE = 1, ABILITY_QUERY = 2, ABILITY_RECEIVE = 4 };

struct policy_member {
	const char *name;
	unsigned abilities;
};

struct policy_login {
	const char *user, *member;
	const char *verifier; /* SCRAM-SHA-256$... */
};

enum accounting { ACCOUNTING_PURE, ACCOUNTING_ZCDP, ACCOUNTING_APPROX }; /* docs/budgets.md */
enum refresh { REFRESH_NONE, REFRESH_DAILY, REFRESH_WEEKLY, REFRESH_MONTHLY };

struct policy_budget {
	const char *owner, *schema, *table, *analyst; /* account key: (owner, schema.table, analyst member) */
	struct eps epsilon;
	struct delta delta;           /* 0 only with ACCOUNTING_PURE and _APPROX: then private group keys are refused */
	struct eps query_epsilon;     /* default of one query */
	struct eps query_max_epsilon; /* cap of one query */
	struct eps query_min_epsilon; /* what one query costs at least; 0: any */
	struct delta query_delta;     /* default of one query with private keys; 0 when delta is 0 */
	struct delta query_max_delta;
	enum accounting accounting;
	enum refresh refresh;
	int refresh_day; /* weekly: 1 Monday .. 7 Sunday; monthly: 1..28; 0 is taken as 1 */
	const struct policy_budget *together; /* the budget of all analysts of this table together (analyst "*"), or NULL */
};

struct policy_server {
	const char *listen_host; /* default 127.0.0.1 */
	int listen_port;         /* default 6432; 0: any free one */
	const char *tls_cert, *tls_key; /* both or neither */
	bool tls_required;       /* default: true when a certificate is given */
	int workers;             /* default 8 */
	int max_connections;     /* default 10000 */
	const char *sidecar_dir; /* NULL: a fresh private directory, removed at stop */
	const char *sidecar_bin; /* directory of initdb and postgres; default /usr/lib/postgresql/15/bin */
	const char *sidecar_user; /* account that runs it when started by root; default postgres */
	bool log_json;
};

struct policy_upstream {
	const char *dsn;          /* libpq connection string without password */
	const char *password_env, *password_file; /* or NULL */
	int connections;          /* pool size, default 4 */
	int statement_timeout_ms; /* default 60000 */
};

/* Where the ledger is kept, and where the end of its chain is noted outside of it (budget/anchor.h). */
struct policy_ledger {
	const char *postgres; /* connection string without password; NULL: the file at policy.ledger_path */
	const char *schema;   /* of its tables in PostgreSQL; default noisegate */
	const char *password_env, *password_file; /* or NULL */
	const char *anchor_file;                  /* or NULL */
	const char *anchor_schema, *anchor_table; /* a table on the upstream, or NULL */
	const char *anchor_tpm;                   /* how tpm2-tss reaches a TPM, or NULL */
	uint32_t anchor_index;                    /* of its NV index */
};

/* The audit log (docs/audit.md).  Paths are resolved as the ledger's. */
struct policy_audit {
	const char *path;            /* a directory; default COLLABORATION.audit */
	const char *sign_key;        /* Ed25519 private key; NULL: checkpoints are not signed */
	const char *checkpoint_file; /* the newest checkpoint; default checkpoint in path */
	int64_t checkpoint_records;  /* at most so many records between two, default 1000 */
	int64_t checkpoint_seconds;  /* and so much time, default 60 */
	int64_t segment_bytes;       /* a file that reached it is followed by a new one, default 64 MiB */
};

/* What may be given again without a charge, and when answers leave. */
struct policy_answers {
	bool repeat_free;    /* the same question of the same member, while its data is declared unchanged */
	int64_t keep_ms;     /* declared unchanged for so long; 0: as long as the version is */
	const char *version; /* a query over public tables: other rows, other data; or NULL */
	uint64_t bytes;      /* kept at most */
	const char *path;    /* where */
	int64_t quantum_ms;  /* answers leave at multiples of it after their question; 0: when they are ready */
};

struct policy {
	const char *collaboration;
	const char *text; /* the file's own bytes */
	size_t n_text;
	struct policy_audit audit;
	const char *ledger_path; /* absolute or relative to the policy file's directory, resolved by the loader */
	struct policy_ledger ledger;
	struct policy_server server;
	struct policy_upstream upstream;
	struct policy_answers answers;
	const struct policy_member *members;
	size_t n_members;
	const struct policy_login *logins;
	size_t n_logins;
	const struct policy_unit *units;
	size_t n_units;
	const struct policy_key *keys; /* NULL: the policy names keys without declaring them */
	size_t n_keys;
	const struct policy_table *tables;
	size_t n_tables;
	const struct policy_template *templates;
	size_t n_templates;
	const struct policy_budget *budgets;
	size_t n_budgets;
};

/* "pure", "zcdp", "approx". */
const char *accounting_name(enum accounting a);

/* Look-ups; NULL when there is none.  policy_find_column: n_columns when there is none. */
const struct policy_member *policy_find_member(const struct policy *p, const char *name);
const struct policy_login *policy_find_login(const struct policy *p, const char *user);
const struct policy_template *policy_find_template(const struct policy *p, const char *name);
const struct policy_key *policy_find_key(const struct policy *p, const char *name);
const struct policy_unit *policy_find_unit(const struct policy *p, const char *name);
const struct policy_table *policy_find_table(const struct policy *p, const char *schema, const char *name);
size_t policy_find_column(const struct policy_table *t, const char *name);
const struct policy_budget *policy_find_budget(const struct policy *p, const struct policy_table *t, const char *analyst);

#endif
