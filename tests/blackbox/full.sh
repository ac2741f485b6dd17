#!/bin/bash
# make audit-privacy [RUNS=20 MINUTES=2]: the true program must pass every time, one whose noise is 15% too small must be found within 5 minutes.
cd "$(dirname "$0")/../.." || exit 1
B=${BUILD:-build} runs=${RUNS:-20} minutes=${MINUTES:-2}
W=$(mktemp -d /tmp/noisegate-blackbox-XXXXXX)
trap 'rm -rf "$W"' EXIT
verifier=$(echo audit | "$B/noisegate" key scram-verifier)
for name in students campaign; do
	sed "s|@DIR@|$W|g; s|@PORT@|0|; s|@VERIFIER@|$verifier|; /tls:/d" examples/$name/policy.yaml.in >"$W/$name.yaml"
done
cp tests/blackbox/policy.yaml "$W/neighbours.yaml"
passed=0
for run in $(seq "$runs"); do
	policy=neighbours
	[ $((run % 4)) = 2 ] && policy=students
	[ $((run % 4)) = 0 ] && policy=campaign
	if "$B/noisegate" audit privacy -c "$W/$policy.yaml" --minutes "$minutes" >"$W/out" 2>&1 </dev/null; then passed=$((passed + 1)); else cat "$W/out"; fi
	echo "run $run ($policy): $(tail -n 1 "$W/out")"
done
echo "$([ $passed = "$runs" ] && echo ok || echo not ok) the true program passes $passed times of $runs"
bad=$((runs - passed))
for policy in neighbours students campaign; do
	began=$(date +%s)
	"$B/tests/noisegate-quieter" audit privacy -c "$W/$policy.yaml" --minutes 3 >"$W/out" 2>&1 </dev/null
	rc=$? took=$(($(date +%s) - began))
	cat "$W/out"
	if [ $rc = 1 ] && [ $took -le 300 ]; then echo "ok noise 15% too small is found under policy $policy in $took s"
	else echo "not ok noise 15% too small under policy $policy: exit $rc after $took s"; bad=$((bad + 1)); fi
done
[ $bad = 0 ]
