#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Indices into tables are clamped, and no compiler removes the clamp (Spectre v1).

Source: every subscript of a file-scope const array in src/, and of the policy's and the ledger's
arrays (MEMBERS), is a constant, core_clamp(...), what core_clamp gave, the variable of a for loop
that counts up to a constant, a choice among constants, a uint8_t into 256 rows, or has a comment
`clamp: reason` on its line or the one above. Machine code: core_clamp after
a bounds check still masks what it is given."""
import re
import tempfile
from pathlib import Path

from common import (FAMILIES, ROOT, Report, compiler_command, core_flags, first_error, need_tools,
                    parallel, run, without_comments)

TABLE = re.compile(r"^(?:static\s+|extern\s+)?const\s+[^;=(]*?\b(\w+)\s*((?:\[[^\]]*\])+)\s*[=;]",
                   re.M)
STRUCT_TABLE = re.compile(r"^\}\s*(\w+)\s*((?:\[[^\]]*\])+)\s*=", re.M)
# arrays reached through a pointer: members of the policies, the offers and the ledgers, and the
# parameters that are packed maps
MEMBERS = {"ports", "msrs", "sysregs", "msrs_inside", "sysregs_inside", "kinds", "hcalls", "calls",
           "windows", "verdicts", "refused_by_rule", "observed_by_rule", "by_row", "vectors",
           "held", "row", "slots", "counts", "ring", "log2_ticks", "purpose", "entry", "dirty",
           "subkey"}
PARAMETERS = {"map", "inside"}
CONSTANT = re.compile(r"(?:0x[0-9a-fA-F]+|\d+|[A-Z][A-Z0-9_]*)[uUlL]*")


def subscripts(text, at):
    """The expressions of the subscripts that start at text[at], with their positions."""
    while at < len(text) and text[at] == "[":
        depth, start = 0, at + 1
        while at < len(text):
            depth += (text[at] == "[") - (text[at] == "]")
            at += 1
            if depth == 0:
                break
        yield start, " ".join(text[start:at - 1].split())
        while at < len(text) and text[at].isspace():
            at += 1


def function_above(text, at):
    """What stands between the function's beginning and text[at]."""
    return text[text.rfind("\n}\n", 0, at) + 1:at]


def is_loop_variable(name, text, at):
    """The nearest for over this name, above, counts up to a constant or a sizeof."""
    heads = re.findall(rf"for \((?:[^;]*\b)?{name} = [^;]*; {name} < ([^;]*); "
                       rf"(?:{name}\+\+|\+\+{name})\)", function_above(text, at))
    return bool(heads) and bool(CONSTANT.fullmatch(heads[-1]) or heads[-1].startswith("sizeof"))


def is_choice(name, text, at):
    """The last definition above is a ? 1 : b ? 2 : 3, and nothing else is ever assigned."""
    values = re.findall(rf"\b{name} = ([^;]*);", function_above(text, at))
    if len(values) != 1 or "?" not in values[0] or re.search(rf"\b{name}(\+\+|--)", text):
        return False
    arms = re.findall(r"\?([^?:]+):", values[0]) + [values[0].rsplit(":", 1)[-1]]
    return all(CONSTANT.fullmatch(arm.strip()) for arm in arms)


def is_clamped(expr, text, at):
    """The last thing assigned to this name, above, is a core_clamp; a shift right keeps it so."""
    name = re.fullmatch(r"(\w+)(?: >> \d+)?", expr)
    values = re.findall(rf"\b{name.group(1)} = ([^;]*);", function_above(text, at)) if name else []
    return bool(values) and values[-1].startswith("core_clamp(")


def is_byte(expr, text):
    """A name, or an element of an array, that is declared uint8_t in this file or a header."""
    name = re.match(r"(?:\w+->)?(\w+)(\[|$)", expr)
    headers = [without_comments(h.read_text()) for h in (ROOT / "src").rglob("*.h")]
    return bool(name) and any(re.search(rf"\buint8_t \*?{name.group(1)}\b", t)
                              for t in [text, *headers])


def is_safe(expr, rows, text, at):
    if re.fullmatch(r"core_clamp\(.*\)", expr) and expr.count("core_clamp(") == 1:
        return True
    if all(CONSTANT.fullmatch(word) for word in re.split(r"[-+*/() ]+", expr) if word):
        return True
    if rows in ("256", "0x100"):
        return is_byte(expr, text)
    if is_clamped(expr, text, at):
        return True
    return re.fullmatch(r"\w+", expr) is not None and (is_loop_variable(expr, text, at) or
                                                       is_choice(expr, text, at))


def table_names():
    """Every constant table of the tree: name -> the sizes of its dimensions."""
    tables = {}
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        text = without_comments(path.read_text())
        for name, sizes in TABLE.findall(text) + STRUCT_TABLE.findall(text):
            tables[name] = re.findall(r"\[([^\]]*)\]", sizes)
    return tables


def source_faults(path, tables, seen):
    original = path.read_text()
    text, lines = without_comments(original), original.splitlines()
    for match in re.finditer(r"\b(\w+)(?=\[)", text):
        name = match.group(1)
        before = text[:match.start()].rstrip()
        reached = before.endswith((".", "->"))
        sizes = [] if reached and name in MEMBERS or name in PARAMETERS else tables.get(name)
        line = text.count("\n", 0, match.start())
        declares = re.match(r"(static |extern )?const\b|\}", text[text.rfind("\n", 0, match.start())
                                                                + 1:])
        if sizes is None or declares or before.endswith("sizeof") or (reached and sizes):
            continue
        for number, (at, expr) in enumerate(subscripts(text, match.end())):
            seen.append(expr)
            rows = sizes[number] if number < len(sizes) else ""
            marked = any("clamp: " in lines[n] for n in (line, line - 1) if n >= 0)
            if not marked and not is_safe(expr, rows, text, at):
                yield f"line {line + 1}: {match.group(1)}[{expr}]"


PROBE = """#include "core/clamp.h"
uint8_t probe(const uint8_t *table, uint32_t index);
uint8_t probe(const uint8_t *table, uint32_t index)
{
    if (index >= 100)
        return 0;
    return table[core_clamp(index, 100)];
}
"""
# The sign of (index - bound) reaches the index without a branch: shift or sign-spreading, then AND.
SPREAD = {"x86_64": r"\b(sar|shr|sbb)", "aarch64": r"\b(asr|lsr|sbfx|and\s.*, asr)",
          "riscv64": r"\b(srai|srli)", "s390x": r"\b(srag|srlg|risbg|lcgr|sra)"}
MASK = {"x86_64": r"\band", "aarch64": r"\b(and|bic)", "riscv64": r"\band\b",
        "s390x": r"\b(nr|nrk|ngr|rnsbg|n)\b"}


def probe_faults(job):
    family, compiler = job
    with tempfile.TemporaryDirectory() as tmp:
        source, target = Path(tmp, "probe.c"), Path(tmp, "probe.o")
        source.write_text(PROBE)
        done = run([*compiler_command(family, compiler), *core_flags(family, compiler), "-c",
                    source, "-o", target])
        if not done.ok:
            return job, [first_error(done.text)]
        text = run(["llvm-objdump", "-d", "--no-show-raw-insn", target]).text
    code = "\n".join(m.group(1) for m in re.finditer(r"^\s+[0-9a-f]+:\s+(.*)", text, re.M))
    spread = re.search(SPREAD[family], code)
    if not spread or not re.search(MASK[family], code[spread.start():]):
        return job, ["the mask is gone: " + "; ".join(code.split("\n"))[:200]]
    return job, []


def main():
    need_tools("clang", "llvm-objdump", *[f["gcc"] for f in FAMILIES.values()])
    report, tables, seen = Report(), table_names(), []
    for path in sorted((ROOT / "src").rglob("*.c")):
        report.check(path.relative_to(ROOT), source_faults(path, tables, seen))
    if not seen:
        report.fail("tables", "no subscript of a constant table was seen")
    else:
        report.ok(f"{len(tables)} tables, {len(seen)} subscripts")
    jobs = [(f, c) for f in FAMILIES for c in ("gcc", "clang")]
    for (family, compiler), faults in parallel(probe_faults, jobs):
        report.check(f"{family} {compiler} keeps the mask", faults)
    report.close()


main()
