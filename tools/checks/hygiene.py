#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What every file owes its reader: format, size, licence line, no traces of a machine."""
import ast
import re

from common import ROOT, Report, first_error, need_tools, run, without_comments

FILE_MAX, FUNCTION_MAX, COLUMNS_MAX = 600, 60, 100
C_SUFFIXES = {".c", ".h"}
SOURCE_SUFFIXES = C_SUFFIXES | {".py", ".sh", ".def", ".dat", ".S", ".s", ".ld", ".lds", ".ini"}
TEXT_SUFFIXES = SOURCE_SUFFIXES | {".md", ".txt", ".build"}
SKIPPED_DIRS = {".git", "build", "__pycache__"}
# assembled, so that this file does not name them itself
TRACES = re.compile("|".join(["/wo" + "rk/", "/tmp/ba" + "sh", "/ro" + "ot/"]))


def all_files():
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and not SKIPPED_DIRS & set(path.relative_to(ROOT).parts):
            yield path


def is_generated(text):
    return "do not edit" in text[:400]


def shebang(text):
    return text.split("\n", 1)[0] if text.startswith("#!") else ""


def long_functions(text):
    """In this style a body opens with a brace of its own in column 0 and closes the same way."""
    start = None
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start - 1 > FUNCTION_MAX:
                yield f"function at line {start} has {number - start - 1} lines"
            start = None


def c_faults(path, text):
    if is_generated(text):
        return
    done = run(["clang-format", "--dry-run", "-Werror", path], cwd=ROOT)
    if not done.ok:
        yield "not clang-formatted: " + first_error(done.text)
    if "src" in path.relative_to(ROOT).parts[:1]:
        yield from long_functions(text)


def script_faults(path, text):
    if path.suffix == ".py" or "python" in shebang(text):
        try:
            ast.parse(text)
        except SyntaxError as error:
            yield f"does not compile: {error}"
    elif re.search(r"\b(ba)?sh$", shebang(text)) or path.name == "lib.sh":
        shell = "sh" if shebang(text).endswith("/sh") else "bash"
        done = run([shell, "-n", path])
        if not done.ok:
            yield first_error(done.text)
        done = run(["shellcheck", "-x", "-s", shell, "-e", "SC2016,SC2034,SC2046,SC2086",
                    path],
                   cwd=ROOT)
        if not done.ok:
            yield "shellcheck: " + " ".join(done.text.split())[:200]


def text_faults(path, text):
    is_source = path.suffix in SOURCE_SUFFIXES or shebang(text) or path.name == "meson.build"
    if is_source and "SPDX-License-Identifier: MIT" not in "".join(text.splitlines(True)[:4]):
        yield "no SPDX line at the top"
    if "\t" in text:
        yield f"tab in line {text[:text.index(chr(9))].count(chr(10)) + 1}"
    if TRACES.search(text):
        yield f"path of a machine: {TRACES.search(text).group(0)}"
    if text and not text.endswith("\n"):
        yield "no newline at the end"
    if is_generated(text):
        return
    lines = text.splitlines()
    if len(lines) > FILE_MAX and path.suffix in C_SUFFIXES and path.is_relative_to(ROOT / "src"):
        yield f"{len(lines)} lines, more than {FILE_MAX}"
    if is_source and path.suffix != ".dat":
        yield from (f"line {n} has {len(line)} columns" for n, line in enumerate(lines, 1)
                    if len(line) > COLUMNS_MAX)


def main():
    need_tools("clang-format", "shellcheck", "bash", "sh")
    report = Report()
    for path in all_files():
        data = path.read_bytes()
        if path.suffix not in TEXT_SUFFIXES and not data.startswith(b"#!"):
            continue
        text = data.decode(errors="replace")
        faults = [*text_faults(path, text), *script_faults(path, text)]
        if path.suffix in C_SUFFIXES:
            faults += c_faults(path, text)
        report.check(path.relative_to(ROOT), faults)
    report.close()


main()
