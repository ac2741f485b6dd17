#!/bin/bash
# Unit tests under ASan and UBSan (leaks included), races under TSan.
cd "$(dirname "$0")/.." || exit 1
B=build-asan status=0
logs=$PWD/$B/asan; mkdir -p "$logs"; rm -f "$logs"/*
make -s -j2 BUILD=$B SANITIZE=address,undefined WARN=-Wall unit-programs || exit 1
for room in base mechanisms policies crypto planner budget proxy; do
	[ -x $B/tests/unit-$room ] || continue
	# Criterion hides leaks: reports go to files, and any file is a failure; a leak's exit status would say nothing about whose it is
	LSAN_OPTIONS=exitcode=0 ASAN_OPTIONS=log_path=$logs/$room $B/tests/unit-$room || status=1
done
for f in "$logs"/*; do # Criterion leaks of its own: a report in which no other frame stands is not about us
	[ ! -e "$f" ] || grep -E '^ +#[0-9]' "$f" | grep -qvE 'libsanitizer|libcriterion' || rm "$f"
done
[ -z "$(ls "$logs")" ] || { cat "$logs"/*; status=1; }
BUILD=build-tsan SANITIZE=thread MAKEFLAGS="SANITIZE=thread WARN=-Wall" bash tests/race/suite.sh || status=1
exit $status
