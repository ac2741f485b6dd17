# Kill -9, again and again.  SOAK_ROUNDS=10000 (make soak) for the long run; a short one otherwise.
B=${BUILD:-build}
rounds=${SOAK_ROUNDS:-100}
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -o "$B/ledger-soak" tests/soak/ledger_soak.c \
	"$B"/lib{budget,crypto,policies,mechanisms,base}.a $(make -s libs) || exit 1
# in memory where that is possible: a killed process leaves what it wrote to the system, whatever the disk does (tests/race/ledger_durable.c is about disks)
d=$(mktemp -d "${SOAK_DIR:-$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)}/noisegate-soak-XXXXXX")
trap 'scripts/pg.sh stop "$d/pg"; rm -rf "$d"' EXIT
chmod 755 "$d"
mkdir "$d/plain" "$d/anchored"
status=0
"$B/ledger-soak" "$rounds" "$d/plain" || status=1
"$B/ledger-soak" $((rounds / 2 > 100 ? rounds / 2 : 100)) "$d/anchored" anchored || status=1
if scripts/pg.sh start "$d/pg"; then
	"$B/ledger-soak" $((rounds / 20 > 50 ? rounds / 20 : 50)) "postgresql://owner@/postgres?host=$d/pg/sock" || status=1
else
	echo "not ok PostgreSQL did not start"; status=1
fi
exit $status
