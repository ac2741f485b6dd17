/*
 * A ledger file cut at any byte, or with a flipped bit, is refused or means exactly what it meant; likewise its -wal and its anchor.
 *   damage DIRECTORY [STEP]      prints TAP; every STEP-th byte is tried (1: all)
 */
#include "budget/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[300], wal[310], shm[310], anchor[310];
static struct policy policy;
static const struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "lab", .epsilon = { 90 * EPS_ONE }, .delta = { 1000000000000 } };
static int bad;

struct bytes {
	unsigned char *p;
	size_t n;
};

static struct bytes slurp(const char *name)
{
	struct bytes b = { malloc(1 << 24), 0 };
	int fd = open(name, O_RDONLY);

	if (fd >= 0) {
		ssize_t n = read(fd, b.p, 1 << 24);
		b.n = n > 0 ? (size_t)n : 0;
		close(fd);
	}
	return b;
}

static void put(const char *name, const unsigned char *p, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		exit(9);
	close(fd);
}

static bool spend(struct ledger *l)
{
	const struct charge c = { .budget = &budget, .epsilon = { EPS_ONE / 10 }, .delta = { 7 }, .mechanism = "[{\"mechanism\":\"discrete_laplace\",\"num\":\"10\",\"den\":\"1\"}]" };
	const struct ledger_entry entry = { "ana", "lab", "SELECT region, count(*) FROM customers GROUP BY region" };
	struct error e;
	int64_t id;

	return ledger_charge(l, &(struct charges){ &c, 1 }, &entry, &id, &e);
}

static bool add_hash(void *ctx, const struct entry *x)
{
	uint8_t *to = ctx;

	for (size_t i = 0; i < SHA256_SIZE; i++)
		to[i] = (uint8_t)(to[i] * 31 + x->hash[i]);
	return true;
}

/* What the ledger says, as text; false when it is refused (the refusal must be of its kind and say how to go on). */
static bool meaning(char out[200], char why[300])
{
	const struct clock c = clock_system();
	uint8_t all[SHA256_SIZE] = { 0 };
	struct account_state s;
	struct ledger *l;
	struct error e;

	if (!ledger_open_policy(&policy, &c, &l, &e)) {
		snprintf(why, 300, "%s", e.message);
		if (e.code != ERR_LEDGER || !e.hint[0]) {
			printf("not ok a refusal without a way out: %s\n", e.message);
			bad++;
		}
		return false;
	}
	if (!ledger_state(l, &budget, &s, &e) || !ledger_entries(l, NULL, NULL, 1000, add_hash, all, &e)) {
		printf("not ok opened, and cannot be read: %s\n", e.message);
		bad++;
	}
	snprintf(out, 200, "%llu %llu %lld %02x%02x%02x%02x", (unsigned long long)s.epsilon.pico, (unsigned long long)s.delta.atto, (long long)s.queries, all[0], all[1], all[2], all[3]);
	ledger_close(l);
	return true;
}

struct files {
	struct bytes db, wal, anchor;
};

static void restore(const struct files *f)
{
	unlink(shm);
	unlink(wal);
	put(path, f->db.p, f->db.n);
	if (f->wal.n > 0)
		put(wal, f->wal.p, f->wal.n);
	unlink(anchor);
	if (f->anchor.n > 0)
		put(anchor, f->anchor.p, f->anchor.n);
}

/* Damages one file at every step-th byte; `must`: no damage may go unnoticed; `spare`: the file holds everything twice, so damage may all be harmless. */
static void attack(const struct files *f, const char *name, const char *target, const struct bytes *b, bool cut, bool must, bool spare, const char *truth, size_t step)
{
	size_t refused = 0, same = 0, wrong = 0, tried = 0;
	char said[200], why[300] = "";

	for (size_t i = 0; i < b->n; i += step, tried++) {
		restore(f);
		if (cut) {
			put(target, b->p, i);
		} else {
			unsigned char was = b->p[i];
			b->p[i] ^= (unsigned char)(1u << (i * 7 % 8));
			put(target, b->p, b->n);
			b->p[i] = was;
		}
		if (!meaning(said, why)) {
			refused++;
		} else if (strcmp(said, truth) == 0 && !must) {
			same++;
		} else {
			if (wrong++ == 0)
				printf("# %s at byte %zu: %s, not %s\n", name, i, said, truth);
		}
	}
	const bool blind = refused == 0 && !spare; /* nothing was noticed: the test looks in the wrong place */
	bad += wrong > 0 || tried == 0 || blind;
	printf("%sok %s: %zu tries, %zu refused (\"%s\"), %zu harmless, %zu taken for good\n", wrong || tried == 0 || blind ? "not " : "", name, tried, refused, why, same, wrong);
	fflush(stdout);
}

static void drop(struct files *f)
{
	free(f->db.p), free(f->wal.p), free(f->anchor.p);
}

/* The files as they are while the ledger is open, or after it has been closed. */
static struct files make(bool open_still, int charges, char truth[200])
{
	const struct clock c = clock_system();
	struct ledger *l;
	struct error e;
	struct files f;
	char why[300];

	unlink(path), unlink(wal), unlink(shm), unlink(anchor);
	if (!ledger_open_policy(&policy, &c, &l, &e))
		exit(8);
	for (int i = 0; i < charges; i++)
		if (!spend(l))
			exit(7);
	if (!open_still)
		ledger_close(l);
	f = (struct files){ slurp(path), slurp(wal), slurp(anchor) };
	if (open_still)
		ledger_close(l);
	restore(&f);
	if (!meaning(truth, why)) {
		printf("not ok undamaged files are refused: %s\n", why);
		exit(1);
	}
	return f;
}

/* An access that a truncated or empty file could tempt into starting anew. */
static void gone(const struct files *f, const char *truth)
{
	char said[200], why[300] = "";

	restore(f);
	unlink(path);
	bool ok = !meaning(said, why);
	printf("%sok the file is gone, its -wal is there: refused (%s)\n", ok ? "" : "not ", why);
	bad += !ok;
	restore(f);
	bad += !(meaning(said, why) && strcmp(said, truth) == 0);
}

int main(int argc, char **argv)
{
	size_t step = argc > 2 ? (size_t)atoi(argv[2]) : 1;
	char truth[200];

	if (argc < 2)
		return 2;
	snprintf(path, sizeof(path), "%s/ledger", argv[1]);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	snprintf(shm, sizeof(shm), "%s-shm", path);
	snprintf(anchor, sizeof(anchor), "%s.anchor", path);
	policy = (struct policy){ .collaboration = "c", .ledger_path = path, .ledger = { .schema = "noisegate" } };
	struct files f = make(false, 30, truth);
	attack(&f, "the file cut short", path, &f.db, true, true, false, truth, step);
	attack(&f, "a flipped bit in the file", path, &f.db, false, false, false, truth, step);
	drop(&f);
	f = make(true, 5, truth);
	gone(&f, truth);
	drop(&f);
	policy.ledger.anchor_file = anchor;
	f = make(true, 12, truth);
	attack(&f, "the -wal cut short, with an anchor", wal, &f.wal, true, false, false, truth, step * 3);
	attack(&f, "a flipped bit in the -wal, with an anchor", wal, &f.wal, false, false, false, truth, step * 3);
	drop(&f);
	f = make(false, 5, truth);
	attack(&f, "the anchor cut short", anchor, &f.anchor, true, false, false, truth, 1);
	attack(&f, "a flipped bit in the anchor", anchor, &f.anchor, false, false, true, truth, 1);
	drop(&f);
	return bad != 0;
}
