"""
Is what a plan charges what its noise costs?  From the noise of every draw, the sensitivity of what it is added to, and the groups that one person reaches,
the loss is added up again, independently of the planner: exactly for Laplace noise, in floating point with a small margin for zCDP and for tails.
"""
import math
import re
from fractions import Fraction

MARGIN = 1 + 1e-9
COUNT, SUM, AVG, MOMENTS, QUANTILE, EXACT, CLIPPED = range(7)


def limits(v, rows):
    """How far each exact integer of a value may move in one group."""
    x, y = v["width_x"], v["width_y"]
    return {COUNT: [v["linf"]], SUM: [v["linf"]], CLIPPED: [v["linf"]], AVG: [v["linf"], v["spread"]], QUANTILE: [rows],
            MOMENTS: [rows * n for n in (1, x, x * x, y, y * y, x * y)][:v["parts"]]}[v["kind"]]


def steps(limit, shift):
    """A part that is rounded to multiples of 2^shift moves by whole steps."""
    return max(1, -(-limit // (1 << shift)))


def draws(b):
    """Noise, how far what it hides may move in one group, and in how many independent places (the levels of a tree)."""
    joint = b.get("joint")
    for v in b["values"]:
        for d, limit in zip(v["draws"], limits(v, b["rows"])):  # a member of a joint part: what joint_moves() says, on its lattice
            yield d, joint["lattice"] * abs(v["joint"]) if v["joint"] else steps(limit, d["shift"]), v["levels"]
    if joint:
        yield joint["units"], joint["lattice"], 1
    if b["units"] and not b["units_value"]:
        yield b["units"], 1, 1


def laplace_tail(d, x):
    """P[X >= x] of the discrete Laplace distribution with scale num / den, x >= 1."""
    rate = d["den"] / d["num"]
    return math.exp(-rate * x) / (1 + math.exp(-rate))


def gaussian_tail(d, x):
    """P[X >= x] of the discrete Gaussian with variance parameter num / den; beyond a width of 1000 the continuous tail, half a step nearer."""
    variance = d["num"] / d["den"]
    if variance > 1e6:
        return 0.5 * math.erfc((x - 0.5) / math.sqrt(2 * variance))
    reach = int(x + 12 * math.sqrt(variance) + 2)
    total = 1 + 2 * math.fsum(math.exp(-k * k / (2 * variance)) for k in range(1, reach))
    return math.fsum(math.exp(-k * k / (2 * variance)) for k in range(x, reach)) / total


def gaussian(b):
    return b["mechanism"] == "discrete Gaussian"


def converted(b):
    """Gaussian noise that somebody pays as an epsilon and a delta."""
    return gaussian(b) and b["epsilon"] > 0


def delta_of(rho, epsilon):
    """The least delta for which rho-zCDP is (epsilon, delta)-DP by Canonne, Kamath, Steinke, Proposition 12: any alpha gives one, and the exponent is convex."""
    def exponent(t):
        alpha = 1 + math.exp(t)
        return (alpha - 1) * (alpha * rho - epsilon) + alpha * math.log1p(-1 / alpha) - t
    low, high = -7.0, 14.0
    for _ in range(200 if rho > 0 else 0):
        third = (high - low) / 3
        low, high = (low, high - third) if exponent(low + third) < exponent(high - third) else (low + third, high)
    return math.exp(min(0.0, exponent(low))) if rho > 0 else 0.0


def block_fault(b):
    """What a block's noise costs beyond its own figures, or None."""
    groups = b["groups"]
    members = [v for v in b["values"] if v["joint"]]
    if len(members) != (b["joint"]["members"] if b.get("joint") else 0) or any(v["shared"] or v["kind"] not in (COUNT, SUM) or abs(v["joint"]) != v["linf"] for v in members):
        return f"the members of a joint part are {members}"
    if members and b.get("units_value"):
        return "a count that decides which groups are shown is beside a joint part"
    epsilon, rho = Fraction(0), 0.0
    for d, limit, places in draws(b):
        if d["gaussian"]:
            rho += places * groups * limit * limit * d["den"] / (2 * d["num"])
        else:
            epsilon += Fraction(places * groups * limit * d["den"], d["num"])
    if b.get("overlap"):  # a count of units: one unit moves it by one, whatever groups it is in
        d = b["overlap"]["noise"]
        if d["gaussian"]:
            rho += d["den"] / (2 * d["num"])
        else:
            epsilon += Fraction(d["den"], d["num"])
    for v in (v for v in b["values"] if v["kind"] == CLIPPED and not v["shared"]):
        test, choice = Fraction(groups * v["test"]["den"], v["test"]["num"]), Fraction(v["choice"], 10 ** 12)
        if not gaussian(b):
            epsilon += test + choice
        else:  # the choice is an exponential mechanism
            rho += float(test) * math.tanh(float(test) / 2) + float(choice) ** 2 / 8
    law = b.get("law")
    if law and not gaussian(b):
        epsilon += groups * Fraction(law["epsilon"], 10 ** 12)
    elif law:
        one = law["epsilon"] / 1e12
        rho += groups * one * math.tanh(one / 2)
    if law and -math.expm1(groups * math.log1p(-law["delta"])) > b["delta"] / 1e18 * (1 + 1e-6):
        return f"optimal selection at {law} in each of {groups} groups costs more than delta {b['delta'] / 1e18}"
    if epsilon > Fraction(b["epsilon"], 10 ** 12):
        return f"Laplace noise of epsilon {float(epsilon)}, the block says {b['epsilon'] / 1e12}"
    if rho > b["rho"] / 1e12 * MARGIN:
        return f"Gaussian noise of rho {rho}, the block says {b['rho'] / 1e12}"
    if epsilon > 0 and rho > 0:
        return "two kinds of noise in one block"
    e, selected = b["epsilon"] / 1e12, 0.0
    if law:
        selected = -math.expm1(groups * math.log1p(-law["delta"]))
    elif b["units"]:
        one = (gaussian_tail if b["units"]["gaussian"] else laplace_tail)(b["units"], b["threshold"] - 1)
        selected = -math.expm1(groups * math.log1p(-one))
    if converted(b):
        delta = delta_of(rho, e) + selected
        return None if delta <= b["delta"] / 1e18 * (1 + 1e-6) else f"Gaussian noise of rho {rho} and selection cost delta {delta} at epsilon {e}, the block says {b['delta'] / 1e18}"
    if b["rho"] / 1e12 * MARGIN < e * math.tanh(e / 2) * (1 - 1e-9) - 1e-12:
        return f"rho {b['rho'] / 1e12} is below the price of epsilon {e}"
    if b["units"]:  # of the noise that decides, whether it is shown too or not
        one = (gaussian_tail if b["units"]["gaussian"] else laplace_tail)(b["units"], b["threshold"] - 1)
        delta = -math.expm1(groups * math.log1p(-one))
        if delta > b["delta"] / 1e18 * (1 + 1e-6):
            return f"the threshold {b['threshold']} costs delta {delta}, the block says {b['delta'] / 1e18}"
    return None


def plan_fault(p):
    """A block that costs more than its figures, or an account that pays less than the blocks which read its table; None if all is well."""
    for b in p["blocks"]:
        fault = block_fault(b)
        if fault:
            return fault
        unlisted = set(re.findall(r'"shop"\."(\w+)"', b["sql"])) - {t.split(".")[1] for t, _ in b["tables"]}
        if unlisted:
            return f"{unlisted} read by the statement, and not listed among its tables: nobody is charged"
    paid = {c["table"]: c for c in p["charges"]}
    for table in {t for b in p["blocks"] for t, protected in b["tables"] if protected}:
        read = [b for b in p["blocks"] if [table, True] in b["tables"]]
        due = {k: sum(b[k] for b in read) for k in ("epsilon", "rho", "delta")}
        c = paid.get(table)
        if not c:
            if any(due.values()):
                return f"{table} is read and not charged"
            continue
        for k in ("delta", "epsilon" if c["pure"] or c["approx"] else "rho"):
            if c[k] < due[k]:
                return f"{table} pays {k} {c[k]}, its blocks cost {due[k]}"
        if c["pure"] and any(d["gaussian"] for b in read for d in [d for d, _, _ in draws(b)] + ([b["overlap"]["noise"]] if b.get("overlap") else [])):
            return f"{table} pays in epsilon for Gaussian noise"
    return None
