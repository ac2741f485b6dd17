"""Per query of the campaign: the same raw SQL and the proxy in turn; medians, their ratio, and the proxy's own phases in microseconds."""
import os
import re
import statistics
import sys
import time

import psycopg2

w, port, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rounds = int(os.environ.get("ROUNDS", "9"))
raw = psycopg2.connect(f"host={w}/pg/sock user=owner dbname=campaign")
raw.autocommit = True
proxy = psycopg2.connect(host="127.0.0.1", port=port, user="ana", password=os.environ["PGPASSWORD"], dbname="campaign", sslmode="require")
proxy.autocommit = True
names = ["plan", "connect", "ledger", "upstream", "noise", "post"]
print(f"{'raw ms':>8} {'proxy ms':>9} {'ratio':>6} | " + " ".join(f"{n + ' us':>12}" for n in names) + "  query")


def timed(c, sql):
    k = c.cursor()
    start = time.perf_counter()
    k.execute(sql)
    k.fetchall()
    return (time.perf_counter() - start) * 1000


for sql in open(os.path.join(os.path.dirname(__file__), "campaign.sql")).read().strip().split("\n"):
    plain = sql.replace("brand.", "brand_raw.").replace("publisher.", "publisher_raw.")
    offset = os.path.getsize(log)
    a, b = [], []
    for _ in range(rounds):
        a.append(timed(raw, plain))
        b.append(timed(proxy, sql))
    lines = [ln for ln in open(log, "rb").read()[offset:].decode().split("\n") if "query finished" in ln]
    phases = [statistics.median(int(re.search(rf"{n}_us=(\d+)", ln).group(1)) for ln in lines) for n in names]
    x, y = statistics.median(a), statistics.median(b)
    print(f"{x:8.1f} {y:9.1f} {y / x:6.2f} | " + " ".join(f"{p:12.0f}" for p in phases) + "  " + sql[:100])
