#!/bin/bash
# Every fuzz target for N seconds under libFuzzer with ASan and UBSan.
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60} status=0
B=build-fuzz
rooms="proxy budget planner crypto policies mechanisms base"
make -s -j2 CC=clang BUILD=$B SANITIZE=fuzzer-no-link,address,undefined WARN=-w $(for r in $rooms; do echo lib-$r; done) || exit 1
for t in tests/fuzz/fuzz_*.c; do
	name=$(basename "$t" .c)
	clang -std=c11 -D_GNU_SOURCE -g -O1 -I. -I/usr/include/postgresql -fsanitize=fuzzer,address,undefined -o "$B/$name" "$t" \
		$(for r in $rooms; do echo $B/lib$r.a; done) $(make -s libs) -pthread || exit 1
	mkdir -p "$B/corpus-$name"
	if "$B/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 "$B/corpus-$name" $(ls -d "tests/fuzz/seeds/$name" 2>/dev/null); then echo "ok $name"; else echo "not ok $name"; status=1; fi
done
exit $status
