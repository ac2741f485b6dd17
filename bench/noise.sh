#!/bin/bash
# Samples a second on one core, against the targets; exit status 1 when one is missed.
cd "$(dirname "$0")/.." || exit 1
B=${BUILD:-build}
make -s BUILD="$B" lib-mechanisms lib-crypto lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O2 -g -I. -o "$B/bench-noise" bench/noise.c "$B"/lib{crypto,mechanisms,base}.a -lyaml -lcrypto -lm -pthread && exec "$B/bench-noise"
