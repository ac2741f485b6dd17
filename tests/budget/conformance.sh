# What every ledger must do, on SQLite; with an argument, on the PostgreSQL of that URL too.  Run by suite.sh, and alone by tests/mutants.
B=${BUILD:-build}
make -s BUILD="$B" lib-budget lib-crypto lib-policies lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O1 -g -I. -I/usr/include/postgresql ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -o "$B/budget-conformance" tests/budget/conformance.c \
	"$B"/lib{budget,crypto,policies,mechanisms,base}.a $(make -s libs) || exit 1
d=$(mktemp -d /tmp/noisegate-conformance-XXXXXX)
trap 'rm -rf "$d"' EXIT
rc=0
"$B/budget-conformance" "$d" || rc=1
[ -z "${1:-}" ] && exit $rc
"$B/budget-conformance" "$1" | sed 's/^\(not \)\?ok /&PostgreSQL: /'
[ "${PIPESTATUS[0]}" = 0 ] && exit $rc
exit 1
