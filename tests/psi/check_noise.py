"""The noise of both answers: its law, over many runs of two processes; neighbouring sets; and that these statistics notice a scale 10% off."""
import concurrent.futures
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(__file__))
from world import World, check, failures

RUNS, EPSILON, ALARM = 1350, 1.0, 3.9  # P[|N| > 3.9] = 1e-4


def laplace(q, rng):
    """A discrete Laplace draw: the difference of two geometric ones."""
    return sum(s * int(math.log(1 - rng.random()) / math.log(q)) for s in (1, -1))


def scale_z(noise, epsilon):
    """How many deviations the mean of |noise| is from the law's."""
    q = math.exp(-epsilon)
    mean = 2 * q / (1 - q * q)
    square = 2 * q / (1 - q) ** 2
    return (sum(map(abs, noise)) / len(noise) - mean) / math.sqrt((square - mean * mean) / len(noise))


def centre_z(noise, epsilon):
    q = math.exp(-epsilon)
    return sum(noise) / math.sqrt(len(noise) * 2 * q / (1 - q) ** 2)


def chi_z(noise, epsilon):
    """Chi-square against the law, over the values that expect at least 20 and one cell for the rest, as a standard normal."""
    q, n = math.exp(-epsilon), len(noise)
    cells, rest, left = [], n, float(n)
    for x in range(-100, 101):
        expect = n * (1 - q) / (1 + q) * q ** abs(x)
        if expect >= 20:
            seen = noise.count(x)
            cells.append((seen - expect) ** 2 / expect)
            rest, left = rest - seen, left - expect
    cells.append((rest - left) ** 2 / left)
    k = len(cells) - 1
    return ((sum(cells) / k) ** (1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))


# the statistics themselves: quiet on the law, loud on a scale 10% off, in 200 simulated suites each
rng = random.Random(7)
for name, factor, want in (("the right scale passes", 1, 0), ("a scale 10% too small is noticed", 1 / 1.1, 1), ("a scale 10% too large is noticed", 1.1, 1)):
    noticed = 0
    for _ in range(200):
        noise = [laplace(math.exp(-EPSILON / factor), rng) for _ in range(2 * RUNS)]
        noticed += abs(scale_z(noise, EPSILON)) > ALARM
    check(f"{name} ({noticed} of 200 simulated runs raise the alarm)", noticed <= 1 if want == 0 else noticed >= 160, noticed)

common = ["ann", "bob", "cy"]


def exchanges(runs):
    """(is the neighbour in?, answer) of the serving and of the joining side."""
    w, out = World(sys.argv[1]), []
    for i in range(runs):
        if i % 50 == 0:
            w.fresh(query=EPSILON, most=1)
        a, b = w.both(common + ["dora"], common + ["dora"] * (i % 2), bound=5)
        out.append(((i % 2, a["overlap"] - 3), (i % 2, b["overlap"] - 3)))
    w.close()
    return out


with concurrent.futures.ThreadPoolExecutor(3) as pool:
    served, joined = zip(*(pair for part in pool.map(exchanges, [RUNS // 3] * 3) for pair in part))

noise = {"serve": [v - n for n, v in served], "join": [v - n for n, v in joined]}
for side, other in (("serve", "joining"), ("join", "serving")):
    z = scale_z(noise[side], EPSILON), centre_z(noise[side], EPSILON), chi_z(noise[side], EPSILON)
    check(f"{side}: {RUNS} answers have the law of the {other} side's noise around the true overlap", abs(z[0]) < ALARM and abs(z[1]) < ALARM and z[2] < ALARM, z)
z = scale_z(noise["serve"] + noise["join"], EPSILON)
check(f"together their scale is right (z = {z:.2f}; 10% off is at 5.2)", abs(z) < ALARM, z)
z = sum(x * y for x, y in zip(noise["serve"], noise["join"])) / math.sqrt(sum(x * x for x in noise["serve"]) * sum(y * y for y in noise["join"])) * math.sqrt(RUNS)
check("the two sides' noises are independent", abs(z) < ALARM, z)


def worst(answers):
    """Over all half-lines: by how many deviations one neighbour's probability exceeds e^epsilon times the other's."""
    high = -99.0
    sides = [[v for n, v in answers if n == k] for k in (0, 1)]
    for one, two in (sides, sides[::-1]):
        for t in range(-12, 13):
            for event in (lambda v: v >= t, lambda v: v <= t):
                p, r = (sum(map(event, s)) / len(s) for s in (one, two))
                deviation = math.sqrt(p * (1 - p) / len(one) + math.exp(2 * EPSILON) * r * (1 - r) / len(two))
                if deviation:
                    high = max(high, (p - math.exp(EPSILON) * r) / deviation)
    return high


# 100 events: 4.9 deviations are passed once in 10,000 suites at most
for side, answers in (("serve", served), ("join", joined)):
    seen = worst(answers)
    check(f"{side}: neighbouring sets give answers within e^{EPSILON} of each other", seen < 4.9, seen)
    p = [sum(v for n, v in answers if n == k) / (RUNS / 2) for k in (0, 1)]
    check(f"{side}: the answers tell the neighbours apart on average only", 1 - 0.8 < p[1] - p[0] < 1 + 0.8, p)
sys.exit(failures() > 0)
