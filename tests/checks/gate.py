#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The code of a gate's page (docs/spec/token_page.md) as binutils and LLVM read it, stub by stub:
the instructions of the document's table, and the tag that they load, of which one stub has the real
one. And gate-reference, which executes the stubs, can fail: each row of MUTANTS is a stub that
would give something of its tag away, and is noticed.

Arguments: the archive and the program gate-reference."""
import os
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (FAMILIES, ROOT, Report, core_flags, edited, first_error,  # noqa: E402
                    need_tools, parallel, run)

GATE = "src/token/gate.c"
WIPE = "{ 8, { 0x45, 0x31, 0xed, 0x45, 0x31, 0xf6, 0x31, 0xc9 } }"
MUTANTS = (  # what is wrong, text of gate.c, which stands there once, and what replaces it
    ("numbers of any bytes", "(REX | ((tag[i] & 0xfu) ^ above))", "tag[i]"),
    ("a jump in the middle of mov r13, rcx", "0x49, 0x89, 0xcd, ", "0x4c, 0x8b, 0xe9, "),
    ("r13 not wiped", WIPE, "{ 8, { 0x90, 0x90, 0x90, 0x45, 0x31, 0xf6, 0x31, 0xc9 } }"),
    ("rcx not wiped", WIPE, "{ 8, { 0x45, 0x31, 0xed, 0x45, 0x31, 0xf6, 0x90, 0x90 } }"),
    ("flags not wiped", WIPE, "{ 8, { 0x49, 0x89, 0xfd, 0x49, 0x89, 0xfe, 0x89, 0xf9 } }"),
    ("a stub at the begin of the page", "2 * X86_BYTES, 16, ", "2 * X86_BYTES, 0, "),
    ("x10 not wiped", "0x0a, 0x00, 0x80, 0xd2 } }", "0x1f, 0x20, 0x03, 0xd5 } }"),
    ("t6 not wiped", "0x01, 0x4f, 0x81, 0x4f", "0x01, 0x4f, 0x01, 0x4f"),
)

NUMBER = r"(0x[0-9a-f]+|-?\d+)"
HALF_X86 = [rf"movabs rcx, {NUMBER}", "mov {0}, rcx", rf"movabs rcx, {NUMBER}", "shl rcx, (?:0x)?4",
            "xor {0}, rcx"]
HALF_A64 = [rf"(?:mov|movz) {{0}}, #{NUMBER}",
            *(rf"movk {{0}}, #{NUMBER}, lsl #{16 * i}" for i in (1, 2, 3))]
HALF_RV = [rf"c.li {{0}}, {NUMBER}",
           *[r"c.slli {0}, (?:0x)?6", rf"(?:c.addi|c.nop|addi)(?: {{0}},)?(?: {{0}},)? {NUMBER}"]
           * 10]
X86 = ("x86_64", "i386:x86-64", ["-M", "intel"], ["--triple=x86_64", "--output-asm-variant=1"],
       ["endbr64"], HALF_X86, ("r13", "r14"),
       ["xor r13d, r13d", "xor r14d, r14d", "xor ecx, ecx", "ret"], b"\xcc")
A64 = ("aarch64", "aarch64", [], ["--triple=aarch64", "--mattr=+bti"],
       ["bti c"], HALF_A64, ("x9", "x10"), ["mov x9, #(?:0x)?0", "mov x10, #(?:0x)?0", "ret"],
       b"\0")
RV = ("riscv64", "riscv:rv64", ["-M", "no-aliases"],
      ["--triple=riscv64", "--mattr=+c,+h", "-M=no-aliases"], ["(?:lpad|auipc zero,) (?:0x)?0"],
      HALF_RV, ("t5", "t6"), ["c.li t5, 0", "c.li t6, 0", "c.jr ra", "c.ebreak"], b"\0")
CODE = {  # the trap; stubs, bytes of one, where they begin
    "out": (X86, "out dx, eax", 55, 74, 16),
    "vmcall": (X86, "vmcall", 53, 76, 16),
    "vmmcall": (X86, "vmmcall", 53, 76, 16),
    "mrs": (A64, "mrs xzr, mdccsr_el0", 78, 52, 0),
    "hvc": (A64, "hvc #0x87", 78, 52, 0),
    "csrr": (RV, "csrrs zero, (?:hgeip|0xe12|3602), zero", 40, 100, 0),
    "ecall": (RV, "ecall", 40, 100, 0),
}


def expected(code, trap):
    """Patterns of a stub's instructions, in order."""
    head, half, regs, tail = code[4:8]
    lines = list(head)
    for reg in regs:
        lines += [line.format(reg) if "{0}" in line else line for line in half]
    return [*lines, trap, *tail]


def value(family, numbers):
    """What half a stub loads, of the numbers in its text."""
    if family == "x86_64":
        return (numbers[0] ^ numbers[1] << 4) % 2**64
    if family == "aarch64":
        return sum(n << 16 * i for i, n in enumerate(numbers))
    total = 0
    for digit in numbers:
        total = total * 64 + digit
    return total % 2**64


def normal(text):
    """One form of blanks and commas; comments and symbols gone; signs as they are."""
    text = re.split(r"\s+(?:#\s|//|<)|\s;", text.lower() + " ")[0]
    return re.sub(r"\s*,\s*", ", ", " ".join(text.split()))


def by_binutils(code, page, tmp):
    family, machine, options = code[:3]
    source = tmp / "page"
    source.write_bytes(page)
    done = run([FAMILIES[family]["binutils"] + "objdump", "-D", "-z", "-b", "binary", "-m", machine,
                *options, source])
    return [normal(m.group(1)) for m in
            re.finditer(r"^ +[0-9a-f]+:\t(?:[0-9a-f]+ ?)+\s*\t(.*)$", done.text, re.M)]


def by_llvm(code, page, _):
    done = run(["llvm-mc-19", "--disassemble", *code[3]],
               input=" ".join(f"0x{byte:02x}" for byte in page))
    return [normal(line) for line in done.text.splitlines() if line.startswith("\t")
            and not line.startswith("\t.")]


def read(name, page, tag, reader, tmp):
    """Faults of a page as this disassembler reads it."""
    code, trap, stubs = CODE[name][:3]
    lines, want = reader(code, page, tmp), expected(code, trap)
    half, real = len(code[5]), 0
    if len(lines) != len(want) * stubs:
        return [f"{len(lines)} instructions, not {stubs} * {len(want)}"]
    for at in range(0, len(lines), len(want)):
        found = [re.fullmatch(w, line) for w, line in zip(want, lines[at:])]
        if None in found:
            wrong = found.index(None)
            return [f"instruction {at + wrong}: {lines[at + wrong]!r}, not {want[wrong]}"]
        groups = [[int(g, 0) for m in found[1 + k * half:1 + (k + 1) * half] for g in m.groups()]
                  for k in (0, 1)]
        loaded = b"".join(value(code[0], g).to_bytes(8, "little") for g in groups)
        real += loaded == tag
    return [] if real == 1 else [f"{real} stubs with the tag"]


def texts(report, program, tmp):
    done = run([program, "gate_reference.dump"], env={**os.environ, "SVMC_DUMP": str(tmp)})
    if not done.ok:
        report.fail("dump", first_error(done.text))
        return
    for name, (code, _, stubs, size, first) in CODE.items():
        tag, page = (tmp / name).read_bytes()[:16], (tmp / name).read_bytes()[16:]
        end = first + stubs * size
        rest, page = page[:first] + page[end:], page[first:end]
        report.check(f"{name}: nothing before the first stub, nothing behind the last",
                     [] if rest == code[8] * len(rest) and 4096 - end < size else [rest.hex()])
        for who, reader in (("binutils", by_binutils), ("LLVM", by_llvm)):
            report.check(f"{name} as {who} reads it", read(name, page, tag, reader, tmp))


def mutant(job):
    number, (_, old, new), archive, tmp = job
    copies = edited(GATE, old, new, tmp / f"edited{number}")
    if isinstance(copies, str):
        return [copies]
    include = [f"-I{TOP}/include", f"-I{TOP}/src", f"-I{TOP}/src/token", f"-I{TOP}/tests"]
    target, program = tmp / f"gate{number}.o", tmp / f"reference{number}"
    done = run(["gcc", *core_flags("x86_64", "gcc"), "-w", *include, "-c", copies[GATE],
                "-o", target])
    if done.ok:
        done = run(["gcc", "-std=gnu11", "-O1", "-w", "-D_GNU_SOURCE", "-DSVMC_TEST_PLAIN",
                    *include, TOP / "tests/checks/gate_reference.c",
                    TOP / "tests/plain_main.c", target, archive, "-lunicorn", "-o", program])
    if not done.ok:
        return ["does not build: " + first_error(done.text)]
    done = run([program, "by_unicorn"],
               env={**os.environ, "SVMC_FIRST": "1", "SVMC_COUNT": "1", "SVMC_SEED": "1"})
    return [] if "failed: " in done.text else ["the reference does not notice"]


def main():
    need_tools("gcc", "llvm-mc-19", *(FAMILIES[f]["binutils"] + "objdump"
                                      for f in ("x86_64", "aarch64", "riscv64")))
    report = Report()
    archive, program = (Path(a).resolve() for a in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        texts(report, program, Path(folder))
        jobs = [(n, row, archive, Path(folder)) for n, row in enumerate(MUTANTS)]
        for (_, row, _, _), faults in zip(jobs, parallel(mutant, jobs)):
            report.check(f"mutant: {row[0]}", faults)
    report.close()


main()
