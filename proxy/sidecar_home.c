#include "proxy/sidecar_home.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "noisegate-sidecar-";

/* Deletes what is in the open directory (consumed).  Works on descriptors and never follows a link: the account of the sidecar owns what is below. */
static void empty_directory(int fd, int depth)
{
	DIR *d = fdopendir(fd);

	if (!d) {
		(void)close(fd);
		return;
	}
	for (struct dirent *entry; depth < 32 && (entry = readdir(d));) {
		if (text_eq(entry->d_name, ".") || text_eq(entry->d_name, ".."))
			continue;
		int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			empty_directory(below, depth + 1);
		(void)unlinkat(fd, entry->d_name, below >= 0 ? AT_REMOVEDIR : 0);
	}
	(void)closedir(d);
}

static void remove_tree(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	empty_directory(fd, 0);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* The server may outlive its proxy by a moment: its pid file says. */
static bool server_runs(int home)
{
	char text[24] = "";
	int64_t pid;
	int fd = openat(home, "data/postmaster.pid", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return number_i64(text, 2, INT32_MAX, &pid) && kill((pid_t)pid, 0) == 0;
}

/* Removes the homes of proxies that were killed: ours by owner and name, and nobody holds their lock. */
static void sweep(const char *base)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct stat st;
		if (!text_starts(entry->d_name, prefix))
			continue;
		int home = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (home < 0)
			continue;
		int lock = openat(home, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fstat(home, &st) == 0 && st.st_uid == geteuid() && lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 &&
		    !server_runs(home)) {
			log_event(LOG_INFO, "leftover sidecar directory removed", LOG_TEXT("directory", entry->d_name));
			remove_tree(fd, entry->d_name);
		}
		if (lock >= 0)
			(void)close(lock);
		(void)close(home);
	}
	if (d)
		(void)closedir(d);
}

static bool find_account(const char *name, struct sidecar_home *h, struct error *e)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	h->switch_user = geteuid() == 0;
	if (!h->switch_user)
		return true;
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) != 0 || !found) {
		fail(e, ERR_CONFIG, "account \"%s\" for the sidecar does not exist", name);
		return error_hint(e, "Set server.sidecar_user to an account without privileges, or start the proxy as one.");
	}
	if (pw.pw_uid == 0) {
		fail(e, ERR_CONFIG, "the sidecar cannot run as root");
		return error_hint(e, "Set server.sidecar_user to an account without privileges.");
	}
	h->uid = pw.pw_uid;
	h->gid = pw.pw_gid;
	return true;
}

static bool make_inside(struct sidecar_home *h, const char *path, struct error *e)
{
	if (mkdir(path, 0700) != 0 || (h->switch_user && lchown(path, h->uid, h->gid) != 0))
		return fail(e, ERR_IO, "could not make directory \"%s\": %s", path, strerror(errno));
	return true;
}

bool sidecar_home_make(const struct policy_server *server, struct sidecar_home *out, struct error *e)
{
	struct sidecar_home h = { .lock = -1 };
	const char *tmp = getenv("TMPDIR"), *base = server->sidecar_dir ? server->sidecar_dir : tmp && *tmp == '/' ? tmp : "/tmp";
	char lock[96];

	if (!find_account(server->sidecar_user, &h, e))
		return false;
	/* a socket's path holds at most 107 bytes: base, name, "/s/.s.PGSQL.5432" */
	if (snprintf(h.path, sizeof(h.path), "%s/%sXXXXXX", base, prefix) >= (int)sizeof(h.path)) {
		fail(e, ERR_CONFIG, "directory \"%s\" is too long a name for the sidecar's socket", base);
		return error_hint(e, "Set server.sidecar_dir to a directory with a name of at most 54 bytes.");
	}
	sweep(base);
	if (!mkdtemp(h.path))
		return fail(e, ERR_IO, "could not make a directory in \"%s\" for the sidecar: %s", base, strerror(errno));
	snprintf(h.data, sizeof(h.data), "%s/data", h.path);
	snprintf(h.socket_dir, sizeof(h.socket_dir), "%s/s", h.path);
	snprintf(h.log, sizeof(h.log), "%s/log", h.path);
	snprintf(lock, sizeof(lock), "%s/lock", h.path);
	*out = h;
	h.lock = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (h.lock < 0 || flock(h.lock, LOCK_EX | LOCK_NB) != 0 || (h.switch_user && chmod(h.path, 0711) != 0)) {
		fail(e, ERR_IO, "could not prepare directory \"%s\": %s", h.path, strerror(errno));
		goto undo;
	}
	int log = open(h.log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (log < 0) {
		fail(e, ERR_IO, "could not make file \"%s\": %s", h.log, strerror(errno));
		goto undo;
	}
	(void)close(log);
	if (!make_inside(&h, h.data, e) || !make_inside(&h, h.socket_dir, e))
		goto undo;
	*out = h;
	return true;
undo:
	sidecar_home_remove(&h);
	*out = (struct sidecar_home){ .lock = -1 };
	return false;
}

void sidecar_home_remove(struct sidecar_home *h)
{
	if (h->path[0])
		remove_tree(AT_FDCWD, h->path);
	if (h->lock > 0)
		(void)close(h->lock);
	*h = (struct sidecar_home){ .lock = -1 };
}

void sidecar_home_last_words(const struct sidecar_home *h, char *out, size_t room)
{
	char tail[512];
	int fd = open(h->log, O_RDONLY | O_CLOEXEC);

	out[0] = '\0';
	if (fd < 0)
		return;
	off_t size = lseek(fd, 0, SEEK_END);
	(void)lseek(fd, size > (off_t)sizeof(tail) - 1 ? size - (off_t)sizeof(tail) + 1 : 0, SEEK_SET);
	ssize_t n = read(fd, tail, sizeof(tail) - 1);
	(void)close(fd);
	while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == ' '))
		n--;
	tail[n > 0 ? n : 0] = '\0';
	const char *line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	if (text_utf8(line, strlen(line)))
		snprintf(out, room, "%s", line);
}

/* In the child: only calls that are safe between fork and exec of a threaded process. */
NORETURN static void become(const struct sidecar_home *h, char *const argv[], pid_t parent)
{
	static char path[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C.UTF-8", zone[] = "TZ=UTC";
	static char *const environment[] = { path, locale, zone, NULL };
	struct rlimit memory = { .rlim_cur = (rlim_t)1 << 30, .rlim_max = (rlim_t)1 << 30 }, none = { 0 };
	sigset_t all;

	int null = open("/dev/null", O_RDWR), log = open(h->log, O_WRONLY | O_APPEND);
	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	(void)close_range(3, ~0U, 0);
	(void)setsid(); /* a Ctrl-C at the terminal is for the proxy, which stops the sidecar last */
	for (int s = 1; s < 32; s++)
		(void)signal(s, SIG_DFL);
	(void)sigemptyset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setrlimit(RLIMIT_AS, &memory); /* a hostile repeat() fails in its own backend */
	(void)setrlimit(RLIMIT_CORE, &none);
	if (h->switch_user && (setgroups(0, NULL) != 0 || setgid(h->gid) != 0 || setuid(h->uid) != 0))
		_exit(126);
	/* after the change of user, which clears it; the parent may have died before */
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || getppid() != parent || chdir("/") != 0)
		_exit(126);
	(void)execve(argv[0], argv, environment);
	_exit(127);
}

pid_t sidecar_spawn(const struct sidecar_home *h, char *const argv[])
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(h, argv, parent);
	return pid < 0 ? 0 : pid;
}
