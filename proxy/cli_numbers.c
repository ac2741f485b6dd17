#include "proxy/cli_numbers.h"

#include "base/text.h"

#include <math.h>

enum { TEXT_MAX = 40 }; /* of a refused text in a message */

static bool out_of_range(const char *what, const char *text, const char *range, struct error *e)
{
	fail(e, ERR_CONFIG, "%s cannot be %.*s", what, TEXT_MAX, text);
	return error_hint(e, "It must be %s.", range);
}

/* The parsers of base/ know no NaN, no infinity, and no number beyond 128 bits: strtod only tells those apart for the message. */
static bool unreadable(const char *what, const char *text, const char *range, struct error *e)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || isnan(v)) {
		fail(e, ERR_CONFIG, "%s is not a number: \"%.*s\"", what, TEXT_MAX, text);
		return error_hint(e, "It must be %s.", range);
	}
	return out_of_range(what, text, range, e);
}

/* text / 10^-scale in [1, max], rounded as said. */
static bool in_units(const char *what, const char *text, int scale, uint64_t max, const char *range, enum rounding r, uint64_t *out,
		     struct error *e)
{
	const struct decimal unit = { 1, scale };
	struct decimal d;
	i128 v;

	if (!decimal_parse(text, &d))
		return unreadable(what, text, range, e);
	if (!(r == ROUND_UP ? decimal_ceil_div(d, unit, &v) : decimal_floor_div(d, unit, &v)) || v < 1 || v > (i128)max)
		return out_of_range(what, text, range, e);
	*out = (uint64_t)v;
	return true;
}

bool cli_epsilon(const char *what, const char *text, enum rounding r, struct eps *out, struct error *e)
{
	return in_units(what, text, EPS_SCALE, UNIT_MAX, "above 0 (at least 1e-12) and at most 9223372", r, &out->pico, e);
}

bool cli_rho(const char *what, const char *text, enum rounding r, struct rho *out, struct error *e)
{
	return in_units(what, text, EPS_SCALE, UNIT_MAX, "above 0 (at least 1e-12) and at most 9223372", r, &out->pico, e);
}

bool cli_delta(const char *what, const char *text, enum rounding r, struct delta *out, struct error *e)
{
	return in_units(what, text, DELTA_SCALE, DELTA_ONE - 1, "above 0 (at least 1e-18) and below 1", r, &out->atto, e);
}

bool cli_integer(const char *what, const char *text, int64_t max, uint64_t *out, struct error *e)
{
	int64_t v;

	if (!number_i64(text, 1, max, &v)) {
		char range[80];
		(void)snprintf(range, sizeof(range), "an integer from 1 to %lld", (long long)max);
		return unreadable(what, text, range, e);
	}
	*out = (uint64_t)v;
	return true;
}

bool cli_decimal(const char *what, const char *text, bool zero, struct decimal *out, struct error *e)
{
	const char *range = zero ? "from 0 to 1e15" : "above 0 and at most 1e15";
	const struct decimal most = { (i128)1000000000000000, 0 };
	struct decimal d;
	int order;

	if (!decimal_parse(text, &d))
		return unreadable(what, text, range, e);
	if (d.digits < 0 || (d.digits == 0 && !zero) || (decimal_compare(d, most, &order) && order > 0))
		return out_of_range(what, text, range, e);
	*out = d;
	return true;
}
