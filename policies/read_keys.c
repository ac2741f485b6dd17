/* How columns are sealed, what with, and who can guess their values. */
#include "policies/encoding.h"
#include "policies/read.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static void read_holders(struct reader *r, const struct yaml_node *n, struct policy_key *k)
{
	if (!n || !read_is(r, n, YAML_LIST, "holders"))
		return;
	const char **names = read_array(r, n->n + 1, sizeof(*names));
	for (size_t i = 0; names && i < n->n; i++) {
		const char *name = read_text(r, n->items[i], "a holder", NULL);
		if (name && !policy_find_member(r->policy, name))
			report_error(r->report, READ_AT(n->items[i]), "", "unknown member \"%s\"", name);
		else if (name)
			names[k->holders.n++] = name;
	}
	k->holders.items = names;
}

void read_keys(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "holders", "comment" };

	if (!n || !read_is(r, n, YAML_MAP, "keys"))
		return;
	struct policy_key *k = read_array(r, n->n + 1, sizeof(*k));
	if (!k)
		return;
	r->policy->keys = k;
	for (size_t i = 0; i < n->n; i++) {
		k[i] = (struct policy_key){ .name = n->keys[i]->text };
		r->policy->n_keys = i + 1;
		if (!read_is(r, n->items[i], YAML_MAP, "a key"))
			continue;
		read_known(r, n->items[i], "a key", keys, ARRAY_LEN(keys), NULL);
		read_holders(r, read_get(n->items[i], "holders"), &k[i]);
		k[i].comment = read_text(r, read_get(n->items[i], "comment"), "comment", NULL);
	}
}

static const char *lower(struct reader *r, const char *name)
{
	char *s = arena_strdup(r->arena, name);

	if (!s) {
		r->no_memory = true;
		return name;
	}
	for (char *c = s; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	return s;
}

/* A key that the policy does not declare, once it declares any, is a mistake in spelling. */
static void check_key(struct reader *r, const struct yaml_node *n, const char *name)
{
	const char *names[64], *near;
	char hint[160] = "declare it under keys";
	size_t known = 0;

	if (!name || !r->policy->keys || policy_find_key(r->policy, name))
		return;
	for (; known < r->policy->n_keys && known < ARRAY_LEN(names); known++)
		names[known] = r->policy->keys[known].name;
	near = text_nearest(name, names, known);
	if (near)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	report_error(r->report, READ_AT(n), hint, "unknown key \"%s\"", name);
}

/* A setting of how a column was sealed stands only where the encoding has it. */
static const struct yaml_node *setting(struct reader *r, const struct yaml_node *column, const char *name, bool belongs, const struct policy_column *c)
{
	const struct yaml_node *n = read_get(column, name);

	if (n && !belongs) {
		report_error(r->report, READ_AT(n), "", "%s does not belong to a %s column", name, encoding_name(c->encoding));
		return NULL;
	}
	return n;
}

void read_sealing(struct reader *r, const struct yaml_node *column, const char *owner, bool typed, struct policy_column *c)
{
	static const char *const joins[] = { "same_name", "any_name" }, *const formats[] = { "c3r", "noisegate" };
	const char *names[ENCODINGS];
	const struct yaml_node *encoding = read_get(column, "encoding");

	for (size_t i = 0; i < ENCODINGS; i++)
		names[i] = encoding_name((enum encoding)i);
	c->encoding = (enum encoding)read_choice(r, encoding, "encoding", names, ENCODINGS, 0);
	const bool clear = c->encoding == ENCODING_CLEARTEXT, token = c->encoding == ENCODING_TOKEN, native = c->encoding == ENCODING_DETERMINISTIC;
	const bool keyed = c->encoding == ENCODING_FINGERPRINT || native, beacon = c->encoding == ENCODING_BEACON;
	if (!clear && typed && c->type != TYPE_TEXT)
		report_error(r->report, READ_AT(encoding), "", "a %s column has type text", encoding_name(c->encoding));
	const struct yaml_node *key = setting(r, column, "key", !clear, c);
	c->key = read_text(r, key, "key", NULL);
	check_key(r, key, c->key);
	c->any_name = read_choice(r, setting(r, column, "joins", keyed, c), "joins", joins, ARRAY_LEN(joins), 0) == 1;
	const struct yaml_node *format = setting(r, column, "format", !clear && !token && !beacon, c);
	c->native_format = read_choice(r, format, "format", formats, ARRAY_LEN(formats), native) == 1;
	if (native && !c->native_format)
		report_error(r->report, READ_AT(format), "", "deterministic columns are of format noisegate");
	c->sealed_as = read_text(r, setting(r, column, "sealed_as", keyed || token, c), "sealed_as", c->name);
	c->sealed_as = lower(r, c->sealed_as ? c->sealed_as : c->name);
	if (token && !c->key) { /* vaults are their owners' */
		c->key = arena_printf(r->arena, "vault of %s", owner);
		r->no_memory = r->no_memory || !c->key;
	}
	if (beacon)
		c->bits = (unsigned)read_int(r, read_need(r, column, "bits", "a beacon column"), "bits", 1, 32, 1);
	else
		(void)setting(r, column, "bits", false, c);
}

void read_beacons(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	size_t column;

	if (!n || !read_is(r, n, YAML_LIST, "beacons"))
		return;
	struct policy_column *columns = read_array(r, t->n_columns + 1, sizeof(*columns));
	if (!columns || t->n_columns == 0)
		return;
	mem_copy(columns, t->columns, t->n_columns * sizeof(*columns));
	for (size_t i = 0; i < n->n; i++) {
		if (!read_column_of(r, n->items[i], t, "beacons", &column))
			continue;
		if (columns[column].encoding != ENCODING_BEACON)
			report_error(r->report, READ_AT(n->items[i]), "encoding: beacon", "column \"%s\" is no beacon column", columns[column].name);
		columns[column].searched = true;
	}
	t->columns = columns;
}

/* --- who can guess ------------------------------------------------------------------------------------------------------------------ */

/* The member may ask about the table, does not own it, and may hold the key: not saying who does means anybody may. */
static bool can_guess(const struct policy_table *t, const struct policy_member *m, const struct policy_key *k)
{
	return (m->abilities & ABILITY_QUERY) && !text_eq(m->name, t->owner) && (!t->analysts.items || name_list_has(&t->analysts, m->name)) &&
	       (!k || !k->holders.items || name_list_has(&k->holders, m->name));
}

static void warn_column(struct reader *r, const struct yaml_node *at, const struct policy_table *t, const struct policy_column *c)
{
	const struct policy_key *k = c->key ? policy_find_key(r->policy, c->key) : NULL;
	struct wr w;
	size_t n = 0;

	wr_init(&w, r->arena, 1 << 16);
	for (size_t i = 0; i < r->policy->n_members; i++) {
		if (can_guess(t, &r->policy->members[i], k))
			wr_fmt(&w, "%s\"%s\"", n++ ? ", " : "", r->policy->members[i].name);
	}
	if (n == 0)
		return;
	const char *who = wr_ok(&w) ? wr_text(&w) : "several";
	const bool known = k && k->holders.items;
	report_warning(r->report, READ_AT(at), "%s.%s.%s: under the rule %s a member who holds the key%s%s%s (%s%s) can test guessed values; see docs/sealed-columns.md", t->schema,
		       t->name, c->name, table_rule_name(t->rule), c->key ? " \"" : "", c->key ? c->key : "", c->key ? "\"" : "", known ? "" : "any of ", who);
}

void read_keys_warn(struct reader *r, const struct yaml_node *tables)
{
	for (size_t i = 0; tables && tables->kind == YAML_LIST && i < tables->n && i < r->policy->n_tables; i++) {
		const struct policy_table *t = &r->policy->tables[i];
		const struct yaml_node *columns = read_get(tables->items[i], "columns");
		if (t->rule == RULE_PUBLIC || t->rule == RULE_DIFFERENTIAL_PRIVACY)
			continue; /* nothing left to guess; the unit's noise covers who is in it */
		for (size_t j = 0; j < t->n_columns; j++) {
			const struct yaml_node *at = read_get(columns, t->columns[j].name);
			if (at && encoding_guessable(t->columns[j].encoding))
				warn_column(r, at, t, &t->columns[j]);
		}
	}
}
