#include "budget/audit_verify.h"

#include "base/mem.h"

/* A signature is right when it is that of the key, and the key one of those who may sign. */
static bool trusted(const struct audit_evidence *v, const uint8_t key[SIGN_PUBLIC])
{
	for (size_t i = 0; i < v->n_keys; i++)
		if (mem_equal(v->keys[i], key, SIGN_PUBLIC))
			return true;
	return v->n_keys == 0;
}

static bool check_checkpoint(const char *label, const char *text, const struct audit_evidence *v, struct audit_place *place, bool *was_signed,
			     struct error *e)
{
	struct audit_seal seal;

	if (!audit_checkpoint_read(text, place, &seal))
		return fail(e, ERR_AUDIT, "%s: this is not a checkpoint", label);
	if (!seal.signed_)
		return v->n_keys == 0 || fail(e, ERR_AUDIT, "%s: the checkpoint is not signed", label);
	if (!trusted(v, seal.key))
		return fail(e, ERR_AUDIT, "%s: the checkpoint is signed by another key", label);
	if (!sign_verify(seal.key, text, seal.n_text, seal.signature))
		return fail(e, ERR_AUDIT, "%s: the checkpoint's signature is wrong", label);
	*was_signed = true;
	return true;
}

bool audit_claim_checkpoint(const char *label, const char *text, const struct audit_evidence *keys, struct audit_claim *out, struct error *e)
{
	bool was_signed = false;

	*out = (struct audit_claim){ .label = label };
	return check_checkpoint(label, text, keys, &out->place, &was_signed, e);
}

bool audit_claim_receipt(const char *text, const struct audit_evidence *keys, struct audit_claim *out, struct error *e)
{
	uint8_t salt[AUDIT_SALT];
	struct audit_seal seal;
	bool right;

	*out = (struct audit_claim){ .label = text };
	if (!audit_receipt_read(text, &out->place, salt, &seal))
		return fail(e, ERR_AUDIT, "\"%.60s\" is not a receipt", text);
	right = !seal.signed_ || keys->n_keys == 0;
	for (size_t i = 0; i < keys->n_keys && !right; i++)
		right = sign_verify(keys->keys[i], text, seal.n_text, seal.signature);
	return right || fail(e, ERR_AUDIT, "receipt %.60s...: its signature is wrong", text);
}

static bool verify_checkpoint(const struct audit_record *r, const uint8_t before[SHA256_SIZE], const struct audit_evidence *v, struct audit_verdict *out,
			      struct error *e)
{
	char text[AUDIT_CHECKPOINT_MAX + 1], label[64];
	struct audit_place place;
	bool was_signed = false;
	struct rd value;

	(void)snprintf(label, sizeof(label), "record %llu", (unsigned long long)r->sequence);
	if (!audit_find(r, AUDIT_FIELD_CHECKPOINT, &value) || value.left > AUDIT_CHECKPOINT_MAX)
		return fail(e, ERR_AUDIT, "%s: the checkpoint has no text", label);
	mem_copy(text, value.p, value.left);
	text[value.left] = '\0';
	if (!check_checkpoint(label, text, v, &place, &was_signed, e))
		return false;
	if (place.sequence != r->sequence - 1 || !mem_equal(place.hash, before, SHA256_SIZE) || !mem_equal(place.log_id, out->log_id, AUDIT_ID))
		return fail(e, ERR_AUDIT, "%s: the checkpoint is not of the record before it", label);
	out->signatures += was_signed;
	if (was_signed && v->n_keys > 0) {
		out->covered = r->sequence - 1;
		out->signed_at = r->at;
	}
	return true;
}

/* A start says which log it belongs to; the first record of a log is one, so that the headers' id is under the chain. */
static bool verify_start(const struct audit_record *r, const struct audit_verdict *out, struct error *e)
{
	struct rd id;

	if (r->event == AUDIT_STARTED && audit_find(r, AUDIT_FIELD_LOG_ID, &id) && id.left == AUDIT_ID && mem_equal(id.p, out->log_id, AUDIT_ID))
		return true;
	return fail(e, ERR_AUDIT, "record %llu: it does not name the log that the segment's header names", (unsigned long long)r->sequence);
}

static bool meet(struct audit_evidence *v, const struct audit_record *r, const uint8_t log_id[AUDIT_ID], struct error *e)
{
	for (size_t i = 0; i < v->n_claims; i++) {
		struct audit_claim *c = &v->claims[i];
		if (c->place.sequence != r->sequence)
			continue;
		if (!mem_equal(c->place.hash, r->hash, SHA256_SIZE) || !mem_equal(c->place.log_id, log_id, AUDIT_ID))
			return fail(e, ERR_AUDIT, "%.80s: record %llu of the log is another one", c->label, (unsigned long long)r->sequence);
		c->met = true;
	}
	return true;
}

static bool verify_record(struct audit_evidence *v, const struct audit_record *r, const uint8_t before[SHA256_SIZE], struct audit_verdict *out,
			  struct error *e)
{
	if ((r->sequence == 1 || r->event == AUDIT_STARTED) && !verify_start(r, out, e))
		return false;
	if (r->event == AUDIT_CHECKPOINT && !verify_checkpoint(r, before, v, out, e))
		return false;
	out->recovered += r->event == AUDIT_RECOVERED;
	out->records++;
	out->first = r->sequence == 1 ? r->at : out->first;
	out->last = r->at;
	return meet(v, r, out->log_id, e);
}

/* A chain without signatures can be written by anybody, and so can its end: the proxy signs every few records. */
static bool verify_coverage(const struct audit_evidence *v, const struct audit_verdict *made, struct error *e)
{
	const uint64_t bare = made->records - made->covered;

	if (v->n_keys == 0 || (made->covered > 0 && (v->unsigned_max == 0 || bare <= v->unsigned_max)))
		return true;
	if (made->covered == 0)
		return fail(e, ERR_AUDIT, "no record of the log is under a signature of the given key: it was written without the key, or written again");
	fail(e, ERR_AUDIT, "%llu records follow the last signature, which is of record %llu: at most %llu are expected, so they may have been written without the key",
	     (unsigned long long)bare, (unsigned long long)made->covered, (unsigned long long)v->unsigned_max);
	return error_hint(e, "A proxy signs after checkpoint.records of its policy; --unsigned N takes more.");
}

bool audit_verify(const char *dir, struct audit_evidence *evidence, struct audit_verdict *out, struct error *e)
{
	struct audit_verdict made = { .records = 0 };
	uint8_t before[SHA256_SIZE] = { 0 };
	struct audit_cursor c;
	struct audit_record r;
	enum audit_step step;

	if (!audit_cursor_open(&c, dir, e))
		return false;
	mem_copy(made.log_id, c.log_id, AUDIT_ID);
	bool ok = true;
	while (ok && (step = audit_cursor_next(&c, &r, e)) != AUDIT_STEP_END) {
		ok = step == AUDIT_STEP_RECORD && verify_record(evidence, &r, before, &made, e);
		mem_copy(before, r.hash, ok ? SHA256_SIZE : 0);
	}
	made.segments = c.segment;
	audit_cursor_close(&c);
	for (size_t i = 0; ok && i < evidence->n_claims; i++) {
		const struct audit_claim *claim = &evidence->claims[i];
		if (!claim->met)
			ok = fail(e, ERR_AUDIT, "%.80s: record %llu is not in the log, which ends with record %llu: it was cut", claim->label,
				  (unsigned long long)claim->place.sequence, (unsigned long long)made.records);
	}
	ok = ok && verify_coverage(evidence, &made, e);
	if (ok)
		*out = made;
	return ok;
}
