# The analysis rules on a private PostgreSQL behind a proxy.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-rules-XXXXXX)
trap 'world_stop' EXIT
chmod 755 "$W"
make -s BUILD="${BUILD:-build}" all || exit 1
scripts/pg.sh start "$W/pg" || exit 1
PGDATABASE=postgres raw -c "CREATE DATABASE rules" && PGDATABASE=rules raw -f tests/rules/data.sql || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|" tests/rules/policy.yaml.in >"$W/rules.yaml"
"$NG" check --connect "$W/rules.yaml" >/dev/null || { echo "not ok the policy"; "$NG" check --connect "$W/rules.yaml"; exit 1; }
world_serve "$W/rules.yaml" || { echo "not ok proxy"; tail -3 "$W/proxy.log"; exit 1; }
checks=0
/usr/bin/python3 tests/rules/check.py "$WPORT" tests/rules/cases.txt || checks=1

# offline: the same decisions, with rule and owner
said() { # EXPECTED-EXIT TEXT SQL
	out=$("$NG" rules explain -c "$W/rules.yaml" --analyst lab --search-path r "$3"); code=$?
	[ $code = "$1" ] && case $out in *"$2"*) echo "ok rules explain: $3"; return;; esac
	echo "not ok rules explain: $3   exit $code: $out"; status=1
}
status=$checks
said 0 'r.strict: rule aggregation of "brand"' 'SELECT city, count(id) FROM strict GROUP BY city'
said 1 'rule "aggregation" of its owner "brand"' 'SELECT id FROM strict GROUP BY id'
said 1 'rule: list' 'SELECT DISTINCT mail FROM contacts'
said 0 'r.paired: rule differential_privacy of "brand"' 'SELECT count(DISTINCT id) FROM paired'
said 0 'it reads no table of the policy' 'SELECT 1'
said 1 'statement: DML' 'DELETE FROM strict'
exit $status
