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
	pthread_mutex_t lock; /* guards what follows, and answers */
	size_t quota[SIDES];  /* statements until the ledgers are renewed */
	bool done[SIDES];
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

static void take(struct asking *a, enum world_side side, PGresult *r)
{
	const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	pthread_mutex_lock(&a->lock);
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail(&a->error, ERR_WRONG_STATE, "a query of the audit failed: %.120s", said ? said : "no answer");
	else if (!keep(a, side, r))
		a->done[side] = true;
	pthread_mutex_unlock(&a->lock);
	PQclear(r);
}

/* One more statement may run. */
static bool may_ask(struct asking *a, enum world_side side)
{
	pthread_mutex_lock(&a->lock);
	const bool may = a->error.code == ERR_NONE && !a->done[side] && a->quota[side] > 0;
	a->quota[side] -= may;
	pthread_mutex_unlock(&a->lock);
	return may;
}

static void *ask(void *arg)
{
	struct asker *k = arg;

	while (may_ask(k->all, k->side)) {
		take(k->all, k->side, PQexec(k->pg, k->all->probe->sql));
		if (clock_monotonic().nanos >= k->all->until) {
			pthread_mutex_lock(&k->all->lock);
			k->all->done[k->side] = true;
			pthread_mutex_unlock(&k->all->lock);
		}
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

static bool connect_askers(struct world *w, struct asking *a, struct asker *askers, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		askers[i] = (struct asker){ .all = a, .side = (enum world_side)(i % SIDES) };
		if (!world_connect(w, askers[i].side, a->probe->analyst, &askers[i].pg, e) || !set(askers[i].pg, a->probe, e))
			return false;
	}
	return true;
}

/* As many statements as the ledgers hold. */
static bool ask_together(struct asking *a, struct asker *askers, size_t n, struct error *e)
{
	size_t started = 0;

	while (started < n && pthread_create(&askers[started].thread, NULL, ask, &askers[started]) == 0)
		started++;
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(askers[i].thread, NULL);
	if (started < n)
		return fail_memory(e);
	if (a->error.code != ERR_NONE)
		*e = a->error;
	return a->error.code == ERR_NONE;
}

/* How many statements fit one account. */
static size_t quota_of(const struct probe *p)
{
	const double noise = p->gaussian ? WORLD_RHO / p->claimed : WORLD_EPSILON / p->claimed;
	const double selection = p->claimed_delta > 0 ? WORLD_DELTA / p->claimed_delta : noise, least = noise < selection ? noise : selection;

	return least < 1 ? 1 : (size_t)least;
}

static bool run_askers(struct world *w, struct asking *a, struct error *e)
{
	struct asker askers[SIDES * ASKERS] = { 0 };
	bool ok = connect_askers(w, a, askers, ARRAY_LEN(askers), e);

	while (ok && !(a->done[SIDE_PRESENT] && a->done[SIDE_ABSENT])) {
		for (size_t i = 0; i < SIDES; i++)
			a->quota[i] = quota_of(a->probe);
		ok = world_renew(w, e) && ask_together(a, askers, ARRAY_LEN(askers), e);
	}
	for (size_t i = 0; i < ARRAY_LEN(askers); i++)
		PQfinish(askers[i].pg);
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
