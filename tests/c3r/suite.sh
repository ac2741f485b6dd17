/usr/bin/python3 tests/c3r/check.py "$PWD/${BUILD:-build}/noisegate"
