/*
 * Force-included into every file (cc -include base/banned.h).  Calls that truncate silently, overflow, keep hidden state or
 * ignore errors do not compile; outside base/ neither do raw allocation and raw memory copies, so that lifetimes and bounds are
 * decided in one place (base/arena.h, base/mem.h, base/bytes.h).
 */
#ifndef NG_BASE_BANNED_H
#define NG_BASE_BANNED_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NG_BANNED(name) ng_banned_call_##name

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef strtok
#define strcpy(d, s) NG_BANNED(strcpy)
#define strcat(d, s) NG_BANNED(strcat)
#define strncpy(d, s, n) NG_BANNED(strncpy)
#define strncat(d, s, n) NG_BANNED(strncat)
#define strtok(s, d) NG_BANNED(strtok)
#define sprintf(...) NG_BANNED(sprintf)
#define vsprintf(...) NG_BANNED(vsprintf)
#define gmtime(t) NG_BANNED(gmtime)
#define localtime(t) NG_BANNED(localtime)
#define ctime(t) NG_BANNED(ctime)
#define atoi(s) NG_BANNED(atoi)
#define atol(s) NG_BANNED(atol)
#define atof(s) NG_BANNED(atof)
#define rand() NG_BANNED(rand)
#define system(c) NG_BANNED(system)
#undef alloca
#define alloca(n) NG_BANNED(alloca)

#ifndef NG_ROOM_BASE
#undef memcpy
#undef memmove
#undef memcmp
#undef strdup
#undef strndup
#define malloc(n) NG_BANNED(malloc)
#define calloc(n, m) NG_BANNED(calloc)
#define realloc(p, n) NG_BANNED(realloc)
#define memcpy(d, s, n) NG_BANNED(memcpy)
#define memmove(d, s, n) NG_BANNED(memmove)
#define memcmp(a, b, n) NG_BANNED(memcmp)
#define strdup(s) NG_BANNED(strdup)
#define strndup(s, n) NG_BANNED(strndup)
#endif

#endif
