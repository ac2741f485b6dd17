#!/bin/bash
# Wrong by a little, on purpose: each mutant changes one line of a copy, and some suite must fail.  make mutants
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d /tmp/noisegate-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT
survivors=0

# NAME ~ FILE ~ sed expression ~ suite (unit-ROOM or a folder of tests)
mutants='noise scale halved (laplace)~mechanisms/calibrate.c~s/l1, (u128)EPS_ONE, &num/l1, (u128)EPS_ONE \/ 2, \&num/~unit-mechanisms
variance without the factor 2~mechanisms/calibrate.c~s/(u128)rho.pico \* 2/(u128)rho.pico * 4/~unit-mechanisms
laplace magnitude off by one~mechanisms/noise.c~s/(u + t \* v) \/ s/(u + t * v) \/ s + 1/~unit-mechanisms
gaussian never rejects~mechanisms/noise.c~s/if (keep) {/if (keep || 1) {/~unit-mechanisms
zero counted twice~mechanisms/noise.c~s/negative \&\& magnitude == 0/negative \&\& magnitude > 99999/~unit-mechanisms
threshold off by one~mechanisms/select.c~s/threshold - 1)/threshold)/~unit-mechanisms
threshold ignores the number of groups~mechanisms/select.c~s/(double)groups \* log1p/1.0 * log1p/~unit-mechanisms
groups at the threshold minus one are shown~mechanisms/select.h~s/(minimum - 1) >= threshold/(minimum - 1) >= threshold - 1/~unit-mechanisms
the minimum of units is not held~mechanisms/select.h~s/return units >= (i128)minimum \&\&/return/~unit-mechanisms
optimal selection ignores the minimum~mechanisms/select.c~s/counted = units - (i128)(law->minimum - 1)/counted = units/~unit-mechanisms
optimal selection grows too fast~mechanisms/select.c~s/exp(e) \* below/exp(e * 1.01)/~unit-mechanisms
optimal selection closes in too fast~mechanisms/select.c~s/exp(-e) \* above/exp(-e * 1.01)/~unit-mechanisms
optimal selection spends all epsilon in each group~mechanisms/select.c~s|price.pico / groups }, .minimum|price.pico }, .minimum|~unit-mechanisms
a count that is shown is drawn again after it selected its group~mechanisms/released.c~s/\&\& !drawn \&\&/\&\&/~unit-mechanisms
selection by a count of a part of the units~planner/selection.c~s/counts \&\& !g->filter/counts/~unit-planner
price of a pure mechanism halved~mechanisms/loss.c~s/e \* tanh(e \/ 2)/e * tanh(e \/ 2) \/ 2/~unit-mechanisms
second value reuses the first noise~mechanisms/released.c~s/noised(m, row, v->column + 1, \&v->noise_sum, \&d->sum, e)/exact_integer(m, row, v->column + 1, \&d->sum, e)/~neighbour
a charge may exceed the limit by one~budget/account.c~s/eps.pico <= s->epsilon_limit.pico/eps.pico <= s->epsilon_limit.pico + 1/~unit-budget
the charge is not added to the total~budget/store.c~s/epsilon = a.epsilon + excluded.epsilon/epsilon = excluded.epsilon/~unit-budget
a window opens again when the clock goes back~budget/commit.c~s/if (at.micros < head->at.micros)/if (0)/~unit-budget
delta is not halved~budget/account.c~s/: s->delta_whole.atto \/ 2/: s->delta_whole.atto/~unit-budget
rows are not capped~planner/block_emit.c~s/LEAST(pg_catalog.count(\*)"/GREATEST(pg_catalog.count(*)"/~planner
partial sums are not capped~planner/block_emit.c~s/rows \* g->hi : 0/1000000 * rows * g->hi : 0/~planner
groups are not sampled~planner/cost.c~s/ranked = !few/ranked = false/~planner
units without identity are kept~planner/block_emit.c~s/") IS NOT NULL"/") IS NOT NULL IS NOT NULL"/~planner
one group too many~planner/block_emit.c~s/b->max_groups, "int8"/b->max_groups + 1, "int8"/~planner
NaN is kept~planner/emit.c~s/OPERATOR(pg_catalog.<=) (1e30)/OPERATOR(pg_catalog.<>) (1e30)/~planner
division by zero raises~planner/functions.def~s/NULLIF(\$2, 0))")/$2)")/~planner
epsilon is not split between values~planner/cost.c~s/share->epsilon.pico \/ parts/share->epsilon.pico/~unit-planner
AVG takes its whole share twice~planner/cost.c~s/part_noise(p, rows, 2,/part_noise(p, rows, 1,/~neighbour
sensitivity of a sum forgets max_rows~planner/cost.c~s/linf = rows \* reach/linf = reach/~neighbour
any join between protected tables~planner/unit.c~s/component\[s->number - 1\] != component\[first->number - 1\]/0/~planner
one owner leaving is not priced~planner/unit.c~s/out->owner_moves = owner_moves(r, first)/out->owner_moves = false/~property
an outer join ties its partners to each other~planner/unit.c~s/^\t\t\tbreak;$/\t\t\t;/~planner
any equal columns tie two tables~planner/unit.c~s/return l.table \&\& l.table == m.table/return l.table == m.table/~planner
a sub-select may group by anything~planner/grouped.c~s/if (flow.unit \&\& !names_unit(d, \&alone))/if (flow.unit \&\& !names_unit(d, \&alone) \&\& 0)/~planner
IN over protected rows compares anything~planner/semijoin.c~s/if (d->table.rule == RULE_PUBLIC)/if (d)/~planner
values of one person are not capped~planner/block_emit.c~s/b->max_rows, "int4"/b->max_rows + 1, "int4"/~property
moments are not capped~planner/block_emit.c~s/squares, 0, rows \* wx \* wx/squares, 0, 100 * rows * wx * wx/~property
a centred sum is not capped~planner/block_emit.c~s/emit_capped_sum(m, g, row, -rows \* width, rows \* width)/emit_capped_sum(m, g, row, -9 * rows * width, 9 * rows * width)/~property
rows of a list without a join~planner/rule_rows.c~s/if (!rule_reaches_own(b, s))/if (0)/~rules
columns of a custom rule come out~planner/rule_custom.c~s/if (is_custom(x) \&\& column_set_has(/if (0 \&\& column_set_has(/~rules
exact rules beside noise~planner/rules.c~s/if (b->dp \&\& exact)/if (0)/~rules
a fingerprint may be compared with text~planner/bind_type.c~s/if (c->encoding == ENCODING_CLEARTEXT)/if (c->encoding != ENCODING_SEALED)/~planner
a record of the audit log forgets the one before it~budget/audit_segment.c~s/hash_sha256(p, SHA256_SIZE + 4 + (size_t)n, hash)/hash_sha256(p + SHA256_SIZE, 4 + (size_t)n, hash)/~unit-budget
the audit log does not wait for the disk~budget/audit.c~s/while (a->durable < sequence \&\& !a->broken)/while (0)/~unit-budget
an answer leaves before its audit record is on disk~proxy/trail.c~s/ \&\& audit_commit(t->log, mark.sequence, e)//~audit
a query is charged before the audit log allows it~proxy/query.c~s/if (!trail_allowed(&q->trail, plan, e))/if (0 \&\& !trail_allowed(\&q->trail, plan, e))/~audit
a half record stays after a full disk~budget/audit.c~s/if (ftruncate(a->fd, (off_t)a->size) != 0 ||/if (/~unit-budget
a damaged audit log is cut at the damage~budget/audit_mend.c~s/if (ok \&\& !is_torn(step, p, n))/if (0)/~unit-budget
an audit log may be shorter than its checkpoint~budget/audit_open.c~s/c->place.sequence > a->last)/c->place.sequence > a->last + 1000000)/~unit-budget
a released value is hashed without salt~proxy/trail.c~s/hash_add(s, salt, AUDIT_SALT);/(void)salt;/~audit
a row'"'"'s tag is not checked~crypto/unseal_row.c~s/if (native_tag_check(u->native, f.text, f.n, &why))/if (1)/~c3r
removed rows go unnoticed~crypto/unseal.c~s/(uint64_t)g->rows == g->sealed_rows/1/~c3r
rows may be copied~crypto/unseal.c~s/return a\[i\] < b\[i\];/return true;/~c3r
sealed cells are not bound to their row~crypto/unseal_row.c~s/return mem_equal(u->places\[k\].row, at.row, sizeof(at.row)) ? true/return true ? true/~c3r
the associated data leave out the collaboration~crypto/native.c~s/EVP_CipherUpdate(w->gcm, NULL, \&length, (const uint8_t \*)w->collaboration, UUID) == 1 \&\&//~c3r
deterministic NULLs are equal~crypto/native.c~s/if (!rng_fill(r, random, sizeof(random)))/mem_wipe(random, sizeof(random)); if (0)/~c3r
unverified rows reach standard output~proxy/cli_seal_files.c~s/out->f = hold ? out->held : stdout;/out->f = stdout;/~c3r
the pad forgets the type byte~crypto/seal.c~s/? 0 : 1) : f->n + 1;/? 0 : 1) : f->n;/~c3r'

printf '%-52s %-18s %s\n' mutant suite result
tree() { rm -rf "$work/tree" && mkdir "$work/tree" && git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$work/tree" && cp -r build "$work/tree/build"; }
run() { # SUITE, in the tree
	case $1 in
	unit-*) make -s "$1" ;;
	*) BUILD=build bash "tests/$1/suite.sh" ;;
	esac
}
while IFS='~' read -r name file change suite; do
	[ -z "${1:-}" ] || [[ "$name" == *"$1"* ]] || continue
	tree || { echo "cannot copy the tree"; exit 1; }
	sed -i "$change" "$work/tree/$file"
	# a mutant that changes nothing, or does not compile, proves nothing
	if cmp -s "$file" "$work/tree/$file"; then result="NOT APPLIED"; survivors=$((survivors + 1))
	elif ! ( cd "$work/tree" && make -s -j2 WARN=-w all ) >"$work/log" 2>&1 </dev/null; then result="DOES NOT BUILD"; survivors=$((survivors + 1))
	elif ( cd "$work/tree" && export MAKEFLAGS=WARN=-w && run "$suite" ) >"$work/log" 2>&1 </dev/null; then result="SURVIVED"; survivors=$((survivors + 1))
	elif ! why=$(grep -m1 -aoE '^not ok .{0,70}|FAIL\] [a-z_]+::[a-z_0-9]+' "$work/log"); then result="NO VERDICT: $(tail -n1 "$work/log" | cut -c1-60)"; survivors=$((survivors + 1))
	else result="killed by $why"; fi
	printf '%-52s %-18s %s\n' "$name" "$suite" "$result"
done <<<"$mutants"
echo "$survivors survivors"
[ $survivors = 0 ]
