#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bytes of src/intercept in a program that links the archive with --gc-sections: of the core, of
the core with a policy's setters, and of all that src/intercept offers.

The core is what an exit needs on its way, of every processor: engine, policy lookup, page, reply
check and commit. Not what makes a policy before, which is the second figure; nor front ends and
adapters, a policy's byte form and presets, ledger and audit ring, and the host's two functions of
page.h: the third has all of that. Then of the dispatcher of hypercalls (src/hcall/native) and of
all of src/hcall, as their objects have it. The code (.text) of core and dispatcher is bounded. The
figures of tools/bench are code and constants (.rodata).

Arguments: the archive, built as it ships (-O2); --figures: the lines of tools/bench, no check."""
import re
import sys
import tempfile
from pathlib import Path

from common import ROOT, Report, first_error, need_tools, run

BOUND = {"size.intercept-core": 24 * 1024, "size.hcall-dispatcher": 16 * 1024}
CORE = ("intercept.h",)
SETTERS = (*CORE, "policy.h")
APART = {"svmc_request_read", "svmc_reply_write", "svmc_policy_save", "svmc_policy_load",
         "svmc_policy_digest", "svmc_policy_preset"}
RECORD = {"svmc_intercept_record", "svmc_intercept_record_begin"}  # the door to ledger and ring


def declared(headers):
    return {name for header in headers
            for name in re.findall(r"SVMC_API[^;{]*?\b(svmc_\w+)\s*\(", header.read_text())}


def linked(objects, names, tmp, absent=()):
    """(code, constants, None) of the objects that the names pull in, or (0, 0, why not)."""
    (tmp / "main.c").write_text("int main(void)\n{\n    return 0;\n}\n")
    done = run(["gcc", "-O2", "-static", "-no-pie", "-Wl,--gc-sections",
                *(f"-Wl,--undefined={name}" for name in sorted(names)),
                *(f"-Wl,--defsym={name}=main" for name in sorted(absent)), tmp / "main.c",
                tmp / "prefixed.a", "-o", tmp / "program"])
    if not done.ok or not objects:
        return 0, 0, first_error(done.text)
    rows = re.findall(r"^\.svmcore\.(\w+)\S* +(\d+)", run(["size", "-A", tmp / "program"]).text,
                      re.M)
    data = [kind for kind, size in rows if kind in ("data", "bss") and int(size)]
    code, constants = (sum(int(size) for kind, size in rows if kind == which)
                       for which in ("text", "rodata"))
    return code, constants, f"writable {data}" if data else None if code else "nothing was linked"


def whole(objects):
    """(code, constants, None) of objects as they are, or (0, 0, why not)."""
    rows = re.findall(r"^\.(text|rodata)\S* +(\d+)", run(["size", "-A", *objects]).text, re.M)
    code, constants = (sum(int(size) for kind, size in rows if kind == which)
                       for which in ("text", "rodata"))
    return code, constants, None if objects and code else "no object has code"


def measure(archive, tmp):
    """{figure: (code, constants, why not)}"""
    done = run(["ar", "x", archive], cwd=tmp)
    hcall = {"size.hcall-dispatcher": whole(sorted(tmp.glob("*hcall_native_*.o"))),
             "size.hcall": whole(sorted(tmp.glob("*hcall_*.o")))}
    objects = sorted(tmp.glob("*intercept_*.o"))
    for part in objects:
        run(["objcopy", "--prefix-alloc-sections=.svmcore", part])
    done = run(["ar", "rcs", tmp / "prefixed.a", *sorted(tmp.glob("*.o"))])
    here = set(re.findall(r" T (svmc_\w+)", run(["nm", *objects]).text)) if objects else set()
    headers = [h for h in (ROOT / "include/svmcore").glob("*.h")]
    core, setters = (declared([ROOT / "include/svmcore" / name for name in names]) - APART
                     for names in (CORE, SETTERS))
    if not done.ok or not setters <= here:
        why = f"not in src/intercept: {sorted(setters - here)} {done.text[-200:]}"
        return {"size.intercept-core": (0, 0, why)}
    return {"size.intercept-core": linked(objects, core, tmp, RECORD),
            "size.intercept-setters": linked(objects, setters, tmp, RECORD),
            "size.intercept": linked(objects, declared(headers) & here, tmp), **hcall}


def main():
    need_tools("gcc", "ar", "objcopy", "nm", "size")
    report = Report()
    with tempfile.TemporaryDirectory() as tmp:
        figures = measure(Path(sys.argv[1]).resolve(), Path(tmp))
    for name, (code, constants, fault) in figures.items():
        if "--figures" in sys.argv and fault:
            sys.exit(f"{name}: {fault}")
        if "--figures" in sys.argv:
            print(f"{name}\t{code + constants}\tbytes\t-\t-")
            continue
        bound = BOUND.get(name)
        over = [f"more than {bound} bytes of code"] if bound and code > bound else []
        report.check(f"{name}: {code} bytes of code" + (f" of {bound}" if bound else "")
                     + f", {constants} of constants", [fault] if fault else over)
    if "--figures" not in sys.argv:
        report.close()


main()
