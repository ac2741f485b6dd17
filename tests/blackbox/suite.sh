# noisegate audit privacy: the program as it is passes, one whose noise is 15% too small does not; nothing is left behind.  make audit-privacy is the long form.
B=${BUILD:-build}
make -s BUILD="$B" quieter || exit 1
W=$(mktemp -d /tmp/noisegate-blackbox-XXXXXX)
trap 'rm -rf "$W"' EXIT
chmod 755 "$W"
export TMPDIR=$W
failed=0
ok() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failed=1; fi; }
audit() { # PROGRAM ARGUMENTS...: sets PID, RC
	"$@" >"$W/out" 2>"$W/err" </dev/null &
	PID=$!
	wait $PID; RC=$?
}

audit "$B/noisegate" audit privacy -c tests/blackbox/policy.yaml --minutes 0.3 --json
[ $RC = 0 ]; ok $? "the true program passes (exit $RC)"
cp "$W/out" "$W/true.json"; cat "$W/out" "$W/err"
/usr/bin/python3 - "$W/true.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
classes = r["classes"]
got = {(c["class"], c["schema"]): c for c in classes}
plain = ("count, one row", "sum without bounds", "count distinct")  # one answer a query: a busy machine may not get enough
failed = [c for c in classes if c["verdict"] != "within" and not (c["class"] in plain and c["verdict"] == "too few answers")]
def ok(good, name):
    print(("ok " if good else "not ok ") + name)
ok(r["verdict"] == "within", "the report says so")
ok(not failed, "every class could be asked and is within its claim" + "".join(f"; {c['class']}: {c['verdict']} {c.get('reason', '')}" for c in failed))
wanted = ["count", "count, one row", "count people", "sum", "sum without bounds", "avg", "two values", "stddev", "percentile", "per-unit sub-select", "beyond max_groups", "private keys", "private keys, one person", "count distinct"]
ok(all((w, "clinic") in got for w in wanted), "a table with all kinds of columns is asked in all classes")
ok(("join across owners", "clinic") in got, "two owners' tables are joined")
ok(all(c["claimed"] == 2 for c in classes if c.get("measure") == "epsilon"), "the claim is the epsilon that was asked")
power = got["count", "clinic"]["measured"]
ok(power > 1.5, f"a count proves most of its epsilon of 2 ({power:.3f})")
ok(got["count", "shop"]["measure"] == "rho" and got["count", "shop"]["measured"] > 0, "a zcdp account is held to its rho")
PY
[ -z "$(find /dev/shm /tmp -maxdepth 1 -name "noisegate-audit-$PID-*" 2>/dev/null)" ] && [ -z "$(find "$W" -mindepth 1 -maxdepth 1 -type d -name 'noisegate-*')" ]; ok $? "no directory is left behind"
[ ! -e tests/blackbox/nowhere.ledger ]; ok $? "the deployment's ledger is not touched"

audit "$B/tests/noisegate-quieter" audit privacy -c tests/blackbox/policy.yaml --minutes 0.3
[ $RC = 1 ] && grep -q EXCEEDED "$W/out"; ok $? "noise 15% too small is found (exit $RC)"
cat "$W/out" "$W/err"

audit "$B/noisegate" audit privacy --minutes 0.1; [ $RC = 2 ]; ok $? "no policy is wrong usage"
audit "$B/noisegate" audit privacy -c tests/blackbox/policy.yaml --minutes 0; [ $RC = 2 ]; ok $? "no time is wrong usage"
audit "$B/noisegate" audit privacy -c "$W/absent.yaml"; [ $RC = 5 ]; ok $? "a policy that cannot be read is not audited (exit $RC)"
sed '/^budgets/,$d' tests/blackbox/policy.yaml >"$W/nothing.yaml"
audit "$B/noisegate" audit privacy -c "$W/nothing.yaml" --minutes 0.1; [ $RC = 5 ] && grep -q 'no protected table' "$W/err"; ok $? "a policy that grants nothing is not audited"
exit $failed
