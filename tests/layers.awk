# layers.txt, then sources: an include that goes anywhere but downward is reported.
NR == FNR { n = split($0, f, /[: ]+/); for (i = 2; i <= n; i++) ok[f[1], f[i]] = 1; ok[f[1], f[1]] = 1; next }
FNR == 1 { split(FILENAME, d, "/") }
/^#include "[a-z]+\// { split($2, t, /["\/]/); if (!((d[1], t[2]) in ok)) { print FILENAME ":" FNR ": " d[1] " may not include " t[2]; bad = 1 } }
END { exit bad }
