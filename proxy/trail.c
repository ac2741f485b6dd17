#include "proxy/trail.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <string.h>

/* Whom and what. */
static void put_who(struct wr *w, const struct session_view *v)
{
	audit_put_text(w, AUDIT_FIELD_USER, v->user);
	audit_put_text(w, AUDIT_FIELD_MEMBER, v->analyst);
}

/* --- hashes: every text with its length before it, so that no two contents look the same ------------------------------------------------- */

static void add_number(struct hash_stream *s, uint64_t v)
{
	uint8_t b[8];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(v >> (56 - 8 * i));
	hash_add(s, b, sizeof(b));
}

static void add_cell(struct hash_stream *s, const void *p, int32_t n)
{
	const uint32_t u = (uint32_t)n;
	const uint8_t b[4] = { (uint8_t)(u >> 24), (uint8_t)(u >> 16), (uint8_t)(u >> 8), (uint8_t)u };

	hash_add(s, b, sizeof(b));
	if (n > 0)
		hash_add(s, p, (size_t)n);
}

static void add_text(struct hash_stream *s, const char *text)
{
	add_cell(s, text, text ? (int32_t)strlen(text) : -1);
}

/* The canonical query: the statements generated from the checked tree, so that names of aliases, blanks and case of the analyst's text do not count. */
static bool query_hash(const struct plan *plan, uint8_t out[SHA256_SIZE])
{
	struct hash_stream *s = hash_begin();

	add_text(s, "noisegate query v1");
	add_number(s, plan->n_blocks);
	for (size_t b = 0; b < plan->n_blocks; b++) {
		const struct plan_block *block = &plan->blocks[b];
		add_text(s, block->sql);
		add_number(s, block->n_params);
		for (size_t i = 0; i < block->n_params; i++)
			add_text(s, (int)i + 1 == block->seed_param ? NULL : block->params[i]);
	}
	add_number(s, plan->n_outputs);
	for (size_t i = 0; i < plan->n_outputs; i++)
		add_number(s, plan->outputs[i].column);
	add_text(s, plan->n_outputs > 0 ? NULL : plan->sidecar_sql);
	return hash_end(s, out);
}

static bool released_hash(const struct plan *plan, const struct released *const *released, const uint8_t salt[AUDIT_SALT], uint8_t out[SHA256_SIZE])
{
	struct hash_stream *s = hash_begin();

	hash_add(s, salt, AUDIT_SALT);
	add_text(s, "released");
	add_number(s, plan->n_blocks);
	for (size_t b = 0; b < plan->n_blocks; b++) {
		add_number(s, released_columns(released[b]));
		add_number(s, released_rows(released[b]));
		for (size_t row = 0; row < released_rows(released[b]); row++)
			for (size_t c = 0; c < released_columns(released[b]); c++)
				add_text(s, released_cell(released[b], row, c));
	}
	return hash_end(s, out);
}

static bool answer_hash(const struct result *r, const uint8_t salt[AUDIT_SALT], uint8_t out[SHA256_SIZE])
{
	struct hash_stream *s = hash_begin();

	hash_add(s, salt, AUDIT_SALT);
	add_text(s, "answer");
	add_number(s, r->n_fields);
	add_number(s, r->n_rows);
	for (size_t i = 0; i < r->n_rows * r->n_fields; i++)
		add_cell(s, r->cells[i].data, r->cells[i].length);
	return hash_end(s, out);
}

/* --- allowed ------------------------------------------------------------------------------------------------------------------------------- */

static void put_parameters(struct wr *w, const struct params *p)
{
	for (size_t i = 0; i < p->n; i++)
		audit_put_value(w, AUDIT_FIELD_PARAMETER, p->plan[i].known ? p->plan[i].text : "(binary)");
}

static void put_block(struct wr *w, const struct plan_block *b)
{
	size_t at = audit_group_begin(w, AUDIT_FIELD_BLOCK);

	for (size_t i = 0; i < b->n_tables; i++) {
		char table[160];
		(void)snprintf(table, sizeof(table), "%s.%s", b->tables[i]->schema, b->tables[i]->name);
		audit_put_text(w, AUDIT_FIELD_TABLE, table);
	}
	if (b->figures.unit) {
		audit_put_text(w, AUDIT_FIELD_UNIT, b->figures.unit);
		audit_put_number(w, AUDIT_FIELD_MAX_ROWS, (uint64_t)b->figures.max_rows);
		audit_put_number(w, AUDIT_FIELD_MAX_GROUPS, (uint64_t)b->figures.max_groups);
		audit_put_text(w, AUDIT_FIELD_BOUNDING, b->figures.bounding);
		audit_put_text(w, AUDIT_FIELD_SELECTION, b->figures.selection);
		audit_put_text(w, AUDIT_FIELD_MECHANISM, b->figures.mechanism);
		audit_put_number(w, AUDIT_FIELD_EPSILON, b->figures.epsilon.pico);
		audit_put_number(w, AUDIT_FIELD_RHO, b->figures.rho.pico);
		audit_put_number(w, AUDIT_FIELD_DELTA, b->figures.delta.atto);
	}
	audit_group_end(w, at);
}

static void put_charge(struct wr *w, const struct plan_charge *c)
{
	size_t at = audit_group_begin(w, AUDIT_FIELD_CHARGE);
	char table[160];

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

/* The question, with what it was going to cost: "allowed", or "repeated" without charges. */
static bool put_question(struct trail *t, enum audit_event event, const struct plan *plan, struct error *e)
{
	uint8_t hash[SHA256_SIZE];
	struct audit_mark mark;
	struct wr w;

	if (!t->log)
		return true;
	if (!query_hash(plan, hash))
		return fail_memory(e);
	wr_init(&w, t->arena, AUDIT_BODY_MAX);
	put_who(&w, t->view);
	if (t->question)
		audit_put_number(&w, AUDIT_FIELD_LOOK, t->question);
	audit_put_text(&w, AUDIT_FIELD_SQL, t->sql);
	put_parameters(&w, t->params);
	audit_put_bytes(&w, AUDIT_FIELD_QUERY_HASH, hash, SHA256_SIZE);
	for (size_t i = 0; i < plan->n_blocks; i++)
		put_block(&w, &plan->blocks[i]);
	for (size_t i = 0; event == AUDIT_ALLOWED && i < plan->n_charges; i++)
		put_charge(&w, &plan->charges[i]);
	if (!audit_append(t->log, event, &w, &mark, e))
		return false;
	t->question = mark.sequence;
	return true;
}

bool trail_allowed(struct trail *t, const struct plan *plan, struct error *e)
{
	return put_question(t, AUDIT_ALLOWED, plan, e);
}

bool trail_charged(struct trail *t, int64_t query, struct error *e)
{
	struct wr w;

	if (!t->log)
		return true;
	t->query = query;
	wr_init(&w, t->arena, 1024);
	audit_put_number(&w, AUDIT_FIELD_STATEMENT, t->question);
	audit_put_number(&w, AUDIT_FIELD_LEDGER_QUERY, (uint64_t)query);
	return audit_append(t->log, AUDIT_CHARGED, &w, NULL, e);
}

/* --- answered ------------------------------------------------------------------------------------------------------------------------------ */

/* Then the number of rows is as public as the rows; of a list it would be a true value. */
static bool all_noised(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_blocks; i++)
		if (!plan->blocks[i].spec.private_noise)
			return false;
	return true;
}

static bool take_receipt(struct trail *t, const struct audit_mark *mark, struct error *e)
{
	char text[AUDIT_RECEIPT_MAX];

	if (!t->view->receipts)
		return true;
	if (!audit_receipt(t->log, mark, t->question, true, text, e))
		return false;
	t->receipt = arena_printf(t->arena, "receipt %s", text);
	return t->receipt || fail_memory(e);
}

bool trail_answered(struct trail *t, const struct plan *plan, const struct released *const *released, const struct result *r, struct error *e)
{
	uint8_t salt[AUDIT_SALT], shown[SHA256_SIZE], sent[SHA256_SIZE];
	struct audit_mark mark;
	struct wr w;

	if (!t->log)
		return true;
	if (!t->question && !put_question(t, AUDIT_REPEATED, plan, e))
		return false;
	if (!audit_salt(t->log, t->question, salt) || !released_hash(plan, released, salt, shown) || !answer_hash(r, salt, sent))
		return fail_memory(e);
	wr_init(&w, t->arena, 4096);
	put_who(&w, t->view);
	audit_put_number(&w, AUDIT_FIELD_STATEMENT, t->question);
	if (t->query)
		audit_put_number(&w, AUDIT_FIELD_LEDGER_QUERY, (uint64_t)t->query);
	if (all_noised(plan))
		audit_put_number(&w, AUDIT_FIELD_ROWS, r->n_rows);
	audit_put_bytes(&w, AUDIT_FIELD_RELEASED, shown, SHA256_SIZE);
	audit_put_bytes(&w, AUDIT_FIELD_ANSWER, sent, SHA256_SIZE);
	return audit_append(t->log, AUDIT_ANSWERED, &w, &mark, e) && audit_commit(t->log, mark.sequence, e) && take_receipt(t, &mark, e);
}

bool trail_notice(const struct trail *t, struct notice *out)
{
	if (!t->receipt)
		return false;
	*out = (struct notice){ .severity = "NOTICE", .sqlstate = "00000", .message = t->receipt };
	return true;
}

/* --- refused, failed ------------------------------------------------------------------------------------------------------------------------- */

static void note(struct audit *log, enum audit_event event, const struct wr *w)
{
	struct error e = ERROR_INIT;

	if (!audit_append(log, event, w, NULL, &e))
		log_error("could not be recorded in the audit log", &e);
}

void trail_ended(struct trail *t, const struct error *why)
{
	struct wr w;

	if (!t->log)
		return;
	wr_init_heap(&w, AUDIT_BODY_MAX); /* the arena may be what was full */
	put_who(&w, t->view);
	if (t->question)
		audit_put_number(&w, AUDIT_FIELD_STATEMENT, t->question);
	else
		audit_put_text(&w, AUDIT_FIELD_SQL, t->sql);
	audit_put_text(&w, AUDIT_FIELD_SQLSTATE, error_sqlstate(why->code));
	audit_put_text(&w, AUDIT_FIELD_RULE, why->rule[0] ? why->rule : NULL);
	audit_put_text(&w, AUDIT_FIELD_MESSAGE, why->message);
	note(t->log, t->query ? AUDIT_FAILED : AUDIT_REFUSED, &w);
	wr_free(&w);
}

/* --- logins, policies -------------------------------------------------------------------------------------------------------------------------- */

/* Whether a refused login is recorded; *suppressed how many before it were not. */
static bool meter(struct login_meter *m, uint64_t *suppressed)
{
	int64_t second = clock_monotonic().nanos / 1000000000;

	pthread_mutex_lock(&m->lock);
	if (m->second != second) {
		m->second = second;
		m->noted = 0;
	}
	bool pass = m->noted++ < LOGINS_REFUSED_A_SECOND;
	*suppressed = m->suppressed;
	m->suppressed = pass ? 0 : m->suppressed + 1;
	pthread_mutex_unlock(&m->lock);
	return pass;
}

void trail_login(struct audit *log, struct login_meter *m, const char *user, const char *member, const char *peer, bool accepted)
{
	uint64_t suppressed = 0;
	struct wr w;

	if (!accepted && !meter(m, &suppressed))
		return;
	wr_init_heap(&w, AUDIT_BODY_MAX);
	audit_put_text(&w, AUDIT_FIELD_USER, user);
	audit_put_text(&w, AUDIT_FIELD_MEMBER, accepted ? member : NULL);
	audit_put_text(&w, AUDIT_FIELD_PEER, peer);
	if (suppressed)
		audit_put_number(&w, AUDIT_FIELD_SUPPRESSED, suppressed);
	note(log, accepted ? AUDIT_LOGIN : AUDIT_LOGIN_REFUSED, &w);
	wr_free(&w);
}

bool trail_policy(struct audit *log, const struct policy *p, int64_t ledger_entry, struct error *e)
{
	uint8_t hash[SHA256_SIZE];
	struct wr w;

	if (!hash_sha256(p->text, p->n_text, hash))
		return fail_memory(e);
	wr_init_heap(&w, 4096);
	audit_put_text(&w, AUDIT_FIELD_COLLABORATION, p->collaboration);
	audit_put_bytes(&w, AUDIT_FIELD_POLICY_HASH, hash, SHA256_SIZE);
	if (ledger_entry >= 0)
		audit_put_number(&w, AUDIT_FIELD_LEDGER_ENTRY, (uint64_t)ledger_entry);
	bool ok = audit_append(log, AUDIT_POLICY, &w, NULL, e);
	wr_free(&w);
	return ok;
}
