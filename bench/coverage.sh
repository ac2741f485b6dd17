#!/bin/bash
# How often 95% intervals hold the bounded true value, per aggregate: bench/coverage.sh [RUNS [NAME]]; exit status 1 when one is outside 94-96%.
cd "$(dirname "$0")/.." || exit 1
B=${BUILD:-build}
make -s BUILD="$B" lib-mechanisms lib-crypto lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O2 -g -I. -o "$B/bench-coverage" bench/coverage.c "$B"/lib{crypto,mechanisms,base}.a -lyaml -lcrypto -lm -pthread && exec "$B/bench-coverage" "$@"
