/* Bernoulli trials have exactly the stated probability: every byte string of a given length is tried, and the rest bounded. */
#include "mechanisms/bits.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>
#include <string.h>

struct script {
	uint8_t bytes[64];
	int fills;
};

static bool fill_script(void *ctx, uint8_t *out, size_t n)
{
	struct script *s = ctx;

	cr_assert(n == sizeof(s->bytes));
	memcpy(out, s->bytes, n);
	return ++s->fills == 1;
}

struct tree {
	u128 num, den;
	size_t deepest;
	double yes, open; /* probability mass decided "true", and not decided within the depth */
	struct script script;
};

/* Draws of at most 4 bits each take the low bits of one byte, so 16 values of each byte stand for all 256. */
static void explore(struct tree *t, size_t depth, double weight)
{
	const struct rng r = { fill_script, &t->script };
	struct bits b;
	bool hit;

	bits_begin(&b, &r);
	t->script.fills = 0;
	bool answered = bits_bernoulli_exp(&b, t->num, t->den, &hit);
	if (answered && (t->script.fills == 0 || b.size - b.left <= depth)) {
		t->yes += hit ? weight : 0;
		return;
	}
	if (depth == t->deepest) {
		t->open += weight;
		return;
	}
	for (unsigned v = 0; v < 16; v++) {
		t->script.bytes[depth] = (uint8_t)v;
		explore(t, depth + 1, weight / 16);
	}
	t->script.bytes[depth] = 0;
}

Test(bits, exponential_bernoulli_has_the_exact_probability_over_all_byte_strings)
{
	static const struct { unsigned num, den; } cases[] = { { 0, 1 }, { 1, 1 }, { 1, 2 }, { 2, 1 }, { 1, 3 }, { 3, 2 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tree t = { .num = cases[i].num, .den = cases[i].den, .deepest = 6 };
		double truth = exp(-(double)cases[i].num / cases[i].den);
		explore(&t, 0, 1);
		cr_expect(t.yes <= truth + 1e-12 && truth <= t.yes + t.open + 1e-12, "exp(-%u/%u): %.9g in [%.9g, %.9g]", cases[i].num, cases[i].den, truth, t.yes, t.yes + t.open);
		cr_expect(t.open < 0.05, "exp(-%u/%u): %g open", cases[i].num, cases[i].den, t.open);
	}
}

/* Frequency of true among n trials of exp(-num/den), by either path, as a z score. */
static double exp_z(const struct rng *r, u128 num, u128 den)
{
	enum { TRIALS = 100000 };
	double hits = 0;
	struct bits b;
	bool hit;

	bits_begin(&b, r);
	for (int i = 0; i < TRIALS; i++) {
		cr_assert(bits_bernoulli_exp(&b, num, den, &hit));
		hits += hit;
	}
	return law_binomial_z(hits, TRIALS, exp(-(double)num / (double)den));
}

Test(bits, exponential_bernoulli_holds_for_wide_fractions)
{
	const struct rng r = unit_rng_system();
	const u128 wide = ((u128)1 << 111) - 1;

	cr_expect(fabs(exp_z(&r, 5, 7)) < Z_ALARM);
	cr_expect(fabs(exp_z(&r, wide / 3, wide)) < Z_ALARM);
	cr_expect(fabs(exp_z(&r, wide / 3 * 7, wide)) < Z_ALARM);
	cr_expect(fabs(exp_z(&r, (u128)1 << 60, (u128)3 << 59)) < Z_ALARM);
}

Test(bits, big_integers_give_the_same_probability_as_small_ones)
{
	static const struct { unsigned a, p, q, t; } cases[] = { { 3, 7, 2, 2 }, { 0, 5, 1, 3 }, { 9, 5, 1, 3 }, { 4, 100, 3, 6 }, { 2, 4, 1, 2 } };
	enum { TRIALS = 20000 };
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double d = (double)cases[i].a * cases[i].q * cases[i].t - cases[i].p;
		double truth = exp(-d * d / (2.0 * cases[i].p * cases[i].q * cases[i].t * cases[i].t)), hits = 0;
		struct bits b;
		bool hit;
		bits_begin(&b, &r);
		for (int j = 0; j < TRIALS; j++) {
			cr_assert(bits_bernoulli_exp_gauss(&b, cases[i].a, cases[i].p, cases[i].q, cases[i].t, &hit));
			hits += hit;
		}
		if (truth == 1)
			cr_expect(hits == TRIALS);
		else
			cr_expect(fabs(law_binomial_z(hits, TRIALS, truth)) < Z_ALARM, "case %zu: %g of %g", i, hits / TRIALS, truth);
	}
}

Test(bits, integers_below_n_are_uniform_and_never_n)
{
	enum { TRIALS = 300000 };
	static const unsigned sizes[] = { 1, 2, 3, 7, 16, 100, 257, 1000 };
	const struct rng r = unit_rng_system();
	struct bits b;

	bits_begin(&b, &r);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		static double counts[1000];
		double chi = 0, expect = (double)TRIALS / sizes[i];
		memset(counts, 0, sizeof(counts));
		for (int j = 0; j < TRIALS; j++) {
			u128 v;
			cr_assert(bits_below(&b, sizes[i], &v));
			cr_assert(v < sizes[i]);
			counts[v]++;
		}
		for (unsigned v = 0; v < sizes[i]; v++)
			chi += (counts[v] - expect) * (counts[v] - expect) / expect;
		if (sizes[i] > 1)
			cr_expect(law_chi_z(chi, (int)sizes[i] - 1) < Z_ALARM, "below %u", sizes[i]);
	}
	for (int j = 0; j < 1000; j++) {
		u128 v;
		cr_assert(bits_below(&b, ((u128)1 << 127) + 1, &v));
		cr_assert(v <= (u128)1 << 127);
		cr_assert(bits_below(&b, ~(u128)0, &v));
	}
}

Test(bits, no_byte_of_the_source_is_used_twice)
{
	struct unit_rng u, same;
	const struct rng r = unit_rng(&u, 3), again = unit_rng(&same, 3);
	uint8_t raw[640];
	struct bits b;

	cr_assert(rng_fill(&again, raw, sizeof(raw)));
	bits_begin(&b, &r);
	for (size_t i = 0; i < sizeof(raw); i++) {
		u128 v;
		cr_assert(bits_below(&b, 256, &v));
		cr_assert(v == raw[i]);
	}
}

Test(bits, a_source_that_repeats_itself_is_an_error_and_not_a_hang)
{
	static const uint8_t stuck[] = { 0x00, 0xff, 0x55 };

	for (size_t i = 0; i < sizeof(stuck); i++) {
		static const struct noise laws[] = { { NOISE_LAPLACE, 5, 2 }, { NOISE_GAUSSIAN, 1000, 3 }, { NOISE_GAUSSIAN, (u128)1 << 104, 1 } };
		uint8_t byte = stuck[i];
		const struct rng r = unit_rng_stuck(&byte);
		for (size_t j = 0; j < ARRAY_LEN(laws); j++) {
			struct error e;
			i128 x = 77;
			if (!noise_sample(&laws[j], &r, &x, &e))
				cr_expect(e.code == ERR_INTERNAL && x == 77);
		}
	}
}
