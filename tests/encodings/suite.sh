# Encodings in the planner: columns that the program itself sealed, on a private PostgreSQL behind a proxy.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-encodings-XXXXXX)
trap 'world_stop' EXIT
chmod 755 "$W"
make -s BUILD="${BUILD:-build}" all || exit 1
scripts/pg.sh start "$W/pg" || exit 1
/usr/bin/python3 tests/encodings/make.py "$NG" "$W" || { echo "not ok the sealed files"; exit 1; }
PGDATABASE=postgres raw -c "CREATE DATABASE encodings" && PGDATABASE=encodings raw -f "$W/load.sql" || exit 1
# a column that claims to be what it is not
PGDATABASE=encodings raw -c "CREATE TABLE e.pretended AS SELECT i, email AS det, md5(email) AS email_fp, 'zz' AS mark FROM e.customers" || exit 1
VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
sed "s|@DIR@|$W|g; s|@VERIFIER@|$VERIFIER|" tests/encodings/policy.yaml.in >"$W/encodings.yaml"
"$NG" check --connect "$W/encodings.yaml" >"$W/check" 2>&1 || { echo "not ok the policy"; cat "$W/check"; exit 1; }
world_serve "$W/encodings.yaml" || { echo "not ok proxy"; tail -3 "$W/proxy.log"; exit 1; }
rc=0
/usr/bin/python3 tests/encodings/check.py "$NG" "$W" "$WPORT" || rc=1
/usr/bin/python3 tests/encodings/overlap.py "$WPORT" || rc=1
exit $rc
