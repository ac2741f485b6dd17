# A small campaign on a private PostgreSQL behind a proxy with TLS and SCRAM.  Source it; world_start DIR [SCALE], world_stop.
# Sets: W (directory), NG, WPORT, WURL (psql), raw (a function over the upstream), PGPASSWORD.
NG=$PWD/${BUILD:-build}/noisegate
export PGPASSWORD=look-at-the-noise

world_data() { # DIR [SCALE]
	W=$1
	mkdir -p "$W/tls" "$W/files"; chmod 755 "$W"
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout "$W/tls/key.pem" -out "$W/tls/cert.pem" 2>/dev/null
	chmod 600 "$W/tls/key.pem"
	scripts/pg.sh start "$W/pg" || return 1
	/usr/bin/python3 examples/campaign/generate.py "$W/files" "${2:-50}" || return 1
	"$NG" key generate --output "$W/key" || return 1
	for t in customers users impressions; do
		"$NG" seal --schema examples/campaign/$t.schema.json --key-file "$W/key" --collaboration 3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f \
			--allow-cleartext --allow-duplicates --allow-joins-on-different-names "$W/files/$t.csv" 2>/dev/null || return 1
	done
	PGDATABASE=postgres raw -c "CREATE DATABASE campaign" && ( cd "$W/files" && raw -f "$OLDPWD/examples/campaign/load.sql" ) || return 1
	VERIFIER=$(echo "$PGPASSWORD" | "$NG" key scram-verifier)
	sed "s|@DIR@|$W|g; s|@PORT@|0|; s|@VERIFIER@|$VERIFIER|" examples/campaign/policy.yaml.in >"$W/campaign.yaml"
}

raw() { PGHOST="$W/pg/sock" PGPORT=5432 PGUSER=owner PGDATABASE="${PGDATABASE:-campaign}" psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

world_serve() { # [POLICY]
	rm -f "$W/port"
	setsid "$NG" serve -c "${1:-$W/campaign.yaml}" --ready-file "$W/port" >>"$W/proxy.log" 2>&1 </dev/null &
	WPID=$!
	for _ in $(seq 300); do [ -e "$W/port" ] && break; kill -0 $WPID 2>/dev/null || return 1; sleep 0.05; done
	WPORT=$(cat "$W/port") || return 1
	WURL="host=127.0.0.1 port=$WPORT user=ana dbname=campaign sslmode=verify-ca sslrootcert=$W/tls/cert.pem"
}

world_stop() {
	[ -n "${WPID:-}" ] && kill "$WPID" 2>/dev/null && for _ in $(seq 100); do kill -0 "$WPID" 2>/dev/null || break; sleep 0.1; done
	[ -n "${WPID:-}" ] && kill -9 "$WPID" 2>/dev/null
	scripts/pg.sh stop "$W/pg"
	rm -rf "$W"
}

world_start() { world_data "$@" && world_serve; }
