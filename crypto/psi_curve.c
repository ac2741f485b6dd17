#include "crypto/psi_curve.h"

#include "base/mem.h"
#include "crypto/hash.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

/* RFC 9380, 8.2: L, and the number of field elements of the random-oracle map; s_in_bytes of SHA-256. */
enum { FIELD_BYTES = 48, FIELDS = 2, UNIFORM = FIELDS * FIELD_BYTES, SHA256_BLOCK = 64 };

/* Z = -10.  sqrt(-Z^3) = 10 sqrt(10): 10 is a square, because -1 and -10 are not. */
enum { MINUS_Z = 10 };

struct psi_curve {
	EC_GROUP *group;
	EC_POINT *point, *other;
	BN_CTX *ctx;
	BN_MONT_CTX *mont;
	EVP_MD_CTX *md;
	BIGNUM *exponent;
	BIGNUM *p, *root; /* the field; (p + 1) / 4 */
	/* in Montgomery's form, as are all numbers between to_mont() and from_mont() */
	BIGNUM *one, *a, *b, *z, *x_first, *x_exceptional, *sqrt_mz3;
	BIGNUM *u, *tv, *d, *x, *g, *y, *t; /* scratch */
	bool bad; /* a call of OpenSSL's failed; looked at once, at the end */
};

static void keep(struct psi_curve *c, int ok)
{
	c->bad |= ok != 1;
}

static void mul(struct psi_curve *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	keep(c, BN_mod_mul_montgomery(r, a, b, c->mont, c->ctx));
}

static void add(struct psi_curve *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	keep(c, BN_mod_add_quick(r, a, b, c->p));
}

static void negate(struct psi_curve *c, BIGNUM *r, const BIGNUM *a)
{
	keep(c, BN_is_zero(a) ? BN_zero(r), 1 : BN_sub(r, c->p, a));
}

static void to_mont(struct psi_curve *c, BIGNUM *r)
{
	keep(c, BN_to_montgomery(r, r, c->mont, c->ctx));
}

static void from_mont(struct psi_curve *c, BIGNUM *r, const BIGNUM *a)
{
	keep(c, BN_from_montgomery(r, a, c->mont, c->ctx));
}

static void invert(struct psi_curve *c, BIGNUM *r)
{
	from_mont(c, r, r);
	c->bad |= BN_mod_inverse(r, r, c->p, c->ctx) == NULL;
	to_mont(c, r);
}

/* r = a^((p+1)/4): the square root of a, or of -a when a is no square (p = 3 mod 4). */
static void power_root(struct psi_curve *c, BIGNUM *r, const BIGNUM *a)
{
	from_mont(c, r, a);
	keep(c, BN_mod_exp_mont(r, r, c->root, c->p, c->ctx, c->mont));
	to_mont(c, r);
}

static void small(struct psi_curve *c, BIGNUM *r, BN_ULONG v)
{
	keep(c, BN_set_word(r, v));
	to_mont(c, r);
}

static void constants(struct psi_curve *c)
{
	keep(c, EC_GROUP_get_curve(c->group, c->p, c->a, c->b, c->ctx));
	keep(c, BN_MONT_CTX_set(c->mont, c->p, c->ctx));
	keep(c, BN_copy(c->root, c->p) && BN_add_word(c->root, 1) && BN_rshift(c->root, c->root, 2));
	to_mont(c, c->a);
	to_mont(c, c->b);
	small(c, c->one, 1);
	small(c, c->z, MINUS_Z);
	power_root(c, c->sqrt_mz3, c->z);
	mul(c, c->sqrt_mz3, c->sqrt_mz3, c->z);
	negate(c, c->z, c->z);
	/* -B/A, and B/(Z A) for the exceptional case */
	keep(c, BN_copy(c->t, c->a) != NULL);
	invert(c, c->t);
	mul(c, c->t, c->t, c->b);
	negate(c, c->x_first, c->t);
	keep(c, BN_copy(c->x_exceptional, c->z) != NULL);
	invert(c, c->x_exceptional);
	mul(c, c->x_exceptional, c->x_exceptional, c->t);
}

bool psi_exponent(const struct rng *r, struct secret_key *out)
{
	uint8_t wide[FIELD_BYTES]; /* 128 bits more than the order: the remainder is uniform to within 2^-128 */
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *k = BN_secure_new(), *range = BN_new();

	bool ok = group && ctx && k && range && rng_fill(r, wide, sizeof(wide)) && BN_copy(range, EC_GROUP_get0_order(group)) &&
		  BN_sub_word(range, 1) == 1 && BN_bin2bn(wide, sizeof(wide), k) && BN_mod(k, k, range, ctx) == 1 && BN_add_word(k, 1) == 1 &&
		  BN_bn2binpad(k, out->bytes, SECRET_KEY) == SECRET_KEY;
	secret_wipe(wide, sizeof(wide));
	BN_clear_free(k);
	BN_free(range);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	return ok;
}

struct psi_curve *psi_curve_new(const struct secret_key *exponent)
{
	struct psi_curve *c = mem_alloc(1, sizeof(*c));

	if (!c)
		return NULL;
	BIGNUM **const numbers[] = { &c->p, &c->root, &c->one, &c->a, &c->b, &c->z, &c->x_first, &c->x_exceptional, &c->sqrt_mz3, &c->u,
				     &c->tv, &c->d,    &c->x,	&c->g, &c->y, &c->t };
	c->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	c->ctx = BN_CTX_new();
	c->mont = BN_MONT_CTX_new();
	c->md = EVP_MD_CTX_new();
	bool ok = c->group && c->ctx && c->mont && c->md;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		ok = (*numbers[i] = BN_new()) && ok;
	if (ok && exponent) {
		ok = (c->exponent = BN_secure_new()) && BN_bin2bn(exponent->bytes, SECRET_KEY, c->exponent);
		if (ok)
			BN_set_flags(c->exponent, BN_FLG_CONSTTIME);
	}
	ok = ok && (c->point = EC_POINT_new(c->group)) && (c->other = EC_POINT_new(c->group));
	if (ok)
		constants(c);
	if (ok && !c->bad)
		return c;
	psi_curve_free(c);
	return NULL;
}

void psi_curve_free(struct psi_curve *c)
{
	if (!c)
		return;
	BIGNUM *const numbers[] = { c->p, c->root, c->one, c->a, c->b, c->z, c->x_first, c->x_exceptional, c->sqrt_mz3, c->u,
				    c->tv, c->d,    c->x,   c->g, c->y, c->t, c->exponent };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		BN_clear_free(numbers[i]);
	EC_POINT_clear_free(c->point);
	EC_POINT_clear_free(c->other);
	EVP_MD_CTX_free(c->md);
	BN_MONT_CTX_free(c->mont);
	BN_CTX_free(c->ctx);
	EC_GROUP_free(c->group);
	mem_free(c);
}

static void digest(struct psi_curve *c, const struct rd *parts, size_t n, uint8_t out[SHA256_SIZE])
{
	unsigned int size = 0;

	keep(c, EVP_DigestInit_ex(c->md, hash_sha256_method(), NULL));
	for (size_t i = 0; i < n; i++)
		keep(c, EVP_DigestUpdate(c->md, parts[i].p, parts[i].left));
	keep(c, EVP_DigestFinal_ex(c->md, out, &size));
}

/* expand_message_xmd with SHA-256 (RFC 9380, 5.3.1) */
static void expand(struct psi_curve *c, const char *dst, const void *message, size_t n, uint8_t out[UNIFORM])
{
	static const uint8_t zeros[SHA256_BLOCK];
	const uint8_t length[3] = { 0, UNIFORM, 0 };
	const struct rd tag = rd_of(dst, strlen(dst));
	const uint8_t tag_length = (uint8_t)tag.left;
	uint8_t first[SHA256_SIZE], chain[SHA256_SIZE] = { 0 };

	digest(c, (struct rd[]){ rd_of(zeros, sizeof(zeros)), rd_of(message, n), rd_of(length, sizeof(length)), tag, rd_of(&tag_length, 1) }, 5, first);
	for (uint8_t i = 1; i <= UNIFORM / SHA256_SIZE; i++) {
		for (size_t j = 0; j < SHA256_SIZE; j++)
			chain[j] ^= first[j]; /* the first block has no predecessor: 0 */
		digest(c, (struct rd[]){ rd_of(chain, SHA256_SIZE), rd_of(&i, 1), tag, rd_of(&tag_length, 1) }, 4, chain);
		mem_copy(out + (size_t)(i - 1) * SHA256_SIZE, chain, SHA256_SIZE);
	}
	secret_wipe(first, sizeof(first));
	secret_wipe(chain, sizeof(chain));
}

/* map_to_curve_simple_swu (RFC 9380, 6.6.2) of c->u, not in Montgomery's form, with one exponentiation: when g(x1) is no square its root's power is a root of -g(x1). */
static void map(struct psi_curve *c, EC_POINT *out)
{
	bool odd = BN_is_odd(c->u);

	to_mont(c, c->u);
	mul(c, c->tv, c->u, c->u);
	mul(c, c->t, c->tv, c->u); /* u^3 */
	mul(c, c->tv, c->tv, c->z);
	mul(c, c->d, c->tv, c->tv);
	add(c, c->d, c->d, c->tv);
	if (BN_is_zero(c->d)) {
		keep(c, BN_copy(c->x, c->x_exceptional) != NULL);
	} else {
		invert(c, c->d);
		add(c, c->d, c->d, c->one);
		mul(c, c->x, c->x_first, c->d);
	}
	mul(c, c->g, c->x, c->x);
	add(c, c->g, c->g, c->a);
	mul(c, c->g, c->g, c->x);
	add(c, c->g, c->g, c->b);
	power_root(c, c->y, c->g);
	mul(c, c->d, c->y, c->y);
	if (BN_cmp(c->d, c->g) != 0) {
		mul(c, c->x, c->x, c->tv);
		mul(c, c->y, c->y, c->t);
		mul(c, c->y, c->y, c->sqrt_mz3);
	}
	from_mont(c, c->x, c->x);
	from_mont(c, c->y, c->y);
	if (BN_is_odd(c->y) != odd)
		negate(c, c->y, c->y);
	keep(c, EC_POINT_set_affine_coordinates(c->group, out, c->x, c->y, c->ctx)); /* refuses what is not on the curve */
}

static bool write_point(struct psi_curve *c, const EC_POINT *p, uint8_t out[PSI_POINT])
{
	return EC_POINT_point2oct(c->group, p, POINT_CONVERSION_COMPRESSED, out, PSI_POINT, c->ctx) == PSI_POINT; /* infinity: 1 */
}

bool psi_hash(struct psi_curve *c, const char *dst, const void *message, size_t n, uint8_t out[PSI_POINT])
{
	uint8_t uniform[UNIFORM];

	BUG_IF(!dst[0] || strlen(dst) > PSI_DST_MAX);
	expand(c, dst, message, n, uniform);
	for (size_t i = 0; i < FIELDS; i++) {
		keep(c, BN_bin2bn(uniform + i * FIELD_BYTES, FIELD_BYTES, c->u) && BN_nnmod(c->u, c->u, c->p, c->ctx));
		map(c, i == 0 ? c->point : c->other);
	}
	keep(c, EC_POINT_add(c->group, c->point, c->point, c->other, c->ctx)); /* the cofactor is 1 */
	secret_wipe(uniform, sizeof(uniform));
	return !c->bad && write_point(c, c->point, out);
}

bool psi_power(struct psi_curve *c, const uint8_t in[PSI_POINT], uint8_t out[PSI_POINT])
{
	if (EC_POINT_oct2point(c->group, c->point, in, PSI_POINT, c->ctx) != 1 || EC_POINT_is_at_infinity(c->group, c->point)) {
		ERR_clear_error();
		return false;
	}
	return EC_POINT_mul(c->group, c->point, NULL, c->point, c->exponent, c->ctx) == 1 && write_point(c, c->point, out);
}

bool psi_power_tag(struct psi_curve *c, const uint8_t in[PSI_POINT], struct psi_tag *out)
{
	static const char label[] = "noisegate psi tag v1"; /* with its zero byte */
	uint8_t point[PSI_POINT], hash[SHA256_SIZE];

	if (!psi_power(c, in, point))
		return false;
	digest(c, (struct rd[]){ rd_of(label, sizeof(label)), rd_of(point, PSI_POINT) }, 2, hash);
	struct rd r = rd_of(hash, PSI_TAG);
	out->high = rd_u64(&r);
	out->low = rd_u64(&r);
	return !c->bad;
}
