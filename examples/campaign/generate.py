"""Brand customers (50,000) and publisher users (80,000) with impressions (400,000) as CSV; seeded, the same on every machine.

usage: generate.py DIRECTORY [SCALE]      SCALE divides the sizes, for quick tests
"""
import csv
import os
import random
import sys
from datetime import datetime, timedelta

out = sys.argv[1]
scale = int(sys.argv[2]) if len(sys.argv) > 2 else 1
n_customers, n_users, n_impressions, n_both = (n // scale for n in (50_000, 80_000, 400_000, 30_000))
rnd = random.Random(20260105)
regions = ["north", "south", "east", "west"]
weeks = [datetime(2026, 1, 5) + timedelta(weeks=i) for i in range(6)]
emails = [f"person{i:06d}@mail.example" for i in range(n_customers + n_users - n_both)]
rnd.shuffle(emails)
brand, publisher = emails[:n_customers], emails[n_customers - n_both:]


def write(name, header, rows):
    with open(os.path.join(out, name), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(header)
        w.writerows(rows)


def customer(email):
    spend = 0 if rnd.random() < 0.4 else round(min(500, rnd.expovariate(1 / 80)), 2)
    first_order = "" if spend == 0 else (rnd.choice(weeks) + timedelta(days=rnd.randrange(7))).date().isoformat()
    return email, rnd.choices(regions, [4, 3, 2, 1])[0], rnd.randrange(18, 90), f"{spend:.2f}", first_order, f"customer since {rnd.randrange(2009, 2026)}"


def impression():
    email = publisher[min(int(rnd.paretovariate(1.2) * 40) - 40, len(publisher) - 1)] if rnd.random() < 0.1 else rnd.choice(publisher)
    at = rnd.choice(weeks) + timedelta(seconds=rnd.randrange(7 * 86400))
    return email, rnd.choice(["spring", "spring", "sneakers"]), at.strftime("%Y-%m-%d %H:%M:%S"), "true" if rnd.random() < 0.08 else "false"


write("customers.csv", ["email", "region", "age", "spend", "first_order", "note"], map(customer, brand))
write("users.csv", ["email", "plan", "age"], ((e, rnd.choice(["free", "plus"]), rnd.randrange(16, 90)) for e in publisher))
write("impressions.csv", ["email", "campaign", "seen_at", "clicked"], (impression() for _ in range(n_impressions)))
