# The audit log through the wire and the command line, on a private PostgreSQL; checked by a verifier of its own.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-audit-XXXXXX)
trap 'umount "$W/small" 2>/dev/null; WPID=; world_stop' EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
B=${BUILD:-build} status=0
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -o "$B/log_race" tests/audit/log_race.c "$B"/lib{budget,crypto,policies,mechanisms,base}.a \
	$(make -s libs) || exit 1
"$B/log_race" "$W" || status=1
gcc -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$W/no_sync.so" tests/audit/no_sync.c -ldl || exit 1
/usr/bin/python3 tests/audit/check.py "$NG" "$W" "$W/campaign.yaml" || status=1
exit $status
