/* AST expression -> typed expression over protected rows.  Unknown node kinds are refused here, by construction. */
#ifndef NG_PLANNER_BIND_H
#define NG_PLANNER_BIND_H

#include "planner/rel.h"

struct grouped;

struct binder {
	struct rel *rel;
	const struct names *names;
	const struct cte *scope;      /* in which sub-selects are read; NULL: the relation's */
	const struct grouped *groups; /* the select list and HAVING of a GROUP BY inside the protected part; else NULL */
};

MUST_CHECK bool bind_expr(const struct binder *b, const PgQuery__Node *n, struct expr **out, struct error *e);

/* As bind_expr, and the result must be boolean (WHERE, ON, FILTER): what names the clause in errors. */
MUST_CHECK bool bind_condition(const struct binder *b, const PgQuery__Node *n, const char *what, struct expr **out, struct error *e);

/* An expression that is evaluated only where a condition holds (NULL: everywhere): THEN, an aggregate's FILTER.  The condition narrows its ranges. */
MUST_CHECK bool bind_under(const struct binder *b, struct expr *condition, const PgQuery__Node *n, struct expr **out, struct error *e);

/* Gives an untyped literal a type (validating it), casts constants between number types; other expressions are left alone. */
MUST_CHECK bool bind_as(const struct binder *b, struct expr *x, enum sql_type t, struct error *e);

/* Refuses sealed columns of every encoding as operands of functions, keys and the like (planner/sealed.h). */
MUST_CHECK bool bind_usable(const struct binder *b, const struct expr *x, struct error *e);

/* Refuses columns whose equal values may look different; joinable encodings are fine: what is counted distinct or grouped inside. */
MUST_CHECK bool bind_comparable(const struct binder *b, const struct expr *x, struct error *e);

/* The range, magnitude and form that cover all of an expression's arguments. */
void bind_cover(struct expr *x);

/* Builders that other files of the binder share. */
struct expr *expr_make(const struct binder *b, enum expr_kind kind, enum sql_type type, int location, size_t n_args);
MUST_CHECK bool bind_call(const struct binder *b, const char *name, struct expr **args, size_t n_args, bool is_operator, int location,
			  struct expr **out, struct error *e);
MUST_CHECK bool bind_compare(const struct binder *b, const char *op, struct expr *l, struct expr *r, int location, struct expr **out,
			     struct error *e);
MUST_CHECK bool bind_cast(const struct binder *b, struct expr *x, enum sql_type to, int location, struct expr **out, struct error *e);
MUST_CHECK bool bind_common_type(const struct binder *b, struct expr **args, size_t n, enum sql_type *out, int location, struct error *e);

#endif
