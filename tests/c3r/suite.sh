rc=0
for check in check variants unusual files native random_files; do
	/usr/bin/python3 tests/c3r/$check.py "$PWD/${BUILD:-build}/noisegate" || rc=1
done
exit $rc
