// node-postgres: simple and extended protocol, parameters, text and binary.
const fs = require("fs"), path = require("path");
const { Client } = require("pg");
const [overlap, reach] = fs.readFileSync(path.join(__dirname, "..", "queries.sql"), "utf8").trim().split("\n");
const [port, cert] = process.argv.slice(2);
let failed = 0;
const check = (name, ok) => { if (!ok) failed++; console.log((ok ? "ok " : "not ok ") + name); };
(async () => {
  const c = new Client({ host: "127.0.0.1", port: +port, user: "ana", password: process.env.PGPASSWORD, database: "campaign",
    ssl: { ca: fs.readFileSync(cert), checkServerIdentity: () => undefined } });
  await c.connect();
  const o = await c.query(overlap);
  check("node-postgres: simple protocol", o.fields[0].name === "overlap" && o.fields[0].dataTypeID === 20 && +o.rows[0].overlap > 400);
  for (const binary of [false, true]) {
    const r = await c.query({ text: reach, values: [30, true], binary });
    const names = r.fields.map((f) => f.name).join(), oids = r.fields.map((f) => f.dataTypeID).join();
    check(`node-postgres: extended protocol, ${binary ? "binary" : "text"}`, names === "region,reached,spend" && oids === "25,20,1700" && r.rows.length === 4);
  }
  const e = await c.query("SELECT * FROM brand.customers").catch((x) => x);
  check("node-postgres: a refusal has code and hint", e.code === "42501" && !!e.hint);
  check("node-postgres: the session goes on", (await c.query("SELECT 1 AS x")).rows[0].x === 1);
  await c.end();
  process.exit(failed ? 1 : 0);
})().catch((e) => { console.log("not ok node-postgres: " + e.message); process.exit(1); });
