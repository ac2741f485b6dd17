#include "planner/sealed.h"

#include "base/text.h"
#include "planner/derived.h"
#include "policies/encoding.h"

static const char rule[] = "sealed columns";

bool sealed_is(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && expr_policy_column(x)->encoding != ENCODING_CLEARTEXT;
}

static const char *table_name(const struct binder *b, const struct expr *x)
{
	const struct policy_table *t = expr_policy_table(x);
	const char *text = arena_printf(b->rel->planning->arena, "%s%s%s", t->schema, *t->schema ? "." : "", t->name);

	return text ? text : "?";
}

/* sealed by its owner "brand" (encoding: fingerprint, key: spring, joins: any_name) */
static const char *whose(const struct binder *b, const struct expr *x)
{
	const struct policy_column *c = expr_policy_column(x);
	const bool named = !c->any_name && encoding_joins(c->encoding) && c->sealed_as && !text_eq_nocase(c->sealed_as, c->name);
	const char *text = arena_printf(b->rel->planning->arena, "sealed by its owner \"%s\" (encoding: %s%s%s%s%s%s)", expr_policy_table(x)->owner,
					encoding_name(c->encoding), c->key ? ", key: " : "", c->key ? c->key : "", c->any_name ? ", joins: any_name" : "",
					named ? ", sealed as " : "", named ? c->sealed_as : "");

	return text ? text : "";
}

static bool at(const struct binder *b, const struct expr *x, int location, struct error *e)
{
	error_rule(e, rule);
	return planning_at(b->rel->planning, x->location >= 0 ? x->location : location, e);
}

/* --- alone -------------------------------------------------------------------------------------------------------------------------- */

static bool refuse_use(const struct binder *b, const struct expr *x, struct error *e)
{
	const struct policy_column *c = expr_policy_column(x);

	switch (c->encoding) {
	case ENCODING_FINGERPRINT:
	case ENCODING_DETERMINISTIC:
	case ENCODING_TOKEN:
		fail(e, ERR_RULE, "column \"%s\" of %s may only be joined on and counted", c->name, table_name(b, x));
		error_hint(e, "use it in JOIN ... ON with a column sealed in the same way, COUNT(%s), or COUNT(DISTINCT %s)", c->name, c->name);
		break;
	case ENCODING_BEACON:
		fail(e, ERR_RULE, "column \"%s\" of %s may only be searched and counted", c->name, table_name(b, x));
		error_hint(e, "use %s = 'term' where the table's rule allows it; noisegate beacon prints the term of a value", c->name);
		break;
	default:
		fail(e, ERR_RULE, "column \"%s\" of %s may only be counted", c->name, table_name(b, x));
		error_hint(e, "use COUNT(%s), or %s IS NOT NULL", c->name, c->name);
		break;
	}
	error_detail(e, "%s", whose(b, x));
	return at(b, x, -1, e);
}

bool bind_usable(const struct binder *b, const struct expr *x, struct error *e)
{
	return !sealed_is(x) || refuse_use(b, x, e);
}

bool bind_comparable(const struct binder *b, const struct expr *x, struct error *e)
{
	return !sealed_is(x) || encoding_joins(expr_policy_column(x)->encoding) || refuse_use(b, x, e);
}

bool sealed_carry(const struct binder *b, const struct expr *x, struct error *e)
{
	if (!sealed_is(x) || expr_policy_table(x)->rule == RULE_PUBLIC || encoding_carried(expr_policy_column(x)->encoding))
		return true;
	fail(e, ERR_RULE, "column \"%s\" of %s may not be shown", expr_policy_column(x)->name, table_name(b, x));
	error_detail(e, "%s", whose(b, x));
	error_hint(e, "Nobody can open it.  Show a sealed, deterministic or token column instead, and open what comes back with noisegate unseal or detokenize.");
	return at(b, x, -1, e);
}

/* --- compared ----------------------------------------------------------------------------------------------------------------------- */

static bool refuse_order(const struct binder *b, const struct expr *l, const struct expr *r, const char *op, int location, struct error *e)
{
	const char *x = expr_policy_column(l)->name, *y = expr_policy_column(r)->name;

	fail(e, ERR_RULE, "sealed columns \"%s\" and \"%s\" may only be compared for equality", x, y);
	error_detail(e, "Cells have no order, and %s would compare cells; %s", op, whose(b, l));
	error_hint(e, "use %s = %s", x, y);
	error_rule(e, rule);
	return planning_at(b->rel->planning, location >= 0 ? location : l->location, e);
}

static bool refuse_domains(const struct binder *b, const struct expr *l, const struct expr *r, int location, struct error *e)
{
	const struct policy_column *x = expr_policy_column(l), *y = expr_policy_column(r);
	const enum domain_difference d = encoding_difference(x, y);

	if (d == DOMAIN_ENCODING)
		fail(e, ERR_RULE, "%s column \"%s\" cannot be compared with %s column \"%s\"", encoding_name(x->encoding), x->name, encoding_name(y->encoding), y->name);
	else
		fail(e, ERR_RULE, "columns \"%s\" and \"%s\" were sealed with different %s", x->name, y->name,
		     d == DOMAIN_KEY ? (x->encoding == ENCODING_TOKEN ? "vaults" : "keys") : d == DOMAIN_FORMAT ? "formats" : d == DOMAIN_JOINS ? "join settings" : "names");
	if (d == DOMAIN_NAME)
		error_detail(e, "%s of \"%s\" and \"%s\" of \"%s\": unless sealed for joins on columns with other names, equal values have different cells.", x->sealed_as,
			     expr_policy_table(l)->owner, y->sealed_as, expr_policy_table(r)->owner);
	else
		error_detail(e, "\"%s\" %s; \"%s\" %s: equal values have different cells.", x->name, whose(b, l), y->name, whose(b, r));
	error_hint(e, d == DOMAIN_NAME ? "Join on columns sealed under one name, or have both sealed with --allow-joins-on-different-names (policy: joins: any_name)."
				       : "Join on columns that were sealed with one key and the same settings; otherwise one owner must seal again.");
	error_rule(e, rule);
	return planning_at(b->rel->planning, location >= 0 ? location : l->location, e);
}

static bool refuse_constant(const struct binder *b, const struct expr *x, int location, struct error *e)
{
	const char *name = expr_policy_column(x)->name;

	fail(e, ERR_RULE, "column \"%s\" of %s may not be compared with a constant", name, table_name(b, x));
	error_detail(e, "%s; who holds the key could ask for one guessed value after the other", whose(b, x));
	error_hint(e, "Join it with a table whose column was sealed in the same way; for searching, owners can add a beacon column (docs/beacons.md).");
	return at(b, x, location, e);
}

static bool refuse_clear(const struct binder *b, const struct expr *x, const struct expr *clear, int location, struct error *e)
{
	const struct policy_column *c = expr_policy_column(x);
	const char *other = clear->kind == EXPR_COLUMN ? expr_policy_column(clear)->name : "an expression";

	fail(e, ERR_RULE, "%s column \"%s\" of %s cannot be compared with cleartext", encoding_name(c->encoding), c->name, table_name(b, x));
	error_detail(e, "%s; %s%s%s is not sealed, so no cell is equal to its value", whose(b, x), clear->kind == EXPR_COLUMN ? "\"" : "", other,
		     clear->kind == EXPR_COLUMN ? "\"" : "");
	error_hint(e, "Seal the other column with the same key and settings (noisegate seal), and join on that.");
	return at(b, x, location, e);
}

/* beacon = 'term', where the rule says so. */
static bool check_search(const struct binder *b, const char *op, const struct expr *beacon, const struct expr *term, int location, struct error *e)
{
	const struct policy_column *c = expr_policy_column(beacon);

	if (!c->searched) {
		fail(e, ERR_RULE, "beacon column \"%s\" of %s may not be searched", c->name, table_name(b, beacon));
		error_detail(e, "%s; rule \"%s\" of that owner does not list it under beacons", whose(b, beacon), table_rule_name(expr_policy_table(beacon)->rule));
		error_hint(e, "Only rules list and custom can allow it: ask the owner for beacons: [%s].", c->name);
		return at(b, beacon, location, e);
	}
	if (!text_eq(op, "=")) {
		fail(e, ERR_RULE, "beacon column \"%s\" of %s may only be searched for a term", c->name, table_name(b, beacon));
		error_detail(e, "%s", whose(b, beacon));
		error_hint(e, "use %s = 'term', or %s IN ('term', 'term')", c->name, c->name);
		return at(b, beacon, location, e);
	}
	if (term->kind == EXPR_UNKNOWN_PARAM || !term->text || encoding_is_term(c, term->text))
		return true;
	fail(e, ERR_BAD_PARAMETER, "\"%.40s\" is not a term of beacon column \"%s\"", term->text, c->name);
	error_detail(e, "%s; a term of %u bits is %u lower-case hexadecimal digits", whose(b, beacon), c->bits, (c->bits + 3) / 4);
	error_hint(e, "noisegate beacon --bits %u prints the term of a value.", c->bits);
	return at(b, term, location, e);
}

bool sealed_compare(const struct binder *b, const char *op, const struct expr *l, const struct expr *r, int location, struct error *e)
{
	const bool both = sealed_is(l) && sealed_is(r);

	if (both) {
		if (encoding_difference(expr_policy_column(l), expr_policy_column(r)) == DOMAIN_ENCODING)
			return refuse_domains(b, l, r, location, e);
		if (!bind_comparable(b, l, e))
			return false;
		if (encoding_difference(expr_policy_column(l), expr_policy_column(r)) != DOMAIN_SAME)
			return refuse_domains(b, l, r, location, e);
		return text_eq(op, "=") || refuse_order(b, l, r, op, location, e);
	}
	if (!sealed_is(l) && !sealed_is(r))
		return true;
	const struct expr *x = sealed_is(l) ? l : r, *other = sealed_is(l) ? r : l;
	const bool constant = other->kind == EXPR_UNKNOWN_PARAM || expr_is_constant(other);
	if (expr_policy_column(x)->encoding == ENCODING_BEACON && (other->kind == EXPR_UNKNOWN_PARAM || other->kind == EXPR_CONST))
		return check_search(b, op, x, other, location, e);
	if (!bind_comparable(b, x, e))
		return false;
	return constant ? refuse_constant(b, x, location, e) : refuse_clear(b, x, other, location, e);
}

/* --- united ------------------------------------------------------------------------------------------------------------------------- */

static const struct policy_column *column_of(const struct expr *x)
{
	static const struct policy_column clear = { .encoding = ENCODING_CLEARTEXT, .name = "an expression" };

	return x->kind == EXPR_COLUMN ? expr_policy_column(x) : &clear;
}

bool sealed_unite(const struct binder *b, const struct expr *x, const struct expr *y, struct error *e)
{
	const struct policy_column *c = column_of(x), *d = column_of(y);
	const struct expr *sealed = sealed_is(x) ? x : y;

	if (encoding_difference(c, d) == DOMAIN_SAME)
		return true;
	fail(e, ERR_RULE, "sealed columns are united with columns sealed in the same way only");
	error_detail(e, "\"%s\" is %s, \"%s\" is %s; \"%s\" was %s", c->name, encoding_name(c->encoding), d->name, encoding_name(d->encoding),
		     column_of(sealed)->name, whose(b, sealed));
	error_hint(e, "Select columns of one encoding, key and join setting in all arms of UNION ALL, or leave them out.");
	return at(b, sealed, -1, e);
}

const struct policy_column *sealed_unit(const struct expr *unit)
{
	while (unit->kind != EXPR_COLUMN) {
		if (unit->kind == EXPR_COALESCE) { /* FULL JOIN: both sides were compared, so they are of one domain */
			unit = unit->args[0];
			continue;
		}
		BUG_IF(unit->kind != EXPR_UNIT);
		if (!unit->scan->derived) {
			const struct policy_table *t = unit->scan->table;
			while (t->via)
				t = t->via;
			return &t->columns[t->unit_column];
		}
		const struct derived *d = unit->scan->derived;
		unit = d->kind == DERIVED_UNION ? d->arms[0]->unit : d->unit;
	}
	return expr_policy_column(unit);
}
