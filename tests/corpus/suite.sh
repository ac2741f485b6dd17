# The corpus on a private PostgreSQL: with noise (every statement, both protocols), and with a test binary whose noise is zero (equal to PostgreSQL).
#   tests/corpus/suite.sh [update]     update: write what the planner says into the corpus files, for a reader to judge
. tests/lib/world.sh
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-corpus-XXXXXX)
trap 'world_stop' EXIT
chmod 755 "$W"
make -s BUILD="$B" all still lib-planner lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. -o "$B/plan_tool" tests/planner/plan_tool.c "$B"/lib{planner,policies,mechanisms,base}.a -lpg_query -lprotobuf-c -lyaml -lcrypto -lm || exit 1
scripts/pg.sh start "$W/pg" || exit 1
PGDATABASE=postgres raw -c "CREATE DATABASE corpus" && PGDATABASE=corpus raw -f tests/corpus/data.sql || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|" tests/corpus/policy.yaml.in >"$W/corpus.yaml"
"$NG" check --connect "$W/corpus.yaml" >/dev/null || { echo "not ok the corpus policy"; "$NG" check --connect "$W/corpus.yaml"; exit 1; }
status=0
for mode in ${1:-noised still}; do
	NG=$PWD/$B/noisegate
	if [ "$mode" = still ]; then
		NG=$PWD/$B/tests/noisegate-still
		sed -i "s|$W/corpus.ledger|$W/still.ledger|" "$W/corpus.yaml"
		# rows of nobody are dropped, by definition: without them the answers are PostgreSQL's
		PGDATABASE=corpus raw -c "DELETE FROM shop.orders WHERE person_id IS NULL; DELETE FROM shop.lines l WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.order_id = l.order_id)"
	fi
	world_serve "$W/corpus.yaml" || { echo "not ok proxy"; tail -3 "$W/proxy.log"; exit 1; }
	/usr/bin/python3 tests/corpus/check.py "$WPORT" "host=$W/pg/sock user=owner dbname=corpus" $mode "$B/plan_tool" "$W/corpus.yaml" || status=1
	kill "$WPID"; wait "$WPID" 2>/dev/null
done
exit $status
