/* A small policy and short calls for the tests of the planner's front and back. */
#ifndef NG_TEST_FRONT_H
#define NG_TEST_FRONT_H

#include "planner/plan.h"

#include <criterion/criterion.h>
#include <string.h>

struct front {
	struct arena model, arena;
	const struct policy *policy;
	struct plan_settings settings;
	struct error e;
};

/* Tables shop.people (id unit; kind public values; city private; n4 0..100), shop.orders, shop.items (public), shop.sales (aggregation). */
void front_open(struct front *f);
void front_close(struct front *f);

/* Plans; NULL: refused, with f->e.  Parameters are integers with the given texts. */
const struct plan *front_plan(struct front *f, const char *sql);
const struct plan *front_plan_params(struct front *f, const char *sql, const char *const *texts, size_t n);

/* Parses one statement; NULL: refused, with f->e. */
const struct statement *front_one(struct front *f, const char *sql);

#endif
