#!/bin/bash
# Every test, from a clean checkout.  Ends with "N passed, N failed".  Logs: build/test-logs.
#   tests/run.sh [NAME...]   only suites whose name matches
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
logs=$BUILD/test-logs
mkdir -p "$logs"
passed=0 failed=0

count() { # PASSED FAILED SUITE
	passed=$((passed + $1)); failed=$((failed + $2))
	printf '%-28s %4d passed, %d failed\n' "$3" "$1" "$2"
}

# A suite that prints "ok ..." / "not ok ..." lines (TAP), or ends with "N passed, N failed".
suite() { # NAME SECONDS COMMAND...
	local name=$1 seconds=$2 log="$logs/$1.log"; shift 2
	[ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $name "* ]] || return
	timeout "$seconds" "$@" >"$log" 2>&1 </dev/null
	local rc=$? ok bad
	ok=$(grep -cE '^ok ' "$log"); bad=$(grep -cE '^not ok ' "$log")
	local line; line=$(grep -oE '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	if [ -n "$line" ]; then
		ok=$(echo "$line" | cut -d' ' -f1); bad=$(echo "$line" | cut -d' ' -f3)
	fi
	# a suite that stopped half-way, or printed nothing, failed
	if [ $rc != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	if [ "$ok" = 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	count "$ok" "$bad" "$name"
	[ "$bad" = 0 ] || { grep -E '^not ok|FAIL|Assertion|error:' "$log" | head -n 12; [ $rc = 124 ] && echo "  (stopped after $seconds s)"; }
}

one() { # a command that passes or fails as a whole
	if "$@"; then echo "ok $*"; else echo "not ok $*"; return 1; fi
}

wanted=("$@")
echo "building"
make -s -j2 all >"$logs/build.log" 2>&1 || { tail -n 20 "$logs/build.log"; echo "0 passed, 1 failed"; exit 1; }
make -s -j2 unit-programs >"$logs/build-units.log" 2>&1 || { tail -n 20 "$logs/build-units.log"; echo "0 passed, 1 failed"; exit 1; }
export -f one
suite structure 60 bash -c 'one make -s layers; one make -s lines; one make -s headers'
for room in base mechanisms policies crypto planner budget proxy; do
	[ -x "$BUILD/tests/unit-$room" ] && suite "unit-$room" 300 "$BUILD/tests/unit-$room" --tap
done
for script in tests/*/suite.sh; do
	name=$(basename "$(dirname "$script")")
	suite "$name" 900 bash "$script"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
