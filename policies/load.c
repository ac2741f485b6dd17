#include "policies/load.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "policies/read.h"

#include <stdlib.h>
#include <string.h>

enum { POLICY_BYTES_MAX = 4 << 20 };

static void read_members(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "name", "abilities" };
	static const char *const abilities[] = { "contribute", "query", "receive" };

	if (!read_is(r, n, YAML_LIST, "members"))
		return;
	struct policy_member *m = read_array(r, n->n, sizeof(*m));
	if (!m)
		return;
	r->policy->members = m;
	for (size_t i = 0; i < n->n; i++) {
		const struct yaml_node *item = n->items[i];
		if (!read_is(r, item, YAML_MAP, "a member"))
			continue;
		read_known(r, item, "a member", keys, ARRAY_LEN(keys), NULL);
		const char *name = read_name(r, read_need(r, item, "name", "a member"), "a member's name");
		const struct yaml_node *list = read_need(r, item, "abilities", "a member");
		struct policy_member *to = &m[r->policy->n_members];
		to->name = name ? name : "?";
		if (text_eq(name, "*"))
			report_error(r->report, READ_AT(item), "", "\"*\" stands for all analysts: no member can be called so");
		for (size_t j = 0; read_is(r, list, YAML_LIST, "abilities") && j < list->n; j++) {
			int which = read_choice(r, list->items[j], "an ability", abilities, ARRAY_LEN(abilities), -1);
			to->abilities |= which >= 0 ? 1u << which : 0;
		}
		if (name && policy_find_member(r->policy, name))
			report_error(r->report, READ_AT(item), "", "member \"%s\" is declared twice", name);
		r->policy->n_members++;
	}
}

static void read_logins(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "user", "member", "password" };
	static const char *const later[] = { "cert", NULL };

	if (!read_is(r, n, YAML_LIST, "logins"))
		return;
	struct policy_login *l = read_array(r, n->n, sizeof(*l));
	if (!l)
		return;
	r->policy->logins = l;
	for (size_t i = 0; i < n->n; i++) {
		const struct yaml_node *item = n->items[i];
		if (!read_is(r, item, YAML_MAP, "a login"))
			continue;
		read_known(r, item, "a login", keys, ARRAY_LEN(keys), later);
		const char *user = read_name(r, read_need(r, item, "user", "a login"), "user");
		const struct yaml_node *member = read_need(r, item, "member", "a login");
		const struct yaml_node *password = read_need(r, item, "password", "a login");
		struct policy_login *to = &l[r->policy->n_logins];
		*to = (struct policy_login){ user ? user : "?", read_text(r, member, "member", "?"), read_text(r, password, "password", "") };
		if (user && policy_find_login(r->policy, user))
			report_error(r->report, READ_AT(item), "", "login \"%s\" is declared twice", user);
		if (user && text_starts(user, "pg_"))
			report_error(r->report, READ_AT(item), "", "user names must not begin with pg_");
		if (member && r->policy->n_members > 0 && !policy_find_member(r->policy, to->member))
			report_error(r->report, READ_AT(member), "", "unknown member \"%s\"", to->member);
		if (password && !text_starts(to->verifier, "SCRAM-SHA-256$"))
			report_error(r->report, READ_AT(password), "make one with: noisegate key scram-verifier",
				     "password must be a SCRAM-SHA-256 verifier, not a password");
		r->policy->n_logins++;
	}
}

static void read_units(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "type" };

	if (!read_is(r, n, YAML_MAP, "privacy_units"))
		return;
	struct policy_unit *u = read_array(r, n->n, sizeof(*u));
	if (!u)
		return;
	r->policy->units = u;
	for (size_t i = 0; i < n->n; i++) {
		u[i] = (struct policy_unit){ n->keys[i]->text, TYPE_TEXT };
		r->policy->n_units = i + 1;
		if (!read_is(r, n->items[i], YAML_MAP, "a privacy unit"))
			continue;
		read_known(r, n->items[i], "a privacy unit", keys, ARRAY_LEN(keys), NULL);
		const struct yaml_node *type = read_need(r, n->items[i], "type", "a privacy unit");
		const char *name = read_text(r, type, "type", NULL);
		if (name && !sql_type_parse(name, &u[i].type))
			report_error(r->report, READ_AT(type), "", "unknown type \"%s\"", name);
		else if (u[i].type == TYPE_FLOAT8 || u[i].type == TYPE_NUMERIC || u[i].type == TYPE_BOOL)
			report_error(r->report, READ_AT(type), "text, an integer type or uuid", "%s cannot identify a privacy unit", name);
	}
}

/* What is allowed but probably not meant. */
static void warn(struct reader *r, const struct yaml_node *root)
{
	const struct policy *p = r->policy;

	for (size_t i = 0; i < p->n_tables; i++) {
		bool granted = p->tables[i].rule != RULE_DIFFERENTIAL_PRIVACY;
		for (size_t j = 0; j < p->n_budgets; j++)
			granted = granted || (text_eq(p->budgets[j].schema, p->tables[i].schema) &&
					      text_eq(p->budgets[j].table, p->tables[i].name) && !text_eq(p->budgets[j].analyst, "*"));
		if (!granted)
			report_warning(r->report, READ_AT(root), "nobody has a budget for %s.%s", p->tables[i].schema, p->tables[i].name);
		if (p->tables[i].rule == RULE_AGGREGATION || p->tables[i].rule == RULE_LIST || p->tables[i].rule == RULE_CUSTOM)
			report_warning(r->report, READ_AT(root), "%s.%s is under the rule %s, without noise: differences of answers can reveal a person",
				       p->tables[i].schema, p->tables[i].name, table_rule_name(p->tables[i].rule));
	}
	read_keys_warn(r, read_get(root, "tables"));
	if (p->n_logins == 0)
		report_warning(r->report, READ_AT(root), "the policy grants nothing: there are no logins");
}

static void read_root(struct reader *r, const struct yaml_node *root)
{
	static const char *const keys[] = { "version", "collaboration", "upstream", "server", "ledger", "audit", "members", "logins",
					    "privacy_units", "keys", "templates", "tables", "budgets", "answers" };

	if (!read_is(r, root, YAML_MAP, "the policy"))
		return;
	read_known(r, root, "the policy", keys, ARRAY_LEN(keys), NULL);
	(void)read_int(r, read_need(r, root, "version", "the policy"), "version", 1, 1, 1);
	r->policy->collaboration = read_name(r, read_need(r, root, "collaboration", "the policy"), "collaboration");
	if (r->policy->collaboration && strchr(r->policy->collaboration, '/'))
		report_error(r->report, READ_AT(read_get(root, "collaboration")), "", "collaboration must not contain \"/\"");
	read_server(r, root);
	read_members(r, read_need(r, root, "members", "the policy"));
	read_logins(r, read_get(root, "logins"));
	read_units(r, read_get(root, "privacy_units"));
	read_keys(r, read_get(root, "keys"));
	read_templates(r, read_get(root, "templates"));
	read_tables(r, read_need(r, root, "tables", "the policy"));
	read_budgets(r, read_get(root, "budgets"));
	read_answers(r, read_get(root, "answers"));
	warn(r, root);
}

static int by_position(const void *a, const void *b)
{
	const struct policy_error *x = a, *y = b;

	return x->line != y->line ? x->line - y->line : x->column - y->column;
}

bool policy_parse(struct arena *a, const char *name, const char *directory, const char *text, size_t n, const struct policy **out,
		  struct policy_report *report, struct error *e)
{
	struct reader r = { .arena = a, .report = report, .policy = arena_new(a, struct policy), .directory = directory };
	const struct yaml_node *root = NULL;

	report->n = report->n_warnings = 0;
	if (!r.policy)
		return fail_memory(e);
	r.policy->text = text;
	r.policy->n_text = n;
	bool read = yaml_read(a, text, n, &root, report);
	if (read)
		read_root(&r, root);
	if (r.no_memory || (!read && report->n == 0))
		return fail_memory(e);
	qsort(report->errors, report->n < POLICY_ERRORS_MAX ? report->n : POLICY_ERRORS_MAX, sizeof(report->errors[0]), by_position);
	if (report->n > 0) {
		const struct policy_error *first = &report->errors[0];
		fail(e, ERR_CONFIG, "%s:%d:%d: %s", name, first->line, first->column, first->message);
		if (report->n > 1)
			error_detail(e, "%zu errors in all.", report->n);
		return error_hint(e, "%s", first->hint);
	}
	*out = r.policy;
	return true;
}

bool policy_load(struct arena *a, const char *path, const struct policy **out, struct policy_report *report, struct error *e)
{
	const char *slash = strrchr(path, '/');
	const char *directory = slash ? arena_copy(a, path, (size_t)(slash - path)) : ".";
	char *text;
	size_t n;

	report->n = report->n_warnings = 0;
	if (!directory)
		return fail_memory(e);
	if (slash == path)
		directory = "/";
	return file_read(a, path, POLICY_BYTES_MAX, &text, &n, e) && policy_parse(a, path, directory, text, n, out, report, e);
}
