# TPC-H at a small scale (TPCH_SF, default 0.1) behind a proxy.
. tests/lib/world.sh
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-tpch-XXXXXX)
trap 'world_stop' EXIT
chmod 755 "$W"
make -s BUILD="$B" all || exit 1
scripts/pg.sh start "$W/pg" || exit 1
PGDATABASE=postgres raw -c "CREATE DATABASE tpch" && PGDATABASE=tpch raw -v SF="${TPCH_SF:-0.1}" -f tests/tpch/data.sql || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|" tests/tpch/policy.yaml.in >"$W/tpch.yaml"
"$NG" check --connect "$W/tpch.yaml" >/dev/null || { echo "not ok the policy"; "$NG" check --connect "$W/tpch.yaml"; exit 1; }
world_serve "$W/tpch.yaml" || { echo "not ok proxy"; tail -3 "$W/proxy.log"; exit 1; }
/usr/bin/python3 tests/tpch/check.py "$WPORT" "host=$W/pg/sock user=owner dbname=tpch" tests/tpch/queries
