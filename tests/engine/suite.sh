tests/engine/run "${BUILD:-build}"
