# Key files and their stores (SoftHSM2 and swtpm of their own), what stands in memory, tokens, beacons.
rc=0
for check in check check_memory check_rotation check_tokens check_beacons; do
	/usr/bin/python3 tests/keys/$check.py "$PWD/${BUILD:-build}/noisegate" || rc=1
done
exit $rc
