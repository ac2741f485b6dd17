"""What the two sides get, what they pay, and what the wire shows."""
import gzip
import json
import math
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
import peer
from world import Relay, World, check, finish

w = World(sys.argv[1])
people = [f"user{i}@example.org" for i in range(40)]

# epsilon 20: noise other than 0 about once in 2e8 answers
w.fresh()
for name, one, two in [("overlapping", people[:10], people[6:16]), ("equal", people[:16], people[:16]), ("disjoint", people[:8], people[8:20]),
                       ("empty", [], people[:4]), ("both empty", [], [])]:
    w.fresh()
    a, b = w.both(one, two)
    want = len(set(one) & set(two))
    check(f"{name} sets: both sides get the overlap", a["overlap"] == b["overlap"] == want, (a, b, want))
w.fresh()
a, b = w.both(people[:3] * 5 + ["x"], ["x", "x", people[0]])
check("a value that stands twice in a file counts once", a["overlap"] == b["overlap"] == 2, (a, b))
w.fresh()
csv = w.write("in.csv", 'id,Email\r\n1,"user0@example.org"\r\n2,\r\n3,zoe\r\n')
check("a column of a CSV file", w.both(people[:3], csv, join_more=["--column", "email"])[1]["overlap"] == 1)
w.fresh()
lines = w.write("in.gz", gzip.compress(b"\xef\xbb\xbf" + "\r\n".join(people[:3]).encode()))
check("a compressed file that begins with a byte order mark", w.both(people[:3], lines)[1]["overlap"] == 3)
w.fresh()
many, others = [str(i) for i in range(5000)], [str(i) for i in range(2500, 9000)]
a, b = w.both(many, others, bound=7000)
check("lists of several frames", a["overlap"] == b["overlap"] == 2500, (a, b))
check("an interval and the peer's bound and epsilon are stated",
      a["low"] <= 2500 <= a["high"] and a["bound"] == a["peer_bound"] == 7000 and a["peer_epsilon"] == 20 and a["peer_delta"] == 1e-6 and b["peer_delta"] == 0, a)

# accounts
w.fresh(epsilon=2, query=0.5, most=1)
a, b = w.both(["x"], ["x"], join_more=["--epsilon", "0.75", "--delta", "2e-6"])
s, j = w.budget("brand"), w.budget("publisher")
check("each side's account for the other is charged: who serves epsilon alone, who joins epsilon and delta",
      (s["epsilon_spent"], s["delta_spent"], s["analyst"]) == (0.5, 0, "publisher") and (j["epsilon_spent"], j["delta_spent"], j["analyst"]) == (0.75, 2e-6, "brand"), (s, j))
check("the result says what was charged", a["charged"]["epsilon"] == 0.5 and b["charged"] == {"epsilon": 0.75, "delta": 2e-6, "query": 1}, (a, b))
w.fresh(epsilon=2, query=0.5, most=1, accounting="zcdp")
w.both(["x"], ["x"])
price = 0.5 * math.tanh(0.25)
s, j = w.budget("brand"), w.budget("publisher")
check("a zcdp account is charged the price of a pure mechanism", all(price <= x["rho_spent"] < price * (1 + 1e-9) for x in (s, j)) and j["delta_spent"] == 1e-6, (s, j))
w.fresh(epsilon=2, query=0.5, most=1, accounting="approx")
w.both(["x"], ["x"])
s, j = w.budget("brand"), w.budget("publisher")
check("an approx account is charged epsilon and delta", (s["epsilon_spent"], s["delta_spent"], j["epsilon_spent"], j["delta_spent"]) == (0.5, 0, 0.5, 1e-6), (s, j))
w.fresh(epsilon=1, query=0.5, most=1)
w.both([], [])
w.both([], [])
r = w.join(1, ["x"])
check("an exhausted account: exit 6, before the peer is spoken to", r.returncode == 6 and "budget" in r.stderr and "left" in r.stderr, (r.returncode, r.stderr))
r = subprocess.run(w.args("serve", "brand", ["x"]), capture_output=True, text=True, timeout=60)
check("and so for who serves", r.returncode == 6, (r.returncode, r.stderr))

# the audit log
def trail(party):
    r = subprocess.run([w.ng, "audit", "export", "-c", w.at(party + ".yaml")], capture_output=True, text=True, timeout=60)
    return [x for x in map(json.loads, r.stdout.splitlines()) if x["event"] not in ("started", "stopped", "policy", "checkpoint")]


w.fresh(epsilon=2, query=0.5, most=1)
w.both(["x"], ["x"])
p, port = w.start(["x"])
c = peer.client(w, port)
c.hello(2, "autumn", shift=3)
p.communicate(timeout=30)
s, j = trail("brand"), trail("publisher")
check("both sides' audit logs have the question, its charge and the answer; a refusal too",
      [x["event"] for x in s] == ["allowed", "charged", "answered", "refused"] and [x["event"] for x in j] == ["allowed", "charged", "answered"], (s, j))
check("the charge stands there as in the ledger", [tuple(x[0]["charge"][0][k] for k in ("owner", "analyst", "epsilon", "delta")) for x in (s, j)] ==
      [("brand", "publisher", 0.5, 0), ("publisher", "brand", 0.5, 1e-6)] and j[1]["ledger_query"] == 1 and "released_sha256" in s[2], (s, j))
r = [subprocess.run([w.ng, "audit", "verify", "-c", w.at(x + ".yaml")], capture_output=True, text=True, timeout=60) for x in ("brand", "publisher")]
check("and they verify", all(x.returncode == 0 for x in r), [x.stderr for x in r])
p, port = w.start(["x"])
r = subprocess.run(w.args("serve", "brand", ["x"]), capture_output=True, text=True, timeout=60)
check("an audit log that another process writes is not shared", r.returncode == 1 and "audit" in r.stderr, (r.returncode, r.stderr))
p.kill()
p.communicate()

# an independent implementation on the other side
w.fresh()
for values, chosen in (([people[0], people[2], "nobody"], 2), ([], 0), ([people[0]], 6)):
    p, port = w.start(people[:3], bound=5)
    raised, terms = peer.join(w, port, values, chosen=chosen)
    out = p.communicate(timeout=30)[0]
    common = len(set(values) & set(people[:3]))
    check(f"another implementation joins with {len(values)} values and {chosen} dummies: the count is raised by them",
          raised == common + chosen and f'"overlap": {common + chosen - 3},' in out and terms["bound"] == 5, (raised, out))
w.fresh()
seen = {}
listener = socket.create_server(("127.0.0.1", 0))
t = threading.Thread(target=lambda: seen.update(zip(("common", "terms", "items", "places"), peer.serve(w, listener, people[:4], bound=6))))
t.start()
r = w.join(listener.getsockname()[1], people[2:5], bound=7)
t.join(60)
check("another implementation serves: what it counts is the overlap and the hidden dummies, which the joining side takes off again",
      r.returncode == 0 and '"overlap": 2,' in r.stdout and 2 <= seen["common"] <= 2 + 2 * seen["terms"]["shift"], (r.stdout, r.stderr, seen.get("common")))
check("the list it sees has the bound's length and no two equal elements", len(set(seen["items"])) == 7 + 2 * seen["terms"]["shift"])

# 25 or so dummies among 40 fillers: unmixed, their places would be neighbours; mixed, 25 of 94 places span fewer than 60 with probability below 1e-4
w.fresh(query=0.5, most=1)
t = threading.Thread(target=lambda: seen.update(zip(("common", "terms", "items", "places"), peer.serve(w, listener, [], bound=40))))
t.start()
r = w.join(listener.getsockname()[1], [], bound=40)
t.join(60)
spans = [max(p) - min(p) + 1 if p else 0 for p in seen["places"]]
check("both lists of the joining side are mixed: the places of common elements tell nothing", r.returncode == 0 and all(s > 60 for s in spans), (spans, seen["common"]))

# what the wire shows
def traffic(one, two, bound):
    w.fresh()
    relay = Relay()
    w.both(one, two, relay=relay, bound=bound)
    relay.thread.join(10)
    return relay.to_serve, relay.to_join


# signatures differ by a few bytes from run to run (ECDSA in DER); a point is 33 and a tag 16
sizes = [traffic(one, two, 300) for one, two in (([], []), (people[:30], []), ([], people[:30]), (people[:30], people[5:35]))]
spread = [max(s[i] for s in sizes) - min(s[i] for s in sizes) for i in (0, 1)]
check("the bytes of both directions do not depend on the sets", max(spread) < 16, sizes)
more = traffic([], [], 301)
check("while one more in the bounds shows", more[0] >= sizes[0][0] + 33 and more[1] >= sizes[0][1] + 17, (more, sizes[0]))
first, again = [], []
for keep in (first, again):
    w.fresh()
    listener = socket.create_server(("127.0.0.1", 0))
    t = threading.Thread(target=lambda: keep.extend(peer.serve(w, listener, [], bound=1)[2]))
    t.start()
    w.join(listener.getsockname()[1], people[:5], bound=5)
    t.join(60)
check("no element is ever sent under the same power again", first and again and not set(first) & set(again))

# names and certificates
w.fresh()
a, b = w.both(["x"], ["x"], serve_more=["--session", "one"], join_more=["--session", "one"])
check("a session of another name", a["overlap"] == 1)
w.fresh()
p, port = w.start(["x"], tls=["--peer-ca", w.at("publisher.crt"), "--peer-name", "publisher"])
r = w.join(port, ["x"], tls=["--peer-ca", w.at("brand.crt"), "--peer-name", "brand"])
p.communicate(timeout=30)
check("certificates by CA and name", r.returncode == 0 and p.returncode == 0, r.stderr)
finish(w)
