#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The walkers of AArch64 and RISC-V on processors without anything else, which QEMU emulates:
walk_a64.c beside AT, walk_rv.c beside loads and stores. And they can fail: each row of MUTANTS is a
walker that is wrong, and is noticed. SVMC_COUNT addresses each, SVMC_SEED."""
import os
import random
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import ROOT, Report, edited, first_error, need_tools, parallel, run  # noqa: E402

COUNT = int(os.environ.get("SVMC_COUNT", "1000000"))
SEED = int(os.environ.get("SVMC_SEED") or hex(random.getrandbits(63)), 0)
BARE = ["-std=gnu11", "-O2", "-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie",
        "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-ffunction-sections",
        "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-e,_start"]
HOSTLESS = ["-m", "64", "-display", "none", "-serial", "none", "-monitor", "none",
            "-semihosting-config", "enable=on,target=native", "-kernel"]
MACHINES = {  # compiler and its flags; emulator and its machine
    "a64": (["aarch64-linux-gnu-gcc", "-march=armv8.2-a", "-mstrict-align", "-mgeneral-regs-only",
             "-mno-outline-atomics", "-Wl,-Ttext=0x40081000",
             "-Wl,--section-start=.start=0x40080000"],
            ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3", "-cpu", "max"]),
    "rv": (["riscv64-linux-gnu-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany",
            "-mno-relax", "-Wl,--no-relax", "-Wl,-Ttext=0x80001000",
            "-Wl,--section-start=.start=0x80000000"],
           ["qemu-system-riscv64", "-M", "virt", "-cpu", "rv64,svnapot=true,svpbmt=true", "-bios",
            "none"]),
}
MUTANTS = (  # machine, what is wrong, text that stands once in its walker, what replaces it
    ("a64", "PAN of supervisor pages", "(r->user_read || (pan3", "(!r->user_read || (pan3"),
    ("a64", "APTable does not count for EL0", "&& !has(a->tables, TABLE_AP0)", ""),
    ("a64", "access flag after permission", "if (!has(entry, LEAF_AF) && !a->ha)", "if (0)"),
    ("a64", "tags are never cut off", "(tagged ? 56 : 64)", "64"),
    ("a64", "the first table is not aligned", "return at & ~(BIT(align) - 1)", "return at"),
    ("a64", "the share of entries with DS", "a->ds ? a->share :", "0 ? 0 :"),
    ("a64", "bits 51:48 of DS", "| field(entry, 8, 2) << 50", ""),
    ("rv", "SUM does not count", "return has(v->regs->sstatus, STATUS_SUM) ? data : 0",
     "return data"),
    ("rv", "MXR does not count", "&& has(v->regs->sstatus, STATUS_MXR)", "&& 0"),
    ("rv", "misaligned superpages", "(BIT(low - PAGE_BITS) - 1)) == 0 ? low : 0",
     "(BIT(low - PAGE_BITS) - 1)) == 0 ? low : low"),
    ("rv", "NAPOT of any size", "(frame & 15) != 8", "(frame & 15) == 0"),
    ("rv", "W without R", "if (has(entry, ENTRY_W) && !has(entry, ENTRY_R))", "if (0)"),
    ("rv", "no dirty bit", "how & SVMC_WALK_WRITE ? ENTRY_D : 0", "0"),
)


def execute(job):
    """(job, whether the program was content, what it said)"""
    machine, count, edit = job
    compiler, emulator = MACHINES[machine]
    with tempfile.TemporaryDirectory() as tmp:
        walker = ROOT / f"src/walk/{machine}.c"
        include = [f"-I{ROOT}/include", f"-I{TOP}/tests", f"-I{ROOT}/src/walk"]
        if edit:
            copies = edited(f"src/walk/{machine}.c", *edit, Path(tmp))
            if isinstance(copies, str):
                return job, None, copies
            walker = copies[f"src/walk/{machine}.c"]
        done = run([*compiler, *BARE, f"-DCOUNT={count}", f"-DSEED={SEED}u", *include, "-o",
                    f"{tmp}/program", TOP / f"tests/checks/walk_{machine}.c", walker,
                    ROOT / "src/walk/walk.c", ROOT / "src/core/callbacks.c",
                    *(ROOT / f"src/walk/{n}.c" for n in ("a64", "rv", "x86") if n != machine)])
        if not done.ok:
            return job, None, first_error(done.text)
        done = run(["timeout", "600", *emulator, *HOSTLESS, f"{tmp}/program"])
        return job, done.ok, done.text


def main():
    need_tools(*(m[0] for pair in MACHINES.values() for m in pair))
    report = Report()
    print(f"seed: SVMC_SEED={SEED:#x}")
    jobs = [(m, COUNT, None) for m in MACHINES]
    jobs += [(machine, 200000, (old, new)) for machine, _, old, new in MUTANTS]
    for (machine, count, edit), content, text in parallel(execute, jobs):
        if edit is None:
            print(text.strip())
            report.check(f"{machine}: {count} addresses", [] if content else [text.strip()[-300:]])
            continue
        name = next(row[1] for row in MUTANTS if row[0] == machine and row[2:] == edit)
        report.check(f"{machine}, {name}: noticed",
                     [text] if content is None else ["it was not"] if content else [])
    report.close()


main()
