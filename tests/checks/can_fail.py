#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proof that each check and each gate refuses what it is there to refuse.

A row lays a small tree, or puts one bad file over a good one, runs the real check on it, and wants
a FAIL line that contains the given words: a refusal for another reason does not count. The good
tree itself must pass, or the refusals would mean nothing. A run takes one row in EACH; with --long
all of them."""
import os
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILDS = Path(os.environ.get("SVMC_BUILDS", TOP / "build"))
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (FAMILIES, Report, by_day, copy_tree, core_flags, edited,  # noqa: E402
                    first_error, run)

EACH = 3
SPDX = "/* SPDX-License-Identifier: MIT */\n"
HEADER = SPDX + """#ifndef SVMCORE_INSN_H
#define SVMCORE_INSN_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define SVMC_API __attribute__((visibility("default")))
SVMC_API uint32_t svmc_good(uint32_t x);
#ifdef __cplusplus
}
#endif
#endif
"""
GOOD = {
    "include/svmcore/insn.h": HEADER,
    "src/core/clamp.h": (TOP / "src/core/clamp.h").read_text(),
    "src/decode/good.c": SPDX + """#include "../core/clamp.h"
#include <svmcore/insn.h>

static const uint8_t rows[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };

uint32_t svmc_good(uint32_t x)
{
    return x < 8 ? rows[core_clamp(x, 8)] : 0;
}
""",
}

RULES = """# Rules

**DE-1 First.** It holds.

| EX-2 | It holds too. |
"""
GOOD |= {"docs/spec/good.md": RULES, "src/core/keeps.c": SPDX + "/* DE-1 EX-2 */\n",
         "tests/core/holds.c": SPDX + "/* DE-1 EX-2 */\n"}


def body(statement, before=""):
    """src/decode/good.c with another body."""
    return {"src/decode/good.c": SPDX + f"""#include "../core/clamp.h"
#include <svmcore/insn.h>

{before}
uint32_t svmc_good(uint32_t x)
{{
    {statement}
}}
"""}


ROWS = "static const uint8_t rows[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };\n"
POLICY = ("struct { struct { struct { uint8_t args; } hcalls[4]; uint8_t ports[2][9]; } priv; } "
          "*policy;\nstruct { uint32_t refused_by_rule[9]; } stats;\n")
OPS = "struct svmc_host_ops {\n    int (*random)(void);\n    int (*other)(void);\n};\n"
PROTO = "uint32_t svmc_good(uint32_t x);\n"
TABLE_ROW = {"tools/checks/indirect-calls.txt": "ops->random host-callback\n"}


def header(text):
    return {"include/svmcore/insn.h": HEADER.replace(PROTO, PROTO + text)}


# check, what is bad, the files, words of the FAIL line
CASES = [
    ("headers", "not alone", header("size_t svmc_x(void);\n"), "size_t"),
    ("headers", "a C++ keyword", header("int svmc_x(int class);\n"), "c++17"),
    ("headers", "a conversion", header("static inline char svmc_x(int a) { return a; }\n"),
     "conversion"),
    ("headers", "a C99 word in gnu89",
     header("static __inline__ int svmc_x(void)\n{\n    for (int i = 0; i < 2; i++)\n"
            "        if (i)\n            return i;\n    return 0;\n}\n"), "gnu89"),
    ("headers", "a wrong guard", {"include/svmcore/insn.h": HEADER.replace("E_INSN_H", "E_IN_H")},
     "include guard"),
    ("headers", "too long", header("/**/\n" * 251), "more than 250"),
    ("headers", "too long for a guest's",
     {"include/svmcore/guest/bad.h": SPDX + "#ifndef SVMCORE_GUEST_BAD_H\n"
      "#define SVMCORE_GUEST_BAD_H\n" + "/**/\n" * 650 + "#endif\n"}, "more than 650"),
    ("freestanding", "a libc function",
     body("return (uint32_t)strlen((const char *)(uintptr_t)x);",
          "__SIZE_TYPE__ strlen(const char *);"), "undefined symbol strlen"),
    ("freestanding", "a libgcc function",
     body("unsigned __int128 w = x;\n    return (uint32_t)((w << 70 | x) / (x | w << 65));"),
     "undefined symbol __u"),
    ("freestanding", "a libc header",
     {"src/decode/good.c": SPDX + "#include <string.h>\n#include <svmcore/insn.h>\n"
      "uint32_t svmc_good(uint32_t x)\n{\n    return x;\n}\n"}, "string.h"),
    ("freestanding", "writable data", body("return count += x;", "static uint32_t count = 1;"),
     "writable section .data"),
    ("freestanding", "a thread-local",
     body("return count += x;", "static __thread uint32_t count;"), "writable section .tbss"),
    ("freestanding", "a pointer in a table",
     body("return (uint32_t)*names[x & 1];",
          'static const char *const names[] = { "a", "b" };'), "reloc"),
    ("freestanding", "a vector register",
     body('__asm__ volatile("pxor %%xmm1, %%xmm1" ::: "memory");\n    return x;'),
     "vector register"),
    ("freestanding", "floating point", body("return (uint32_t)((double)x * 1.5);"), "FAIL"),
    ("freestanding", "a name that is not ours",
     body("return bare(x);", "uint32_t bare(uint32_t x);\nuint32_t bare(uint32_t x)\n"
          "{\n    return x * 3;\n}"), "does not begin with svmc_"),
    ("freestanding", "a tree without sources",
     {"src/decode/good.c": None, "src/core/keeps.c": None}, "no core source"),
    ("headers", "no header at all", {"include/svmcore/insn.h": None}, "no header was found"),
    ("stack", "a deep chain",
     body("volatile uint8_t b[4000];\n    b[0] = (uint8_t)x;\n    return b[0];"),
     "deeper than the bound"),
    ("stack", "recursion",
     body("return x ? other(x - 1) * 3 : 1;",
          PROTO + "static __attribute__((noinline)) uint32_t other(uint32_t x)\n"
          "{\n    return svmc_good(x / 2) + 7;\n}\n"), "recursion"),
    ("stack", "a VLA",
     body("volatile uint8_t b[x];\n    b[0] = 1;\n    return b[0];"), "alloca or VLA"),
    ("stack", "an indirect call without a row",
     {**body("return (uint32_t)ops->other() + x;", OPS + "extern const struct svmc_host_ops *ops;"),
      **TABLE_ROW}, "without a row: ops->other"),
    ("stack", "a call out of the core",
     body("return other(x) + 1;", "uint32_t other(uint32_t x);"), "not in the core"),
    ("stack", "a stale row", TABLE_ROW, "stale: ops->random"),
    ("stack", "a public function without a body", header("SVMC_API int svmc_nowhere(void);\n"),
     "not defined: svmc_nowhere"),
    ("includes", "upward", {"src/core/bad.c": SPDX + "#include <svmcore/insn.h>\n"}, "upward"),
    ("includes", "another module's private header",
     {"src/intercept/bad.c": SPDX + '#include "../decode/decode_private.h"\n',
      "src/decode/decode_private.h": SPDX}, "may not use"),
    ("includes", "a hosted header", {"src/core/bad.c": SPDX + "#include <stdlib.h>\n"}, "neither"),
    ("includes", "a back end of another library",
     {"src/port/sodium/bad.c": SPDX + "#include <openssl/evp.h>\n"}, "neither"),
    ("includes", "a back end's header in the core",
     {"src/core/bad.c": SPDX + "#include <svmcore/port/sodium.h>\n"}, "upward"),
    ("includes", "a back end's library in the core",
     {"src/core/bad.c": SPDX + "#include <sodium.h>\n"}, "neither"),
    ("includes", "an unknown module", {"src/misc/bad.c": SPDX}, "has no row"),
    ("spectre", "an index without a clamp", body("return x < 8 ? rows[x] : 0;", ROWS), "rows[x]"),
    ("spectre", "a second index without a clamp",
     body("return grid[core_clamp(x, 2)][x];",
          "static const uint8_t grid[2][2] = { { 1, 2 }, { 3, 4 } };\n"), "grid[x]"),
    ("spectre", "a loop without a constant end",
     body("for (uint32_t i = 0; i < x; i++)\n        if (rows[i])\n            return i;\n"
          "    return 0;", ROWS), "rows[i]"),
    ("spectre", "another function's loop",
     body("return rows[i(x)] + rows[x];", ROWS + "static uint32_t i(uint32_t x)\n{\n"
          "    for (x = 0; x < 8; x++)\n        ;\n    return 0;\n}\n"), "rows[x]"),
    ("spectre", "a member without a clamp",
     body("return policy->priv.hcalls[x].args;", POLICY), "hcalls[x]"),
    ("spectre", "a counter without a clamp",
     body("return ++stats.refused_by_rule[x];", POLICY), "refused_by_rule[x]"),
    ("spectre", "another counter without a clamp",
     body("return ++stats.observed_by_rule[x];", POLICY.replace("refused", "observed")),
     "observed_by_rule[x]"),
    ("spectre", "a packed map without a clamp",
     body("return look(policy->priv.ports[core_clamp(x, 2)], x);", POLICY
          + "static uint32_t look(const uint8_t *map, uint32_t i)\n{\n"
          "    return map[i >> 2];\n}\n"), "map[i >> 2]"),
    ("spectre", "a value changed after its clamp",
     body("uint32_t i = core_clamp(x, 8);\n\n    i = x;\n    return rows[i];", ROWS), "rows[i]"),
    ("spectre", "a clamp with a branch",
     {"src/core/clamp.h": SPDX + "#ifndef CORE_CLAMP_H\n#define CORE_CLAMP_H\n#include <stdint.h>\n"
      "static inline uint32_t core_clamp(uint32_t index, uint32_t bound)\n"
      "{\n    return index < bound ? index : 0;\n}\n#endif\n"}, "the mask is gone"),
    ("hygiene", "no licence line", {"src/core/bad.c": "int bad;\n"}, "SPDX"),
    ("hygiene", "a tab", {"notes.md": "a\tb\n"}, "tab"),
    ("hygiene", "bad format", {"src/core/bad.c": SPDX + "int  bad ;\n"}, "not clang-formatted"),
    ("hygiene", "a long file", {"src/core/bad.c": SPDX + "\n/**/" * 601 + "\n"}, "more than 600"),
    ("hygiene", "a long function",
     {"src/core/bad.c": SPDX + "int bad(int x)\n{\n" + "    x++;\n" * 61 + "    return x;\n}\n"},
     "lines"),
    ("hygiene", "a machine's path", {"notes.md": "see /wo" + "rk/main\n"}, "path of a machine"),
    ("hygiene", "a broken shell script",
     {"tools/x": "#!/bin/sh\n# SPDX-License-Identifier: MIT\nif true\n"}, "tools/x"),
    ("hygiene", "a careless shell script",
     {"tools/x": "#!/bin/sh\n# SPDX-License-Identifier: MIT\nrm -rf \"$1/\"*\ncd $2\nread a\n"},
     "shellcheck"),
    ("hygiene", "a broken Python script", {"tools/x.py": "# SPDX-License-Identifier: MIT\nif\n"},
     "does not compile"),
    ("rules", "a rule that no test cites", {"tests/core/holds.c": SPDX + "/* DE-1 */\n"},
     "EX-2: no test cites it"),
    ("rules", "a rule that no code cites", {"src/core/keeps.c": SPDX + "/* DE-1 */\n"},
     "EX-2: no code cites it"),
    ("rules", "a rule that is named outside comments",
     {"src/core/keeps.c": SPDX + "/* DE-1 EX-2 */\nint R2, R4;\n",
      "docs/spec/good.md": RULES + "| R2 | It holds. |\n"}, "R2: no code cites it"),
    ("rules", "a document's title for a rule",
     {"src/core/keeps.c": SPDX + "/* DE-1, and EX-1 to EX-9 */\n"}, "EX-2: no code cites it"),
    ("rules", "a citation of no rule",
     {"tests/core/holds.c": SPDX + "/* DE-1 EX-2 PG-77 */\n"}, "PG-77: cited but not defined"),
    ("rules", "a case whose test is gone",
     {"docs/spec/good.md": RULES + "| XSA-1 | DE-1 | core.gone |\n"}, "no test core.gone"),
    ("rules", "a case whose test does not name it",
     {"docs/spec/good.md": RULES + "| XSA-1, CVE-2000-1 | DE-1 | core.there |\n",
      "tests/core/there.c": SPDX + "TEST(core, there) /* XSA-1 */\n{\n}\n"},
     "CVE-2000-1 does not stand at core.there"),
    ("rules", "a case of no rule",
     {"docs/spec/good.md": RULES + "| XSA-1 | DE-77 | core.there |\n",
      "tests/core/there.c": SPDX + "TEST(core, there) /* XSA-1 */\n{\n}\n"},
     "rule DE-77 is not defined"),
    ("rules", "a case that no row has",
     {"tests/core/there.c": SPDX + "TEST(core, there) /* XSA-1 */\n{\n}\n"},
     "no row of docs/spec/ has it"),
    ("rules", "no rule at all", {"docs/spec/good.md": "# Rules\n"}, "no rule is defined"),
    ("generated", "a stale table",
     {"tools/gen-bad": "#!/bin/sh\n# SPDX-License-Identifier: MIT\necho 'error: stale'\nexit 1\n"},
     "stale"),
    ("generated", "no generator at all", {}, "nothing"),
]

# build, gate, program, canary test, whether it must pass
GATES = [
    (build, gate, "canary-plain", test, False)
    for build, gate, tests in (
        ("asan", "asan", ("fails", "leaks", "overflows", "shifts", "crashes")),
        ("msan", "msan", ("fails", "uninitialised", "crashes")),
        ("tsan", "tsan", ("fails", "races", "crashes")),
        ("release", "valgrind", ("fails", "leaks", "overflows", "uninitialised", "crashes")),
        ("release", "native", ("fails", "crashes", "no-such-test")),
        ("aarch64", "aarch64", ("fails", "crashes")),
        ("riscv64", "riscv64", ("fails", "crashes")),
        ("s390x", "s390x", ("fails", "crashes")),
    ) for test in tests
] + [
    (build, gate, "canary-plain", "holds", True)
    for build, gate in (("asan", "asan"), ("msan", "msan"), ("release", "valgrind"),
                        ("tsan", "tsan"),
                        ("aarch64", "aarch64"), ("riscv64", "riscv64"), ("s390x", "s390x"))
] + [
    ("release", "native", "canary", test, test == "holds")
    for test in ("fails", "crashes", "holds")
] + [
    ("release", "native", "canary-stack", test, test == "instructions")
    for test in ("too_deep", "another_status", "instructions")
]


# Programs that are no release build's, or are linked with more than the core, or are not to make as
# many executions as their part: build, libraries, which of the unit tests, environment.
PROGRAMS = {
    "exec-native": ("release", ["src/port/libsvmcore-x86vec.a"], [],
                    {"SVMC_COUNT": "1", "SVMC_LEAST": "20"}),
    "exec-a64": ("aarch64", [], [], {"SVMC_COUNT": "1", "SVMC_LEAST": "20"}),
    "exec-rv": ("riscv64", [], [], {"SVMC_COUNT": "300000"}),
    "exec-system": ("release", ["-lunicorn"], [], {"SVMC_COUNT": "20000"}),
    "exec-race": ("release", [], [], {"SVMC_COUNT": "1000000", "SVMC_CROSS": "100"}),
    "kvm-finish": ("release", ["src/port/libsvmcore-kvm.a", "src/port/libsvmcore-kvm-a64.a"], [],
                   {}),
    "x86vec": ("release", ["src/port/libsvmcore-x86vec.a"], [], {}),
    "seal-race": ("release", [], [], {"SVMC_COUNT": "1000"}),
    "disk-cut": ("release", ["-lcriterion"], ["--filter", "disk_cut/*"], {"SVMC_COUNT": "300"}),
    "keyslot-model": ("release", ["-lcriterion"], ["--filter", "dma_*/*"],
                      {"SVMC_COUNT": "50000"}),
}

# program, what is done to the library, file, text, replacement. What walk-machine, keyslot-race and
# the residue parts refuse they try themselves, each time.
X, S = "src/exec/", "src/seal/"
TAKE = "    CORE_KEEP(results);"
AGAIN = "    f.out[0] = core_shared_get(vc->priv.page, SVMC_PAGE_REP_OUT);\n" + TAKE
FAULTY_CORES = [
    ("read-once", "a result that is loaded again behind its check", "src/intercept/usual.c",
     TAKE, AGAIN),
    ("race", "a result that is loaded again some time behind its check", "src/intercept/usual.c",
     TAKE, "    for (volatile int i = 0; i < 20000; i++)\n        ;\n" + AGAIN),
    ("frame", "a result that is not merged", "src/intercept/commit.c",
     "*value = (old & ~(mask << shift)) | *value << shift;",
     "*value = (old & 0) | *value << shift;"),
    ("frame", "a width that is not looked at", "src/intercept/usual.c",
     "f->out[0] & rule->beyond[0];", "0;"),
    ("frame", "a record that changes", "src/intercept/enter.c", "vc->priv.stats.refused++;",
     "vc->priv.stats.refused++; vc->priv.pending.exit.state ^= 1;"),
    ("frame", "a register that changes behind its log", "src/intercept/enter.c",
     "vc->priv.stats.refused++;", "vc->priv.stats.refused++; *(uint64_t *)vc->priv.ctx ^= 1;"),
    ("two-run", "an input that is not cut to its width", "src/intercept/page.c",
     "*in &= s->bytes != 0 ? s->mask : core_mask(exit->size);", ""),
    ("two-run", "a data area that is not zeroed", "src/intercept/page.c",
     "    if (bytes < used)\n", "    if (0)\n"),
    ("exec-native", "a carry that is lost", X + "x86_alu.c", "return out | bit(carries, 3) << 4",
     "return bit(carries, 3) << 4"),
    ("exec-native", "a compare that fails and writes", X + "x86_ops.c",
     "a == old ? x86_get_reg(e) : old; /* XE-11 */", "x86_get_reg(e);"),
    ("exec-a64", "an index that is not extended", X + "a64_place.c",
     "index = (uint64_t)core_sign_extend(index, 32);", ";"),
    ("exec-a64", "registers that begin anew too early", X + "a64_simd.c",
     "(e->insn->reg + i) & 31", "(e->insn->reg + i) & 15"),
    ("exec-rv", "a load that is not extended", X + "rv.c",
     "return (uint64_t)core_sign_extend(value, e->insn->mem_bytes * 8u);", "return value;"),
    ("exec-rv", "a minimum of unsigned numbers", X + "rv.c",
     "less = core_sign_extend(a, bits) < core_sign_extend(b, bits);", "less = a < b;"),
    ("exec-system", "a descriptor that is not marked", X + "x86_segment.c",
     "core_store_le64(e->r.x->priv.store, low | bit);",
     "core_store_le64(e->r.x->priv.store, low);"),
    ("exec-system", "a descriptor's granularity", X + "x86_segment.c",
     "out->limit = limit << 12 | 0xfff;", "out->limit = limit << 12;"),
    ("exec-race", "an exchange that came too late", X + "x86_ops.c",
     "if (core_load_le64(seen) == core_load_le64(expected))\n            return true;",
     "return true;"),
    ("kvm-finish", "a component that is not in use", "src/port/kvm/finish_vector.c",
     "    if (is_in_use(f, c))\n        memcpy(dst, at, n);\n    else\n",
     "    memcpy(dst, at, n);\n    if (0)\n"),
    ("kvm-finish", "the order of KVM's registers", "src/port/kvm/finish_regs.c",
     "{ 0, 2, 3, 1, 6, 7, 4, 5,", "{ 0, 1, 2, 3, 4, 5, 6, 7,"),
    ("x86vec", "exceptions that are lost", "src/port/x86vec/x86vec.c",
     "op->mxcsr |= mxcsr.guest & MXCSR_FLAGS;", ";"),
    ("seal-race", "a subkey that goes while copies have it", S + "turn.c",
     "    if (__atomic_load_n(&s->copies, __ATOMIC_ACQUIRE) != 0)\n"
     "        return SVMC_SEAL_BUDGET;\n", ""),
    ("disk-cut", "a commit without its flush", S + "disk_journal.c",
     "    why = store_flush(d);\n    if (why != SVMC_DISK_NONE)\n"
     "        return why;\n    d->priv.doubt = 1;", "    d->priv.doubt = 1;"),
    ("keyslot-model", "a nonce without its version", "src/keyslot/dma_unit.c",
     "core_store_le64(a->nonce, number | version << 40);", "core_store_le64(a->nonce, number);"),
]


def which_test(program, test):
    """How each program is told to run one test: Criterion, the plain main, or its own way."""
    return {"canary": ["--filter", f"canary/{test}"],
            "canary-plain": [f"canary.{test}"],
            "canary-stack": [f"stack.{test}"]}[program]


def check_on(name, files, *arguments, families="x86_64"):
    with tempfile.TemporaryDirectory() as tmp:
        for path, text in files.items():
            if text is None:
                continue
            target = Path(tmp, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            if text.startswith("#!"):
                target.chmod(0o755)
        if name == "hygiene":
            Path(tmp, ".clang-format").write_text((TOP / ".clang-format").read_text())
        return run([TOP / f"tools/checks/{name}.py", *arguments],
                   env={**os.environ, "SVMC_ROOT": tmp, "SVMC_FAMILIES": families})


def refusal_faults(name, files, words):
    done = check_on(name, files)
    lines = [line for line in done.text.splitlines() if line.startswith("FAIL")]
    if done.ok:
        return ["passed"]
    if not any(words in line for line in lines):
        return [f"refused, but not for {words!r}: " + " | ".join(lines)[:300] + done.text[-200:]]
    return []


def lacks(done, words):
    """What is wrong with a refusal: it passed, or said something else."""
    if done.ok:
        return ["passed"]
    return [] if words in done.text else [f"refused, but not for {words!r}: {done.text[-300:]}"]


def bad_archive():
    """An archive that was built with other flags than the check's own objects."""
    with tempfile.TemporaryDirectory() as tmp:
        Path(tmp, "bad.c").write_text("int svmc_count = 1;\n"
                                      "double svmc_good(double x) { return x * svmc_count++; }\n")
        run(["gcc", "-O2", "-c", "bad.c"], cwd=tmp)
        run(["ar", "rc", "bad.a", "bad.o"], cwd=tmp)
        return lacks(check_on("freestanding", GOOD, Path(tmp, "bad.a")),
                     "FAIL bad.a: writable section .data")


def lean_tree(tmp):
    """A copy of the tree without most of the core's sources: what is looked at builds sooner."""
    tree = Path(tmp, "tree")
    copy_tree(tree)
    for source in (tree / "src").rglob("*.c"):
        if source.relative_to(tree).parts[1] not in ("core", "port"):
            source.unlink()
    options = tree / "meson_options.txt"  # the tool needs all of it
    options.write_text(options.read_text().replace("option('cli', type: 'feature', value: 'auto'",
                                                   "option('cli', type: 'feature', "
                                                   "value: 'disabled'"))
    return tree


def missing_header():
    with tempfile.TemporaryDirectory() as tmp:
        build = lean_tree(tmp) / "meson.build"
        text = build.read_text()
        build.write_text(text.replace("exclude_directories: 'port',",
                                      "exclude_directories: ['guest', 'port'],"))
        done = run([TOP / "tools/checks/install.py"],
                   env={**os.environ, "SVMC_ROOT": str(Path(tmp, "tree"))})
        return lacks(done, "hypercall.h was not installed")


def faulty_core(program, what, file, old, new):
    """A program linked with one file of the library changed; unchanged it must pass as it is run
    here, where that is not how its part runs it."""
    build, libraries, arguments, environment = PROGRAMS.get(program, ("release", [], [], {}))
    native = build == "release"
    family, gate = ("x86_64", "native") if native else (build, build)
    name = "unit" if arguments else program
    dirs, compiler = BUILDS / build, FAMILIES[family]["gcc"]
    libraries = [lib if lib.startswith("-") else dirs / lib for lib in libraries]
    env = {**os.environ, "SVMC_SECONDS": "10", "SVMC_FIRST": "1", **environment}

    def start(path):
        return run([TOP / "tools/checks/gate", gate, path, *arguments], env=env)

    if environment and not start(dirs / "tests" / name).ok:
        return ["fails without the fault"]
    hook = ["-DCORE_SHARED_HOOK"] if program == "read-once" else []
    flags = ["-O2", "-D_GNU_SOURCE", f"-I{TOP}/include"]
    if not file.startswith("src/port/"):  # as the build has it, that is for no kernel
        flags = [f for f in core_flags(family, "gcc") if f not in FAMILIES[family]["kernel"]]
    with tempfile.TemporaryDirectory() as tmp:
        copies = edited(file, old, new, Path(tmp, "edited"))
        if isinstance(copies, str):
            return [copies]
        for copy in copies.values():
            done = run([compiler, *flags, *hook, "-iquote", (TOP / file).parent, "-w", "-c", copy,
                        "-o", copy.with_suffix(".o")])
            if not done.ok:
                return [first_error(done.text)]
        built = tuple(c.replace("/", "_") + ".o" for c in copies)
        objects = [o for o in (dirs / f"tests/{name}.p").glob("*.o")
                   if not o.name.endswith(built)]
        targets = [c.with_suffix(".o") for c in copies.values()]
        done = run([compiler, "-o", Path(tmp, name), *([] if native else ["-static"]), *objects,
                    *targets, *libraries, dirs / "src/libsvmcore.a"])
        if not done.ok:
            return [first_error(done.text)]
        return lacks(start(Path(tmp, name)), "failed: ")


def too_large():
    """The archive with 24 KiB of code more in a section that every program with the core needs."""
    with tempfile.TemporaryDirectory() as tmp:
        Path(tmp, "a.s").write_text('.section .text.svmc_vcpu_enter,"ax"\n.skip 24576, 0x90\n')
        run(["ar", "x", BUILDS / "release/src/libsvmcore.a"], cwd=tmp)
        run(["gcc", "-c", "a.s"], cwd=tmp)
        run(["ld", "-r", "intercept_usual.c.o", "a.o", "-o", "intercept_usual.o"], cwd=tmp)
        Path(tmp, "intercept_usual.c.o").unlink()
        run(["ar", "rcs", "large.a", *sorted(Path(tmp).glob("[!a]*.o"))], cwd=tmp)
        return lacks(run([TOP / "tools/checks/size.py", Path(tmp, "large.a")]),
                     "more than 24576 bytes of code")


TRAPS = SPDX + """#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 0 && data)
        __builtin_trap();
    return 0;
}
"""


def trapping_target(report):
    """tools/test on a tree whose one fuzz target traps: on new inputs, then on what these left."""
    with tempfile.TemporaryDirectory() as tmp:
        tree = lean_tree(tmp)
        for target in (tree / "fuzz").glob("fuzz_*.c"):
            target.unlink()
        (tree / "fuzz/fuzz_traps.c").write_text(TRAPS)
        for what, words in (("new inputs", "the input that breaks it was left in"),
                            ("its regressions", "a file of the corpus or of the regressions")):
            done = run([tree / "tools/test", "--only", "fuzz"], env={**os.environ, "FUZZ": "2"})
            report.check(f"part fuzz refuses a target that traps on {what}",
                         lacks(done, f"FAIL traps: {words}"))
        kept = list((tree / "fuzz/regressions/traps").glob("*"))
        report.check("the input that breaks it is kept", [] if kept else ["no file"])


def main():
    report = Report()
    for name in ("headers", "freestanding", "stack", "includes", "spectre", "hygiene", "rules"):
        done = check_on(name, GOOD, families="x86_64 aarch64 riscv64 s390x")
        report.check(f"{name} accepts the good tree", [] if done.ok else [done.text[-500:]])
    for name, what, files, words in by_day(CASES, EACH, "bad trees", "CASE"):
        report.check(f"{name} refuses {what}",
                     refusal_faults(name, {**GOOD, **files}, words))
    for build, gate, program, test, good in GATES:
        done = run([TOP / "tools/checks/gate", gate, BUILDS / f"{build}/tests/{program}",
                    *which_test(program, test)])
        verb = "accepts" if good else "refuses"
        report.check(f"gate {gate} {program} {verb} {test}",
                     [] if done.ok == good else [done.text[-200:]])
    for program, what, *change in by_day(FAULTY_CORES, 2 * EACH, "faulty cores", "CASE"):
        report.check(f"{program} refuses {what}", faulty_core(program, what, *change))
    report.check("size refuses a core that is too large", too_large())
    report.check("branch-coverage refuses a part of the tests",
                 lacks(run([TOP / "tests/checks/branch_coverage.py", BUILDS / "cov", "edges"]),
                       ": below 98.0 %"))
    report.check("freestanding refuses a bad archive", bad_archive())
    report.check("install refuses a missing header", missing_header())
    trapping_target(report)
    report.close()


main()
