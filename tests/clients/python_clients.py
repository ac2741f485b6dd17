"""psycopg2, psycopg (3) and asyncpg against a running proxy: types, names, parameters, text and binary."""
import asyncio
import decimal
import os
import sys

port, cert = int(sys.argv[1]), sys.argv[2]
password = os.environ["PGPASSWORD"]
overlap, reach = open(os.path.join(os.path.dirname(__file__), "queries.sql")).read().strip().split("\n")
dsn = f"host=127.0.0.1 port={port} user=ana password={password} dbname=campaign sslmode=verify-ca sslrootcert={cert}"
failed = 0


def check(name, ok):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name, flush=True)


def typed(rows, names):
    return (list(names) == ["region", "reached", "spend"] and [r[0] for r in rows] == ["north", "south", "east", "west"]
            and all(isinstance(r[1], int) and isinstance(r[2], decimal.Decimal) and 0 <= r[2] <= 500 for r in rows))


def run(name, f):
    try:
        check(name, f())
    except Exception as e:  # a client's error is a failed test, with its words
        print("   ", type(e).__name__, e)
        check(name, False)


def psycopg2_simple():
    import psycopg2
    with psycopg2.connect(dsn) as c, c.cursor() as k:
        k.execute(overlap)
        (n,), = k.fetchall()
        k.execute(reach.replace("$1", "%s").replace("$2", "%s"), (30, True))
        rows = k.fetchall()
        return 400 < n < 800 and typed(rows, [d[0] for d in k.description])


def psycopg2_refusal():
    import psycopg2
    c = psycopg2.connect(dsn)
    try:
        c.cursor().execute("SELECT * FROM brand.customers")
    except psycopg2.Error as e:
        c.rollback()
        return e.pgcode == "42501" and "row-level" in str(e) and e.diag.message_hint is not None
    finally:
        c.close()


def psycopg3(binary):
    def go():
        import psycopg
        with psycopg.connect(dsn) as c, c.cursor(binary=binary) as k:
            k.execute(overlap)
            n = k.fetchone()[0]
            k.execute(reach.replace("$1", "%s").replace("$2", "%s"), (30, True))
            return 400 < n < 800 and typed(k.fetchall(), [d.name for d in k.description])
    return go


def psycopg3_refusal():
    import psycopg
    with psycopg.connect(dsn, autocommit=True) as c:
        try:
            c.execute("SELECT email_fp FROM brand.customers WHERE age = %s", (3,))
        except psycopg.Error as e:
            return e.sqlstate == "42501" and c.execute("SELECT 1").fetchone() == (1,)


def asyncpg_prepared():
    import asyncpg
    import ssl

    async def go():
        context = ssl.create_default_context(cafile=cert)
        context.check_hostname = False
        c = await asyncpg.connect(host="127.0.0.1", port=port, user="ana", password=password, database="campaign", ssl=context)
        s = await c.prepare(reach)
        names = [a.name for a in s.get_attributes()]
        rows = await s.fetch(30, True)
        value = await c.fetchval(overlap)
        await c.close()
        return typed([tuple(r) for r in rows], names) and 400 < value < 800
    return asyncio.run(go())


run("psycopg2: simple protocol, types, names", psycopg2_simple)
run("psycopg2: a refusal has code, detail, hint", psycopg2_refusal)
run("psycopg3: extended protocol, text", psycopg3(False))
run("psycopg3: extended protocol, binary", psycopg3(True))
run("psycopg3: refused, and the session goes on", psycopg3_refusal)
run("asyncpg: prepared, binary both ways", asyncpg_prepared)
sys.exit(failed > 0)
