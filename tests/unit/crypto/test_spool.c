/* What is kept of a pipe: it comes back, twice; the disk shows nothing of it; nothing stays. */
#include "crypto/spool.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 20000, LINE = 20 };

static char clear_text[LINES * LINE + 1];

static void fill(void)
{
	for (int i = 0; i < LINES; i++)
		snprintf(clear_text + i * LINE, LINE + 1, "person%06d@x.org,\n", i);
}

static size_t read_all(FILE *f, char *out, size_t room)
{
	size_t n = 0, got;

	while ((got = fread(out + n, 1, room - n < 777 ? room - n : 777, f)) > 0) /* not the size in which it was written */
		n += got;
	return n;
}

/* The open descriptor whose file is a nameless noisegate.XXXXXX; -1 when there is none. */
static int nameless_descriptor(void)
{
	DIR *d = opendir("/proc/self/fd");
	int found = -1;

	for (struct dirent *at; d && (at = readdir(d));) {
		char path[300], target[300] = "";
		snprintf(path, sizeof(path), "/proc/self/fd/%s", at->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "/noisegate.") && strstr(target, "(deleted)"))
			found = atoi(at->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

Test(spool, a_pipe_can_be_read_twice_and_is_never_on_the_disk)
{
	static char back[sizeof(clear_text)], disk[sizeof(clear_text)];
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct error e = ERROR_INIT;
	FILE *copy = NULL;

	fill();
	FILE *in = fmemopen(clear_text, strlen(clear_text), "r");
	cr_assert(in && spool_copy(in, "in", &r, &copy, &e), "%s", e.message);
	fclose(in);
	cr_expect(ftello(copy) == 0);
	for (int times = 0; times < 3; times++) {
		memset(back, 0, sizeof(back));
		cr_expect(read_all(copy, back, sizeof(back)) == strlen(clear_text));
		cr_expect_str_eq(back, clear_text);
		cr_expect(fseeko(copy, 0, SEEK_SET) == 0);
	}
	int fd = nameless_descriptor();
	cr_assert(fd >= 0);
	ssize_t n = pread(fd, disk, sizeof(disk), 0);
	cr_expect(n == (ssize_t)strlen(clear_text));
	cr_expect(!memmem(disk, (size_t)n, "person", 6) && !memmem(disk, (size_t)n, "@x.org", 6), "the file holds clear text");
	size_t same = 0;
	for (ssize_t i = 0; i < n; i++)
		same += disk[i] == clear_text[i];
	cr_expect(same < (size_t)n / 128, "%zu bytes of %zd are as they were", same, n);
	fclose(copy);
	cr_expect(nameless_descriptor() < 0);
}

Test(spool, nothing_and_no_randomness)
{
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct error e = ERROR_INIT;
	FILE *copy = NULL, *in = fopen("/dev/null", "r");

	cr_assert(in && spool_copy(in, "in", &r, &copy, &e), "%s", e.message);
	cr_expect(fgetc(copy) == EOF && !ferror(copy));
	fclose(copy);
	copy = NULL;
	u.fail_after = u.drawn + 1;
	cr_expect(!spool_copy(in, "in", &r, &copy, &e) && e.code == ERR_CRYPTO && !copy);
	cr_expect(nameless_descriptor() < 0);
	fclose(in);
}

Test(spool, is_written_once)
{
	char back[100] = "";
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct error e = ERROR_INIT;
	FILE *f;

	cr_assert(spool_open(&r, &f, &e), "%s", e.message);
	cr_expect(fputs("first ", f) >= 0 && fflush(f) == 0 && fputs("second", f) >= 0 && ftello(f) == 12);
	cr_expect(fseeko(f, 0, SEEK_SET) == 0 && fread(back, 1, sizeof(back), f) == 12);
	cr_expect_str_eq(back, "first second");
	cr_expect(fseeko(f, 0, SEEK_SET) == 0);
	cr_expect(fputs("other", f) < 0 || fflush(f) != 0, "the key's stream would be used for two texts");
	cr_expect(fseeko(f, 3, SEEK_SET) != 0 || fread(back, 1, 1, f) != 1 || back[0] == 's', "another place than the beginning");
	fclose(f);
}
