#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The guest's side of the hypercall, executed: guest_driver.c makes every call of
include/svmcore/guest/hypercall.h and looks at the registers of the processor when its instruction
traps, on four processors, natively or emulated, compiled by gcc and clang, with and without
optimisation, position independence and frame pointer, as C and as C++. Each row of MUTANTS is a
mistake that the driver must notice. The header compiles for kernels, and svmc-call of
examples/guest-tools runs: alone, where it must find nobody, and below guest_host.c, a host."""
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (FAMILIES, ROOT, WARNINGS, Report, first_error, need_tools,  # noqa: E402
                    parallel, run)

HERE, INCLUDE = ROOT / "tests/checks", ROOT / "include"
HEADER = INCLUDE / "svmcore/guest/hypercall.h"
TOOL = sorted((ROOT / "examples/guest-tools").glob("*.c"))
GNU89 = ["-std=gnu89", "-Wall", "-Wextra", "-Werror"]
WAYS = [(f"{compiler} {' '.join(flags)}", compiler, [*GNU89, *flags])
        for compiler in ("gcc", "clang")
        for flags in (["-O0"], ["-O0", "-fPIC", "-fno-omit-frame-pointer"],
                      ["-O2", "-fomit-frame-pointer"],
                      ["-O2", "-fPIC", "-fno-omit-frame-pointer"])]
WAYS += [(f"clang {std} -O1", "clang", ["-x", language, f"-std={std}", "-O1", *WARNINGS])
         for language, std in (("c", "c99"), ("c", "c11"), ("c++", "c++17"))]
# a kernel's: no libc, no header of the compiler's, no register of vectors
KERNEL = {
    "x86_64": ["-mno-sse", "-mno-mmx", "-mno-80387", "-mno-red-zone", "-mcmodel=kernel",
               "-fcf-protection=branch", "-fno-pic"],
    "aarch64": ["-mgeneral-regs-only", "-mbranch-protection=standard"],
    "riscv64": ["-march=rv64imac", "-mabi=lp64", "-mcmodel=medany"],
    "s390x": ["-msoft-float", "-mbackchain"],
}
DRIVER = "the driver"  # begins what it found, as a compiler's words do not
MUTANTS = (  # rule, processor, text of the header, which stands there once, and what replaces it
    ("HC-3", "x86_64", '"rdi", "rsi", "r8", "r9", "r10"', '"rsi", "rdi", "r8", "r9", "r10"'),
    ("HC-5", "x86_64", r'"xchgq %%rbx, %%r8\n\t" insn "\n\txchgq %%rbx, %%r8"',
     r'"movq %%r8, %%rbx\n\t" insn "\n\txchgq %%rbx, %%r8"'),
    ("HC-5", "x86_64", r'SVMC_WITH_RBX_(insn) "\n\txchgq %%rbp, %%r9"',
     r'SVMC_WITH_RBX_(insn) "\n\tmovq %%rbp, %%r9"'),
    ("HC-9", "aarch64", '"x5", "x6", "x7")\n#define SVMC_NATIVE_LAST_',
     '"x6", "x5", "x7")\n#define SVMC_NATIVE_LAST_'),
    ("HC-9", "s390x", 'use("1", "2", "3"', 'use("2", "1", "3"'),
    ("HC-10", "x86_64", '".byte 0x0f, 0x01, 0xd9"', '".byte 0x0f, 0x01, 0xc1"'),
    ("HC-10", "x86_64", "((svmc_hcall_word)(g)->port)", "((void)(g), (svmc_hcall_word)0x565d)"),
    ("HC-10", "aarch64", '"hvc #0x87"', '"hvc #0x86"'),
    ("HC-10", "riscv64", "0xe1202073", "0xe1302073"),
    ("HC-10", "s390x", "0x15c(%%r0)", "0x158(%%r0)"),
    ("HC-11", "riscv64", "status = q1, arg[0] = q2, arg[1] = q3",
     "status = q1, arg[0] = q3, arg[1] = q2"),
    ("HC-12", "riscv64", '"t4", "t5", "t6"', '"t4", "t6", "t5"'),
    ("HC-12", "x86_64", "    control |= SVMC_HCALL_TOKEN;\n", ""),
    ("HC-14", "x86_64", "    if (!(r[2] >> 31))", "    if (0)"),
    ("HC-14", "x86_64", "base <= 0x4000ff00", "base < 0x4000ff00"),
    ("HC-14", "x86_64", "bits & 2 ? SVMC_WAY_VMCALL", "bits & 4 ? SVMC_WAY_VMCALL"),
    ("HC-14", "aarch64", "(unsigned)x3 == SVMC_HCALL_UID_3", "1"),
    ("HC-14", "aarch64", "|| !how->kernel || !how->hvc)", "|| !how->hvc)"),
    ("HC-14", "riscv64", "a0 == 0 && a1 != 0", "a0 == 0"),
    ("HC-14", "s390x", " || !SVMC_HCALL_IS_STATUS(a.status)", ""),
    ("HC-14", "aarch64", " || a.word[1] != SVMC_VMWARE_MAGIC", ""),
    ("HC-15", "x86_64", "    r[4] = channel->cookie_high;", "    r[4] = channel->cookie_low;"),
    ("HC-15", "aarch64", "    r[5] = channel->cookie_low;", "    r[5] = channel->cookie_high;"),
    ("HC-15", "x86_64", "SVMC_VMWARE_FLAG_HIGH | SVMC_VMWARE_FLAG_WRITE", "SVMC_VMWARE_FLAG_HIGH"),
    ("HC-15", "aarch64", "SVMC_VMWARE_WORD(0x18)", "SVMC_VMWARE_WORD(0x38)"),
)


def command(family, compiler):
    if compiler == "gcc":
        return [FAMILIES[family]["gcc"]]
    return ["clang", f"--target={family}-linux-gnu"]


def emulator(family):
    return [] if family == "x86_64" else [f"qemu-{family}-static"]


def step(faults, *words, **options):
    """Run unless an earlier step failed."""
    if faults:
        return ""
    done = run(words, **options)
    if not done.ok:
        faults.append(first_error(done.text))
    return done.text


def compile_driver(family, tmp):
    done = run([FAMILIES[family]["gcc"], "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra",
                "-Werror", "-fno-stack-protector", "-I", INCLUDE, "-c", HERE / "guest_driver.c",
                "-o", tmp / f"{family}.o"])
    return [] if done.ok else [first_error(done.text)]


def execute(job):
    """Calls compiled this way, linked to the driver and run: the faults."""
    family, compiler, flags, include, tmp = job
    faults, calls, program = [], tmp / "calls.o", tmp / "program"
    binutils = FAMILIES[family]["binutils"]
    tmp.mkdir()
    step(faults, *command(family, compiler), *flags, "-I", include, "-c", HERE / "guest_calls.c",
         "-o", calls)
    # a section of their own, of which the driver finds the ends
    step(faults, f"{binutils}objcopy", "--rename-section", ".text=guest_text", calls)
    step(faults, FAMILIES[family]["gcc"], "-static", tmp.parent / f"{family}.o", calls, "-o",
         program)
    if not faults:
        done = run(["timeout", "60", *emulator(family), program])
        if not done.ok or " 0 failed" not in done.text:
            faults.append(f"{DRIVER} ended with {done.returncode}: {done.text.strip()[:200]}")
    return faults


def mutant(tmp, text, old, new):
    """A folder to include from, with the header changed; or why there is none."""
    if text.count(old) != 1:
        return None, f"the text stands {text.count(old)} times in the header"
    changed = tmp / "svmcore/guest/hypercall.h"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(old, new))
    return tmp, None


def refuse(job):
    """A mutant: compiled, it must make the driver fail."""
    (rule, family, old, new), tmp = job
    include, why = mutant(tmp.with_suffix(".h"), HEADER.read_text(), old, new)
    if why:
        return [why]
    faults = execute((family, "gcc", ["-std=gnu89", "-O1"], include, tmp))
    if faults and faults[0].startswith(DRIVER):
        return []
    return [f"not noticed: {faults or 'all checks passed'}"]


def kernel(job):
    """The header for a kernel: compiles, and leaves nothing undefined but what a kernel has."""
    family, compiler, level, tmp = job
    faults = []
    flags = KERNEL[family]
    step(faults, *command(family, compiler), *GNU89, "-ffreestanding", "-nostdinc",
         "-Wdeclaration-after-statement", *flags, level, "-I", INCLUDE, "-c",
         HERE / "guest_calls.c", "-o", tmp)
    text = step(faults, f"{FAMILIES[family]['binutils']}nm", "-u", tmp)
    undefined = {line.split()[-1] for line in text.splitlines() if line.strip()}
    faults += [f"undefined: {name}" for name in sorted(undefined - {"memset", "memcpy"})]
    return faults


def tool(report, tmp):
    """svmc-call, static, for each processor."""
    for family, names in FAMILIES.items():
        faults, program = [], tmp / f"svmc-call-{family}"
        step(faults, names["gcc"], "-std=c11", "-D_GNU_SOURCE", "-O2", "-static", *WARNINGS, "-I",
             INCLUDE, *TOOL, "-o", program)
        report.check(f"svmc-call {family} builds", faults)
        for words in ((), ("--way", "port" if family == "x86_64" else "trap")):
            verb = [*words, *(("call", "0") if words else ("probe",))]
            done = run([*emulator(family), program, *verb])
            report.check(f"svmc-call {family} {' '.join(verb)}: nobody",
                         [] if done.returncode == 2 else [done.text])
    answered(report, tmp, tmp / "svmc-call-x86_64")


def answered(report, tmp, program):
    """svmc-call below a host."""
    host, faults = tmp / "guest-host", []
    step(faults, "gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
         HERE / "guest_host.c", "-o", host)
    report.check("guest-host builds", faults)
    hello, long = ["rpc", "info-get guestinfo.hello"], "y" * 30000
    rows = [([], ["probe"], 0, "native: port 0x565c, version 1\nvmware: port\n"),
            (["--silent"], ["probe"], 2, "native: none\nvmware: none\n"),
            ([], ["version"], 0, "version 6, type 4\n"),
            ([], ["call", "8", "40", "2"], 0, "status: 0, code 0\n0x2a 0x2 0 0 0 0\n"),
            ([], ["call", "3:9"], 1, "status: 0x700720001, code 1, argument 2, again after 2^7 "
             "ticks\n0 0 0 0 0 0\n"),
            ([], ["rpc", "info-get guestinfo.none"], 1, "No value found\n"),
            ([], ["rpc", f"echo {long}"], 0, long + "\n"),
            (["--checkpoint", "99"], hello, 1, "svmc-call: the host broke the message off\n"),
            ([], ["call", "65536"], 3, None), ([], ["call", "64:1"], 3, None),
            ([], ["--way", "nowhere", "probe"], 3, None), ([], [], 3, None)]
    rows += [([*how, *saved], [*low, *hello], 0, "world\n") for how in ([], ["--no-high"])
             for saved in ([], ["--checkpoint", "1"], ["--checkpoint", "3"])
             for low in ([], ["--low"])]
    for options, words, status, text in rows:
        done = run([host, *options, program, *words], timeout=60)
        good = done.returncode == status and text in (None, done.text)
        report.check(f"svmc-call {' '.join([*options, *words])[:60]}",
                     [] if good else [f"{done.returncode}: {done.text[:200]}"])


def main():
    need_tools("gcc", "clang", *(f["gcc"] for f in FAMILIES.values()),
               *(f"qemu-{f}-static" for f in FAMILIES if f != "x86_64"))
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        for family in FAMILIES:
            report.check(f"driver {family}", compile_driver(family, tmp))
        jobs = [(f"{family}: {name}", (family, compiler, flags, INCLUDE, tmp / f"{family}-{n}"))
                for family in FAMILIES for n, (name, compiler, flags) in enumerate(WAYS)]
        jobs.append(("x86_64: g++ -O2", ("x86_64", "gcc", ["-x", "c++", "-std=c++17", "-O2",
                                                           *WARNINGS], INCLUDE, tmp / "g++")))
        for (name, _), faults in zip(jobs, parallel(execute, [job for _, job in jobs])):
            report.check(name, faults)
        rows = [(row, tmp / f"mutant-{n}") for n, row in enumerate(MUTANTS)]
        for (row, _), faults in zip(rows, parallel(refuse, rows)):
            report.check(f"mutant {row[0]} {row[1]}: {row[2].split(chr(10))[0].strip()}",
                         faults)
        jobs = [(family, compiler, level, tmp / f"kernel-{family}-{compiler}{level}.o")
                for family in FAMILIES for compiler in ("gcc", "clang")
                for level in ("-O0", "-O2")]
        for job, faults in zip(jobs, parallel(kernel, jobs)):
            report.check(f"kernel {' '.join(job[:3])}", faults)
        tool(report, tmp)
    report.close()


main()
