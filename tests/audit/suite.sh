# The audit log through the wire and the command line, on a private PostgreSQL; checked by a verifier of its own.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-audit-XXXXXX)
trap 'umount "$W/small" 2>/dev/null; WPID=; world_stop' EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
/usr/bin/python3 tests/audit/check.py "$NG" "$W" "$W/campaign.yaml"
