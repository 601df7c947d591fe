#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The walkers on processors without anything else, which QEMU emulates: walk_a64.c beside AT,
walk_rv.c and walk_x86.c beside loads and stores. And they can fail: each row of MUTANTS is a walker
that is wrong, and is noticed. SVMC_COUNT addresses each, SVMC_SEED."""
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
HOSTLESS = ["-m", "64", "-display", "none", "-serial", "none", "-monitor", "none"]
SEMIHOSTING = ["-semihosting-config", "enable=on,target=native"]
X86 = ["x86_64-linux-gnu-gcc", "-mgeneral-regs-only", "-mno-red-zone", "-fno-stack-protector",
       "-fno-asynchronous-unwind-tables", "-Wl,-Ttext=0x101000", "-Wl,-z,max-page-size=4096",
       "-Wl,--section-start=.start=0x100000", "-Wl,--section-start=.user=0x600000"]
# Two processors: alone, QEMU makes a load and a store of what has LOCK.
QEMU_X86 = ["qemu-system-x86_64", "-cpu", "max", "-smp", "2", "-accel", "tcg,thread=multi",
            "-no-reboot", "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
MACHINES = {  # compiler and its flags; emulator and its machine
    "x86-32": ([*X86, "-m32"], QEMU_X86),
    "x86-48": ([*X86, "-m64"], QEMU_X86),
    "x86-57": ([*X86, "-m64", "-DLA57=1"], QEMU_X86),
    "a64": (["aarch64-linux-gnu-gcc", "-march=armv8.2-a", "-mstrict-align", "-mgeneral-regs-only",
             "-mno-outline-atomics", "-Wl,-Ttext=0x40081000",
             "-Wl,--section-start=.start=0x40080000"],
            ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3", "-cpu", "max",
             *SEMIHOSTING]),
    "rv": (["riscv64-linux-gnu-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany",
            "-mno-relax", "-Wl,--no-relax", "-Wl,-Ttext=0x80001000",
            "-Wl,--section-start=.start=0x80000000"],
           ["qemu-system-riscv64", "-M", "virt", "-cpu", "rv64,svnapot=true,svpbmt=true", "-bios",
            "none", *SEMIHOSTING]),
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
    ("x86-32", "pages of 4 MiB end at 4 GiB", "| (entry >> 13 & 0xff) << 32", ""),
    ("x86-32", "PS without CR4.PSE", "has(entry, ENTRY_PS) && has(x->regs->cr4, CR4_PSE)",
     "has(entry, ENTRY_PS)"),
    ("x86-32", "PAE's upper entries have rights", "if (x->wide || row->leaf != NEVER) { /*",
     "if (1) { /*"),
    ("x86-32", "the error code of a fetch", "has(x->regs->cr4, CR4_SMEP) || x->nx", "x->nx"),
    ("x86-48", "keys of supervisor pages", "user_page ? x->regs->pkru : x->regs->pkrs",
     "x->regs->pkru"),
    ("x86-48", "a key's WD for a supervisor", "(x->user || has(x->regs->cr0, CR0_WP))", "1"),
    ("x86-48", "SMAP is never lifted", "!has(regs->rflags, FLAGS_AC)", "1"),
    ("x86-48", "no dirty bit", "how & SVMC_WALK_WRITE ? ENTRY_D : 0", "0"),
    ("x86-57", "five levels are four", "has(regs->cr4, CR4_LA57) ? 57 : 48", "48"),
    ("x86-57", "rights of all levels", "x->both &= entry;", "x->both = entry;"),
)


def execute(job):
    """(job, whether the program was content, what it said)"""
    machine, count, edit = job
    compiler, emulator = MACHINES[machine]
    isa, x86 = machine.split("-")[0], machine.startswith("x86")
    with tempfile.TemporaryDirectory() as tmp:
        walker = ROOT / f"src/walk/{isa}.c"
        include = [f"-I{ROOT}/include", f"-I{TOP}/tests", f"-I{ROOT}/src/walk"]
        if edit:
            copies = edited(f"src/walk/{isa}.c", *edit, Path(tmp))
            if isinstance(copies, str):
                return job, None, copies
            walker = copies[f"src/walk/{isa}.c"]
        done = run([*compiler, *BARE, f"-DCOUNT={count}", f"-DSEED={SEED}u", *include, "-o",
                    f"{tmp}/program", TOP / f"tests/checks/walk_{isa}.c", walker,
                    ROOT / "src/walk/walk.c", ROOT / "src/core/callbacks.c",
                    *(ROOT / f"src/walk/{n}.c" for n in ("a64", "rv", "x86") if n != isa)])
        if done.ok and x86:  # QEMU starts programs of 32 bits alone
            done = run(["objcopy", "-O", "elf32-i386", f"{tmp}/program"])
        if not done.ok:
            return job, None, first_error(done.text)
        done = run(["timeout", "120" if edit else "1200", *emulator, *HOSTLESS, "-kernel",
                    f"{tmp}/program"])
        return job, done.returncode == (33 if x86 else 0), done.text


def main():
    need_tools(*(m[0] for pair in MACHINES.values() for m in pair))
    report = Report()
    print(f"seed: SVMC_SEED={SEED:#x}")
    jobs = [(m, COUNT // (4 if "x86" in m else 1), None) for m in MACHINES]
    jobs += [(machine, 40000 if "x86" in machine else 200000, (old, new))
             for machine, _, old, new in MUTANTS]
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
