#include "mechanisms/draws.h"

void draws_begin(struct draws *d, const struct rng *r)
{
	d->n_prepared = d->next = 0;
	bits_begin_batch(&d->bits, r, d->pool, sizeof(d->pool));
}

void draws_end(struct draws *d)
{
	bits_end(&d->bits);
}

static bool same_law(const struct noise *a, const struct noise *b)
{
	return a->kind == b->kind && a->num == b->num && a->den == b->den;
}

static bool prepared(struct draws *d, const struct noise *n, const struct sampler **out, struct error *e)
{
	for (size_t i = 0; i < d->n_prepared; i++) {
		*out = &d->prepared[i];
		if (same_law(&d->prepared[i].noise, n))
			return true;
	}
	const size_t at = d->n_prepared < DRAWS_LAWS ? d->n_prepared : d->next;
	if (!sampler_init(&d->prepared[at], n, e))
		return false;
	if (d->n_prepared < DRAWS_LAWS)
		d->n_prepared++;
	else
		d->next = (d->next + 1) % DRAWS_LAWS;
	*out = &d->prepared[at];
	return true;
}

bool draws_sample(struct draws *d, const struct noise *n, i128 *out, struct error *e)
{
	const struct sampler *s;

	return prepared(d, n, &s, e) && sampler_draw(s, &d->bits, out, e);
}

bool draws_coin(struct draws *d, uint64_t *out, struct error *e)
{
	if (bits_word(&d->bits, out))
		return true;
	fail(e, ERR_INTERNAL, "the random source failed");
	return error_detail(e, "Nothing was released.");
}
