"""Random parameter sets through calibrate and compose, against the laws summed in 60-digit decimal arithmetic.   laws.py NOISEGATE [SEED] [ROUNDS]"""
import json
import random
import subprocess
import sys
from decimal import Decimal as D, getcontext
from fractions import Fraction as F
from math import comb

NG = sys.argv[1]
rnd = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 20261121)
N = int(sys.argv[3]) if len(sys.argv) > 3 else 8
getcontext().prec = 60
bad = 0


def ok(name, condition, note=""):
    global bad
    bad += not condition
    print(f"{'ok' if condition else 'not ok'} {name}{'' if condition else '  # ' + str(note)}", flush=True)


def run(*args, text=None):
    p = subprocess.run([NG, *map(str, args)], input=text, capture_output=True, text=True, timeout=120)
    return json.loads(p.stdout, parse_float=D) if p.returncode == 0 else p.stderr


def d(f):
    return D(f.numerator) / D(f.denominator)


def number(lo, hi, digits):  # log-uniform, as a decimal text with few digits
    x = D(repr(10 ** rnd.uniform(lo, hi)))
    return str(x.quantize(D(1).scaleb(x.adjusted() - digits)))


UNIT = D("1e-12")


def up(x):  # to 1e-12
    return x.quantize(UNIT, rounding="ROUND_CEILING")


# --- laws
def laplace_tail(b, x):
    return (-D(x) / b).exp() / (1 + (-1 / b).exp()) if x >= 1 else 1 - laplace_tail(b, 1 - x)


class Gauss:
    def __init__(self, s2):
        self.s2 = s2
        n = int(s2.sqrt() * 45) + 60
        t = [(-D(y) * y / (2 * s2)).exp() for y in range(n + 1)]
        self.tails = [D(0)] * (n + 2)
        for y in range(n, -1, -1):
            self.tails[y] = self.tails[y + 1] + t[y]
        self.total = 2 * self.tails[0] - t[0]

    def tail(self, x):
        if x <= 0:
            return 1 - self.tail(1 - x)
        return self.tails[x] / self.total if x < len(self.tails) else D(0)


def per_group(delta, k):
    return 1 - (1 - delta) ** (D(1) / k)


def over(p, k):
    return 1 - (1 - p) ** k


def conversion(rho, delta):  # CKS, Proposition 12: least over alpha, golden section on ln(alpha-1)
    L = delta.ln()

    def at(x):
        a1 = x.exp()
        alpha = 1 + a1
        return alpha * rho + (-L - alpha * (1 + 1 / a1).ln() - x) / a1
    best = min((D(i) / 2 for i in range(-40, 60)), key=at)
    lo, hi = best - D("0.5"), best + D("0.5")
    g = (D(5).sqrt() - 1) / 2
    for _ in range(60):
        a, b = hi - g * (hi - lo), lo + g * (hi - lo)
        lo, hi = (lo, b) if at(a) < at(b) else (a, hi)
    return max(D(0), at((lo + hi) / 2))


def tanh(x):
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def sinh(x):
    return (x.exp() - (-x).exp()) / 2


def pure_price(e):
    return e * tanh(e / 2)


def laplace_price(e, steps):
    if steps == 0:
        return e - 1 + (-e).exp()
    a = e / steps
    return min(e - a * (1 - (-e).exp()) / sinh(a), pure_price(e))


def half_width(tail, c, got):
    cover = lambda w: 1 - 2 * tail(w + 1)
    return cover(got) >= c - D("1e-9") and (got == 0 or cover(got - 1) < c)


# --- Laplace
for i in range(N):
    eps, l0, linf = number(-2, 1.3, 3), rnd.randint(1, 6), rnd.randint(1, 40)
    c = D(rnd.randint(500, 9999)) / 10000
    j = run("calibrate", "--epsilon", eps, "--l0", l0, "--linf", linf, "--mechanism", "laplace", "--confidence", c)
    name = f"laplace {eps} {l0} {linf} {c}"
    if isinstance(j, str):
        ok(name, False, j)
        continue
    b, want = F(j["noise"]["scale_exact"]), F(l0 * linf) / F(eps)
    ok(name + " scale", b == want, j)
    e = d(F(l0 * linf) / b)
    ok(name + " epsilon", D(j["price"]["epsilon"]) == up(e), (j["price"], e))
    exact = min(l0 * laplace_price(d(F(linf) / b), linf), pure_price(e))
    ok(name + " rho", exact <= j["price"]["rho"] <= exact * (1 + D("1e-11")) + (l0 + 1) * 2 * UNIT, (j["price"], exact))
    bd = d(b)
    w = int(D(j["noise"]["half_width"]))
    ok(name + " width", half_width(lambda x: laplace_tail(bd, x), c, w), j)
    q = (-1 / bd).exp()
    ok(name + " deviation", abs(j["noise"]["standard_deviation"] / ((2 * q).sqrt() / (1 - q)) - 1) < D("1e-8") and abs(j["noise"]["mean_absolute_error"] / (2 * q / (1 - q * q)) - 1) < D("1e-8"), j)
    delta = number(-12, -1, 2)
    j = run("calibrate", "--epsilon", eps, "--delta", delta, "--l0", l0, "--select", "--mechanism", "laplace", "--minimum-units", rnd.choice([1, 1, 5, 50]))
    T, b1 = j["selection"]["threshold"] - j["selection"]["minimum_units"] + 1, d(F(j["noise"]["scale_exact"]))
    really = lambda t: over(laplace_tail(b1, t - 1), l0)
    ok(name + " threshold", really(T) <= D(delta) and (T <= 2 or really(T - 1) > D(delta) * (1 - D("1e-8"))) and 0 <= j["selection"]["delta"] / really(T) - 1 < D("1e-7"), (j["selection"], really(T), really(T - 1)))

# --- Gaussian in a zCDP account
for i in range(N):
    rho, l0, linf = number(-4, 0.5, 3), rnd.randint(1, 6), rnd.randint(1, 12)
    c = D(rnd.randint(500, 9999)) / 10000
    j = run("calibrate", "--rho", rho, "--l0", l0, "--linf", linf, "--mechanism", "gaussian", "--confidence", c)
    name = f"gaussian rho={rho} {l0} {linf} {c}"
    v, want = F(j["noise"]["variance_exact"]), F(l0 * linf * linf) / (2 * F(rho))
    ok(name + " variance", want <= v <= want * (1 + F(1, 2048)) + F(1, 4096), (float(v), float(want)))
    exact = d(F(l0 * linf * linf) / (2 * v))
    ok(name + " price", exact <= j["price"]["rho"] <= exact + 2 * UNIT, (j, exact))
    if v < 40000:
        g = Gauss(d(v))
        ok(name + " width", half_width(g.tail, c, int(D(j["noise"]["half_width"]))), j)
        delta = number(-12, -1, 2)
        j = run("calibrate", "--rho", rho, "--delta", delta, "--l0", l0, "--select", "--mechanism", "gaussian")
        g = Gauss(d(F(j["noise"]["variance_exact"])))
        T = j["selection"]["threshold"]
        really = lambda t: over(g.tail(t - 1), l0)
        ok(name + " threshold", really(T) <= D(delta) and (T <= 2 or really(T - 1) > D(delta) * (1 - D("1e-8"))) and 0 <= j["selection"]["delta"] / really(T) - 1 < D("1e-7"), (j["selection"], really(T), really(T - 1)))


# --- Gaussian for (epsilon, delta), one integer
def gauss_delta(g, eps, s):
    """Sum over x of (P(x) - e^eps P(x+s))+: the largest of tail(a) - e^eps tail(a+s) over all cuts a, tried around where it must be."""
    e, best = eps.exp(), D(0)
    mid = int(eps * g.s2 / s - D(s) / 2)
    for a in range(mid - 2, mid + 4):
        best = max(best, g.tail(a) - e * g.tail(a + s))
    return best


for i in range(N):
    eps, delta, s = number(-1.3, 1, 3), number(-10, -1, 2), rnd.randint(1, 5)
    j = run("calibrate", "--epsilon", eps, "--delta", delta, "--linf", s, "--mechanism", "gaussian")
    name = f"gaussian ({eps}, {delta}) {s}"
    if isinstance(j, str):
        ok(name, False, j)
        continue
    v = d(F(j["noise"]["variance_exact"]))
    if v > 40000:
        continue
    exact = gauss_delta(Gauss(v), D(eps), s)
    ok(name + " delta", exact <= D(delta) and exact <= j["price"]["delta"] * (1 + D("1e-15")) and j["price"]["delta"] <= exact * (1 + D("1e-6")) + D("1e-9") * D(delta), (exact, j["price"]))
for i in range(N):
    sigma, eps, s = number(-1, 1.8, 3), number(-2, 1, 3), rnd.randint(1, 9)
    j = run("calibrate", "--sigma", sigma, "--epsilon", eps, "--linf", s)
    exact = gauss_delta(Gauss(D(sigma) ** 2), D(eps), s)
    ok(f"delta of sigma={sigma} at {eps}, {s}", exact <= j["price"]["delta"] * (1 + D("1e-15")) and j["price"]["delta"] <= exact * (1 + D("1e-6")) + D("1e-9"), (exact, j["price"]))

# --- optimal selection
for i in range(N):
    eps, delta, k = number(-1, 0.8, 3), number(-9, -0.5, 2), rnd.randint(1, 5)
    j = run("calibrate", "--mechanism", "selection", "--epsilon", eps, "--delta", delta, "--l0", k)
    e, dk, p, worst = D(eps) / k, per_group(D(delta), k), D(0), D(0)
    for got in j["keep"][1:]:
        p = min(p * e.exp() + dk, 1 - (-e).exp() * (1 - p - dk), D(1))
        worst = max(worst, abs(p - got))
    ok(f"selection ({eps}, {delta}) {k}", worst < D("1e-9"), worst)
    exact = k * pure_price(e)
    ok(f"selection ({eps}, {delta}) {k} price", exact <= j["price"]["rho"] <= exact + (k + 1) * UNIT * 2, (j["price"], exact))


# --- composition
def renyi(u, alpha):
    kind, e = u["mechanism"], D(u.get("epsilon", 0))
    if kind in ("gaussian", "zcdp"):
        return alpha * u["rho_"]
    p = e.exp() / (1 + e.exp())
    pure = (p ** alpha * (1 - p) ** (1 - alpha) + (1 - p) ** alpha * p ** (1 - alpha)).ln() / (alpha - 1)
    if kind == "exponential":
        return min(pure, alpha * e * e / 8)
    if kind != "laplace":
        return pure
    if u.get("law") == "continuous":
        return (alpha / (2 * alpha - 1) * ((alpha - 1) * e).exp() + (alpha - 1) / (2 * alpha - 1) * (-alpha * e).exp()).ln() / (alpha - 1)
    s = int(u.get("sensitivity", 1))
    a = e / s
    total, n = D(0), int(100 / a) + s + 10
    for x in range(-n, n + s):
        total += (-a * (alpha * abs(x) + (1 - alpha) * abs(x - s))).exp()
    return (total * tanh(a / 2)).ln() / (alpha - 1)


for i in range(N):
    items, eps_sum, delta_sum, rho_sum, pure, haseps = [], D(0), D(0), D(0), True, True
    for _ in range(rnd.randint(1, 5)):
        kind = rnd.choice(["pure", "approx", "selection", "exponential", "laplace", "laplace", "gaussian", "zcdp"])
        u = {"mechanism": kind, "count": rnd.choice([1, 1, 3, 17, 100])}
        if kind in ("pure", "approx", "selection", "exponential", "laplace"):
            u["epsilon"] = number(-2, 0.3, 2)
        if kind in ("approx", "selection"):
            u["delta"] = number(-12, -9, 1)
        if kind == "laplace":
            u["law"] = rnd.choice(["discrete", "continuous"])
            if u["law"] == "discrete":
                u["sensitivity"] = rnd.choice([1, 2, 7])
        if kind == "gaussian":
            u["sigma"], u["sensitivity"] = number(0.5, 2, 2), rnd.choice([1, 2, 3])
        if kind == "zcdp":
            u["rho"] = number(-4, -1, 2)
            if rnd.random() < 0.5:
                u["delta"] = number(-12, -9, 1)
        items.append(u)
    target = number(-7, -3, 1)
    j = run("compose", "-", "--delta", target, text=json.dumps([{k: v for k, v in u.items()} for u in items]))
    name = f"compose {i}"
    if isinstance(j, str):
        ok(name, False, (j, items))
        continue
    for u, m in zip(items, j["mechanisms"]):
        e, n = D(u.get("epsilon", 0)), u["count"]
        kind = u["mechanism"]
        if kind in ("pure", "approx", "selection"):
            r = pure_price(e)
        elif kind == "exponential":
            r = min(e * e / 8, pure_price(e))
        elif kind == "laplace":
            r = laplace_price(e, u.get("sensitivity", 1) if u["law"] == "discrete" else 0)
        elif kind == "gaussian":
            r = (D(u["sensitivity"]) / D(u["sigma"])) ** 2 / 2
        else:
            r = D(u["rho"])
        u["rho_"] = r
        ok(name + " rho of " + kind, r <= m["rho"] <= r * (1 + D("1e-12")) + 2 * UNIT, (u, m, r))
        rho_sum += D(m["rho"]) * n
        delta_sum += D(u.get("delta", 0)) * n
        eps_sum += e * n
        haseps = haseps and kind not in ("gaussian", "zcdp")
        pure = pure and haseps and "delta" not in u
    ok(name + " sums", D(j["sum_rho"]) == rho_sum and D(j["sum_delta"]) == delta_sum, (j, rho_sum, delta_sum))
    ok(name + " pure", (j["pure"] is not None) == pure and (not pure or D(j["pure"]["epsilon"]) == eps_sum), j["pure"])
    left = D(target) - delta_sum
    if left <= 0:
        ok(name + " no zcdp", j["zcdp"] is None, j)
        continue
    want = conversion(rho_sum, left)
    ok(name + " zcdp", want <= j["zcdp"]["epsilon"] <= want * (1 + D("1e-9")) + 2 * UNIT, (j["zcdp"], want))
    if haseps:
        ok(name + " approx", D(j["approx"]["epsilon"]) == eps_sum, (j["approx"], eps_sum))
    else:
        share = left / sum(u["count"] for u in items if u["mechanism"] in ("gaussian", "zcdp"))
        want = eps_sum + sum(u["count"] * conversion(D(m["rho"]), share) for u, m in zip(items, j["mechanisms"]) if u["mechanism"] in ("gaussian", "zcdp"))
        ok(name + " approx shares", want * (1 - D("1e-12")) <= j["approx"]["epsilon"] <= want * (1 + D("1e-9")) + 100 * UNIT, (j["approx"], want))
    alpha = D(j["rdp"]["order"])
    if alpha < 200 and all(D(u.get("epsilon", 1)) > D("0.02") for u in items):
        a1 = alpha - 1
        value = sum(u["count"] * renyi(u, alpha) for u in items) + (-left.ln() - alpha * (1 + 1 / a1).ln() - a1.ln()) / a1
        ok(name + " rdp", value * (1 - D("1e-6")) <= j["rdp"]["epsilon"] <= value * (1 + D("1e-6")) + D("1e-6"), (j["rdp"], value))
        ok(name + " rdp at least as good as zcdp", j["rdp"]["epsilon"] <= j["zcdp"]["epsilon"] * (1 + D("1e-6")), (j["rdp"], j["zcdp"]))
    best = min((t["epsilon"] for t in (j["pure"], j["approx"], j["zcdp"]) if t), default=None)
    ok(name + " total", best is None or D(j["total"]["epsilon"]) == D(best), j["total"])

# --- KOV: Theorem 3.3 exactly
for i in range(N):
    n, e, dl, target = rnd.randint(1, 60), D(number(-2, 0, 2)), D(rnd.choice(["0", number(-12, -9, 1)])), D(number(-9, -2, 1))
    line = f"approx epsilon={e} delta={dl} count={n}" if dl else f"pure epsilon={e} count={n}"
    j = run("compose", "-", "--delta", target, text=line)
    keep = (1 - dl) ** n

    def s(k):
        return sum(comb(n, l) * (((n - l) * e).exp() - ((n - 2 * k + l) * e).exp()) for l in range(k)) / (1 + e.exp()) ** n
    fits = [k for k in range(n // 2 + 1) if 1 - keep * (1 - s(k)) <= target]
    if not fits:
        ok(f"KOV {line}", j["advanced"] is None, j["advanced"])
        continue
    want = (n - 2 * max(fits)) * e
    ok(f"KOV {line} {target}", j["advanced"] and 0 <= D(j["advanced"]["epsilon"]) - want <= 0 + (2 * e if abs(1 - keep * (1 - s(max(fits))) - target) < target * D("1e-8") else 0), (j["advanced"], want))
sys.exit(bad > 0)
