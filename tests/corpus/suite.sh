# The corpus on a private PostgreSQL: with noise (every statement, both protocols), and with a test binary whose noise is zero (equal to PostgreSQL).
. tests/lib/world.sh
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-corpus-XXXXXX)
trap 'world_stop' EXIT
chmod 755 "$W"
make -s BUILD="$B" all || exit 1
scripts/pg.sh start "$W/pg" || exit 1
PGDATABASE=postgres raw -c "CREATE DATABASE corpus" && PGDATABASE=corpus raw -f tests/corpus/data.sql || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|" tests/corpus/policy.yaml.in >"$W/corpus.yaml"
"$NG" check --connect "$W/corpus.yaml" >/dev/null || { echo "not ok the corpus policy"; "$NG" check --connect "$W/corpus.yaml"; exit 1; }
NG_STILL=$PWD/$B/tests/noisegate-still
make -s BUILD="$B" still || exit 1
status=0
for mode in noised still; do
	NG=$PWD/$B/noisegate; [ $mode = still ] && NG=$NG_STILL && sed -i "s|$W/corpus.ledger|$W/still.ledger|" "$W/corpus.yaml"
	# rows of nobody are dropped, by definition: without them the answers are PostgreSQL's
	[ $mode = still ] && PGDATABASE=corpus raw -c "DELETE FROM shop.orders WHERE person_id IS NULL; DELETE FROM shop.lines l WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.order_id = l.order_id)"
	world_serve "$W/corpus.yaml" || { echo "not ok proxy"; tail -3 "$W/proxy.log"; exit 1; }
	/usr/bin/python3 tests/corpus/check.py "$WPORT" "host=$W/pg/sock user=owner dbname=corpus" $mode tests/corpus || status=1
	kill "$WPID"; wait "$WPID" 2>/dev/null
done
exit $status
