#include "proxy/params.h"

#include "planner/template.h"
#include "proxy/pgtypes.h"

bool params_mentioned(const char *sql)
{
	for (const char *at = sql; (at = strchr(at, '$')); at++)
		if (at[1] >= '0' && at[1] <= '9')
			return true;
	return false;
}

static bool all_declared(const uint32_t *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (types[i] == 0 || types[i] == OID_UNKNOWN)
			return false;
	return true;
}

/* Parameters of a call of a template have the types that the template declares: the sidecar does not know templates.  *done: it is such a call. */
static bool infer_template(const struct policy *policy, const char *sql, uint32_t *types, size_t n, struct arena *a, struct params *p, bool *done,
			   struct error *e)
{
	const enum sql_type *declared = NULL;
	size_t used;

	*done = false;
	if (!template_parameters(a, policy, sql, &declared, &used, e))
		return false;
	if (!declared)
		return true;
	p->n = used > n ? used : n;
	uint32_t *all = arena_array(a, p->n + 1, uint32_t);
	if (!all)
		return fail_memory(e);
	for (size_t i = 0; i < p->n; i++) {
		all[i] = i < n && types[i] ? types[i] : OID_TEXT;
		if (i < used && declared[i] != TYPE_COUNT && (i >= n || !types[i]))
			all[i] = pgtype_field(declared[i], "").type_oid;
	}
	p->types = all;
	*done = true;
	return true;
}

bool params_infer(struct sidecar *s, const struct policy *policy, const struct session_view *v, const char *sql, const uint32_t *declared, size_t n, struct arena *a,
		  struct params *out, struct error *e)
{
	struct params p = { .n = n };
	uint32_t *types = arena_array(a, n + 1, uint32_t);

	if (!types)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++)
		types[i] = declared[i] == OID_UNKNOWN ? 0 : declared[i];
	p.types = types;
	bool done = false;
	if (params_mentioned(sql) && !infer_template(policy, sql, types, n, a, &p, &done, e))
		return false;
	if (!done && (params_mentioned(sql) || !all_declared(declared, n))) {
		struct description d;
		if (!sidecar_describe(s, v, sql, types, n, true, a, &d, e))
			return false;
		p.types = d.param_oids;
		p.n = d.n_params;
	}
	p.plan = arena_array(a, p.n + 1, struct plan_param);
	if (!p.plan)
		return fail_memory(e);
	for (size_t i = 0; i < p.n; i++)
		p.plan[i] = (struct plan_param){ .type_oid = p.types[i] };
	*out = p;
	return true;
}

static bool read_one(const struct engine_param *from, size_t i, struct arena *a, struct params *p, struct error *e)
{
	struct engine_param typed = *from;
	const char *text;
	bool readable;

	typed.type_oid = p->types[i];
	if (!pgtype_param_text(&typed, i + 1, a, &text, &readable, e))
		return false;
	p->plan[i] = (struct plan_param){ .type_oid = p->types[i], .known = readable, .text = text };
	if (!readable && !p->unreadable)
		p->unreadable = i + 1;
	p->formats[i] = from->binary;
	p->lengths[i] = from->length > 0 ? from->length : 0;
	p->values[i] = from->length < 0 ? NULL : from->binary ? (const char *)from->data : text;
	if (from->length == 0)
		p->values[i] = ""; /* an empty value is not NULL, whatever the pointer is */
	return true;
}

bool params_read(struct sidecar *s, const struct policy *policy, const struct session_view *v, const char *sql, const struct engine_param *params, size_t n,
		 struct arena *a, struct params *out, struct error *e)
{
	uint32_t *declared = arena_array(a, n + 1, uint32_t);
	struct params p = { .n = n };

	if (!declared)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++)
		declared[i] = params[i].type_oid;
	p.types = declared;
	if (!all_declared(declared, n)) {
		if (!params_infer(s, policy, v, sql, declared, n, a, &p, e))
			return false;
		if (p.n != n)
			return fail(e, ERR_PROTOCOL, "bind message supplies %zu parameters, but the statement requires %zu", n, p.n);
	}
	p.plan = arena_array(a, n + 1, struct plan_param);
	p.values = arena_array(a, n + 1, const char *);
	p.lengths = arena_array(a, n + 1, int);
	p.formats = arena_array(a, n + 1, int);
	if (!p.plan || !p.values || !p.lengths || !p.formats)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++)
		if (!read_one(&params[i], i, a, &p, e))
			return false;
	*out = p;
	return true;
}

bool params_and_columns(const struct params *p, const struct plan *plan, struct arena *a, const uint32_t **types, size_t *n,
			struct error *e)
{
	size_t columns = 0;

	for (size_t i = 0; plan->kind == PLAN_BLOCKS && i < plan->n_blocks; i++)
		columns += plan->blocks[i].n_columns;
	uint32_t *t = arena_array(a, p->n + columns + 1, uint32_t);
	if (!t)
		return fail_memory(e);
	for (size_t i = 0; i < p->n + columns; i++)
		t[i] = i < p->n ? p->types[i] : OID_TEXT_ARRAY;
	*types = t;
	*n = p->n + columns;
	return true;
}
