# Random schemas, policies and queries on a private PostgreSQL; PROPERTY_SEED and PROPERTY_WORLDS change the run.
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-property-XXXXXX)
trap 'scripts/pg.sh stop "$W/pg"; rm -rf "$W"' EXIT
chmod 755 "$W"
scripts/pg.sh start "$W/pg" || exit 1
make -s BUILD="$B" lib-planner lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. -o "$B/plan_tool-property" tests/planner/plan_tool.c "$B"/lib{planner,policies,mechanisms,base}.a -lpg_query -lprotobuf-c -lyaml -lcrypto -lm || exit 1
/usr/bin/python3 tests/property/check.py "$B/plan_tool-property" "host=$W/pg/sock user=owner dbname=postgres" "${PROPERTY_SEED:-1}" "${PROPERTY_WORLDS:-320}" 25
