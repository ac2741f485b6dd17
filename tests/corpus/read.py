"""Reads and writes corpus files.  A statement, on any number of lines, then what is expected of it; empty lines between statements, # begins a comment.

    SELECT region, count(*)
    FROM persons WHERE age > $1 GROUP BY region
    => params ["30"]
    => accept (text, bigint) person: rows 1, groups 1, public 4, laplace count

    SELECT age FROM persons
    => refuse 42501 [row-level output] at "age" hint "Ask for statistics"

accept: the types of the result's columns, then for each protected query its privacy unit, the rows and groups of one unit that count, how groups are found, the
        noise and what is noised.  `tests/corpus/suite.sh update` writes what the planner says; a reader of the change judges it.
refuse: SQLSTATE, rule, the text that the position points at, a part of the hint.
params: values of $1, $2, ..., as text, null for NULL.
compare: how the answer without noise may differ from PostgreSQL's: approx (2%), quantile (a rank's neighbour), interval (ends enclose the value),
        extremes (min and max are percentiles), unordered (rows of equal rank), none WHY.
pending: WHY; the statement does not behave like this yet.  Such statements are listed; one that behaves as expected fails until the mark is removed.
"""
import glob
import json
import os


class Statement:
    def __init__(self, path, line):
        self.path, self.line, self.sql, self.comments = path, line, "", []
        self.params, self.kind, self.facts, self.compare, self.pending = None, None, "", "", None

    def where(self):
        return f"{os.path.basename(self.path)}:{self.line}"

    def literal(self):
        """The statement with its parameters written as untyped literals, for the simple protocol."""
        sql = self.sql
        for i, v in reversed(list(enumerate(self.params or []))):
            sql = sql.replace(f"${i + 1}", "NULL" if v is None else "'" + v.replace("'", "''") + "'")
        return sql

    def write(self, f):
        for c in self.comments:
            f.write(c + "\n")
        f.write(self.sql + "\n")
        if self.params is not None:
            f.write("=> params " + json.dumps(self.params) + "\n")
        if self.pending is not None:
            f.write("=> pending " + self.pending + "\n")
        if self.compare:
            f.write("=> compare " + self.compare + "\n")
        f.write(f"=> {self.kind} {self.facts}".rstrip() + "\n\n")


def read(path):
    out, now = [], None
    for number, line in enumerate(open(path), 1):
        line = line.rstrip("\n")
        if not line:
            if now and now.sql:
                assert now.kind, f"{now.where()}: no expectation"
                out.append(now)
                now = None
            continue
        now = now or Statement(path, number)
        if line.startswith("#"):
            now.comments.append(line)
        elif line.startswith("=> "):
            word, _, rest = line[3:].partition(" ")
            if word == "params":
                now.params = json.loads(rest)
            elif word in ("accept", "refuse"):
                now.kind, now.facts = word, rest
            elif word in ("compare", "pending"):
                setattr(now, word, rest)
            else:
                raise ValueError(f"{path}:{number}: {word}?")
        else:
            assert not now.kind, f"{path}:{number}: an empty line is missing"
            now.sql += ("\n" if now.sql else "") + line
    if now and now.sql:
        out.append(now)
    return out


def read_all(folder):
    return {p: read(p) for p in sorted(glob.glob(folder + "/*.corpus"))}
