# Programs with threads and processes of their own (Criterion cannot run them under TSan).
B=${BUILD:-build}
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
status=0
for p in ledger_race ledger_kill ledger_durable seal_race; do
	gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -o "$B/$p" tests/race/$p.c "$B"/lib{budget,crypto,policies,mechanisms,base}.a \
		$(make -s libs) || exit 1
	"$B/$p" || status=1
done
d=$(mktemp -d /tmp/noisegate-race-XXXXXX)
trap 'scripts/pg.sh stop "$d/pg"; rm -rf "$d"' EXIT
chmod 755 "$d"
scripts/pg.sh start "$d/pg" || { echo "not ok PostgreSQL did not start"; exit 1; }
"$B/ledger_race" "postgresql://owner@/postgres?host=$d/pg/sock" || status=1
exit $status
