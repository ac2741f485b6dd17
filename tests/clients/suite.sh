# Real clients run the campaign's queries.
. tests/lib/world.sh
B=${BUILD:-build}
status=0
ok() { if [ "$2" = 0 ]; then echo "ok $1"; else echo "not ok $1"; status=1; fi; }
W=$(mktemp -d /tmp/noisegate-clients-XXXXXX)
trap world_stop EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
sed -i 's/epsilon: 6, delta/epsilon: 90, delta/' "$W/campaign.yaml"
world_serve || { cat "$W/proxy.log"; echo "not ok the proxy starts"; exit 1; }

psql -X "$WURL" -c '\d' -c '\dt' -c '\d brand.customers' -c "SELECT reltuples, relpages FROM pg_class WHERE relname = 'customers'" >"$W/before" 2>&1
grep -q 'email_fp' "$W/before"; ok "psql: \\d, \\dt, \\d brand.customers" $?
raw -c "INSERT INTO brand_raw.customers SELECT 'x' || n, 'north', 30, 1, NULL, NULL FROM generate_series(1, 5000) n" -c "ANALYZE" >/dev/null
psql -X "$WURL" -c '\d' -c '\dt' -c '\d brand.customers' -c "SELECT reltuples, relpages FROM pg_class WHERE relname = 'customers'" >"$W/after" 2>&1
cmp -s "$W/before" "$W/after"; ok "the catalog does not change by a byte when the data changes" $?
raw -c "DELETE FROM brand_raw.customers WHERE email_fp LIKE 'x%'" >/dev/null
[ "$(psql -XqAt "$WURL" -c 'SELECT count(*) > 100 FROM brand.customers' 2>/dev/null)" = t ]; ok "psql: post-processing" $?
psql -XqAt "$WURL channel_binding=require" -c 'SELECT 1' >/dev/null 2>&1; ok "psql: SCRAM-SHA-256-PLUS" $?
PGPASSWORD=wrong psql -XqAt "$WURL" -c 'SELECT 1' >/dev/null 2>&1; [ $? = 2 ]; ok "psql: a wrong password is refused" $?

/usr/bin/python3 tests/clients/python_clients.py "$WPORT" "$W/tls/cert.pem" || status=1
cp -r tests/clients/node "$W/node" && cp tests/clients/queries.sql "$W/" && ( cd "$W/node" && npm install --silent --no-audit --no-fund --ignore-scripts >/dev/null 2>&1 )
ok "node-postgres installs" $?
node "$W/node/client.js" "$WPORT" "$W/tls/cert.pem" || status=1
mkdir -p "$W/java" && javac -d "$W/java" tests/clients/java/Client.java; ok "the JDBC client compiles" $?
java -cp "$W/java:/usr/share/java/postgresql.jar" Client "$WPORT" "$W/tls/cert.pem" tests/clients/queries.sql || status=1
exit $status
