#!/bin/bash
# Wrong by a little, on purpose: each mutant changes one line of a copy, and some suite must fail.
#   make mutants                     every mutant, then docs/mutants.md: which test kills which
#   tests/mutants/run.sh NAME        those whose name has NAME in it (docs/mutants.md then takes the others' results from build/mutants.tsv)
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d /tmp/noisegate-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT
results=build/mutants.tsv
survivors=0

# NAME ~ FILE ~ sed expression ~ suite (unit-ROOM [FILTER], or a folder of tests)
mutants='noise scale halved (laplace)~mechanisms/calibrate.c~s/l1, (u128)EPS_ONE, &num/l1, (u128)EPS_ONE \/ 2, \&num/~unit-mechanisms calibrate/*
variance without the factor 2~mechanisms/calibrate.c~s/(u128)rho.pico \* 2/(u128)rho.pico * 4/~unit-mechanisms calibrate/*
laplace magnitude off by one~mechanisms/noise.c~s/(u + t \* v) \/ s/(u + t * v) \/ s + 1/~unit-mechanisms noise/*
gaussian never rejects~mechanisms/noise.c~s/if (keep) {/if (keep || 1) {/~unit-mechanisms noise/*
zero counted twice~mechanisms/noise.c~s/negative \&\& magnitude == 0/negative \&\& magnitude > 99999/~unit-mechanisms noise/*
the fast laplace sampler halves its scale~mechanisms/sampler.c~s/x.t = n->num;/x.t = n->num \/ 2 + 1;/~unit-mechanisms sampler/*
the fast gaussian never rejects~mechanisms/sampler.c~s/if (keep) {/if (keep || 1) {/~unit-mechanisms sampler/*
zero counted twice (fast)~mechanisms/sampler.c~s/if (!\*negative || \*magnitude > 0)/if (1)/~unit-mechanisms sampler/*
noise prepared for one law is drawn for another~mechanisms/draws.c~s/ \&\& a->den == b->den;/;/~unit-mechanisms draws/*
random bytes are used twice~mechanisms/bits.c~s/b->left -= n;/b->left -= n \/ 2;/~unit-mechanisms bits/*
the last step of intervals is always left out~mechanisms/tail.c~s/ ? w - 1 : w;/ ? w - 1 : w - 1;/~unit-mechanisms coverage/*
intervals of percentiles are half as wide~mechanisms/quantile.c~s/interval_widened(z, squares/interval_widened(z \/ 2, squares/~unit-mechanisms coverage/*
intervals of averages forget the noise of the count~mechanisms/shown.c~s/{ 0, noise_deviation(\&source->noise), /{ 0, 0, /~unit-mechanisms coverage/*
a tree of counts costs one level~mechanisms/quantile.c~s/.l1 = levels \* c,/.l1 = c,/~unit-mechanisms quantile/*
the charge is not split between moments~mechanisms/moments.c~s/each.rho.pico \/= n_parts;/;/~unit-mechanisms moments/*
squares count as values~mechanisms/moments.c~s/out\[MOMENT_XX\] = wx \* wx;/out[MOMENT_XX] = wx;/~unit-mechanisms moments/*
sums beyond the range are taken (overflow)~mechanisms/moments.c~s/ok = ok \&\& exact\[i\] <= most \&\& exact\[i\] >= -most;/;/~unit-mechanisms moments/*
correlated noise forgets the count of units~mechanisms/joint.c~s/(u128)WEIGHT_ONE \* members + weight_of(members)/(u128)WEIGHT_ONE * members/~unit-mechanisms joint/*
correlated noise is for sums around zero~mechanisms/joint.c~s/__builtin_sub_overflow(twice, shift, \&z)/__builtin_sub_overflow(twice, (i128)0, \&z)/~unit-mechanisms joint/*
each value has a noised count of units of its own~mechanisms/released.c~s/if (!joint_recover(\&v->joint, z, shared, \&d->x))/if (!joint_units(units, \&shared) || !add_noise(m, \&s->joint.units, shared, \&shared, e) || !joint_recover(\&v->joint, z, shared, \&d->x))/~unit-mechanisms joint/*
intervals of correlated noise forget the count of units~mechanisms/joint.c~s/__builtin_add_overflow(own, units, \&sum)/__builtin_add_overflow(own, (u128)0, \&sum)/~unit-mechanisms coverage/*
totals weigh all grouping sets alike~mechanisms/effects.c~s/weight\[t\] = 1 \/ (variance_of(noise\[t\]) \* /weight[t] = 1 \/ (/~unit-mechanisms lattice/*
totals have intervals half as wide~mechanisms/consistent.c~s/interval_widened(z, laws/interval_widened(z \/ 2, laws/~unit-mechanisms consistent/*
totals are rounded in favour of some~mechanisms/controlled.c~s/< (uint64_t)down ? up : -down/< (uint64_t)up ? up : -down/~unit-mechanisms controlled/*
totals agree where units are sampled by each set for itself~planner/hierarchy.c~s/once = apart \&\&/once = (apart || 1) \&\&/~property
correlated noise for sums of both signs~planner/joint.c~s/g->lo < 0 \&\& g->hi > 0/0/~property
correlated noise where one owner may leave~planner/joint.c~s/return !b->owner_moves \&\& (!several || plain)/return !b->owner_moves/~property
a joint part costs twice its parts~planner/joint.c~s/p->rho.pico \* n }/p->rho.pico * n * 2 }/~property
a selection law per group costs the whole~mechanisms/select.c~s/{ price.pico \/ groups }, .minimum/{ price.pico }, .minimum/~unit-mechanisms select/*
a selection law keeps twice too often~mechanisms/select.c~s/(uint64_t)(law->delta \* 0x1p63)/(uint64_t)(law->delta * 0x1p64)/~unit-mechanisms select/*
the laplace scale is rounded down~mechanisms/calibrate.c~s/num = num \/ 2 + num % 2;/num = num \/ 2;/~unit-mechanisms calibrate/*
a large variance is rounded down~base/units.c~s/up ? ceill(x \* (1.0L + nudge))/up ? floorl(x * (1.0L - nudge))/~unit-base
the charge comes after the run~proxy/query.c~s/bool ok = charge(q, e);/bool ok = true;/;s/!release_blocks(q, q->lease, e))/(!release_blocks(q, q->lease, e) || !charge(q, e)))/~engine
threshold off by one~mechanisms/select.c~s/threshold - 1)/threshold)/~unit-mechanisms select/*
threshold ignores the number of groups~mechanisms/select.c~s/(double)groups \* log1p/1.0 * log1p/~unit-mechanisms select/*
groups at the threshold minus one are shown~mechanisms/select.h~s/(minimum - 1) >= threshold/(minimum - 1) >= threshold - 1/~unit-mechanisms released/*
the minimum of units is not held~mechanisms/select.h~s/return units >= (i128)minimum \&\&/return/~unit-mechanisms select/*
optimal selection ignores the minimum~mechanisms/select.c~s/counted = units - (i128)(law->minimum - 1)/counted = units/~unit-mechanisms select/*
the search for a bound is free~mechanisms/clip.c~s/c.epsilon.pico = price->epsilon.pico - share.pico;/c.epsilon.pico = price->epsilon.pico;/~unit-mechanisms clip/*
a sum is clipped at twice its bound~mechanisms/clip.c~s/b->sign\[j\], bound, \&more/b->sign[j], 2 * bound, \&more/~unit-mechanisms clip/*
a bound is sought among few units~mechanisms/clip.c~s/if (above\[0\] + noise < c->enough)/if (0)/~unit-mechanisms clip/*
a bound is chosen at twice its price~mechanisms/clip.c~s/__builtin_mul_overflow(excess, /__builtin_mul_overflow(2 * excess, /~unit-mechanisms clip/*
the choice of a bound costs a sixteenth of its square~mechanisms/loss.c~s/rho.pico \* 8 \* EPS_ONE/rho.pico * 16 * EPS_ONE/~unit-mechanisms clip/*
units are put into buckets without their size~planner/emit_clip.c~s/pg_catalog.abs(q.p/pg_catalog.sign(q.p/~property
optimal selection grows too fast~mechanisms/select.c~s/exp(e) \* below/exp(e * 1.01)/~unit-mechanisms select/*
optimal selection closes in too fast~mechanisms/select.c~s/exp(-e) \* above/exp(-e * 1.01)/~unit-mechanisms select/*
optimal selection spends all epsilon in each group~mechanisms/select.c~s|price.pico / groups }, .minimum|price.pico }, .minimum|~unit-mechanisms select/*
a count that is shown is drawn again after it selected its group~mechanisms/released.c~s/\&\& !drawn \&\&/\&\&/~unit-mechanisms released/*
selection by a count of a part of the units~planner/selection.c~s/counts \&\& !g->filter/counts/~unit-planner
price of a pure mechanism halved~mechanisms/loss.c~s/e \* tanh(e \/ 2)/e * tanh(e \/ 2) \/ 2/~unit-mechanisms loss/*
second value reuses the first noise~mechanisms/released.c~s/noised(m, row, v->column + 1, \&v->noise_sum, \&d->sum, e)/exact_integer(m, row, v->column + 1, \&d->sum, e)/~neighbour
a charge may exceed the limit by one~budget/account.c~s/eps.pico <= s->epsilon_limit.pico/eps.pico <= s->epsilon_limit.pico + 1/~unit-budget
the charge is not added to the total~budget/store.c~s/epsilon = a.epsilon + excluded.epsilon/epsilon = excluded.epsilon/~unit-budget
a window counts only its last day~budget/commit.c~s/store_spent(s, \&key, entry_day(w.start)/store_spent(s, \&key, entry_day(at)/~conformance
frozen accounts are charged~budget/account.c~s/if (s->frozen || s->closed/if (s->closed/~conformance
all analysts together are not checked~budget/commit.c~s/c->budget->together)/c->budget->together \&\& 0)/~conformance
a charge of two accounts may be half~budget/commit.c~s/if (o != APPLIED)$/if (o == BROKEN)/~conformance
recovery forgets what is missing~budget/recover.c~s/{ capped(r->missing.epsilon.pico) }/{ 0 }/~conformance
recovery does not freeze~budget/recover.c~s/.kind = ENTRY_FREEZE/.kind = ENTRY_UNFREEZE/~conformance
a ledger without its anchor is taken~budget/verify.c~s/return head->anchored ? refused(s, NULL/return 0 ? refused(s, NULL/~conformance
a missing anchor is taken~budget/verify.c~s/return head->anchored ? refused(s, a, e, "its anchor is missing") : true/return true/~conformance
past rho is forgotten under approx~budget/account.c~s/} else if (s.rho.pico > 0) {/} else if (0) {/~conformance
delta is not halved~budget/account.c~s/: s->delta_whole.atto \/ 2/: s->delta_whole.atto/~unit-budget
rows are not capped~planner/block_emit.c~s/LEAST(pg_catalog.count(\*)"/GREATEST(pg_catalog.count(*)"/~planner
partial sums are not capped~planner/block_emit.c~s/g->cap : rows \* g->hi;/g->cap : 1000000 * rows * g->hi;/~planner
groups are not sampled~planner/cost.c~s/ranked = !few/ranked = false/~planner
units without identity are kept~planner/block_emit.c~s/") IS NOT NULL"/") IS NOT NULL IS NOT NULL"/~planner
one group too many~planner/block_emit.c~s/b->max_groups, "int8"/b->max_groups + 1, "int8"/~planner
NaN is kept~planner/emit.c~s/OPERATOR(pg_catalog.<=) (1e30)/OPERATOR(pg_catalog.<>) (1e30)/~planner
division by zero raises~planner/functions.def~s/NULLIF(\$2, 0))")/$2)")/~planner
epsilon is not split between values~planner/cost.c~s/share->epsilon.pico \/ parts/share->epsilon.pico/~unit-planner
AVG takes its whole share twice~planner/cost.c~s/part_noise(p, rows, 2,/part_noise(p, rows, 1,/~neighbour
sensitivity of a sum forgets max_rows~planner/cost.c~s/: rows \* reach;/: reach;/~neighbour
any join between protected tables~planner/unit.c~s/component\[s->number - 1\] != component\[first->number - 1\]/0/~planner
one owner leaving is not priced~planner/unit.c~s/out->owner_moves = owner_moves(r, first)/out->owner_moves = false/~property
a sub-select that keeps other rows once an owner is gone is not priced~planner/unit.c~s/return select->owner_moves \&\& /return false \&\& /~property
a bound is found for a sum before it is known whose rows may leave~planner/aggregate.c~s/!bind_arguments(b, f, row, g, e) || !block_check_again(b, e))/!bind_arguments(b, f, row, g, e))/~property
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
a fingerprint may be compared with text~planner/sealed.c~s/expr_policy_column(x)->encoding != ENCODING_CLEARTEXT/expr_policy_column(x)->encoding == ENCODING_SEALED/~planner
sub-selects in FILTER are not charged~planner/block.c~s/return b->n_checked == b->rel.n_selects || check_tables(b, e);/return b != NULL || e;/~property
keys of sealed columns do not matter~policies/encoding.c~s/if (!text_eq(x->key, y->key))/if (0)/~encodings
any beacon may be searched~planner/sealed.c~s/if (!c->searched)/if (0)/~encodings
a row'"'"'s tag is not checked~crypto/unseal_row.c~s/if (native_tag_check(u->native, f.text, f.n, &why))/if (1)/~c3r
removed rows go unnoticed~crypto/unseal.c~s/(uint64_t)g->rows == g->sealed_rows/1/~c3r
rows may be copied~crypto/unseal.c~s/return a\[i\] < b\[i\];/return true;/~c3r
sealed cells are not bound to their row~crypto/unseal_row.c~s/return mem_equal(u->places\[k\].row, at.row, sizeof(at.row)) ? true/return true ? true/~c3r
the associated data leave out the collaboration~crypto/native.c~s/EVP_CipherUpdate(w->gcm, NULL, \&length, (const uint8_t \*)w->collaboration, UUID) == 1 \&\&//~c3r
deterministic NULLs are equal~crypto/native.c~s/if (!rng_fill(r, random, sizeof(random)))/mem_wipe(random, sizeof(random)); if (0)/~c3r
unverified rows reach standard output~proxy/cli_seal_files.c~s/out->f = hold ? out->held : stdout;/out->f = stdout;/~c3r
the pad forgets the type byte~crypto/seal.c~s/? 0 : 1) : f->n + 1;/? 0 : 1) : f->n;/~c3r
a record of the audit log forgets the one before it~budget/audit_segment.c~s/hash_sha256(p, SHA256_SIZE + 4 + (size_t)n, hash)/hash_sha256(p + SHA256_SIZE, 4 + (size_t)n, hash)/~unit-budget
the audit log does not wait for the disk~budget/audit.c~s/while (a->durable < sequence \&\& !a->broken)/while (0)/~unit-budget
an answer leaves before its audit record is on disk~proxy/trail.c~s/ \&\& audit_commit(t->log, mark.sequence, e)//~audit
a query is charged before the audit log allows it~proxy/query.c~s/if (!trail_allowed(&q->trail, plan, e))/if (0 \&\& !trail_allowed(\&q->trail, plan, e))/~audit
a half record stays after a full disk~budget/audit.c~s/if (ftruncate(a->fd, (off_t)a->size) != 0 ||/if (/~unit-budget
a damaged audit log is cut at the damage~budget/audit_mend.c~s/if (ok \&\& !is_torn(step, p, n))/if (0)/~unit-budget
an audit log may be shorter than its checkpoint~budget/audit_open.c~s/c->place.sequence > a->last)/c->place.sequence > a->last + 1000000)/~unit-budget
a released value is hashed without salt~proxy/trail.c~s/hash_add(s, salt, AUDIT_SALT);/(void)salt;/~audit
noise 15% too small, seen from outside~mechanisms/calibrate.c~s/l1, (u128)EPS_ONE, &num/l1, (u128)EPS_ONE \/ 20 * 17, \&num/~blackbox
rows of a person are not capped, seen from outside~planner/block_emit.c~s/LEAST(pg_catalog.count(\*)"/GREATEST(pg_catalog.count(*)"/~blackbox
groups of a person are not limited, seen from outside~planner/block_emit.c~s/b->max_groups, "int8"/b->max_groups * 1000, "int8"/~blackbox
answers leave when they are ready~proxy/query.c~s/^\tquantum_wait(q->start, quantum);$/\t(void)quantum_wait;/~side
a ready answer outlives its cancellation~proxy/query.c~s/bool dropped = quantum > 0 \&\&/bool dropped = quantum > 99999 \&\&/~side
a cancelled answer is kept~proxy/query.c~s/dropped ? NULL : q->asked\[i\].released/q->asked[i].released/~side
the upstream is quoted~proxy/upstream.c~s/"the upstream could not run the query");/"the upstream could not run the query (%s)", te->sqlstate);/~side
the upstream has no time limit~proxy/upstream.c~s/sizeof(timeout), "%d", u->policy->statement_timeout_ms/sizeof(timeout), "%d", 0/~side
groups in the order of the upstream~planner/block_emit.c~s/wr_fmt(\&m->w, "%sg.k%zu", i == 0 ? " ORDER BY " : ", ", i + 1);/;/~side
withheld groups are shown~mechanisms/released.c~s/return !keep || (m->together/return (m->together/~side
what an expression makes of a key has no end~planner/functions.def~s/CUT("pg_catalog.replace(" CUT("$1") ", " CUT("$2") ", pg_catalog.left($3, 1000))")/"pg_catalog.replace(" CUT("$1") ", " CUT("$2") ", pg_catalog.left($3, 1000))"/~side
a repeat is charged~proxy/query.c~s/if (!x->repeat.found) {/if (true) {/~settings
parameters make no other question~proxy/repeat.c~s/put_texts(w, b->params, b->n_params, b->seed_param);/;/~settings
members share answers~proxy/repeat.c~s/put_text(\&w, v->plan.analyst);\|put_text(w, c->budget->analyst);/;/~settings
every version is the same~proxy/repeat.c~s/if (rows.cells\[i\].length > 0)/if (0)/~settings
a release goes on without randomness~mechanisms/released.c~s/!draws_sample(\&m->draws, noise, \&sample, e))/(!draws_sample(\&m->draws, noise, \&sample, e) \&\& 0))/~unit-mechanisms
parameters of the analyst in the text of the owner~planner/template.c~s/if (!quote \&\& s\[0\] == .[$]. \&\&/if (0 \&\&/~rules
equal bounds~policies/read_tables.c~s/else if (order == 0)/else if (order == 7)/~policies
a statement waits for itself~proxy/query.c~s/q->look ? \&q->asked\[0\].repeat : NULL/NULL/~settings
a version of rows under a rule~proxy/repeat.c~s/->rule == RULE_PUBLIC/->rule != RULE_DIFFERENTIAL_PRIVACY/~settings
answers live for ever~budget/answers.c~s/s->micros == 0 ||/1 ||/~unit-budget
answers without a bound~budget/answers.c~s/(uint64_t)total <= s->most/1/~unit-budget
all who ask at once are charged~budget/answers.c~s/while (waited \&\& cancelled \&\& \*find_asking(s, key))/while (0)/;s/if (\*find_asking(s, key)) {/if (0) {/~unit-budget
a changed byte is an answer~budget/answers.c~s/mem_equal(hash, kept, SHA256_SIZE)/1/~unit-budget'

printf '%-52s %-18s %s\n' mutant suite result
touch "$results" || exit 1
tree() { rm -rf "$work/tree" && mkdir "$work/tree" && git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$work/tree" && mkdir "$work/tree/build" && tar --exclude='bench-*' --exclude=test-logs --exclude=noisegate-still -C build -cf - . | tar -xf - -C "$work/tree/build"; }
run() { # SUITE [FILTER], in the tree
	case $1 in
	unit-*) make -s -j2 "build/tests/$1" && "build/tests/$1" ${2:+--filter "$2"} ;;
	conformance) BUILD=build bash tests/budget/conformance.sh ;; # a part of the suite budget that takes a second
	*) BUILD=build bash "tests/$1/suite.sh" ;;
	esac
}
build() { # what the suite tests; the unit programs and the planner's suite do without the proxy
	case $1 in
	unit-*) make -s -j2 WARN=-w "build/tests/${1%% *}" ;;
	planner) make -s -j2 WARN=-w lib-planner ;;
	*) make -s -j2 WARN=-w all ;;
	esac
}
try() { # FILE CHANGE SUITE: prints what became of it
	local why
	sed -i "$2" "$work/tree/$1"
	# a mutant that changes nothing, or does not compile, proves nothing
	if cmp -s "$1" "$work/tree/$1"; then echo "NOT APPLIED"; return; fi
	( cd "$work/tree" && build "$3" ) >"$work/log" 2>&1 </dev/null || { echo "DOES NOT BUILD"; return; }
	# shellcheck disable=SC2086 # suite and filter are two words
	if ( cd "$work/tree" && set -f && export MAKEFLAGS=WARN=-w && timeout 900 bash -c "$(declare -f run)"'; run "$@"' run $3 ) >"$work/log" 2>&1 </dev/null; then echo "SURVIVED"; return; fi
	why=$(grep -m1 -aoE '^not ok .{0,70}|FAIL\] [a-z_]+::[a-z_0-9]+|^FAIL(ED)? .{0,90}' "$work/log") || { echo "NO VERDICT: $(tail -n1 "$work/log" | cut -c1-60)"; return; }
	echo "killed by $why"
}
table() { # from the results, in the order above
	local name file change suite result
	echo '# Mutants'
	echo
	echo 'Written by `make mutants`: each line is the program wrong by one line, and the first test that notices. None may survive; `not run` is what no run has reached yet.'
	echo
	echo '| what is wrong | where | killed by |'
	echo '|---|---|---|'
	while IFS='~' read -r name file change suite; do
		result=$(grep -F "$name"$'\t' "$results" | tail -n 1 | cut -f2)
		[ -n "$result" ] || result='not run'
		result=${result#killed by }; result=${result#FAIL] }; result=${result#not ok }; result=${result#FAILED }; result=${result#FAIL }
		echo "| $name | \`$file\` | ${suite%% *}: ${result//|/\\|} |"
	done <<<"$mutants"
}
while IFS='~' read -r name file change suite; do
	[ -z "${1:-}" ] || [[ "$name" == *"$1"* ]] || continue
	[ -z "${SKIP_KILLED:-}" ] || ! grep -qF "$name"$'\t'"killed" "$results" || continue
	tree || { echo "cannot copy the tree"; exit 1; }
	result=$(try "$file" "$change" "$suite")
	[[ "$result" == "killed by "* ]] || survivors=$((survivors + 1))
	grep -vF "$name"$'\t' "$results" >"$work/results"
	printf '%s\t%s\n' "$name" "$result" >>"$work/results"
	cp "$work/results" "$results"
	printf '%-52s %-30s %s\n' "$name" "$suite" "$result"
done <<<"$mutants"
echo "$survivors survivors"
table >docs/mutants.md
[ $survivors = 0 ]
