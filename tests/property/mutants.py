"""Plans that are wrong on purpose, by the least amount that matters.  Each must be caught, or the property test proves nothing."""
import re


def each_value(change):
    def mutant(p):
        for b in p["blocks"]:
            for v in b["values"]:
                change(v)
    return mutant


def each_block(change):
    def mutant(p):
        for b in p["blocks"]:
            change(b)
    return mutant


def each_sql(old, new):
    return each_block(lambda b: b.update(sql=b["sql"].replace(old, new)))


def one_group_fewer(b):
    b["groups"] -= 1


def weaker(d):
    d["num"] = d["num"] * 9 // 10


def underpaid(p):
    for c in p["charges"]:
        c["epsilon"], c["rho"] = max(0, c["epsilon"] - 1), max(0, c["rho"] - 1)


# The planner's own text is changed as a bug in the emitter would change it.
ALL = {
    "a sensitivity is claimed to be half": each_value(lambda v: v.update(linf=v["linf"] // 2, spread=v["spread"] // 2)),
    "a group is forgotten": each_block(one_group_fewer),
    "the rows of one person are not capped": each_sql("LEAST(pg_catalog.count(*), ", "GREATEST(pg_catalog.count(*), "),
    "the groups of one person are not sampled": each_sql("g.r OPERATOR(pg_catalog.<=)", "0 OPERATOR(pg_catalog.<=)"),
    "noise is a tenth too small": each_value(lambda v: [weaker(d) for d in v["draws"]]),
    "a threshold is one too low": each_block(lambda b: b["units"] and b.update(threshold=b["threshold"] - 1)),
    "the noise of the threshold is too small": each_block(lambda b: b["units"] and weaker(b["units"])),
    "optimal selection spends a tenth too much": each_block(lambda b: b.get("law") and b["law"].update(epsilon=b["law"]["epsilon"] * 11 // 10)),
    "optimal selection has twice its delta": each_block(lambda b: b.get("law") and b["law"].update(delta=b["law"]["delta"] * 2)),
    "the noise of an overlap is too small": each_block(lambda b: b.get("overlap") and weaker(b["overlap"]["noise"])),
    "an overlap counts rows": each_block(lambda b: b.get("overlap") and b["overlap"].update(sql=b["overlap"]["sql"].replace(" GROUP BY 1)", ")"))),
    "an overlap counts what a LEFT JOIN did not find": each_block(lambda b: b.get("overlap") and b["overlap"].update(sql=re.sub(r" AND \(?t\d+\.c\d+ IS NOT NULL\)?", "", b["overlap"]["sql"]))),
    "a private bound is chosen with too little noise": each_value(lambda v: v["kind"] == 6 and v.update(choice=v["choice"] * 11 // 10)),
    "whether there are enough units is told with too little noise": each_value(lambda v: v["kind"] == 6 and weaker(v["test"])),
    "the units of a joint part are noised too little": each_block(lambda b: b.get("joint") and weaker(b["joint"]["units"])),
    "a sum of a joint part is of the other sign": each_value(lambda v: v.update(joint=-v["joint"])),
    "a joint part counts rows, not units": each_block(lambda b: b.get("joint") and b.update(sql=re.sub(r"(SELECT (?:\(g\.k\d+\)::pg_catalog\.text, )*)pg_catalog\.count\(\*\)", r"\1(2 * pg_catalog.count(*))", b["sql"]))),
    "sums of a unit are put into smaller buckets than theirs": each_sql("pg_catalog.abs(q.p", "pg_catalog.sign(q.p"),
    "Gaussian noise for an epsilon and a delta is paid with a tenth less of delta": each_block(lambda b: b["epsilon"] and "Gaussian" in b["mechanism"] and b.update(delta=b["delta"] * 9 // 10)),
    "an account pays too little": underpaid,
    "a table is not charged": lambda p: p["charges"].pop() if len(p["charges"]) > 1 else None,
}
