/* Known answers: RFC 7677 for SCRAM, the AWS client's own for C3R; and the CSV dialect. */
#include "crypto/c3r.h"
#include "crypto/csv.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/scram.h"

#include <criterion/criterion.h>
#include <string.h>

static struct scram rfc_7677(void)
{
	struct scram_verifier v = { .iterations = 4096 };
	uint8_t salted[SHA256_SIZE], key[SHA256_SIZE];
	struct scram s;

	cr_assert(base64_read("W22ZaJ0SNY7soEsUEjb6gQ==", 24, v.salt, sizeof(v.salt), &v.n_salt));
	cr_assert(hash_pbkdf2("pencil", 6, v.salt, v.n_salt, 4096, salted) && hash_hmac(salted, 32, "Client Key", 10, key) && hash_sha256(key, 32, v.stored_key) &&
		  hash_hmac(salted, 32, "Server Key", 10, v.server_key));
	scram_init(&s, &v, true, false, false, "", 0);
	strcpy(s.gs2, "n,,");
	strcpy(s.client_first_bare, "n=user,r=rOprNGfwEbeRWgbNEkqO");
	strcpy(s.nonce, "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	strcpy(s.server_first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	return s;
}

static bool final(struct scram *s, const char *message, struct wr *w, struct error *e)
{
	wr_init_heap(w, 4096);
	return scram_final(s, message, strlen(message), w, e);
}

static const char rfc_final[] = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

Test(scram, rfc_7677)
{
	struct scram s = rfc_7677();
	struct error e;
	struct wr w;

	cr_assert(final(&s, rfc_final, &w, &e), "%s", e.message);
	cr_expect_str_eq(wr_text(&w), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	wr_free(&w);
}

Test(scram, wrong_proofs_unknown_users_and_malformed_messages_fail)
{
	static const char *const bad[] = { "", "c=biws", "c=biws,r=x,p=AAAA", "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
					   "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" };
	struct error e;
	struct wr w;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram s = rfc_7677();
		cr_expect(!final(&s, bad[i], &w, &e), "%s", bad[i]);
		wr_free(&w);
	}
	struct scram unknown = rfc_7677();
	unknown.known = false;
	cr_expect(!final(&unknown, rfc_final, &w, &e));
	wr_free(&w);
}

Test(scram, a_client_that_was_not_told_of_plus_is_refused)
{
	static const char *const firsts[] = { "y,,n=u,r=abc", "p=tls-unique,,n=u,r=abc", "n,a=x,n=u,r=abc", "n,,m=x,n=u,r=abc", "n,,n=u,r=a\x01", "n,,n=u" };
	const struct rng r = random_system();
	struct scram_verifier v = rfc_7677().verifier;
	struct error e = ERROR_INIT;
	struct wr w;

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct scram s;
		scram_init(&s, &v, true, true, i == 1, "bind", 4);
		wr_init_heap(&w, 4096);
		cr_expect(!scram_first(&s, firsts[i], strlen(firsts[i]), &r, &w, &e), "%s", firsts[i]);
		wr_free(&w);
	}
	struct scram s;
	scram_init(&s, &v, true, false, false, "", 0);
	wr_init_heap(&w, 4096);
	cr_expect(scram_first(&s, firsts[0], strlen(firsts[0]), &r, &w, &e)); /* over a clear connection "y" is honest */
	wr_free(&w);
}

Test(c3r, the_clients_known_answers)
{
	struct c3r_secret secret = { .n = 17 };
	struct secret_key root, column;
	struct c3r_work *work = c3r_work_new();
	struct wr w;

	memcpy(secret.bytes, "SomeFakeSecretKey", 17);
	cr_assert(c3r_root_key(&secret, "saltybytes", &root));
	cr_expect(root.bytes[0] == 0x85 && root.bytes[31] == 0x7b);
	cr_assert(c3r_column_key(&secret, "saltybytes", "label", false, &column));
	uint8_t mac[SHA256_SIZE];
	cr_assert(hash_hmac(column.bytes, 32, "some cleartext data", 19, mac)); /* their vector leaves the type byte out */
	wr_init_heap(&w, 4096);
	base64_put(&w, mac, sizeof(mac));
	cr_expect_str_eq(wr_text(&w), "qpQRixU/cftGhMGkt0G+cy/bKyvui15spVTEk5YYOA8=");
	wr_clear(&w);
	cr_assert(c3r_row_begin(work, &root, (const uint8_t *)"nonce01234567890nonce01234567890") && c3r_seal(work, "label", "x", 1, 0, &w));
	cr_expect(strstr(wr_text(&w), "bm9uY2UwMTIzNDU2Nzg5MG5vbmNlMDEyMzQ1Njc4OTBqfRYZ98t5KU6aW")); /* nonce and iv */
	wr_free(&w);
	c3r_work_free(work);
}

static char *csv_dump(const char *text, char *out)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "rb");
	struct csv_reader r;
	struct error e;
	bool end;

	out[0] = '\0';
	cr_assert(f && csv_open(&r, f, "t", &e));
	while (csv_next(&r, &end, &e) && !end) {
		for (size_t i = 0; i < r.n_fields; i++) {
			strcat(out, r.fields[i].quoted ? "'" : "[");
			strcat(out, r.fields[i].text);
			strcat(out, r.fields[i].quoted ? "'" : "]");
		}
		strcat(out, "|");
	}
	csv_close(&r);
	fclose(f);
	return out;
}

Test(csv, the_dialect)
{
	static const char *const cases[][2] = {
		{ "a,b\n1,2\n", "[a][b]|[1][2]|" },	      { "\xef\xbb\xbfy,b\r\n1,2", "[y][b]|[1][2]|" },
		{ "# no\n\n a , b \n", "[a][b]|" },	      { "\" a \",\"x\"\"y\"\n", "' a ''x\"y'|" },
		{ "\"l1\r\nl2\",z\n", "'l1\nl2'[z]|" },	      { ",\"\"\n", "[]''|" },
		{ "a\rb\r", "[a]|[b]|" },		      { "a\"b,c\n", "[a\"b][c]|" },
	};
	char out[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(csv_dump(cases[i][0], out), cases[i][1], "case %zu: %s", i, out);
}
