# Key files and their stores; tokens, beacons and private set intersection.  Starts SoftHSM2 and swtpm of its own.
exec /usr/bin/python3 tests/keys/check.py "$PWD/${BUILD:-build}/noisegate"
