#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The deepest call chain of every public function, from gcc's -fcallgraph-info=su.

Indirect calls are looked up, by their text at the call site, in indirect-calls.txt: host callbacks
are excluded from the sum, anything else is refused. So are recursion, a frame of unknown size and a
call to a function that is not in the core."""
import re
import sys
from pathlib import Path

from common import FAMILIES, ROOT, Report, core_objects, need_tools, parallel

BOUND = {"x86_64": 1024, "aarch64": 1024, "riscv64": 1024, "s390x": 2048}
LEAVES = {"memcpy", "memmove", "memset", "memcmp"}  # the embedder's
NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"', re.M)
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"(?: label: "([^"]+)")?',
                  re.M)
SIZE = re.compile(r"(\d+) bytes \(([^)]*)\)")


def plain(title):
    """`file.c:find.constprop.0` -> find."""
    return title.rsplit(":", 1)[-1].split(".")[0]


def call_text(place):
    """`file.c:31:36` -> the last two names of what is called there, e.g. ops->reg_read."""
    name, line, column = place.rsplit(":", 2)
    text = Path(name).read_text().splitlines()[int(line) - 1][int(column) - 1:]
    match = re.match(r"(?:\w+(?:->|\.))*?(\w+(?:->|\.)\w+)\s*\(", text)
    return match.group(1) if match else text.strip()


class Graph:
    def __init__(self, rows):
        self.frames, self.edges, self.faults = {}, {}, []
        self.rows, self.rows_used = rows, set()

    def read(self, text):
        for title, label in NODE.findall(text):
            size = SIZE.search(label)
            if size:
                self.frames[title] = int(size.group(1))
                if size.group(2) != "static":
                    self.faults.append(f"{title}: frame is {size.group(2)}: alloca or VLA")
        for source, target, place in EDGE.findall(text):
            if target != "__indirect_call":
                self.edges.setdefault(source, set()).add(target)
            elif call_text(place) in self.rows:
                self.rows_used.add(call_text(place))
            else:
                self.faults.append(f"{place}: indirect call without a row: {call_text(place)}")

    def callees(self, title):
        """Callees whose frames count."""
        for target in sorted(self.edges.get(title, ())):
            if target in self.frames:
                yield target
            elif target not in LEAVES:
                self.faults.append(f"{title}: calls {target}, which is not in the core")

    def deepest(self, title, known, path=()):
        """(bytes, chain) below and with `title`; remembers in `known`."""
        if title in path:
            self.faults.append("recursion: " + " -> ".join([*path, title]))
            return 0, [title]
        if title not in known:
            worst, chain = 0, []
            for target in self.callees(title):
                size, names = self.deepest(target, known, (*path, title))
                if size > worst:
                    worst, chain = size, names
            known[title] = (self.frames[title] + worst, [title, *chain])
        return known[title]


def read_graph(job):
    family, rows = job
    graph = Graph(rows)
    objects, why = core_objects(family, "gcc", ["-fPIC"])
    if why:
        graph.faults.append(why)
    for target in objects:
        graph.read(target.with_suffix(".ci").read_text())
    return graph


def read_rows():
    """The texts that are host callbacks."""
    rows = set()
    table = ROOT / "tools/checks/indirect-calls.txt"
    for line in table.read_text().splitlines() if table.exists() else []:
        words = line.split("#")[0].split()
        if len(words) == 2 and words[1] == "host-callback":
            rows.add(words[0])
        elif words:
            sys.exit(f"FAIL {table}: cannot read: {line}")
    return rows


def public_names():
    """Functions declared with SVMC_API; they are the roots of the sums."""
    names = set()
    for header in (ROOT / "include").rglob("*.h"):
        if header.parent.name == "port":  # a hosted back end, no part of the core
            continue
        names |= set(re.findall(r"SVMC_API[^;{]*?\b(svmc_\w+)\s*\(", header.read_text()))
    return names


def main():
    need_tools(*[f["gcc"] for f in FAMILIES.values()])
    report, rows, used = Report(), read_rows(), set()
    for family, graph in zip(FAMILIES, parallel(read_graph, [(f, rows) for f in FAMILIES])):
        known = {}
        for title in sorted(graph.frames):
            graph.deepest(title, known)
        used |= graph.rows_used
        report.check(f"{family} call graph", dict.fromkeys(graph.faults))
        roots = sorted(public_names() & set(graph.frames))
        report.check(f"{family} public functions", [] if roots == sorted(public_names()) else
                     [f"not defined: {n}" for n in sorted(public_names() - set(roots))] or ["none"])
        for name in roots:
            size, chain = known[name]
            line = f"{family} {name} {size} of {BOUND[family]}: {' > '.join(map(plain, chain))}"
            report.check(line, [] if size <= BOUND[family] else ["deeper than the bound"])
    report.check("rows of indirect-calls.txt",
                 [f"stale: {r}" for r in sorted(rows - used)])
    report.close()


main()
