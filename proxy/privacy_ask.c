#include "proxy/privacy_ask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <pthread.h>

enum { ASKERS = 4 /* a side */ };

struct group_name {
	const char *text;
	size_t number;
};

struct asking {
	const struct probe *probe;
	const struct group_name *names; /* sorted */
	size_t enough;
	int64_t until;
	struct answers *answers;
	pthread_mutex_t lock; /* guards answers and error */
	struct error error;
};

struct asker {
	struct asking *all;
	enum world_side side;
	PGconn *pg;
	pthread_t thread;
};

static int by_name(const void *a, const void *b)
{
	const struct group_name *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static double number_of(const PGresult *r, int row, int column)
{
	return PQgetisnull(r, row, column) ? NAN : strtod(PQgetvalue(r, row, column), NULL);
}

/* The cells of one answer, into the next trials of the side.  False: all that is wanted is there. */
static bool keep(struct asking *a, enum world_side side, const PGresult *r)
{
	const struct probe *p = a->probe;
	struct answers *out = a->answers;
	const size_t trials = p->trials, width = out->width;
	const int keys = p->groups ? 1 : 0;

	if (out->n[side] + trials > a->enough)
		return false;
	double *cells = out->cells[side] + out->n[side] * width;
	for (size_t i = 0; i < trials * width; i++)
		cells[i] = NAN;
	for (int row = 0; row < PQntuples(r); row++) {
		size_t group = 0;
		if (keys) {
			const struct group_name wanted = { .text = PQgetvalue(r, row, 0) };
			const struct group_name *found = bsearch(&wanted, a->names, p->n_groups, sizeof(wanted), by_name);
			if (!found || PQgetisnull(r, row, 0) || found->number >= trials * p->spread)
				continue;
			group = found->number;
		}
		for (size_t v = 0; v < p->n_values; v++)
			cells[group * p->n_values + v] = number_of(r, row, keys + (int)v);
	}
	out->n[side] += trials;
	return true;
}

static bool take(struct asking *a, enum world_side side, PGresult *r)
{
	const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	pthread_mutex_lock(&a->lock);
	bool more = PQresultStatus(r) == PGRES_TUPLES_OK;
	if (!more)
		fail(&a->error, ERR_WRONG_STATE, "a query of the audit failed: %.120s", said ? said : "no answer");
	else
		more = keep(a, side, r);
	more = more && a->error.code == ERR_NONE;
	pthread_mutex_unlock(&a->lock);
	PQclear(r);
	return more;
}

static void *ask(void *arg)
{
	struct asker *k = arg;
	bool more = true;

	while (more) {
		PGresult *r = PQexec(k->pg, k->all->probe->sql);
		more = take(k->all, k->side, r) && clock_monotonic().nanos < k->all->until;
	}
	return NULL;
}

static bool set(PGconn *pg, const struct probe *p, struct error *e)
{
	struct wr w;

	wr_init_heap(&w, 1000);
	wr_str(&w, "SET noisegate.notices = off; SET noisegate.epsilon = '");
	eps_put(&w, p->epsilon);
	if (p->delta.atto > 0) {
		wr_str(&w, "'; SET noisegate.delta = '");
		delta_put(&w, p->delta);
	}
	wr_str(&w, "'");
	PGresult *r = PQexec(pg, wr_text(&w));
	bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || fail(e, ERR_WRONG_STATE, "the audit's settings were refused: %s", PQerrorMessage(pg));
	PQclear(r);
	wr_free(&w);
	return ok;
}

static bool run_askers(struct world *w, struct asking *a, struct error *e)
{
	struct asker askers[SIDES * ASKERS] = { 0 };
	bool ok = true;
	size_t n = 0;

	for (; ok && n < ARRAY_LEN(askers); n++) {
		struct asker *k = &askers[n];
		k->all = a;
		k->side = (enum world_side)(n % SIDES);
		ok = world_connect(w, k->side, a->probe->analyst, &k->pg, e) && set(k->pg, a->probe, e);
		if (ok && pthread_create(&k->thread, NULL, ask, k) != 0)
			ok = fail_memory(e);
		if (!ok) {
			PQfinish(k->pg);
			pthread_mutex_lock(&a->lock);
			if (a->error.code == ERR_NONE)
				a->error = *e; /* the others stop */
			pthread_mutex_unlock(&a->lock);
			break;
		}
	}
	for (size_t i = 0; i < n; i++) {
		(void)pthread_join(askers[i].thread, NULL);
		PQfinish(askers[i].pg);
	}
	if (ok && a->error.code != ERR_NONE) {
		*e = a->error;
		ok = false;
	}
	return ok;
}

bool answers_get(struct world *w, const struct probe *p, size_t enough, int64_t until_nanos, struct answers *out, struct error *e)
{
	struct answers got = { .width = p->spread * p->n_values };
	struct group_name *names = mem_alloc(p->n_groups + 1, sizeof(*names));
	struct asking a = { .probe = p, .names = names, .until = until_nanos, .answers = &got, .error = ERROR_INIT };
	bool ok = names != NULL;

	a.enough = enough > p->trials ? enough : p->trials;
	for (size_t i = 0; i < SIDES; i++) {
		got.cells[i] = mem_alloc(a.enough * got.width, sizeof(double));
		ok = ok && got.cells[i];
	}
	for (size_t g = 0; ok && g < p->n_groups; g++)
		names[g] = (struct group_name){ p->groups[g], g };
	if (ok) {
		qsort(names, p->n_groups, sizeof(*names), by_name);
		pthread_mutex_init(&a.lock, NULL);
		ok = run_askers(w, &a, e);
		pthread_mutex_destroy(&a.lock);
	} else {
		fail_memory(e);
	}
	mem_free(names);
	if (!ok) {
		answers_free(&got);
		return false;
	}
	*out = got;
	return true;
}

void answers_free(struct answers *a)
{
	for (size_t i = 0; i < SIDES; i++)
		mem_free(a->cells[i]);
	*a = (struct answers){ 0 };
}
