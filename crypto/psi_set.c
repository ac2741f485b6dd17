#include "crypto/psi_set.h"

#include "base/mem.h"
#include "crypto/psi_work.h"

#include <stdlib.h>

/* RFC 9380, 3.1: each ends with the suite's name. */
static const char dst_value[] = "noisegate-psi-v1-value-with-P256_XMD:SHA-256_SSWU_RO_";
static const char dst_filler[] = "noisegate-psi-v1-filler-with-P256_XMD:SHA-256_SSWU_RO_";
static const char dst_dummy[] = "noisegate-psi-v1-dummy-with-P256_XMD:SHA-256_SSWU_RO_";

bool psi_session(const char *name, struct psi_session *out)
{
	return hash_sha256(name, strlen(name), out->digest);
}

/* Uniform in [0, n), n > 0. */
static bool draw_below(const struct rng *r, uint64_t n, uint64_t *out)
{
	uint64_t v, fair = UINT64_MAX - UINT64_MAX % n; /* a multiple of n */

	do {
		if (!rng_fill(r, &v, sizeof(v)))
			return false;
	} while (v >= fair);
	*out = v % n;
	return true;
}

/* A place of a list: [0, values) a value, [values, values + chosen) a dummy, the rest fillers. */
struct making {
	const struct psi_list *l;
	const uint32_t *order;
	uint8_t secret[SECRET_KEY]; /* fillers are hashes of this and their number */
	uint8_t (*points)[PSI_POINT];
};

static bool hash_number(struct psi_curve *c, const char *dst, const uint8_t prefix[SHA256_SIZE], uint64_t number, uint8_t out[PSI_POINT])
{
	uint8_t message[SHA256_SIZE + sizeof(number)];

	mem_copy(message, prefix, SHA256_SIZE);
	for (size_t i = 0; i < sizeof(number); i++)
		message[SHA256_SIZE + i] = (uint8_t)(number >> (56 - 8 * i));
	return psi_hash(c, dst, message, sizeof(message), out);
}

static bool hash_value(struct psi_curve *c, const struct psi_session *s, const char *value, uint8_t out[PSI_POINT])
{
	uint8_t message[SHA256_SIZE + PSI_VALUE_MAX];
	size_t n = strlen(value);

	mem_copy(message, s->digest, SHA256_SIZE);
	mem_copy(message + SHA256_SIZE, value, n);
	bool ok = psi_hash(c, dst_value, message, SHA256_SIZE + n, out);
	secret_wipe(message, SHA256_SIZE + n);
	return ok;
}

static bool make_place(struct psi_curve *c, void *ctx, size_t i)
{
	const struct making *m = ctx;
	const struct psi_values *v = m->l->values;
	const size_t place = m->order[i];
	uint8_t point[PSI_POINT];

	bool ok = place < v->n			  ? hash_value(c, m->l->session, (const char *)v->bytes.p + v->at[place], point) :
		  place < v->n + m->l->chosen ? hash_number(c, dst_dummy, m->l->session->digest, place - v->n, point) :
						hash_number(c, dst_filler, m->secret, place, point);
	ok = ok && psi_power(c, point, m->points[i]);
	secret_wipe(point, sizeof(point));
	return ok;
}

bool psi_list_make(const struct psi_list *l, const struct rng *r, const struct secret_key *exponent, uint8_t (*points)[PSI_POINT], struct error *e)
{
	const size_t n = l->bound + l->dummies;
	uint32_t *order = mem_alloc(n, sizeof(*order));
	struct making m = { .l = l, .order = order, .points = points };
	uint64_t j;

	BUG_IF(l->values->n > l->bound || l->chosen > l->dummies || n > UINT32_MAX);
	if (!order)
		return fail_memory(e);
	bool ok = rng_fill(r, m.secret, sizeof(m.secret));
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; ok && i > 1; i--) {
		ok = draw_below(r, i, &j);
		if (!ok)
			break;
		uint32_t t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
	ok = ok && psi_work(n, exponent, make_place, &m);
	secret_wipe(m.secret, sizeof(m.secret));
	secret_wipe(order, n * sizeof(*order));
	mem_free(order);
	return ok || fail(e, ERR_CRYPTO, "could not blind the set: the random source, memory or OpenSSL failed");
}

struct dummies {
	const struct psi_session *session;
	size_t first;
	uint8_t (*points)[PSI_POINT];
};

static bool make_dummy(struct psi_curve *c, void *ctx, size_t i)
{
	const struct dummies *d = ctx;
	uint8_t point[PSI_POINT];

	return hash_number(c, dst_dummy, d->session->digest, d->first + i, point) && psi_power(c, point, d->points[i]);
}

bool psi_dummies_make(const struct psi_session *s, size_t first, size_t n, const struct secret_key *exponent, uint8_t (*points)[PSI_POINT],
		      struct error *e)
{
	struct dummies d = { s, first, points };

	return psi_work(n, exponent, make_dummy, &d) || fail(e, ERR_CRYPTO, "could not blind the dummies: memory or OpenSSL failed");
}

struct tagging {
	const uint8_t (*points)[PSI_POINT];
	struct psi_tag *tags;
};

static bool make_tag(struct psi_curve *c, void *ctx, size_t i)
{
	const struct tagging *t = ctx;

	return psi_power_tag(c, t->points[i], &t->tags[i]);
}

bool psi_tags_make(const uint8_t (*points)[PSI_POINT], size_t n, const struct secret_key *exponent, struct psi_tag *tags, struct error *e)
{
	struct tagging t = { points, tags };

	return psi_work(n, exponent, make_tag, &t) || fail(e, ERR_PROTOCOL, "the peer sent an element that is no point of the curve");
}

static int compare_tags(const void *a, const void *b)
{
	const struct psi_tag *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

bool psi_tags_sort(struct psi_tag *tags, size_t n, struct error *e)
{
	qsort(tags, n, sizeof(*tags), compare_tags);
	for (size_t i = 1; i < n; i++)
		if (compare_tags(&tags[i - 1], &tags[i]) == 0)
			return fail(e, ERR_PROTOCOL, "the peer sent an element twice");
	return true;
}

size_t psi_tags_common(const struct psi_tag *a, size_t n, const struct psi_tag *b, size_t m)
{
	size_t common = 0;

	for (size_t i = 0, j = 0; i < n && j < m;) {
		int order = compare_tags(&a[i], &b[j]);
		common += order == 0;
		i += order <= 0;
		j += order >= 0;
	}
	return common;
}
