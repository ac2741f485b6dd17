/* The list of mechanisms that compose reads: JSON or YAML, or lines of words. */
#include "base/text.h"
#include "mechanisms/loss.h"
#include "policies/yaml.h"
#include "proxy/cli_numbers.h"
#include "proxy/cli_plan.h"

enum { FIELDS_MAX = 8 };

/* One mechanism as written, whatever the notation. */
struct entry {
	int line;
	size_t n;
	const char *keys[FIELDS_MAX], *values[FIELDS_MAX];
};

static const char *const kinds[] = { [USE_PURE] = "pure",	[USE_APPROX] = "approx",     [USE_BOUNDED_RANGE] = "exponential",
				     [USE_LAPLACE] = "laplace", [USE_GAUSSIAN] = "gaussian", [USE_ZCDP] = "zcdp" };

/* Which keys a kind takes, beside mechanism and count. */
static const char *const allowed[][5] = {
	[USE_PURE] = { "epsilon" },
	[USE_APPROX] = { "epsilon", "delta" },
	[USE_BOUNDED_RANGE] = { "epsilon" },
	[USE_LAPLACE] = { "epsilon", "scale", "sensitivity", "law" },
	[USE_GAUSSIAN] = { "rho", "sigma", "sensitivity" },
	[USE_ZCDP] = { "rho", "delta" },
};

static const char *find(const struct entry *x, const char *key)
{
	for (size_t i = 0; i < x->n; i++) {
		if (text_eq(x->keys[i], key))
			return x->values[i];
	}
	return NULL;
}

static bool missing(const char *kind, const char *what, struct error *e)
{
	return fail(e, ERR_CONFIG, "%s needs %s", kind, what);
}

static bool read_kind(const struct entry *x, struct use *u, struct error *e)
{
	const char *name = find(x, "mechanism"), *near;

	if (!name)
		return fail(e, ERR_CONFIG, "an entry names no mechanism");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (text_eq(name, kinds[i])) {
			u->kind = (enum use_kind)i;
			return true;
		}
	}
	if (text_eq(name, "selection")) { /* group selection: its price is that of any (epsilon, delta)-DP mechanism */
		u->kind = USE_APPROX;
		return true;
	}
	near = text_nearest(name, kinds, ARRAY_LEN(kinds));
	fail(e, ERR_CONFIG, "unknown mechanism \"%.40s\"", name);
	return error_hint(e, "Known: pure, approx, selection, exponential, laplace, gaussian, zcdp.%s%s", near ? "  Nearest: " : "", near ? near : "");
}

static bool check_keys(const struct entry *x, const struct use *u, struct error *e)
{
	for (size_t i = 0; i < x->n; i++) {
		bool ok = text_eq(x->keys[i], "mechanism") || text_eq(x->keys[i], "count");
		for (size_t k = 0; k < ARRAY_LEN(allowed[0]) && allowed[u->kind][k]; k++)
			ok = ok || text_eq(x->keys[i], allowed[u->kind][k]);
		for (size_t k = 0; k < i; k++) {
			if (text_eq(x->keys[i], x->keys[k]))
				return fail(e, ERR_CONFIG, "\"%.40s\" is given twice", x->keys[i]);
		}
		if (ok)
			continue;
		const char *const *keys = allowed[u->kind];
		fail(e, ERR_CONFIG, "%s takes no \"%.40s\"", kinds[u->kind], x->keys[i]);
		return error_hint(e, "It takes: count, %s%s%s%s%s%s%s.", keys[0], keys[1] ? ", " : "", keys[1] ? keys[1] : "", keys[2] ? ", " : "",
				  keys[2] ? keys[2] : "", keys[3] ? ", " : "", keys[3] ? keys[3] : "");
	}
	return true;
}

static bool read_laplace(const struct entry *x, struct use *u, struct error *e)
{
	const char *epsilon = find(x, "epsilon"), *scale = find(x, "scale"), *sensitivity = find(x, "sensitivity"), *law = find(x, "law");
	struct decimal b, d = { 1, 0 };

	if (law && !text_eq(law, "discrete") && !text_eq(law, "continuous"))
		return fail(e, ERR_CONFIG, "law is discrete or continuous, not \"%.40s\"", law);
	if (!epsilon == !scale)
		return missing("laplace", "either epsilon or scale", e);
	u->steps = law && text_eq(law, "continuous") ? 0 : 1;
	if (sensitivity && u->steps > 0) {
		if (!cli_integer("the sensitivity of discrete noise", sensitivity, INT64_MAX, &u->steps, e))
			return false;
		d.digits = (i128)u->steps;
	} else if (sensitivity && !cli_decimal("sensitivity", sensitivity, false, &d, e)) {
		return false;
	}
	if (epsilon)
		return cli_epsilon("epsilon", epsilon, ROUND_UP, &u->epsilon, e);
	if (!cli_decimal("scale", scale, false, &b, e))
		return false;
	int digits = d.scale > b.scale ? d.scale : b.scale;
	i128 num, top;
	if (!decimal_rescale(b, digits, &num) || !decimal_rescale(d, digits, &top))
		return fail(e, ERR_CONFIG, "scale and sensitivity have too many digits");
	return loss_eps_of_laplace((u128)top, (u128)num, 1, &u->epsilon) ? true : fail(e, ERR_CONFIG, "this scale gives no usable epsilon");
}

static bool read_gaussian(const struct entry *x, struct use *u, struct error *e)
{
	const char *rho = find(x, "rho"), *sigma = find(x, "sigma"), *sensitivity = find(x, "sensitivity");
	struct decimal s, d = { 1, 0 };

	if (!rho == !sigma)
		return missing("gaussian", "either rho or sigma", e);
	if (rho && sensitivity)
		return fail(e, ERR_CONFIG, "gaussian takes no sensitivity beside rho");
	if (rho)
		return cli_rho("rho", rho, ROUND_UP, &u->rho, e);
	if (!cli_decimal("sigma", sigma, false, &s, e) || (sensitivity && !cli_decimal("sensitivity", sensitivity, false, &d, e)))
		return false;
	/* to one scale, then (d / s)^2 / 2 of the digits */
	int scale = d.scale > s.scale ? d.scale : s.scale;
	i128 num, top;
	if (!decimal_rescale(s, scale, &num) || !decimal_rescale(d, scale, &top) || __builtin_mul_overflow(num, num, &num) ||
	    __builtin_mul_overflow(top, top, &top))
		return fail(e, ERR_CONFIG, "sigma and sensitivity have too many digits");
	return loss_rho_of_gaussian((u128)top, (u128)num, 1, &u->rho) ? true : fail(e, ERR_CONFIG, "this sigma gives no usable rho");
}

static bool read_use(const struct entry *x, struct use *u, struct error *e)
{
	const char *count = find(x, "count"), *epsilon = find(x, "epsilon"), *delta = find(x, "delta"), *rho = find(x, "rho");

	*u = (struct use){ .count = 1 };
	if (!read_kind(x, u, e) || !check_keys(x, u, e) || (count && !cli_integer("count", count, (int64_t)USES_MAX, &u->count, e)))
		return false;
	if (u->kind == USE_LAPLACE)
		return read_laplace(x, u, e);
	if (u->kind == USE_GAUSSIAN)
		return read_gaussian(x, u, e);
	if (u->kind == USE_ZCDP)
		return (rho ? cli_rho("rho", rho, ROUND_UP, &u->rho, e) : missing("zcdp", "rho", e)) &&
		       (!delta || cli_delta("delta", delta, ROUND_UP, &u->delta, e));
	if (!epsilon)
		return missing(kinds[u->kind], "epsilon", e);
	if (u->kind == USE_APPROX && !delta)
		return missing("approx", "delta", e);
	return cli_epsilon("epsilon", epsilon, ROUND_UP, &u->epsilon, e) &&
	       (!delta || cli_delta("delta", delta, ROUND_UP, &u->delta, e));
}

struct list {
	struct arena *arena;
	const char *name;
	struct use *uses;
	size_t n, cap;
};

/* Adds where it is to an error. */
static bool at_line(const struct list *l, int line, struct error *e)
{
	char message[sizeof(e->message)];

	(void)snprintf(message, sizeof(message), "%s", e->message);
	(void)snprintf(e->message, sizeof(e->message), "%.60s:%d: %.150s", l->name, line, message);
	return false;
}

static bool add(struct list *l, const struct entry *x, struct error *e)
{
	struct use u;

	if (!read_use(x, &u, e))
		return at_line(l, x->line, e);
	if (l->n == COMPOSE_ENTRIES_MAX) {
		fail(e, ERR_CONFIG, "more than %d entries", COMPOSE_ENTRIES_MAX);
		return at_line(l, x->line, e);
	}
	struct use *grown = arena_grow(l->arena, l->uses, l->n, &l->cap, sizeof(u));
	if (!grown)
		return fail_memory(e);
	l->uses = grown;
	grown[l->n++] = u;
	return true;
}

static bool add_node(struct list *l, const struct yaml_node *node, struct error *e)
{
	struct entry x = { .line = node->line };

	if (node->kind != YAML_MAP) {
		fail(e, ERR_CONFIG, "an entry must be an object like {\"mechanism\": \"laplace\", \"epsilon\": 0.1}");
		return at_line(l, node->line, e);
	}
	for (size_t i = 0; i < node->n; i++) {
		if (node->items[i]->kind != YAML_SCALAR || x.n == FIELDS_MAX) {
			fail(e, ERR_CONFIG, "the value of \"%.40s\" must be a number or a word", node->keys[i]->text);
			return at_line(l, node->keys[i]->line, e);
		}
		x.keys[x.n] = node->keys[i]->text;
		x.values[x.n++] = node->items[i]->text;
	}
	return add(l, &x, e);
}

static bool add_tree(struct list *l, const struct yaml_node *root, struct delta *delta, struct error *e)
{
	const struct yaml_node *items = root->kind == YAML_LIST ? root : NULL;

	for (size_t i = 0; root->kind == YAML_MAP && i < root->n; i++) {
		const struct yaml_node *v = root->items[i];
		if (text_eq(root->keys[i]->text, "mechanisms") && v->kind == YAML_LIST) {
			items = v;
		} else if (text_eq(root->keys[i]->text, "delta") && v->kind == YAML_SCALAR) {
			if (!cli_delta("delta", v->text, ROUND_DOWN, delta, e))
				return at_line(l, v->line, e);
		} else {
			fail(e, ERR_CONFIG, "\"%.40s\" is not a list of mechanisms or a delta", root->keys[i]->text);
			(void)error_hint(e, "Write a list: [{\"mechanism\": ...}, ...], or {\"delta\": ..., \"mechanisms\": [...]}.");
			return at_line(l, root->keys[i]->line, e);
		}
	}
	if (!items) {
		fail(e, ERR_CONFIG, "there is no list of mechanisms");
		return at_line(l, root->line, e);
	}
	for (size_t i = 0; i < items->n; i++) {
		if (!add_node(l, items->items[i], e))
			return false;
	}
	return true;
}

/* "laplace epsilon=0.1 count=100" in place: words end at white space, a comment at the line's end. */
static bool add_line(struct list *l, char *s, int line, struct error *e)
{
	struct entry x = { .line = line };

	while (*s) {
		while (*s == ' ' || *s == '\t' || *s == '\r')
			*s++ = '\0';
		if (!*s || *s == '#')
			break;
		char *word = s, *value = NULL;
		for (; *s && *s != ' ' && *s != '\t' && *s != '\r'; s++) {
			if (*s == '=' && !value) {
				*s = '\0';
				value = s + 1;
			}
		}
		if ((!value && x.n > 0) || x.n == FIELDS_MAX) {
			fail(e, ERR_CONFIG, "expected key=value, not \"%.40s\"", word);
			return at_line(l, line, e);
		}
		x.keys[x.n] = value ? word : "mechanism";
		x.values[x.n++] = value ? value : word;
	}
	return x.n == 0 || add(l, &x, e);
}

static bool add_lines(struct list *l, const char *text, struct error *e)
{
	char *s = arena_strdup(l->arena, text);
	int line = 1;

	if (!s)
		return fail_memory(e);
	for (; s; line++) {
		char *end = strchr(s, '\n');
		if (end)
			*end = '\0';
		if (!add_line(l, s, line, e))
			return false;
		s = end ? end + 1 : NULL;
	}
	return true;
}

bool mechanism_list_read(struct arena *a, const char *name, const char *text, size_t n, struct use **uses, size_t *count,
			 struct delta *delta, struct error *e)
{
	static struct policy_report report; /* large; read by this command only, once */
	const struct yaml_node *root = NULL;
	struct list l = { .arena = a, .name = name };
	bool ok;

	if (!text_utf8(text, n))
		return fail(e, ERR_CONFIG, "%.60s is not UTF-8 text", name);
	if (text_starts(text, "\xef\xbb\xbf")) { /* a byte order mark */
		text += 3;
		n -= 3;
	}
	size_t first = strspn(text, " \t\r\n");
	if (text[first] && strchr("[{-", text[first])) {
		if (!yaml_read(a, text, n, &root, &report) || report.n > 0) { /* a key that stands twice is reported, and read on */
			fail(e, ERR_CONFIG, "%.150s", report.n ? report.errors[0].message : "out of memory");
			return at_line(&l, report.n ? report.errors[0].line : 0, e);
		}
		ok = add_tree(&l, root, delta, e);
	} else {
		ok = add_lines(&l, text, e);
	}
	if (!ok)
		return false;
	if (l.n == 0)
		return fail(e, ERR_CONFIG, "%.60s names no mechanism", name);
	*uses = l.uses;
	*count = l.n;
	return true;
}
