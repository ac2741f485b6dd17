#!/bin/bash
# make bench-seal: rows a second by kind of column and threads, how much longer cells get, and the memory that BIG rows take (BIG=0: not measured).
# ROWS=1000000 BIG=10000000 bench/seal.sh; everything lies in a directory under TMPDIR, about 400 bytes a row.
cd "$(dirname "$0")/.." || exit 1
NG=$PWD/${BUILD:-build}/noisegate ROWS=${ROWS:-500000} BIG=${BIG:-10000000}
D=$(mktemp -d "${TMPDIR:-/tmp}/noisegate-bench-seal-XXXXXX") || exit 1
trap 'rm -rf "$D"' EXIT
export TMPDIR=$D C3R_SHARED_SECRET
C3R_SHARED_SECRET=$(head -c 32 /dev/urandom | base64)
ID="--collaboration 00000000-1111-2222-3333-444444444444"

rows() { # N: e-mail addresses (all different), names, numbers
	awk -v n="$1" 'BEGIN { srand(1); print "email,name,note"; for (i = 0; i < n; i++) printf "person%09d@mail.example,name %d,%d\n", i, rand() * 1e6, rand() * 1e9 }'
}

column() { # SOURCE KIND [PAD [LENGTH]]
	local pad=
	[ -n "${3:-}" ] && pad=", \"pad\": {\"type\": \"$3\"${4:+, \"length\": $4}}"
	echo "{\"sourceHeader\": \"$1\", \"targetHeader\": \"t_$1\", \"type\": \"$2\"$pad}"
}

schema() { # FORMAT COLUMN... -> $D/schema
	local format=$1 IFS=,
	shift
	echo "{\"format\": \"$format\", \"headerRow\": true, \"columns\": [$*]}" >"$D/schema"
}

seal() { /usr/bin/time -o "$D/time" -f '%e %U %S %M' "$NG" seal --schema "$D/schema" $ID --allow-cleartext --allow-duplicates --overwrite "$@" || exit 1; }

measure() { # NAME: $D/schema over in.csv with one and two threads; and back with two
	local line="" t
	for t in 1 2; do
		seal --threads $t "$D/in.csv" "$D/out.csv"
		read -r wall user sys _ <"$D/time"
		line="$line | $(awk "BEGIN { printf \"%d\", $ROWS / $wall }") | $(awk "BEGIN { printf \"%.2f\", ($user + $sys) * 1e6 / $ROWS }")"
	done
	/usr/bin/time -o "$D/time" -f '%e' "$NG" unseal $ID --threads 2 --overwrite "$D/out.csv" "$D/back.csv" || exit 1
	read -r wall <"$D/time"
	echo "| $1$line | $(awk "BEGIN { printf \"%d\", $ROWS / $wall }") |"
}

rows "$ROWS" >"$D/in.csv"
echo "$ROWS rows, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) before the run.  CPU: microseconds of all threads for a row."
echo
echo "| columns | rows/s, 1 thread | CPU | rows/s, 2 threads | CPU | unseal rows/s |"
echo "|---|---|---|---|---|---|"
schema c3r "$(column email cleartext)";                                   measure "1 cleartext"
schema c3r "$(column email fingerprint)";                                 measure "1 fingerprint, C3R"
schema c3r "$(column email sealed none)";                                 measure "1 sealed, no pad, C3R"
schema c3r "$(column email sealed max 0)";                                measure "1 sealed, max pad (two passes), C3R"
schema noisegate "$(column email fingerprint)";                           measure "1 fingerprint, native"
schema noisegate "$(column email sealed)";                                measure "1 sealed, native"
schema noisegate "$(column email deterministic)";                         measure "1 deterministic, native"
schema c3r "$(column email fingerprint)" "$(column name sealed max 0)" "$(column note sealed none)";    measure "1 fingerprint + 2 sealed, C3R"
schema noisegate "$(column email fingerprint)" "$(column name sealed)" "$(column note sealed)";         measure "1 fingerprint + 2 sealed, native"
rm -f "$D/in.csv" "$D/out.csv" "$D/back.csv"

echo
echo "Characters of one cell by bytes of the value:"
echo
echo "| value | fingerprint, C3R | sealed, C3R | fingerprint, native | sealed, native, no pad | sealed, native, default | deterministic, native, default |"
echo "|---|---|---|---|---|---|---|"
length() { # FORMAT KIND [PAD]: of the one cell of one.csv
	schema "$1" "$(column v "$2" ${3:-})"
	"$NG" seal --schema "$D/schema" $ID "$D/one.csv" - | tail -1 | cut -d, -f1 | tr -d '\n' | wc -c
}
for n in 1 8 16 32 64 100; do
	{ echo v; head -c "$n" /dev/zero | tr '\0' x; echo; } >"$D/one.csv"
	echo "| $n | $(length c3r fingerprint) | $(length c3r sealed none) | $(length noisegate fingerprint) | $(length noisegate sealed none) | $(length noisegate sealed) | $(length noisegate deterministic) |"
done
echo "A row of the native format also has a tag of 66 characters."

[ "$BIG" -gt 0 ] || exit 0
echo
echo "Memory, duplicates refused (a second external sort), read from a pipe:"
for format in c3r noisegate; do
	schema $format "$(column email fingerprint)" "$(column name sealed fixed 16)" "$(column note sealed fixed 16)"
	rows "$BIG" | /usr/bin/time -v -o "$D/time" "$NG" seal --schema "$D/schema" $ID --overwrite - "$D/out.csv" || exit 1
	peak=$(awk '/Maximum resident/ { print $NF }' "$D/time")
	echo "$format: $BIG rows, $(stat -c %s "$D/out.csv") bytes out, peak $((peak / 1024)) MB, $(awk '/Elapsed/ { print $NF }' "$D/time")"
	[ "$peak" -lt 65536 ] || { echo "more than 64 MB"; exit 1; }
	rm -f "$D/out.csv"
done
