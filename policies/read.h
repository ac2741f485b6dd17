/* Reading values out of the YAML tree; every mistake is reported and reading goes on with a default, so that one run finds them all. */
#ifndef NG_POLICIES_READ_H
#define NG_POLICIES_READ_H

#include "policies/yaml.h"

struct reader {
	struct arena *arena;
	struct policy_report *report;
	struct policy *policy;
	const char *directory;
	bool no_memory;
};

/* Reports keys of a map that are not in the list; keys behind `later` (NULL-terminated) get "not supported in this version". */
void read_known(struct reader *r, const struct yaml_node *map, const char *what, const char *const *keys, size_t n_keys,
		const char *const *later);

/* The value under a key, or NULL. */
const struct yaml_node *read_get(const struct yaml_node *map, const char *key);

/* The value under a key; reports its absence when required. */
const struct yaml_node *read_need(struct reader *r, const struct yaml_node *map, const char *key, const char *what);

bool read_is(struct reader *r, const struct yaml_node *n, enum yaml_kind kind, const char *what);

/* Scalars; NULL node: the fallback, silently. */
const char *read_text(struct reader *r, const struct yaml_node *n, const char *what, const char *fallback);
int64_t read_int(struct reader *r, const struct yaml_node *n, const char *what, int64_t lo, int64_t hi, int64_t fallback);
bool read_bool(struct reader *r, const struct yaml_node *n, const char *what, bool fallback);
bool read_decimal(struct reader *r, const struct yaml_node *n, const char *what, struct decimal *out); /* false: reported or NULL */
int read_choice(struct reader *r, const struct yaml_node *n, const char *what, const char *const *choices, size_t n_choices, int fallback);

/* A path, relative to the policy file; NULL stays NULL. */
const char *read_path(struct reader *r, const char *path);

/* A SQL identifier: 1..63 bytes. */
const char *read_name(struct reader *r, const struct yaml_node *n, const char *what);

/* "schema.name" into its parts; false when reported. */
bool read_qualified(struct reader *r, const struct yaml_node *n, const char *what, const char **schema, const char **name);

void *read_array(struct reader *r, size_t n, size_t size);

struct policy_table;

/* A path of the file, relative to the file's directory unless absolute; NULL stays NULL. */
const char *read_path(struct reader *r, const char *path);

/* A column of the table by name; false when reported. */
bool read_column_of(struct reader *r, const struct yaml_node *n, const struct policy_table *t, const char *what, size_t *out);

/* The parts of a table that say what may be asked: aggregation, list, custom, analysts, own. */
void read_rule_parts(struct reader *r, const struct yaml_node *table, struct policy_table *t);

/* Approved queries; before the tables, which name them. */
void read_templates(struct reader *r, const struct yaml_node *templates);

/* How a column is sealed: encoding, key, joins, format, sealed_as, bits.  typed: its type is known. */
struct policy_column;
void read_sealing(struct reader *r, const struct yaml_node *column, const char *owner, bool typed, struct policy_column *c);

/* keys: what columns were sealed with; before the tables, which name them. */
void read_keys(struct reader *r, const struct yaml_node *keys);

/* Warns about members who can guess values of sealed columns where no noise stands against it. */
void read_keys_warn(struct reader *r, const struct yaml_node *tables);

/* Beacons that a list or custom rule lets analysts search. */
void read_beacons(struct reader *r, const struct yaml_node *n, struct policy_table *t);

/* Parts of the file, in files of their own. */
void read_server(struct reader *r, const struct yaml_node *root);
void read_audit(struct reader *r, const struct yaml_node *audit);
void read_answers(struct reader *r, const struct yaml_node *answers);
void read_tables(struct reader *r, const struct yaml_node *tables);
void read_budgets(struct reader *r, const struct yaml_node *budgets);

#define READ_AT(node) (node)->line, (node)->column

#endif
