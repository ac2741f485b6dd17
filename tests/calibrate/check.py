"""Every figure that calibrate and compose print, against published ones and against independent sums of the laws."""
import json
import math
import subprocess
import sys

NG = sys.argv[1]
bad = 0


def ok(name, condition, note=""):
    global bad
    bad += not condition
    print(f"{'ok' if condition else 'not ok'} {name}{'' if condition else '  # ' + str(note)}")


def run(args, text=None):
    return subprocess.run([NG, *args], input=text, capture_output=True, text=True, timeout=60)


def calibrate(*args):
    p = run(["calibrate", *map(str, args)])
    assert p.returncode == 0, (args, p.stderr)
    return json.loads(p.stdout)


def compose(items, delta=None):
    p = run(["compose", "-"] + ([] if delta is None else ["--delta", str(delta)]), items if isinstance(items, str) else json.dumps(items))
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def near(a, b, rel):
    return abs(a - b) <= rel * abs(b)


LN2, LN3, LN4 = (repr(math.log(x)) for x in (2, 3, 4))

# --- delta of given Gaussian noise ---
for sigma, d2, eps, want in [(10, 1, "0.1", 0.008751768145810), (10, 5, LN3, 0.004159742234000802), (0.5, 1, "0", 0.6826894921370859),
                             (1, 1, LN3, 0.10985556344445052)]:
    j = calibrate("--sigma", sigma, "--linf", d2, "--epsilon", eps)
    ok(f"gaussian delta sigma={sigma} D2={d2} eps={eps}", near(j["continuous"]["delta"], want, 1e-12), j)
    j = calibrate("--sigma", sigma, "--linf", d2, "--epsilon", eps, "--lattice", 10000)
    ok(f"... and the discrete law on a fine lattice agrees", near(j["price"]["delta"], want, 2e-4), j)
ok("sigma 0 gives delta 1", calibrate("--sigma", 0, "--epsilon", 1)["continuous"]["delta"] == 1 == calibrate("--sigma", 0, "--epsilon", 1)["price"]["delta"])
ok("epsilon infinity gives delta 0", calibrate("--sigma", 1, "--epsilon", "inf")["continuous"]["delta"] == 0 == calibrate("--sigma", 1, "--epsilon", "inf")["price"]["delta"])

# --- sigma for a guarantee: accept [exact, 1.001 exact] ---
for eps, delta, d2, want in [(LN3, "1e-5", 1, 3.42466239791), (LN4, "2e-5", 3, 7.98491161555), ("1", "1e-5", 1, 3.73063163482),
                             ("1", "1e-6", 1, 4.22467888933), ("10", "1e-6", 1, 0.541086831818)]:
    j = calibrate("--mechanism", "gaussian", "--epsilon", eps, "--delta", delta, "--linf", d2)
    ok(f"gaussian sigma eps={eps} delta={delta} D2={d2}", want * (1 - 1e-11) <= j["continuous"]["sigma"] <= want * 1.001, j)
    j = calibrate("--mechanism", "gaussian", "--epsilon", eps, "--delta", delta, "--linf", d2, "--lattice", 1000)
    ok("... on a fine lattice", want <= j["noise"]["sigma"] <= want * 1.001 and j["price"]["delta"] <= float(delta), j)
j = calibrate("--sigma", 1, "--epsilon", 1)
ok("the continuous formula under-delivers on integers (sigma 1: 0.1414, not 0.1269)",
   near(j["price"]["delta"], 0.1414, 1e-3) and near(j["continuous"]["delta"], 0.1269, 1e-3), j)
j = calibrate("--mechanism", "gaussian", "--epsilon", 2, "--delta", "1e-6")
ok("so the noise on integers has a larger sigma, and its own delta within the target",
   j["noise"]["sigma"] > j["continuous"]["sigma"] * 1.001 and 0.9e-6 < j["price"]["delta"] <= 1e-6, j)

# --- Laplace thresholds ---
for eps, delta, want, tol in [("0.5", "0.02", 7.43775164974, 1e-11), (repr(2 * math.log(3)), "1e-10", 11.16, 5e-4), ("1", "1e-5", 11.8197782844, 1e-11)]:
    j = calibrate("--epsilon", eps, "--delta", delta, "--select")
    s = j["selection"]
    ok(f"laplace threshold eps={eps} delta={delta}", near(s["continuous_threshold"], want, tol), s)
    b = 1 / float(eps)
    tail = lambda x: math.exp(-x / b) / (1 + math.exp(-1 / b)) if x >= 1 else 1 - math.exp(-(1 - x) / b) / (1 + math.exp(-1 / b))
    t = s["threshold"]
    ok("... the discrete threshold is the smallest within delta", tail(t - 1) <= float(delta) < tail(t - 2) and near(s["delta"], tail(t - 1), 1e-8), s)
for eps, delta, claimed in [("1", "1e-5", 1.38e-5), ("2", "1e-8", 2.07e-8)]:  # an integer-rounded continuous threshold exceeds delta there
    s = calibrate("--epsilon", eps, "--delta", delta, "--select")["selection"]
    ok(f"threshold from the law that is sampled stays within delta eps={eps} delta={delta}", s["delta"] <= float(delta) < claimed, s)
j = calibrate("--epsilon", 1, "--delta", "1e-6", "--select", "--l0", 4, "--minimum-units", 10)
k = calibrate("--epsilon", 1, "--delta", "1e-6", "--select", "--l0", 4)
ok("a minimum of units raises the threshold by minimum - 1", j["selection"]["threshold"] == k["selection"]["threshold"] + 9, (j, k))

# --- optimal selection ---
keep = calibrate("--mechanism", "selection", "--epsilon", LN2, "--delta", "0.1")["keep"]
ok("optimal selection eps=ln2 delta=0.1", len(keep) == 6 and all(abs(a - b) < 1e-9 for a, b in zip(keep, [0, .1, .3, .7, .9, 1])), keep)
keep = calibrate("--mechanism", "selection", "--epsilon", "0.5", "--delta", "0.02", "--units", 20)["keep"]
ok("optimal selection eps=0.5 delta=0.02", near(keep[6], 0.58840484458, 1e-10) and near(keep[8], 0.86807080625, 1e-10) and keep[15] == 1, keep)
for eps, delta, groups in [(0.5, 0.02, 1), (1, 1e-5, 3), (3, 1e-3, 2)]:
    keep = calibrate("--mechanism", "selection", "--epsilon", eps, "--delta", delta, "--l0", groups)["keep"]
    e, d, p = eps / groups, -math.expm1(math.log1p(-delta) / groups), 0
    worst = 0
    for x in keep[1:]:
        p = min(p * math.exp(e) + d, 1 - math.exp(-e) * (1 - p - d), 1)
        worst = max(worst, abs(p - x))
    ok(f"optimal selection follows its recurrence eps={eps} delta={delta} groups={groups}", worst < 1e-10 and keep[-1] == 1, worst)

# --- Laplace: scale, interval, price ---
j = calibrate("--epsilon", "0.5", "--linf", 7, "--confidence", "0.9")
q = math.exp(-1 / 14)
w = int(j["noise"]["half_width"])
inside = lambda n: 1 - 2 * q ** (n + 1) / (1 + q)
ok("laplace scale is exactly l1/epsilon", j["noise"]["scale_exact"] == "14/1" and j["price"]["epsilon"] == 0.5, j)
ok("the interval is the smallest that covers", inside(w) >= 0.9 > inside(w - 1) and near(j["noise"]["coverage"], inside(w), 1e-8), j)
ok("deviation and mean error are the law's", near(j["noise"]["standard_deviation"], math.sqrt(2 * q) / (1 - q), 1e-8)
   and near(j["noise"]["mean_absolute_error"], 2 * q / (1 - q * q), 1e-8), j)
j = calibrate("--epsilon", 5)
ok("price of a pure mechanism at epsilon 5 is 4.93", near(j["price"]["rho"], 5 * math.tanh(2.5), 1e-10), j)
j = calibrate("--epsilon", 5, "--linf", 100000)
ok("price of fine Laplace noise at epsilon 5 is 4.01", near(j["price"]["rho"], 5 - 1 + math.exp(-5), 1e-6), j)

# --- which noise (reference B5) ---
ok("a pure account has Laplace only", calibrate("--epsilon", 1, "--l0", 100)["mechanism"] == "laplace")
ok("a zcdp account takes Gaussian for every k", all(calibrate("--rho", "0.05", "--l0", k)["mechanism"] == "gaussian" for k in (1, 2, 10)))
ok("an approx account takes Laplace for few groups, Gaussian for many",
   [calibrate("--epsilon", 1, "--delta", "1e-5", "--l0", k)["mechanism"] for k in (1, 5, 12, 50)] == ["laplace", "laplace", "gaussian", "gaussian"])

# --- composition ---
LAP = {"mechanism": "laplace", "law": "continuous"}
t = compose([{**LAP, "epsilon": 0.1, "count": 100}], "1e-6")
d = compose([{"mechanism": "laplace", "epsilon": 0.1, "count": 100}], "1e-6")
ok("100 Laplace queries of epsilon 0.1: at most 5.25 for any analyst, at least the optimum", 4.692667 <= t["total"]["epsilon"] <= d["total"]["epsilon"] <= 5.25, (t, d))
ok("... plain sum 10", t["pure"]["epsilon"] == 10 and d["approx"] == {"epsilon": 10, "delta": 0, "holds_for": "any analyst"}, d)
ok("... RDP 4.9842 (information)", near(t["rdp"]["epsilon"], 4.9842, 1e-4), t)
ok("... 1000 of epsilon 0.01: RDP 1.4658, total at least 1.362925",
   near((u := compose([{**LAP, "epsilon": 0.01, "count": 1000}], "1e-6"))["rdp"]["epsilon"], 1.4658, 1e-4) and 1.362925 <= u["total"]["epsilon"] < 1.48, u)
t = compose([{"mechanism": "gaussian", "sigma": 10, "count": 100}], "1e-5")
ok("100 Gaussians of sigma 10: 4.377178 optimal", near(t["gdp"]["epsilon"], 4.377178, 1e-6) and 4.377178 <= t["total"]["epsilon"] < 4.74, t)
t = compose([{**LAP, "scale": 20, "count": 500}, {"mechanism": "gaussian", "sigma": 20, "count": 500}], "1e-6")
ok("500 Laplace b=20 and 500 Gaussian sigma=20: RDP 8.7897, total at least 8.25554",
   near(t["rdp"]["epsilon"], 8.7897, 1e-4) and 8.25554 <= t["total"]["epsilon"] < 8.9, t)
ok("tanh price of any pure mechanism, 4.93 at 5", near(compose([{"mechanism": "pure", "epsilon": 5}], "1e-6")["sum_rho"], 5 * math.tanh(2.5), 1e-11))
ok("Laplace price 4.01 at 5", near(compose([{**LAP, "epsilon": 5}], "1e-6")["sum_rho"], 4 + math.exp(-5), 1e-11))
# the table of reference B12.4: what a budget of (3, 1e-6) holds
per = {"gaussian rho=0.005": 37, "pure epsilon=0.1": 37, "laplace epsilon=0.1 law=continuous": 38}
for line, most in per.items():
    fits = [compose(f"{line} count={n}", "1e-6")["zcdp"]["epsilon"] <= 3 for n in (most, most + 1)]
    ok(f"(3, 1e-6) holds {most} of: {line}", fits == [True, False], fits)
ok("(3, 1e-6) holds 41 of mu = 0.1 by gdp", [compose(f"gaussian sigma=10 count={n}", "1e-6")["gdp"]["epsilon"] <= 3 for n in (41, 42)] == [True, False])
ok("(3, 1e-6) holds 30 of epsilon 0.1 by plain sums", [compose(f"pure epsilon=0.1 count={n}")["total"]["epsilon"] <= 3 for n in (30, 31)] == [True, False])


def conversion(rho, delta):  # Canonne, Kamath, Steinke, Proposition 12, by plain scans
    at = lambda x: (1 + math.exp(x)) * rho + (-math.log(delta) - (1 + math.exp(x)) * math.log1p(math.exp(-x)) - x) / math.exp(x)
    best = min((i / 100 for i in range(-800, 900)), key=at)
    return min(at(best + i * 1e-6) for i in range(-10000, 10001))


for rho, delta in [(0.5, "1e-6"), (0.001, "1e-9"), (20, "1e-3"), (0.05, "0.01")]:
    got, want = compose([{"mechanism": "zcdp", "rho": rho}], delta)["zcdp"]["epsilon"], conversion(rho, float(delta))
    ok(f"conversion of rho={rho} at {delta} is rounded up, and close", want * (1 - 1e-12) <= got <= want * (1 + 1e-10) + 2e-12, (got, want))
t = compose("approx epsilon=0.5 delta=1e-7 count=5\nselection epsilon=0.1 delta=1e-8 count=10\ngaussian sigma=100 sensitivity=3\n# a comment\n", "1e-6")
ok("deltas of approximate mechanisms are set aside before the conversion",
   t["sum_delta"] == 6e-7 and near(t["zcdp"]["epsilon"], conversion(t["sum_rho"], 4e-7), 1e-6), t)
ok("YAML, JSON and lines say the same", compose("- {mechanism: pure, epsilon: 0.3, count: 2}\n", "1e-6") == compose("pure epsilon=0.3 count=2", "1e-6")
   == compose('{"delta": 1e-6, "mechanisms": [{"mechanism": "pure", "epsilon": "0.3", "count": 2}]}'))
ok("without a target delta only the plain sums", (u := compose("approx epsilon=1 delta=1e-6 count=3"))["approx"]["delta"] == 3e-6 and u["zcdp"] is None and u["total"]["by"] == "approx", u)
n, e, dl = 40, 0.2, 1e-6  # Kairouz, Oh, Viswanath, Theorem 3.3, evaluated plainly
s = [sum(math.comb(n, l) * (math.exp((n - l) * e) - math.exp((n - 2 * i + l) * e)) for l in range(i)) / (1 + math.exp(e)) ** n for i in range(n // 2 + 1)]
ok("advanced is the optimal homogeneous composition", near(compose(f"pure epsilon={e} count={n}", dl)["advanced"]["epsilon"],
   (n - 2 * max(i for i in range(n // 2 + 1) if s[i] <= dl)) * e, 1e-12))

# --- more of the reference's figures ---
import statistics
N01 = statistics.NormalDist()
j = calibrate("--sigma", "2.230476", "--epsilon", 2)
ok("continuous sigma at (2, 1e-6) really has delta 1.10e-6 on integers", near(j["price"]["delta"], 1.10e-6, 0.005), j)


def mu_needed(sigma):  # the smallest mu whose delta(epsilon) is nowhere below the discrete law's
    worst = 0
    for i in [0.01, 0.1, *range(1, 41)]:  # it is largest towards epsilon 0
        eps = round(i * 0.05 / sigma, 9)
        want = calibrate("--sigma", sigma, "--epsilon", eps)["price"]["delta"]
        lo, hi = 0.5 / sigma, 2 / sigma
        for _ in range(60):
            mu = (lo + hi) / 2
            lo, hi = (mu, hi) if N01.cdf(mu / 2 - eps / mu) - math.exp(eps) * N01.cdf(-mu / 2 - eps / mu) < want else (lo, mu)
        worst = max(worst, hi * sigma - 1)
    return worst


for sigma, want, digit in [(1, 0.046, 0.001), (5, 0.0017, 0.0001), (20, 0.00010, 0.00002)]:
    got = mu_needed(sigma)
    ok(f"GDP inflation of the discrete Gaussian, sigma {sigma}: {want}", abs(got - want) <= digit, got)
for eps, delta, reference in [("1", "1e-5", 7), ("1", "1e-6", 9), ("1", "1e-9", 16), ("0.1", "1e-5", 5), ("0.1", "1e-6", 7), ("0.1", "1e-9", 13),
                              ("5", "1e-5", 10), ("5", "1e-6", 13), ("5", "1e-9", 19)]:
    first = next(k for k in range(1, 40) if calibrate("--epsilon", eps, "--delta", delta, "--l0", k)["mechanism"] == "gaussian")
    # the reference counts with the continuous law of one number; several integers are priced by rho, which is up to 7% dearer in sigma
    ok(f"Gaussian from {reference} groups on at ({eps}, {delta}), at most 2 later on integers", reference <= first <= reference + 2, first)
j = calibrate("--epsilon", 1, "--l0", 20)
ok("pure account: variance 2 k^2/eps^2", near(j["noise"]["standard_deviation"] ** 2, 2 * 20 ** 2, 1e-3), j)
j = calibrate("--rho", "0.005", "--l0", 10)
ok("zcdp account: Gaussian variance k/(2 rho), Laplace about k/rho", near(j["noise"]["standard_deviation"] ** 2, 1000, 1e-6)
   and near(j["alternative"]["standard_deviation"] ** 2, 2000, 0.05), j)
for c in (0.9, 0.95, 0.99):
    j = calibrate("--epsilon", "0.5", "--lattice", 10000, "--confidence", c)
    ok(f"Laplace half-width b ln(1/(1-c)) at {c}", near(float(j["noise"]["half_width"]), 2 * math.log(1 / (1 - c)), 1e-3), j)
    j = calibrate("--sigma", 3, "--epsilon", 1, "--lattice", 10000, "--confidence", c)
    ok(f"Gaussian half-width sigma sqrt(2) erfinv(c) at {c}", near(float(j["noise"]["half_width"]), 3 * N01.inv_cdf((1 + c) / 2), 1e-3), j)
s = calibrate("--epsilon", 1, "--delta", "0.9", "--select")["selection"]
ok("Laplace threshold above delta 1/2: 1 + (k/eps) ln(2 (1 - delta))", near(s["continuous_threshold"], 1 + math.log(0.2), 1e-10), s)
s = calibrate("--epsilon", 1, "--delta", "1e-6", "--select")["selection"]
tail = lambda x: math.exp(-x) / (1 + math.exp(-1))
ok("a threshold released at equality whose delta counts the strict tail is 2.7 times off at scale 1 (OpenDP 2922): ours counts equality",
   near(s["delta"] / tail(s["threshold"]), math.e, 1e-6), s)
for k in (1, 4):
    j = calibrate("--epsilon", 1, "--delta", "2e-6", "--mechanism", "gaussian", "--select", "--l0", k)
    d2 = -math.expm1(math.log1p(-1e-6) / k)
    ok(f"Gaussian threshold from half of delta, {k} groups: 1 - sigma PhiInv(d)", near(j["selection"]["continuous_threshold"], 1 - j["noise"]["sigma"] * N01.inv_cdf(d2), 1e-3)
       and j["selection"]["delta"] <= 1e-6, j)
ok("delta per group is 1 - (1 - delta)^(1/k), not delta/k", calibrate("--mechanism", "selection", "--epsilon", "0.5", "--delta", "0.02", "--l0", 3)["keep"][1]
   > 0.02 / 3 * 1.006 and near(calibrate("--mechanism", "selection", "--epsilon", "0.5", "--delta", "0.02", "--l0", 3)["keep"][1], 1 - 0.98 ** (1 / 3), 1e-9))
ok("exponential mechanism: eps^2/8", near(compose("exponential epsilon=0.4", "1e-6")["sum_rho"], 0.02, 1e-9))
ok("Gaussian: rho = D^2/(2 sigma^2); a group of 3 units costs 9 times", near(compose("gaussian sigma=10 sensitivity=3", "1e-6")["sum_rho"], 0.045, 1e-9))
ok("pure prices stay below eps^2/2", all(compose(f"pure epsilon={e}", "1e-6")["sum_rho"] < e * e / 2 for e in (0.1, 1, 5)))
worse = [(rho + 2 * math.sqrt(rho * math.log(1e6))) / compose([{"mechanism": "zcdp", "rho": rho}], "1e-6")["zcdp"]["epsilon"] for rho in (0.01, 0.1, 1, 2)]
ok("the old bound rho + 2 sqrt(rho ln(1/delta)) is 7 to 21% worse", all(1.065 <= w <= 1.215 for w in worse), worse)
j = calibrate("--mechanism", "gaussian", "--epsilon", 800, "--delta", "1e-6")
ok("beyond exp(709) nothing overflows", 0 < j["continuous"]["sigma"] < 0.03 and near(j["continuous"]["delta"], 1e-6, 1e-9), j)

s = calibrate("--epsilon", 1, "--delta", "0.999999999999999999", "--select")["selection"]
ok("a delta that is 1 to a double: no threshold of the reals, and still JSON", s["continuous_threshold"] is None and s["threshold"] == 1, s)
ok("a byte order mark is no mechanism", compose("\ufeff" + json.dumps([{"mechanism": "pure", "epsilon": 1}]))["total"]["epsilon"] == 1)

ok("--json is taken, as elsewhere", calibrate("--epsilon", 1, "--json") == calibrate("--epsilon", 1) and run(["compose", "-", "--json"], "pure epsilon=1").stdout == run(["compose", "-"], "pure epsilon=1").stdout != "")

# --- bad figures ---
for args, says in [("--epsilon 0", "epsilon"), ("--epsilon -1", "epsilon"), ("--epsilon NaN", "epsilon"), ("--epsilon 1e308", "epsilon"),
                   ("--epsilon inf", "epsilon"), ("--epsilon 1e-13", "epsilon"), ("--epsilon 0x1p3", "epsilon"), ("--epsilon 1 --delta 0", "delta"),
                   ("--epsilon 1 --delta 1", "delta"), ("--epsilon 1 --delta 1.5", "delta"), ("--epsilon 1 --delta nan", "delta"), ("--epsilon 1 --delta -1e-6", "delta"),
                   ("--epsilon 1 --l1 0", "l1"), ("--epsilon 1 --linf 9223372036854775808", "linf"), ("--epsilon 1 --l2 1e3", "l2"), ("--epsilon 1 --l0 -4", "l0"),
                   ("--epsilon 1 --l0 9223372036854775807 --linf 9223372036854775807", "sensitivity"), ("--epsilon 1 --confidence 1", "confidence"), ("--epsilon 1 --confidence 0", "confidence"), ("--epsilon 1 --confidence NaN", "confidence"),
                   ("--epsilon 1 --mechanism laplce", "mechanism"), ("--epsilon 1 --mechanism gaussian", "delta"), ("--epsilon 1 --select", "delta"),
                   ("--epsilon 1 --mechanism gaussian --account pure --delta 1e-6", "pure"), ("--rho 0", "rho"), ("--rho 1 --account pure", "rho"),
                   ("--sigma 1e308 --epsilon 1", "sigma"), ("--sigma -1", "sigma"), ("--scale 0", "scale"), ("--epsilon 1 --select --linf 2 --delta 1e-6", "units")]:
    p = run(["calibrate", *args.split()])
    ok(f"calibrate {args} is refused by name", p.returncode == 1 and p.stdout == "" and says in p.stderr.split("\n")[0], (p.returncode, p.stderr))
for args in ["", "--nonsense 1", "--epsilon", "--epsilon 1 extra"]:
    ok(f"calibrate {args or '(nothing)'} is wrong usage", (p := run(["calibrate", *args.split()])).returncode == 2 and "usage" in p.stderr)
for text, says in [("", "no mechanism"), ("# nothing\n\n", "no mechanism"), ("laplace epsilon=0", "input:1: epsilon"), ("\nlaplace epsilon=-1", "input:2: epsilon"),
                   ("laplace epsilon=NaN", "epsilon"), ("pure epsilon=1e308", "epsilon"), ("gaussian sigma=0", "sigma"), ("gaussian sigma=nan", "sigma"),
                   ("laplace epsilon=1 sensitivity=0", "sensitivity"), ("laplace epsilon=1 sensitivity=9223372036854775808", "sensitivity"),
                   ("approx epsilon=1 delta=0", "delta"), ("approx epsilon=1 delta=1", "delta"), ("approx epsilon=1", "delta"), ("lplace epsilon=1", "unknown mechanism"),
                   ("laplace", "epsilon"), ("laplace epsilon=1 scale=2", "epsilon"), ("laplace epsilon", "key=value"), ("pure epsilon=1 sigma=2", "sigma"),
                   ("pure epsilon=1 epsilon=1", "twice"), ('[{"mechanism":"pure","epsilon":1,"epsilon":2}]', 'key "epsilon" appears twice'),
                   ('{"delta":1e-6,"delta":1e-5,"mechanisms":[{"mechanism":"pure","epsilon":1}]}', 'key "delta" appears twice'), ('{"mechanism":"pure","epsilon":1}', "not a list"),
                   ("{" + ",".join(f'"k{i}":1' for i in range(60000)) + "}", "more than 5000 keys"), ("pure epsilon=1 count=0", "count"), ("pure epsilon=1 count=1000000001", "count"),
                   ("pure epsilon=9000000 count=1000000000", "total"), ("approx epsilon=1 delta=0.5 count=3", "deltas"), ("[1]", "input:1"), ("[", "YAML"),
                   ("{}", "no list"), ('{"mechanisms": 3}', "mechanisms"), ('[{"mechanism": ["pure"]}]', "mechanism"), ("\x00", "UTF-8"), ("pure epsilon=1\x00", "UTF-8")]:
    p = run(["compose", "-"], text)
    ok(f"compose of {text[:50]!r} is refused", p.returncode == 1 and p.stdout == "" and says in p.stderr.split("\n")[0], (p.returncode, p.stderr))
ok("compose of a missing file is refused", run(["compose", "/nonexistent"]).returncode == 1)
ok("compose with delta 1 is refused", run(["compose", "-", "--delta", "1"], "pure epsilon=1").returncode == 1)
ok("compose without a file is wrong usage", run(["compose"]).returncode == 2 and run(["compose", "a", "b"]).returncode == 2)
sys.exit(bad > 0)
