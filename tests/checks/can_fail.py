#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proof that each check and each gate refuses what it is there to refuse.

A row lays a small tree, or puts one bad file over a good one, runs the real check on it, and wants
a FAIL line that contains the given words: a refusal for another reason does not count. The good
tree itself must pass, or the refusals would mean nothing."""
import os
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, run  # noqa: E402

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
    ("includes", "an unknown module", {"src/misc/bad.c": SPDX}, "has no row"),
    ("spectre", "an index without a clamp", body("return x < 8 ? rows[x] : 0;", ROWS), "rows[x]"),
    ("spectre", "a second index without a clamp",
     body("return grid[core_clamp(x, 2)][x];",
          "static const uint8_t grid[2][2] = { { 1, 2 }, { 3, 4 } };\n"), "grid[x]"),
    ("spectre", "a loop without a constant end",
     body("for (uint32_t i = 0; i < x; i++)\n        if (rows[i])\n            return i;\n"
          "    return 0;", ROWS), "rows[i]"),
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
        ("release", "valgrind", ("fails", "leaks", "overflows", "uninitialised", "crashes")),
        ("release", "native", ("fails", "crashes", "no-such-test")),
        ("aarch64", "aarch64", ("fails", "crashes")),
        ("riscv64", "riscv64", ("fails", "crashes")),
        ("s390x", "s390x", ("fails", "crashes")),
    ) for test in tests
] + [
    (build, gate, "canary-plain", "holds", True)
    for build, gate in (("asan", "asan"), ("msan", "msan"), ("release", "valgrind"),
                        ("aarch64", "aarch64"), ("riscv64", "riscv64"), ("s390x", "s390x"))
] + [
    ("release", "native", "canary", test, test == "holds")
    for test in ("fails", "crashes", "holds")
] + [("release", "native", "painted-stack", "too-deep", False)]


def which_test(program, test):
    """How each program is told to run one test: Criterion, the plain main, or its own way."""
    return {"canary": ["--filter", f"canary/{test}"],
            "canary-plain": [f"canary.{test}"]}.get(program, [test])


def check_on(name, files):
    with tempfile.TemporaryDirectory() as tmp:
        for path, text in files.items():
            target = Path(tmp, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            if text.startswith("#!"):
                target.chmod(0o755)
        if name == "hygiene":
            Path(tmp, ".clang-format").write_text((TOP / ".clang-format").read_text())
        return run([TOP / f"tools/checks/{name}.py"], env={**os.environ, "SVMC_ROOT": tmp})


def refusal_faults(name, files, words):
    done = check_on(name, files)
    lines = [line for line in done.text.splitlines() if line.startswith("FAIL")]
    if done.ok:
        return ["passed"]
    if not any(words in line for line in lines):
        return [f"refused, but not for {words!r}: " + " | ".join(lines)[:300] + done.text[-200:]]
    return []


def main():
    report = Report()
    for name in ("headers", "freestanding", "stack", "includes", "spectre", "hygiene"):
        done = check_on(name, GOOD)
        report.check(f"{name} accepts the good tree", [] if done.ok else [done.text[-500:]])
    for name, what, files, words in CASES:
        report.check(f"{name} refuses {what}",
                     refusal_faults(name, {**GOOD, **files}, words))
    for build, gate, program, test, good in GATES:
        done = run([TOP / "tools/checks/gate", gate, TOP / f"build/{build}/tests/{program}",
                    *which_test(program, test)])
        verb = "accepts" if good else "refuses"
        report.check(f"gate {gate} {program} {verb} {test}",
                     [] if done.ok == good else [done.text[-200:]])
    report.close()


main()
