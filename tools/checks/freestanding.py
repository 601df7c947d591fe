#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core needs nothing: no library but four functions, no writable data, no relocation in
read-only data, no floating-point or vector register. Built as kernels build it; and the archives
named as arguments (x86-64), as they are."""
import re
import sys
import tempfile
from pathlib import Path

from common import (FAMILIES, ROOT, TOP, Report, core_objects, first_error, need_tools, parallel,
                    run)

ALLOWED = {"memcpy", "memmove", "memset", "memcmp"}
EVERYWHERE = [(f, c) for f in FAMILIES for c in ("gcc", "clang")]
FIXED = ["-fno-pic", "-fno-pie"]
# variant, its flags, who takes it, further undefined symbols. pic is for everybody, each other one
# for whom it makes a difference: the fixed address of x86-64 and AArch64 is in what needs one.
VARIANTS = [
    ("pic", ["-fPIC"], EVERYWHERE, ""),
    ("pie", ["-fpie", "-Os"], [("x86_64", "gcc"), ("s390x", "gcc")], ""),
    ("fixed", FIXED, [("riscv64", "gcc")], ""),
    ("branch-tracking", [*FIXED, "-fcf-protection=full"], [("x86_64", "clang")], ""),
    ("branch-protection", [*FIXED, "-mbranch-protection=standard"], [("aarch64", "gcc")], ""),
    ("retpoline", [*FIXED, "-mindirect-branch=thunk-extern", "-fcf-protection=none"],
     [("x86_64", "gcc")], r"__x86_indirect_thunk_\w+"),
]
# operands that name a floating-point, vector or mask register, as llvm-objdump prints them
REGISTERS = {
    "x86_64": r"%(?:[xyz]mm\d|mm\d|st\b|k[0-7])",
    "aarch64": r"\b[vqdshb]\d+\b(?!:)|\bz\d+\.|\bp\d+[./]",
    "riscv64": r"\bf[tsa]\d+\b|\bv\d+\b",
    "s390x": r"%[fv]\d+",
}
# fewer in an object set: the disassembly was not read
INSTRUCTIONS_MIN = 1000 if ROOT == TOP else 4


def undefined_faults(binutils, whole, extra):
    text = run([binutils + "nm", "-u", whole]).text
    names = {line.split()[-1] for line in text.splitlines() if line.strip()}
    return [f"undefined symbol {n}" for n in sorted(names)
            if n not in ALLOWED and not (extra and re.fullmatch(extra, n))]


def name_faults(binutils, whole):
    """Whoever links the archive keeps every name but ours."""
    text = run([binutils + "nm", "-g", "--defined-only", whole]).text
    names = [line.split()[-1] for line in text.splitlines() if line.strip()]
    if not names:
        return ["no global symbol seen"]
    return [f"global symbol {n} does not begin with svmc_" for n in sorted(names)
            if not n.startswith("svmc_")]


def section_faults(binutils, whole):
    """No byte that can be written, no relocation in data that cannot."""
    faults = []
    done = run([binutils + "readelf", "-SW", whole])
    rows = re.findall(r"\]\s+(\S+)\s+(\w+)\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+\s+(\w*)",
                      done.text)
    if not any(name == ".text" for name, *_ in rows):
        return ["no .text section seen"]
    for name, kind, size, flags in rows:
        if int(size, 16) == 0 or kind in ("GROUP", "SYMTAB", "STRTAB"):
            continue
        if "W" in flags:
            faults.append(f"writable section {name} of {int(size, 16)} bytes")
        if kind in ("RELA", "REL") and re.match(r"\.rela?\.(rodata|data|init_array|ctors|bss)",
                                                name):
            faults.append(f"relocations in read-only data: {name}")
    return faults


def register_faults(family, whole):
    done = run(["llvm-objdump", "-d", "--no-show-raw-insn", whole])
    count, faults = 0, []
    for line in done.text.splitlines():
        match = re.match(r"\s+[0-9a-f]+:\s+(\S.*)", line)
        if not match:
            continue
        count += 1
        if re.search(REGISTERS[family], re.sub(r"<[^>]*>", "", match.group(1))):
            faults.append(f"floating-point or vector register: {match.group(1).strip()}")
    if count < INSTRUCTIONS_MIN:
        faults.append(f"only {count} instructions disassembled")
    return faults[:3]


def red_zone_faults(whole):
    """x86-64 leaf functions may not use memory below the stack pointer."""
    faults, moved = [], False
    for line in run(["llvm-objdump", "-d", "--no-show-raw-insn", whole]).text.splitlines():
        if line.endswith(">:"):
            moved = False
        if re.search(r"(?:push|sub|lea|enter|add|and)\S*\s.*%rsp", line):
            moved = True
        if re.search(r"-0x[0-9a-f]+\(%rsp", line) and "lea" not in line and not moved:
            faults.append(f"red zone: {line.strip()}")
    return faults[:3]


def pie_faults(binutils, whole, tmp):
    """Linked at no fixed address, the core asks the loader for nothing."""
    image = Path(tmp, "image")
    symbols = [f"--defsym={name}=0" for name in sorted(ALLOWED)]
    done = run([binutils + "ld", "-pie", "--no-dynamic-linker", "-z", "text", "-e", "0", *symbols,
                "-o", image, whole])
    if not done.ok:
        return [first_error(done.text)]
    text = run([binutils + "readelf", "-rW", image]).text
    return [f"dynamic relocation {r}" for r in sorted(set(re.findall(r"R_\w+", text)))]


def object_faults(family, whole, extra=""):
    """All that one relocatable object must not have."""
    binutils = FAMILIES[family]["binutils"]
    faults = undefined_faults(binutils, whole, extra) + section_faults(binutils, whole)
    faults += name_faults(binutils, whole) + register_faults(family, whole)
    return faults + (red_zone_faults(whole) if family == "x86_64" else [])


def archive_faults(archive):
    """What ships is what was checked: the archive of a build, every member of it."""
    with tempfile.TemporaryDirectory() as tmp:
        whole = Path(tmp, "whole.o")
        done = run(["ld", "-r", "-o", whole, "--whole-archive", archive])
        return object_faults("x86_64", whole) if done.ok else [first_error(done.text)]


def check(job):
    (variant, flags, extra), (family, compiler) = job
    binutils = FAMILIES[family]["binutils"]
    objects, why = core_objects(family, compiler, flags)
    if why:
        return job, [why]
    with tempfile.TemporaryDirectory() as tmp:
        whole = Path(tmp, "whole.o")
        done = run([binutils + "ld", "-r", "-o", whole, *objects])
        if not done.ok:
            return job, [first_error(done.text)]
        faults = object_faults(family, whole, extra)
        if variant == "pie":
            faults += pie_faults(binutils, whole, tmp)
        return job, faults


def main():
    need_tools("clang", "llvm-objdump", *[f["gcc"] for f in FAMILIES.values()],
               *[f["binutils"] + "readelf" for f in FAMILIES.values()])
    report = Report()
    jobs = [((name, flags, extra), where) for name, flags, wheres, extra in VARIANTS
            for where in wheres if where[0] in FAMILIES]
    for ((variant, _, _), (family, compiler)), faults in parallel(check, jobs):
        report.check(f"{family} {compiler} {variant}", faults)
    for archive in sys.argv[1:]:
        report.check(Path(archive).name, archive_faults(archive))
    report.close()


main()
