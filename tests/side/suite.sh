# What else than its rows an answer could tell: when it leaves, how it fails, in which order, how large it is.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-side-XXXXXX)
trap 'WPID=; world_stop' EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
/usr/bin/python3 tests/side/check.py "$NG" "$W" "$W/campaign.yaml"
