/usr/bin/python3 tests/policies/check.py "$PWD/${BUILD:-build}/noisegate"
