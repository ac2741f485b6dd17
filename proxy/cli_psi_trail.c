#include "proxy/cli_psi_trail.h"

#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "proxy/usage.h"

enum { RECORD_MAX = 8192 };

bool psi_trail_open(struct psi_trail *t, struct psi_account *account, struct error *e)
{
	const struct policy *p = account->snapshot->policy;
	const struct audit_options o = { .policy = &p->audit, .collaboration = p->collaboration, .version = NOISEGATE_VERSION, .clock = account->clock,
					 .random = random_system() };

	t->account = account;
	return audit_open(&o, &t->log, e) && trail_policy(t->log, p, -1, e);
}

void psi_trail_close(struct psi_trail *t)
{
	audit_close(t->log);
	t->log = NULL;
}

static void put_who(struct wr *w, const struct psi_trail *t)
{
	audit_put_text(w, AUDIT_FIELD_USER, "psi");
	audit_put_text(w, AUDIT_FIELD_MEMBER, t->account->budget->analyst);
}

static void put_charge(struct wr *w, const struct charge *c)
{
	size_t at = audit_group_begin(w, AUDIT_FIELD_CHARGE);
	char table[300];

	(void)snprintf(table, sizeof(table), "%s.%s", c->budget->schema, c->budget->table);
	audit_put_text(w, AUDIT_FIELD_OWNER, c->budget->owner);
	audit_put_text(w, AUDIT_FIELD_ACCOUNT, table);
	audit_put_text(w, AUDIT_FIELD_ANALYST, c->budget->analyst);
	audit_put_text(w, AUDIT_FIELD_ACCOUNTING, accounting_name(c->budget->accounting));
	audit_put_number(w, AUDIT_FIELD_EPSILON, c->epsilon.pico);
	audit_put_number(w, AUDIT_FIELD_RHO, c->rho.pico);
	audit_put_number(w, AUDIT_FIELD_DELTA, c->delta.atto);
	audit_put_text(w, AUDIT_FIELD_MECHANISMS, c->mechanism);
	audit_group_end(w, at);
}

static void put_statement(struct wr *w, const struct psi_trail *t)
{
	audit_put_number(w, AUDIT_FIELD_STATEMENT, t->question);
	audit_put_number(w, AUDIT_FIELD_LEDGER_QUERY, (uint64_t)t->account->query_id);
}

/* Appends and frees. */
static bool append(struct psi_trail *t, enum audit_event event, struct wr *w, struct audit_mark *mark, struct error *e)
{
	bool ok = audit_append(t->log, event, w, mark, e);

	wr_free(w);
	return ok;
}

bool psi_trail_charge(void *ctx, struct error *e)
{
	struct psi_trail *t = ctx;
	struct audit_mark mark;
	struct wr w;

	wr_init_heap(&w, RECORD_MAX);
	put_who(&w, t);
	audit_put_text(&w, AUDIT_FIELD_SQL, t->account->what);
	put_charge(&w, &t->account->charge);
	if (!append(t, AUDIT_ALLOWED, &w, &mark, e))
		return false;
	t->question = mark.sequence;
	if (!psi_account_charge(t->account, e))
		return false;
	wr_init_heap(&w, RECORD_MAX);
	put_statement(&w, t);
	return append(t, AUDIT_CHARGED, &w, &mark, e) && audit_commit(t->log, mark.sequence, e);
}

/* SHA-256(salt, "psi", the count in 8 bytes) */
static bool released_hash(const struct psi_trail *t, int64_t released, uint8_t out[SHA256_SIZE])
{
	uint8_t salt[AUDIT_SALT];
	struct wr w;

	wr_init_heap(&w, 64);
	bool ok = audit_salt(t->log, t->question, salt);
	wr_put(&w, salt, sizeof(salt));
	wr_str(&w, "psi");
	wr_u64(&w, (uint64_t)released);
	ok = ok && wr_ok(&w) && hash_sha256(w.p, w.n, out);
	wr_free(&w);
	return ok;
}

bool psi_trail_answered(struct psi_trail *t, const int64_t *released, struct error *e)
{
	uint8_t hash[SHA256_SIZE];
	struct audit_mark mark;
	struct wr w;

	if (released && !released_hash(t, *released, hash))
		return fail_memory(e);
	wr_init_heap(&w, RECORD_MAX);
	put_who(&w, t);
	put_statement(&w, t);
	if (released)
		audit_put_bytes(&w, AUDIT_FIELD_RELEASED, hash, sizeof(hash));
	return append(t, AUDIT_ANSWERED, &w, &mark, e) && audit_commit(t->log, mark.sequence, e);
}

void psi_trail_ended(struct psi_trail *t, const struct error *why)
{
	struct error e = ERROR_INIT;
	struct wr w;

	if (!t->log)
		return;
	wr_init_heap(&w, RECORD_MAX);
	put_who(&w, t);
	if (t->account->query_id)
		put_statement(&w, t);
	else
		audit_put_text(&w, AUDIT_FIELD_SQL, t->account->what);
	audit_put_text(&w, AUDIT_FIELD_SQLSTATE, error_sqlstate(why->code));
	audit_put_text(&w, AUDIT_FIELD_MESSAGE, why->message);
	if (!append(t, t->account->query_id ? AUDIT_FAILED : AUDIT_REFUSED, &w, NULL, &e))
		log_error("could not be recorded in the audit log", &e);
}
