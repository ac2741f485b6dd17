/*
 * Fuzzes every decoder of client bytes: frame_peek, frame_peek_startup, startup_parse, startup_options, cancel_parse, sasl_initial_parse, query_parse,
 * parse_parse, bind_parse, target_parse, execute_parse, and the value checks of settings.  The first input byte chooses the decoder.
 *
 * Not only "no crash": what a decoder accepts must lie within the input, be well-formed text, and agree with its own counts; what it refuses must carry an error.
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined.  With -DFUZZ_MAIN it is a program that runs the files named on its command line, or,
 * with a number, that many mutations of built-in seeds.
 */
#include "base/text.h"
#include "proxy/settings.h"
#include "proxy/settings_check.h"
#include "proxy/wire_in.h"
#include "proxy/wire_limits.h"
#include "tests/fuzz/fuzz.h"

static bool within(const void *p, const uint8_t *data, size_t size)
{
	return (const uint8_t *)p >= data && (const uint8_t *)p <= data + size;
}

/* Accepted text is UTF-8 that ends inside the message; what stands at "" came from an absent field. */
static void check_text(const char *s, const uint8_t *data, size_t size)
{
	if (*s == '\0')
		return;
	CHECK(within(s, data, size) && within(s + strlen(s), data, size));
	CHECK(text_utf8(s, strlen(s)));
}

static void fuzz_frames(const uint8_t *data, size_t size)
{
	uint8_t type;
	size_t n;

	if (frame_peek(data, size, &type, &n) == FRAME_KNOWN)
		CHECK(n <= INT32_MAX - 4 && size >= 5);
	if (frame_peek_startup(data, size, &n) == FRAME_KNOWN)
		CHECK(n >= 8 && n <= WIRE_MAX_STARTUP);
}

static void fuzz_startup(struct arena *a, const uint8_t *data, size_t size)
{
	struct startup_msg m;
	struct error e = ERROR_INIT;

	if (!startup_parse(a, rd_of(data, size), &m, &e)) {
		CHECK(e.code != ERR_NONE && e.message[0]);
		return;
	}
	CHECK(size > 0 && data[size - 1] == 0);
	for (size_t i = 0; i < m.n_pairs; i++) {
		const struct startup_pair *pairs;
		size_t n;
		check_text(m.pairs[i].name, data, size);
		check_text(m.pairs[i].value, data, size);
		if (startup_options(a, m.pairs[i].value, &pairs, &n, &e)) {
			for (size_t j = 0; j < n; j++)
				CHECK(pairs[j].name[0] != '\0' && pairs[j].value);
		}
	}
}

static void fuzz_small(const uint8_t *data, size_t size)
{
	struct cancel_msg c;
	struct sasl_initial_msg s;
	struct target_msg t;
	struct execute_msg x;
	struct error e = ERROR_INIT;
	const char *sql;

	if (cancel_parse(rd_of(data, size), &c))
		CHECK(c.key_length + 8 == size && within(c.key + c.key_length, data, size));
	if (sasl_initial_parse(rd_of(data, size), &s) && s.data)
		CHECK(s.length <= size && within(s.data + s.length, data, size));
	if (target_parse(rd_of(data, size), &t, &e))
		check_text(t.name, data, size);
	if (execute_parse(rd_of(data, size), &x, &e))
		CHECK(x.max_rows <= INT32_MAX);
	if (query_parse(rd_of(data, size), &sql, &e))
		CHECK(strlen(sql) + 1 == size && text_utf8(sql, size - 1));
	else
		CHECK(e.code == ERR_PROTOCOL || e.code == ERR_NUL_IN_TEXT);
}

static void fuzz_parse(struct arena *a, const uint8_t *data, size_t size)
{
	struct parse_msg m;
	struct error e = ERROR_INIT;

	if (!parse_parse(a, rd_of(data, size), &m, &e)) {
		CHECK(e.code != ERR_NONE);
		return;
	}
	CHECK(strlen(m.name) + strlen(m.sql) + 4 + 4 * m.n_oids == size);
	check_text(m.sql, data, size);
}

static void fuzz_bind(struct arena *a, const uint8_t *data, size_t size)
{
	struct bind_msg m;
	struct error e = ERROR_INIT;

	if (!bind_parse(a, rd_of(data, size), &m, &e)) {
		CHECK(e.code != ERR_NONE);
		return;
	}
	size_t used = strlen(m.portal) + strlen(m.statement) + 2 + 6 + 2 * m.n_param_formats + 2 * m.n_formats;
	for (size_t i = 0; i < m.n_params; i++) {
		const struct engine_param *p = &m.params[i];
		used += 4 + (p->length > 0 ? (size_t)p->length : 0);
		CHECK(p->length >= -1 && (p->length < 0 || within(p->data + p->length, data, size)));
		CHECK(p->binary || p->length <= 0 || text_utf8(p->data, (size_t)p->length));
	}
	CHECK(used == size);
}

static void fuzz_settings(const uint8_t *data, size_t size)
{
	struct settings s;
	struct error e = ERROR_INIT;
	char value[256];
	enum setting_id id = (enum setting_id)(size > 0 ? data[0] % SETTING_COUNT : 0);
	size_t n = size > 1 ? size - 1 : 0;

	n = n < sizeof(value) - 1 ? n : sizeof(value) - 1;
	if (n > 0)
		memcpy(value, data + 1, n);
	value[n] = '\0';
	settings_init(&s);
	if (settings_set(&s, setting_name(id), value, false, &e)) {
		/* canonical: setting what is shown changes nothing */
		char shown[2048];
		snprintf(shown, sizeof(shown), "%s", settings_get(&s, id));
		CHECK(settings_set(&s, setting_name(id), shown, false, &e));
		CHECK(text_eq(shown, settings_get(&s, id)));
	} else {
		CHECK(e.code != ERR_NONE);
	}
	settings_rollback(&s, 0);
	CHECK(s.n_undo == 0);
	settings_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;

	if (size == 0)
		return 0;
	/* a copy of the exact size: one byte too far is then seen */
	uint8_t *copy = malloc(size - 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	size_t n = size - 1;
	arena_init(&a, 1 << 24);
	switch (data[0] % 6) {
	case 0:
		fuzz_frames(copy, n);
		break;
	case 1:
		fuzz_startup(&a, copy, n);
		break;
	case 2:
		fuzz_small(copy, n);
		break;
	case 3:
		fuzz_parse(&a, copy, n);
		break;
	case 4:
		fuzz_bind(&a, copy, n);
		break;
	default:
		fuzz_settings(copy, n);
	}
	arena_reset(&a);
	free(copy);
	return 0;
}

#ifdef FUZZ_MAIN
#define SEED(s) { (s), sizeof(s) - 1 }
static const struct {
	const char *p;
	size_t n;
} seeds[] = {
	SEED("\0Q\0\0\0\10abcd"),
	SEED("\1\0\3\0\0user\0ana\0options\0-c a=b --c-d=e\\ f\0_pq_.x\0y\0\0"),
	SEED("\2SELECT 1\0"),
	SEED("\2S\0"),
	SEED("\2p\0\0\0\0\5"),
	SEED("\2SCRAM-SHA-256\0\0\0\0\6n,,n=,"),
	SEED("\2\4\xd2\x16\x2e\0\0\0\1abcd"),
	SEED("\3s\0SELECT $1\0\0\1\0\0\0\x17"),
	SEED("\4p\0s\0\0\2\0\1\0\0\0\2\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\1\0\1"),
	SEED("\5\x23" "Europe/Berlin"),
	SEED("\5\x1b" "\"$user\", public"),
	SEED("\5\x21" "90s"),
};

static void run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");

	if (!f)
		exit(2);
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
}

/* Seeds with a few bytes changed, cut, doubled. */
static void run_mutations(long rounds)
{
	uint8_t data[512];

	srand(1);
	for (long i = 0; i < rounds; i++) {
		size_t which = (size_t)rand() % (sizeof(seeds) / sizeof(seeds[0]));
		size_t n = seeds[which].n;
		memcpy(data, seeds[which].p, n);
		if (rand() % 4 == 0 && n * 2 < sizeof(data)) {
			memcpy(data + n, data + 1, n - 1);
			n = 2 * n - 1;
		}
		for (int j = rand() % 6; j > 0; j--)
			data[1 + (size_t)rand() % (n - 1)] = (uint8_t)(rand() % 3 ? rand() : "\0\xff\x7f\x80"[rand() % 4]);
		if (rand() % 3 == 0)
			n -= (size_t)rand() % n;
		LLVMFuzzerTestOneInput(data, n);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end;
		long rounds = strtol(argv[i], &end, 10);
		if (*end == '\0')
			run_mutations(rounds);
		else
			run_file(argv[i]);
	}
	return 0;
}
#endif
