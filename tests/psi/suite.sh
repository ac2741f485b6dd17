# Private set intersection: real processes over TLS, an independent implementation of the protocol as the peer, hostile peers, statistics of both answers.
rc=0
for check in check check_hostile check_noise; do
	/usr/bin/python3 tests/psi/$check.py "$PWD/${BUILD:-build}/noisegate" || rc=1
done
exit $rc
