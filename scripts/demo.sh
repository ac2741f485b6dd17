#!/bin/bash
# The demonstrations on a private PostgreSQL:  demo.sh start|sealed [--non-interactive] | stop
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
dir=${NOISEGATE_DEMO_DIR:-/tmp/noisegate-demo-$(id -u)}
ng=${NOISEGATE:-$root/build/noisegate}
collaboration=3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f
password=look-at-the-noise
. scripts/demo_sealed.sh

bold=; plain=
[ -t 1 ] && { bold=$'\e[1m'; plain=$'\e[0m'; }
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { echo "demo: $*" >&2; stop; exit 1; }

stop() {
	for p in "$dir"/*.pid; do
		[ -e "$p" ] || continue
		pid=$(cat "$p")
		# only a process that is still ours
		if { tr "\0" " " <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qE "(serve -c |--tpmstate dir=)$dir/"; then
			kill "$pid" 2>/dev/null
			for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
			kill -9 "$pid" 2>/dev/null
		fi
	done
	[ -d "$dir/pg" ] && scripts/pg.sh stop "$dir/pg"
	rm -rf "$dir"
}

port_free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

serve() { # NAME VERIFIER
	local port; port=$(port_free)
	sed "s|@DIR@|$dir|g; s|@PORT@|$port|; s|@VERIFIER@|$2|" "examples/$1/policy.yaml.in" >"$dir/$1.yaml"
	"$ng" check "$dir/$1.yaml" >"$dir/$1.check" || { cat "$dir/$1.check"; die "the policy of $1 has errors"; }
	setsid "$ng" serve -c "$dir/$1.yaml" --ready-file "$dir/$1.port" >"$dir/$1.log" 2>&1 </dev/null &
	echo $! >"$dir/$1.pid"
	for _ in $(seq 200); do [ -e "$dir/$1.port" ] && return; kill -0 $! 2>/dev/null || break; sleep 0.05; done
	cat "$dir/$1.log" >&2; die "the proxy of $1 did not start"
}

url() { echo "host=127.0.0.1 port=$(cat "$dir/$1.port") user=$2 dbname=$1 sslmode=verify-ca sslrootcert=$dir/tls/cert.pem channel_binding=require"; }
raw() { PGHOST="$dir/pg/sock" PGPORT=5432 PGUSER=owner PGDATABASE="$1" psql -XqAt -v ON_ERROR_STOP=1 "${@:2}"; }

ask() { # NAME USER SQL: the question, the answer with its error bar (the notice), the refusal
	printf '\n%s%s=> %s%s\n' "$bold" "$1" "$3" "$plain"
	PGPASSWORD=$password psql -X -P pager=off -v VERBOSITY=default "$(url "$1" "$2")" -c "$3" 2>&1
}
left() { "$ng" budget show -c "$dir/$1.yaml"; }

students() {
	say "1. Students.  3,005 students, 202 of them earn more than 40,000.  Then one of the 202 leaves."
	raw postgres -c "CREATE DATABASE students" && raw students -f examples/students/load.sql || die "could not load the students"
	serve students "$1"
	echo "Raw SQL, before: $(raw students -F ', ' -c "SELECT count(*), count(*) FILTER (WHERE income > 40000) FROM school.students")"
	ask students pia "SELECT count(*) AS students, count(*) FILTER (WHERE income > 40000) AS above_40k FROM school.students"
	raw students -c "DELETE FROM school.students WHERE student_id = 7"
	echo "Raw SQL, after:  $(raw students -F ', ' -c "SELECT count(*), count(*) FILTER (WHERE income > 40000) FROM school.students")   <- the leaver earned more than 40,000"
	ask students pia "SELECT count(*) AS students, count(*) FILTER (WHERE income > 40000) AS above_40k FROM school.students"
	echo "The difference of the noisy answers says nothing about the leaver.  Every question costs:"
	left students
	for _ in 1 2 3 4; do ask students pia "SELECT avg(income) FROM school.students" >/dev/null; done
	say "The budget is used up; the next question is refused:"
	ask students pia "SELECT avg(income) FROM school.students"
	left students
}

campaign() {
	say "2. Campaign.  Brand (50,000 customers) and publisher (80,000 users, 400,000 impressions) share a key, and nothing else."
	mkdir -p "$dir/files" && python3 examples/campaign/generate.py "$dir/files" || die "could not generate the files"
	"$ng" key generate --output "$dir/collaboration.key" || die "no key"
	"$ng" key show "$dir/collaboration.key"
	for t in customers users impressions; do
		"$ng" seal --schema "examples/campaign/$t.schema.json" --key-file "$dir/collaboration.key" --collaboration $collaboration \
			--allow-cleartext --allow-duplicates --allow-joins-on-different-names "$dir/files/$t.csv" 2>/dev/null || die "could not seal $t.csv"
	done
	echo "brand's file:  $(sed -n 2p "$dir/files/customers.csv")"
	echo "sealed:        $(sed -n 2p "$dir/files/customers.sealed.csv" | cut -c1-150)..."
	raw postgres -c "CREATE DATABASE campaign" && ( cd "$dir/files" && raw campaign -f "$root/examples/campaign/load.sql" ) || die "could not load the sealed files"
	serve campaign "$1"
	campaign_questions
}

campaign_questions() {
	say "How many of the publisher's users are customers?"
	ask campaign ana "SELECT count(DISTINCT c.email_fp) AS overlap FROM brand.customers c JOIN publisher.users u ON c.email_fp = u.email_fp"
	say "Whom did the campaign reach, and who clicked?"
	ask campaign ana "SELECT c.region, count(DISTINCT c.email_fp) AS reached, count(DISTINCT c.email_fp) FILTER (WHERE i.clicked) AS clicked FROM brand.customers c JOIN publisher.impressions i ON c.email_fp = i.email_fp WHERE i.campaign = 'spring' GROUP BY c.region"
	say "Conversions and average spend by region and week of the first order, of those who saw the campaign"
	ask campaign ana "SELECT c.region, date_trunc('week', c.first_order::timestamp)::date AS week, count(DISTINCT c.email_fp) AS conversions, round(avg(c.spend), 2) AS avg_spend FROM brand.customers c JOIN publisher.impressions i ON c.email_fp = i.email_fp WHERE c.spend > 0 GROUP BY 1, date_trunc('week', c.first_order::timestamp) ORDER BY 1, 2"
	say "What is not allowed"
	ask campaign ana "SELECT * FROM brand.customers"
	ask campaign ana "SELECT count(*) FROM brand.customers c JOIN publisher.users u ON c.age = u.age"
	ask campaign ana "SELECT email_fp, count(*) FROM brand.customers GROUP BY email_fp"
	say "The catalog is there, and says nothing about the data"
	PGPASSWORD=$password psql -X -P pager=off "$(url campaign ana)" -c '\d brand.customers' 2>&1
	say "Both owners' budgets drain"
	left campaign
}

start() { # DEMONSTRATION... : students, campaign, sealed
	[ -x "$ng" ] || die "build first: make"
	stop
	mkdir -p "$dir/tls" && chmod 755 "$dir" || die "cannot use $dir"
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
		-keyout "$dir/tls/key.pem" -out "$dir/tls/cert.pem" 2>/dev/null || die "openssl failed"
	chmod 600 "$dir/tls/key.pem"
	scripts/pg.sh start "$dir/pg" || die "no private PostgreSQL"
	verifier=$(echo $password | "$ng" key scram-verifier) || die "no verifier"
	for demonstration; do "$demonstration" "$verifier"; done
	say "Connect yourself (stop everything with: make demo-stop)"
	echo "PGPASSWORD=$password psql '$(url campaign ana)'"
	if [ -t 0 ] && [ -t 1 ] && [ "$interactive" = yes ]; then
		PGPASSWORD=$password psql -X "$(url campaign ana)"
	fi
}

interactive=yes
[ "${2:-}" = --non-interactive ] && interactive=no
case ${1:-start} in
start) start students campaign ;;
sealed) start sealed ;;
stop) stop ;;
*) echo "usage: demo.sh start|sealed [--non-interactive] | stop" >&2; exit 2 ;;
esac
