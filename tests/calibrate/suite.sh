# Figures of `noisegate calibrate` and `compose`: published ones, what bad figures get, and random ones against sums of the laws.
rc=0
/usr/bin/python3 tests/calibrate/check.py "${BUILD:-build}/noisegate" || rc=1
/usr/bin/python3 tests/calibrate/laws.py "${BUILD:-build}/noisegate" || rc=1
exit $rc
