/* Preloaded: while the file that NO_SYNC names exists, what lies in a directory *.audit cannot be synced. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	const char *flag = getenv("NO_SYNC");
	char link[64], path[4096];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (flag && strstr(path, ".audit/") && access(flag, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}
