# The planner's statements on a private PostgreSQL.
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-planner-XXXXXX)
trap 'scripts/pg.sh stop "$W/pg"; rm -rf "$W"' EXIT
chmod 755 "$W"
scripts/pg.sh start "$W/pg" || exit 1
make -s BUILD="$B" lib-planner lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. -o "$B/plan_tool" tests/planner/plan_tool.c "$B"/lib{planner,policies,mechanisms,base}.a -lpg_query -lprotobuf-c -lyaml -lcrypto -lm || exit 1
/usr/bin/python3 tests/planner/check.py "$B/plan_tool" "host=$W/pg/sock user=owner dbname=postgres" tests/planner/policy.yaml
status=$?
/usr/bin/python3 tests/planner/nested.py "$B/plan_tool" "host=$W/pg/sock user=owner dbname=postgres" tests/planner/policy.yaml "${NESTED_SEED:-1}" "${NESTED_STATEMENTS:-800}" || status=1
exit $status
