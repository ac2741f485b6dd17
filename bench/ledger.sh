#!/bin/bash
# Durable charges a second, by sessions: SQLite, SQLite with an anchor file, PostgreSQL with fsync on.  Usage: bench/ledger.sh [SECONDS] [DIRECTORY]
# The directory's disk is what is measured: fsync is real.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-5} B=${BUILD:-build}
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O2 -g -I. -I/usr/include/postgresql -pthread -o "$B/bench-ledger" bench/ledger.c "$B"/lib{budget,crypto,policies,mechanisms,base}.a \
	$(make -s libs) || exit 1
d=$(mktemp -d "${2:-/var/tmp}/noisegate-bench-XXXXXX") || exit 1
trap 'scripts/pg.sh stop "$d/pg" 2>/dev/null; rm -rf "$d"' EXIT
echo "one write of 4 KiB and fsync: $(/usr/bin/python3 - "$d/probe" <<'P'
import os, sys, time
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); n = 100; t = time.time()
for i in range(n):
    os.pwrite(fd, b"x" * 4096, 4096 * i); os.fsync(fd)
print(f"{(time.time() - t) / n * 1e3:.2f} ms")
P
)"
echo "SQLite"
for n in 1 8 64; do "$B/bench-ledger" "$d/one-$n" $n "$seconds" || exit 1; done
echo "SQLite, anchored in a second file"
for n in 1 64; do "$B/bench-ledger" "$d/two-$n" $n "$seconds" "$d/two-$n.anchor" || exit 1; done
chmod 755 "$d"
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
# the tests' cluster runs without fsync: start it again as a user would
if scripts/pg.sh start "$d/pg" && scripts/pg.sh stop "$d/pg" &&
	( cd / && as "$bin/pg_ctl" -D "$d/pg/data" -s -w -l "$d/pg/sock/log" -o "-k $d/pg/sock -c listen_addresses= -c unix_socket_permissions=0777" start ); then
	echo "PostgreSQL, fsync on"
	for n in 1 64; do "$B/bench-ledger" "postgresql://owner@/postgres?host=$d/pg/sock" $n "$seconds" || exit 1; done
fi
