#!/bin/bash
# make bench: the noise samplers, then the campaign at full size, raw SQL and proxy interleaved in one run.
cd "$(dirname "$0")/.." || exit 1
bench/noise.sh || exit 1
. tests/lib/world.sh
B=${BUILD:-build}
gcc -std=c11 -D_GNU_SOURCE -O2 -I. -o "$B/bench-plan" bench/plan.c "$B"/lib{planner,policies,mechanisms,base}.a -lpg_query -lprotobuf-c -lyaml -lcrypto -lm && "$B/bench-plan" || exit 1
W=$(mktemp -d /tmp/noisegate-bench-XXXXXX)
trap world_stop EXIT
world_data "$W" "${SCALE:-1}" || exit 1
sed -i 's/epsilon: 6, delta/epsilon: 100, delta/' "$W/campaign.yaml"
setsid "$NG" serve -c "$W/campaign.yaml" --ready-file "$W/port" --log-level debug >"$W/proxy.log" 2>&1 </dev/null &
WPID=$!
for _ in $(seq 300); do [ -e "$W/port" ] && break; sleep 0.05; done
/usr/bin/python3 bench/run.py "$W" "$(cat "$W/port")" "$W/proxy.log"
