/* noisegate audit export, tail: what a log says, checked against the chain as it is read. */
#include "base/number.h"
#include "base/text.h"
#include "budget/audit_verify.h"
#include "proxy/cli.h"
#include "proxy/cli_audit.h"

#include <getopt.h>
#include <time.h>

enum { LINE_MAX_BYTES = 16 << 20, SHOWN_TEXT = 100 };

struct options {
	const char *policy, *dir;
	int64_t from, to, last;
	bool follow, json;
};

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' }, { "from", required_argument, NULL, 'a' },
					       { "to", required_argument, NULL, 'b' },	   { "follow", no_argument, NULL, 'f' },
					       { "json", no_argument, NULL, 'j' },	   { NULL, 0, NULL, 0 } };
	const bool tail = text_eq(argv[0], "tail");
	bool ok = true;

	*o = (struct options){ .from = 1, .to = INT64_MAX, .last = 20, .json = !tail };
	optind = 1;
	for (int id; ok && (id = getopt_long(argc, argv, tail ? "c:n:f" : "c:", known, NULL)) != -1;) {
		if (id == 'c')
			o->policy = optarg;
		else if (id == 'f' && tail)
			o->follow = true;
		else if (id == 'j')
			o->json = true;
		else if (id == 'n')
			ok = number_i64(optarg, 0, INT64_MAX, &o->last);
		else if ((id == 'a' || id == 'b') && !tail)
			ok = number_i64(optarg, 1, INT64_MAX, id == 'a' ? &o->from : &o->to);
		else
			ok = false;
	}
	o->dir = optind < argc ? argv[optind++] : NULL;
	return ok && optind == argc && !o->policy != !o->dir;
}

/* The text field, cut to be read in a line, without control characters. */
static void put_field(struct wr *w, const struct audit_record *r, enum audit_field f, const char *before)
{
	struct rd v;

	if (!audit_find(r, f, &v))
		return;
	size_t n = v.left > SHOWN_TEXT ? SHOWN_TEXT : v.left;
	while (n > 0 && n < v.left && (v.p[n] & 0xc0) == 0x80)
		n--;
	wr_str(w, before);
	wr_plain(w, (const char *)v.p, n);
	wr_str(w, n < v.left ? "..." : "");
}

static void put_line(struct wr *w, const struct audit_record *r)
{
	char at[WALL_TEXT];

	wall_text(r->at, at);
	wr_fmt(w, "%8llu  %.19s  %-13s", (unsigned long long)r->sequence, at, audit_event_name(r->event));
	put_field(w, r, AUDIT_FIELD_USER, "  ");
	put_field(w, r, AUDIT_FIELD_MEMBER, "@");
	put_field(w, r, AUDIT_FIELD_PEER, "  ");
	if (audit_find_number(r, AUDIT_FIELD_STATEMENT))
		wr_fmt(w, "  of %llu", (unsigned long long)audit_find_number(r, AUDIT_FIELD_STATEMENT));
	put_field(w, r, AUDIT_FIELD_SQLSTATE, "  ");
	put_field(w, r, AUDIT_FIELD_MESSAGE, "  ");
	put_field(w, r, AUDIT_FIELD_OPERATION, "  ");
	put_field(w, r, AUDIT_FIELD_SQL, "  ");
}

static bool print(const struct audit_record *r, bool json, struct wr *w, struct error *e)
{
	wr_clear(w);
	(json ? audit_json_put : put_line)(w, r);
	wr_u8(w, '\n');
	if (!wr_ok(w))
		return fail_memory(e);
	return fwrite(w->p, 1, w->n, stdout) == w->n || fail(e, ERR_IO, "could not write the output");
}

/* How many records there are; 0 with *e set when the log is not whole. */
static uint64_t count(const char *dir, struct error *e)
{
	struct audit_cursor c;
	struct audit_record r;
	enum audit_step step;
	uint64_t n = 0;

	if (!audit_cursor_open(&c, dir, e))
		return 0;
	while ((step = audit_cursor_next(&c, &r, e)) == AUDIT_STEP_RECORD)
		n = r.sequence;
	audit_cursor_close(&c);
	return step == AUDIT_STEP_END ? n : 0;
}

/* Waits for more. */
static bool wait_more(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };

	if (fflush(stdout) != 0)
		return false;
	(void)nanosleep(&pause, NULL);
	return true;
}

static bool show(const char *dir, const struct options *o, struct wr *w, struct error *e)
{
	struct audit_cursor c;
	struct audit_record r;
	enum audit_step step;
	bool ok = true;

	if (!audit_cursor_open(&c, dir, e))
		return false;
	c.live = c.live || o->follow;
	while (ok && (step = audit_cursor_next(&c, &r, e)) != AUDIT_STEP_FAILED) {
		if (step == AUDIT_STEP_RECORD)
			ok = r.sequence < (uint64_t)o->from || r.sequence > (uint64_t)o->to || print(&r, o->json, w, e);
		else if (step != AUDIT_STEP_END || !o->follow || !wait_more())
			break;
	}
	audit_cursor_close(&c);
	return ok && step == AUDIT_STEP_END;
}

static int run(int argc, char **argv, bool tail)
{
	struct error e = ERROR_INIT;
	struct options o;
	const char *dir;
	struct arena a;
	struct wr w;

	if (!read_options(argc, argv, &o))
		return audit_usage();
	arena_init(&a, 1 << 20);
	wr_init_heap(&w, LINE_MAX_BYTES);
	bool ok = audit_directory(&a, o.policy, o.dir, &dir, NULL, &e);
	if (ok && tail) {
		uint64_t n = count(dir, &e);
		ok = n > 0 || e.code == ERR_NONE;
		o.from = n > (uint64_t)o.last ? (int64_t)(n - (uint64_t)o.last) + 1 : 1;
	}
	ok = ok && show(dir, &o, &w, &e);
	wr_free(&w);
	arena_reset(&a);
	if (fflush(stdout) != 0 && ok)
		return EXIT_FAILED;
	return ok ? EXIT_DONE : cli_error(&e);
}

int audit_command_export(int argc, char **argv)
{
	return run(argc, argv, false);
}

int audit_command_tail(int argc, char **argv)
{
	return run(argc, argv, true);
}
