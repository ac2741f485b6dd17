/*
 * Beacons: the first bits of an HMAC of a value, few enough that many values share each.  Who has the key can search sealed data by the beacon and open what
 * comes back; who has not sees sets, not values.  docs/beacons.md has the table of what a number of bits hides.
 *
 * beacon = the first `bits` bits of HMAC-SHA256(k, value "b"), as ceil(bits / 4) hexadecimal digits;
 * k = HMAC-SHA256(secret, "noisegate beacon v1", 0, collaboration, 0, column).  Fewer bits of one column are a prefix of more: two lengths tell
 * no more than the longer.
 */
#ifndef NG_CRYPTO_BEACON_H
#define NG_CRYPTO_BEACON_H

#include "crypto/c3r.h"

#include <stdio.h>

enum { BEACON_BITS_MAX = 32, BEACON_TEXT = 9 };

struct beacon {
	struct hash_mac *mac;
	unsigned bits; /* 1 to BEACON_BITS_MAX */
};

/* One thread at a time.  column: as schema_header() gives it. */
MUST_CHECK bool beacon_open(const struct c3r_secret *s, const char *collaboration, const char *column, unsigned bits, struct beacon *out,
			    struct error *e);
void beacon_close(struct beacon *b);

MUST_CHECK bool beacon_of(const struct beacon *b, const char *value, size_t n, char out[BEACON_TEXT]);

/* Copies a CSV file and adds a last column `target` with the beacons of column `column`; NULL (blank) has none. */
MUST_CHECK bool beacon_file(const struct beacon *b, const char *column, const char *target, FILE *in, const char *in_name, FILE *out, struct error *e);

#endif
