#!/bin/bash
# make bench-tpch: TPC-H at SF (default 1) with bounds of 10^11, RUNS (default 100) answers a query.
cd "$(dirname "$0")/.." || exit 1
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-bench-XXXXXX)
trap world_stop EXIT
chmod 755 "$W"
scripts/pg.sh start "$W/pg" || exit 1
PGDATABASE=postgres raw -c "CREATE DATABASE tpch" && PGDATABASE=tpch raw -v SF="${SF:-1}" -f tests/tpch/data.sql || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|; s|bounds: \[0, 110000\]|bounds: [0, 100000000000]|; s|accounting: zcdp|accounting: ${ACCOUNTING:-zcdp}|" tests/tpch/policy.yaml.in >"$W/tpch.yaml"
status=0
for query in ${QUERIES:-Q3 Q12 Q5}; do # each on a budget of its own
	rm -rf "$W"/tpch.ledger* "$W"/tpch.audit
	world_serve "$W/tpch.yaml" || { tail -3 "$W/proxy.log"; exit 1; }
	/usr/bin/python3 bench/tpch.py "$WPORT" "host=$W/pg/sock user=owner dbname=tpch" "${RUNS:-100}" $query || status=1
	kill "$WPID"; wait "$WPID" 2>/dev/null
done
exit $status
