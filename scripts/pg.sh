#!/bin/bash
# A private PostgreSQL in a directory: unix socket only, never an existing cluster.
#   pg.sh start DIR | stop DIR        the socket is DIR/sock, port 5432, superuser "owner", trust
set -u
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
verb=$1 dir=$2
# PostgreSQL refuses to run as root: then its own system user runs it.
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
case $verb in
start)
	mkdir -p "$dir/sock" && chmod 755 "$dir" && chmod 777 "$dir/sock" || exit 1
	if [ "$(id -u)" = 0 ]; then mkdir -p "$dir/data" && chown postgres "$dir/data" "$dir/sock" && chmod 700 "$dir/data"; fi
	( cd / && as "$bin/initdb" -D "$dir/data" -U owner -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null ) || exit 1
	( cd / && as "$bin/pg_ctl" -D "$dir/data" -s -w -l "$dir/sock/log" -o "-k $dir/sock -c listen_addresses= -c fsync=off -c shared_buffers=256MB -c max_connections=200 -c unix_socket_permissions=0777" start ) || exit 1
	;;
stop)
	[ -e "$dir/data/postmaster.pid" ] && ( cd / && as "$bin/pg_ctl" -D "$dir/data" -s -m fast -w stop )
	exit 0
	;;
esac
