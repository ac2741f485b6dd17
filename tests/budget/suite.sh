# The ledger: conformance on SQLite and PostgreSQL, damage to its files, and the noisegate program around it.
. tests/lib/world.sh
B=${BUILD:-build}
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. -I/usr/include/postgresql ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -o "$B/budget-damage" tests/budget/damage.c \
	"$B"/lib{budget,crypto,policies,mechanisms,base}.a $(make -s libs) || exit 1
gcc -shared -fPIC -O1 -o "$B/budget-clock.so" tests/budget/clock.c || exit 1
W=$(mktemp -d /tmp/noisegate-budget-XXXXXX) M=$(mktemp -d /dev/shm/noisegate-budget-XXXXXX)
trap 'umount "$W/small" 2>/dev/null; rm -rf "$M"; WPID=; world_stop' EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
rc=0
bash tests/budget/conformance.sh "postgresql://owner@/campaign?host=$W/pg/sock" || rc=1
"$B/budget-damage" "$M" "${DAMAGE_STEP:-97}" || rc=1
/usr/bin/python3 tests/budget/check.py "$NG" "$W" "$W/campaign.yaml" "$PWD/$B/budget-clock.so" || rc=1
exit $rc
