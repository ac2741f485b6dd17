/* answers: what may be given again without a charge, and when answers leave. */
#include "policies/read.h"

#include "base/text.h"

#include <string.h>

enum { DEFAULT_BYTES = 64 << 20, LEAST_BYTES = 1 << 20, QUANTUM_MOST_MS = 10000 };
#define TTL_MOST_MS ((int64_t)366 * 86400000)

struct unit {
	const char *name; /* longer ones first */
	int64_t factor;
};

/* A whole number and one of the units; a number without a unit is in the last one's. */
static bool read_measure(const char *text, const struct unit *units, size_t n, int64_t most, int64_t *out)
{
	char digits[24];
	size_t length = strlen(text), i = 0;

	while (i < n - 1 && !(length > strlen(units[i].name) && text_eq(text + length - strlen(units[i].name), units[i].name)))
		i++;
	size_t suffix = i < n - 1 ? strlen(units[i].name) : 0;
	if (length - suffix >= sizeof(digits))
		return false;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)(length - suffix), text);
	if (!number_i64(digits, 0, most / units[i].factor, out))
		return false;
	*out *= units[i].factor;
	return true;
}

static const struct unit times[] = { { "min", 60000 }, { "ms", 1 }, { "d", 86400000 }, { "h", 3600000 }, { "s", 1000 }, { "", 1 } };
static const struct unit sizes[] = { { "kB", 1 << 10 }, { "MB", 1 << 20 }, { "GB", 1 << 30 }, { "", 1 } };

static int64_t read_time(struct reader *r, const struct yaml_node *n, const char *what, int64_t least, int64_t most, const char *range)
{
	int64_t v = 0;

	if (!n || !read_is(r, n, YAML_SCALAR, what))
		return 0;
	if (read_measure(n->text, times, ARRAY_LEN(times), most, &v) && v >= least)
		return v;
	report_error(r->report, READ_AT(n), "for example 500ms, 30s, 15min, 12h or 7d", "%s must be a duration %s, not \"%s\"", what, range, n->text);
	return 0;
}

/* What says that data is unchanged has a meaning only where repeats are free; there, one of the two must be said. */
static void read_repeat(struct reader *r, const struct yaml_node *answers, struct policy_answers *out)
{
	static const char *const choices[] = { "charged", "free" };
	const struct yaml_node *repeat = read_get(answers, "repeat"), *keep = read_get(answers, "for"), *version = read_get(answers, "version");

	out->repeat_free = read_choice(r, repeat, "repeat", choices, ARRAY_LEN(choices), 0) == 1;
	out->keep_ms = read_time(r, keep, "for", 1, TTL_MOST_MS, "of up to 366 days");
	out->version = read_text(r, version, "version", NULL);
	if (out->repeat_free && !keep && !version)
		report_error(r->report, READ_AT(repeat), "for: 24h, or version: SELECT max(loaded_at) FROM a public table",
			     "repeat: free needs \"for\" or \"version\": what says that the data is unchanged");
	if (!out->repeat_free && (keep || version))
		report_error(r->report, READ_AT(keep ? keep : version), "add repeat: free", "\"%s\" has no meaning while repeats are charged",
			     keep ? "for" : "version");
	const struct yaml_node *size = read_get(answers, "size");
	int64_t bytes;
	if (!size || !read_is(r, size, YAML_SCALAR, "size"))
		return;
	if (read_measure(size->text, sizes, ARRAY_LEN(sizes), (int64_t)1 << 30, &bytes) && bytes >= LEAST_BYTES)
		out->bytes = (uint64_t)bytes;
	else
		report_error(r->report, READ_AT(size), "for example 64MB", "size must be from 1MB to 1GB, not \"%s\"", size->text);
}

void read_answers(struct reader *r, const struct yaml_node *answers)
{
	static const char *const keys[] = { "repeat", "for", "version", "size", "file", "response_quantum" };
	struct policy_answers *out = &r->policy->answers;

	*out = (struct policy_answers){ .bytes = DEFAULT_BYTES };
	const char *file = r->policy->collaboration ? arena_printf(r->arena, "%s.answers", r->policy->collaboration) : NULL;
	if (read_is(r, answers, YAML_MAP, "answers")) {
		read_known(r, answers, "answers", keys, ARRAY_LEN(keys), NULL);
		read_repeat(r, answers, out);
		file = read_text(r, read_get(answers, "file"), "file", file);
		out->quantum_ms = read_time(r, read_get(answers, "response_quantum"), "response_quantum", 0, QUANTUM_MOST_MS, "of up to 10s");
	}
	out->path = read_path(r, file);
}
