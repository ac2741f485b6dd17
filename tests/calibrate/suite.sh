# Published figures of reference/mechanisms.md through `noisegate calibrate` and `compose`, and what bad figures get.
exec /usr/bin/python3 tests/calibrate/check.py "${BUILD:-build}/noisegate"
