# Settings, introspection and repeats through the wire, on a private PostgreSQL.
. tests/lib/world.sh
W=$(mktemp -d /tmp/noisegate-settings-XXXXXX)
trap 'WPID=; world_stop' EXIT
world_data "$W" || { echo "not ok world"; exit 1; }
/usr/bin/python3 tests/settings/check.py "$NG" "$W" "$W/campaign.yaml"
settings=$?
/usr/bin/python3 tests/settings/repeat.py "$NG" "$W" "$W/campaign.yaml" && exit $settings
