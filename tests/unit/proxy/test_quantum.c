/* When answers leave. */
#include "proxy/quantum.h"

#include "base/clock.h"

#include <criterion/criterion.h>

enum { MS = 1000000 };

Test(quantum, leaves_at_the_next_multiple_after_its_question_never_before)
{
	const int64_t start = 12345678901234;
	const struct {
		int64_t after, left;
	} cases[] = { { 0, 100 * MS }, { 1, 100 * MS - 1 }, { 99 * MS, 1 * MS }, { 100 * MS, 0 }, { 100 * MS + 1, 100 * MS - 1 }, { 250 * MS, 50 * MS } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_expect_eq(quantum_left(start, start + cases[i].after, 100), cases[i].left, "case %zu", i);
}

Test(quantum, none_waits_for_nothing)
{
	cr_expect_eq(quantum_left(5, 7, 0), 0);
}

Test(quantum, waiting_ends_at_the_multiple)
{
	const int64_t start = clock_monotonic().nanos;

	quantum_wait(start, 30);
	cr_expect(clock_monotonic().nanos - start >= 30 * MS);
}
