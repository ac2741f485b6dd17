#include "proxy/transaction.h"

#include "base/mem.h"
#include "base/text.h"

struct savepoint {
	struct savepoint *next; /* older */
	char *name;
	size_t settings;  /* settings_mark at its birth */
	uint64_t portals; /* newest portal at its birth */
};

static void drop_savepoint(struct session *s)
{
	struct savepoint *gone = s->savepoints;

	s->savepoints = gone->next;
	s->n_savepoints--;
	mem_free(gone->name);
	mem_free(gone);
}

static void commit(struct session *s)
{
	settings_commit(&s->settings);
	portals_commit(&s->portals);
	while (s->savepoints)
		drop_savepoint(s);
	s->tx = TX_IDLE;
}

static void rollback(struct session *s)
{
	settings_rollback(&s->settings, 0);
	portals_rollback(&s->portals, 0);
	while (s->savepoints)
		drop_savepoint(s);
	s->tx = TX_IDLE;
}

void tx_begin_implicit(struct session *s)
{
	if (s->tx == TX_IDLE)
		s->tx = TX_IMPLICIT;
}

void tx_end_implicit(struct session *s)
{
	if (s->tx == TX_IMPLICIT)
		commit(s);
}

void tx_fail(struct session *s)
{
	if (s->tx == TX_BLOCK)
		s->tx = TX_FAILED;
	else if (s->tx != TX_FAILED)
		rollback(s);
}

void tx_forget(struct session *s)
{
	rollback(s);
}

char tx_status(const struct session *s)
{
	return s->tx == TX_BLOCK ? 'T' : s->tx == TX_FAILED ? 'E' : 'I';
}

bool tx_allows(const struct session *s, enum statement_kind kind, struct error *e)
{
	if (s->tx != TX_FAILED || kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK || kind == STATEMENT_ROLLBACK_TO ||
	    kind == STATEMENT_EMPTY)
		return true;
	return fail(e, ERR_IN_FAILED_TX, "current transaction is aborted, commands ignored until end of transaction block");
}

static bool needs_block(const struct session *s, const char *command, struct error *e)
{
	if (s->tx == TX_BLOCK || s->tx == TX_FAILED)
		return true;
	return fail(e, ERR_NO_TX, "%s can only be used in transaction blocks", command);
}

static struct savepoint *find(const struct session *s, const char *name)
{
	for (struct savepoint *p = s->savepoints; p; p = p->next) {
		if (text_eq(p->name, name))
			return p;
	}
	return NULL;
}

static bool no_savepoint(const char *name, struct error *e)
{
	return fail(e, ERR_NO_SAVEPOINT, "savepoint \"%.100s\" does not exist", name);
}

static bool savepoint(struct session *s, const char *name, struct error *e)
{
	if (!needs_block(s, "SAVEPOINT", e))
		return false;
	if (s->n_savepoints >= SESSION_MAX_SAVEPOINTS)
		return fail(e, ERR_TOO_COMPLEX, "too many savepoints in one transaction");
	struct savepoint *p = mem_alloc(1, sizeof(*p));
	char *copy = p ? mem_strdup(name) : NULL;
	if (!copy) {
		mem_free(p);
		return fail_memory(e);
	}
	*p = (struct savepoint){ .next = s->savepoints,
				 .name = copy,
				 .settings = settings_mark(&s->settings),
				 .portals = s->portals.serial };
	s->savepoints = p;
	s->n_savepoints++;
	return true;
}

static bool release(struct session *s, const char *name, struct error *e)
{
	if (!needs_block(s, "RELEASE SAVEPOINT", e))
		return false;
	struct savepoint *p = find(s, name);
	if (!p)
		return no_savepoint(name, e);
	while (s->savepoints != p)
		drop_savepoint(s);
	drop_savepoint(s);
	return true;
}

static bool rollback_to(struct session *s, const char *name, struct error *e)
{
	if (!needs_block(s, "ROLLBACK TO SAVEPOINT", e))
		return false;
	struct savepoint *p = find(s, name);
	if (!p)
		return no_savepoint(name, e);
	while (s->savepoints != p)
		drop_savepoint(s);
	settings_rollback(&s->settings, p->settings);
	portals_rollback(&s->portals, p->portals);
	s->tx = TX_BLOCK;
	return true;
}

static void end(struct session *s, bool keep, const char **tag)
{
	if (s->tx != TX_BLOCK && s->tx != TX_FAILED)
		session_warn(s, ERR_NO_TX, "there is no transaction in progress");
	keep = keep && s->tx != TX_FAILED;
	*tag = keep ? "COMMIT" : "ROLLBACK"; /* COMMIT of an aborted transaction rolls back and says so */
	if (keep)
		commit(s);
	else
		rollback(s);
}

bool tx_command(struct session *s, const struct statement *st, const char **tag, struct error *e)
{
	switch (st->kind) {
	case STATEMENT_BEGIN:
		if (s->tx == TX_BLOCK)
			session_warn(s, ERR_ACTIVE_TX, "there is already a transaction in progress");
		s->tx = TX_BLOCK;
		*tag = text_starts(st->text, "START") || text_starts(st->text, "start") ? "START TRANSACTION" : "BEGIN";
		return true;
	case STATEMENT_COMMIT:
		end(s, true, tag);
		return true;
	case STATEMENT_ROLLBACK:
		end(s, false, tag);
		return true;
	case STATEMENT_SAVEPOINT:
		*tag = "SAVEPOINT";
		return savepoint(s, st->name, e);
	case STATEMENT_RELEASE:
		*tag = "RELEASE";
		return release(s, st->name, e);
	case STATEMENT_ROLLBACK_TO:
		*tag = "ROLLBACK";
		return rollback_to(s, st->name, e);
	default:
		return fail(e, ERR_INTERNAL, "not a transaction command");
	}
}
