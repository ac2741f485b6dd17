#include "base/log.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <unistd.h>

enum { LINE_MAX_BYTES = 16384 };

static struct {
	enum log_level least;
	bool json;
} setup = { LOG_INFO, false };

static const char *const level_names[] = { "debug", "info", "warning", "error" };

void log_setup(enum log_level least, bool json)
{
	setup.least = least;
	setup.json = json;
}

static void put_field(struct wr *w, const struct log_field *f)
{
	if (setup.json) {
		wr_u8(w, ',');
		wr_json(w, f->name);
		wr_u8(w, ':');
	} else {
		wr_fmt(w, " %s=", f->name);
	}
	if (f->text)
		wr_json(w, f->text);
	else
		wr_fmt(w, "%lld", (long long)f->number);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	struct wr w;
	char at[WALL_TEXT];
	const struct clock c = clock_system();

	if (level < setup.least)
		return;
	wall_text(clock_now(&c), at);
	wr_init_heap(&w, LINE_MAX_BYTES);
	if (setup.json) {
		wr_fmt(&w, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", at, level_names[level]);
		wr_json(&w, event);
	} else {
		wr_fmt(&w, "%s %s: %s", at, level_names[level], event);
	}
	for (size_t i = 0; i < n; i++)
		put_field(&w, &fields[i]);
	wr_str(&w, setup.json ? "}\n" : "\n");
	if (wr_ok(&w)) {
		ssize_t ignored = write(STDERR_FILENO, w.p, w.n); /* one write: lines of threads do not mix */
		(void)ignored;
	}
	wr_free(&w);
}

void log_error(const char *event, const struct error *e)
{
	log_event(LOG_WARNING, event, LOG_TEXT("sqlstate", error_sqlstate(e->code)), LOG_TEXT("rule", e->rule),
		  LOG_TEXT("message", e->message));
}
