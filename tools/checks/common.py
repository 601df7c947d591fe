# SPDX-License-Identifier: MIT
"""What every check needs: the tree, the compilers, and one way to print and count results."""
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]  # where the checks and their tables are
ROOT = Path(os.environ.get("SVMC_ROOT", TOP)).resolve()  # the tree that is checked

WARNINGS = ("-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wvla -Wpedantic "
            "-Werror").split()

# The core for a processor: what src/cflags.txt says, and what only a kernel build needs. A check of
# a check on a small tree takes one of them: SVMC_FAMILIES.
FAMILIES = {
    "x86_64": {"gcc": "gcc", "binutils": "", "kernel": []},
    "aarch64": {"gcc": "aarch64-linux-gnu-gcc", "binutils": "aarch64-linux-gnu-",
                "kernel": ["-mno-outline-atomics"]},
    "riscv64": {"gcc": "riscv64-linux-gnu-gcc", "binutils": "riscv64-linux-gnu-",
                "kernel": ["-march=rv64imac", "-mabi=lp64"]},
    "s390x": {"gcc": "s390x-linux-gnu-gcc", "binutils": "s390x-linux-gnu-",
              "kernel": []},
}
if ROOT != TOP and "SVMC_FAMILIES" in os.environ:
    FAMILIES = {f: FAMILIES[f] for f in os.environ["SVMC_FAMILIES"].split()}


class Report:
    """Prints `ok NAME` or `FAIL NAME: why`, counts, and closes with the line tools/test adds up."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def ok(self, name):
        self.passed += 1
        print(f"ok {name}")

    def fail(self, name, why):
        self.failed += 1
        print(f"FAIL {name}: {why}")

    def skip(self, name, why):
        self.skipped += 1
        print(f"SKIPPED: {name}: {why}")

    def check(self, name, faults):
        """One result for a list of faults: none is ok."""
        faults = list(faults)
        if faults:
            self.fail(name, "; ".join(str(f) for f in faults))
        else:
            self.ok(name)

    def close(self):
        """The closing line, and the exit: a check that checked nothing has failed."""
        if self.passed + self.failed == 0:
            self.fail("nothing", "no file, function or object was checked")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.exit(1 if self.failed else 0)


def need_tools(*names):
    """A missing tool fails the check, it never passes it."""
    missing = [n for n in names if not shutil.which(n)]
    if missing:
        report = Report()
        report.fail("tools", "missing: " + " ".join(missing))
        report.close()


def run(command, **options):
    """Run, never raise; .ok and .text (both streams) are what checks look at."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          **options)
    done.ok, done.text = done.returncode == 0, done.stdout
    return done


def first_error(text):
    """The line of a compiler's output that says why."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        if re.search(r"error|undefined|multiple definition", line):
            return line
    return lines[0] if lines else "no output"


def sources(kind):
    """The files that tools/sources lists, as paths from ROOT."""
    done = run([TOP / "tools/sources", kind], env={**os.environ, "SVMC_ROOT": str(ROOT)})
    if not done.ok:
        raise SystemExit(f"FAIL tools/sources {kind}: {first_error(done.text)}")
    return [Path(line) for line in done.text.split()]


def core_flags(family, compiler):
    """Flags of the core: src/cflags.txt, and for kernels what depends on the compiler."""
    flags = []
    for line in (TOP / "src/cflags.txt").read_text().splitlines():
        words = line.split()
        if words and words[0] in ("all", family):
            flags += words[1:]
    kernel = FAMILIES[family]["kernel"]
    if compiler == "clang":
        kernel = [f for f in kernel if f != "-mno-outline-atomics"]
    return flags + kernel + ["-O2", f"-I{ROOT}/include", f"-I{ROOT}/src"]


@functools.cache
def compiler_command(family, compiler):
    """The compiler with its own freestanding headers and no others: no libc is there."""
    command = ([FAMILIES[family]["gcc"]] if compiler == "gcc"
               else ["clang", f"--target={family}-linux-gnu"])
    own = run([*command, "-print-file-name=include"]).text.strip()
    if compiler == "clang":
        own = run([*command, "-print-resource-dir"]).text.strip() + "/include"
    return [*command, "-nostdinc", "-isystem", own]


@functools.cache
def tree_digest():
    """Of whatever decides how the core is compiled: every file that can be included, compilers."""
    digest = hashlib.sha256()
    for path in [*sorted((ROOT / "src").rglob("*")), *sorted((ROOT / "include").rglob("*")),
                 TOP / "src/cflags.txt", Path(__file__)]:
        if path.is_file():
            digest.update(str(path).encode() + b"\0" + path.read_bytes())
    for name in ["clang", *(f["gcc"] for f in FAMILIES.values())]:
        digest.update(run([name, "--version"]).text.encode())
    return digest.hexdigest()[:16]


def core_objects(family, compiler, flags):
    """(objects of all sources of the core, why not), below build/objects: more than one check looks
    at the same ones. Those of gcc have their call graph beside them, NAME.ci."""
    builds = Path(os.environ.get("SVMC_BUILDS", TOP / "build") if ROOT == TOP else ROOT / "build",
                  "objects")
    folder = builds / tree_digest() / "-".join([family, compiler, *flags]).replace("/", "_")
    if not folder.is_dir():
        for old in builds.glob("*"):
            if old.name != tree_digest():
                shutil.rmtree(old, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        graph = ["-fcallgraph-info=su"] if compiler == "gcc" else []
        with tempfile.TemporaryDirectory(dir=folder.parent) as tmp:
            for source in sources("core"):
                target = Path(tmp, "new", str(source).replace("/", "_") + ".o")
                target.parent.mkdir(exist_ok=True)
                done = run([*compiler_command(family, compiler), *core_flags(family, compiler),
                            *flags, *graph, "-nostdlib", "-Werror", "-c", ROOT / source, "-o",
                            target])
                if not done.ok:
                    return [], first_error(done.text)
            if not Path(tmp, "new").is_dir():
                return [], "no core source"
            try:
                Path(tmp, "new").rename(folder)
            except OSError:  # another check was as fast
                pass
    return sorted(folder.glob("*.o")), None


def copy_tree(target):
    """What git would commit, or where there is no git: everything but what was built."""
    done = run(["git", "-C", TOP, "-c", f"safe.directory={TOP}", "ls-files", "-coz",
                "--exclude-standard"]) if shutil.which("git") else None
    if not done or not done.ok:
        shutil.copytree(TOP, target, ignore=shutil.ignore_patterns(".git", "build",
                                                                   "__pycache__"))
        return
    for name in filter(None, done.text.split("\0")):
        if (TOP / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, target / name)


def edited(file, old, new, to):
    """The source files of the core that a change of one text makes other ones, copied to the folder
    `to` with it: of a header those beside it that include it, or another one that does.
    {file: copy}, or why not."""
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        return f"the text stands {text.count(old)} times in {file}"
    to.mkdir(parents=True, exist_ok=True)
    users = [Path(file)]
    if file.endswith(".h"):
        beside = {p: p.read_text() for p in sorted((ROOT / file).parent.glob("*.[ch]"))}
        headers = [ROOT / file]
        for header in headers:  # and those that include one
            headers += [p for p, t in beside.items() if p.suffix == ".h" and p not in headers and
                        f'#include "{header.name}"' in t]
        for header in headers:
            t = beside[header]
            (to / header.name).write_text(t.replace(old, new) if header == ROOT / file else t)
        users = [p.relative_to(ROOT) for p, t in beside.items() if p.suffix == ".c" and
                 any(f'#include "{h.name}"' in t for h in headers)]
    copies = {str(u): to / u.name for u in users}
    for user, copy in copies.items():
        text = (ROOT / user).read_text()
        copy.write_text(text.replace(old, new) if user == file else text)
    return copies


def parallel(function, items):
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def by_day(rows, each, what, variable):
    """One row in `each`, those after the first `variable` of the environment (a number; else
    another one every day), and it is said; with --long all of them."""
    if "--long" in sys.argv[1:]:
        return rows
    first = int(os.environ.get(variable, time.time() // 86400)) % each
    chosen = rows[first::each]
    print(f"LEFT TO --long: {len(rows) - len(chosen)} of {len(rows)} {what}; "
          f"these again: {variable}={first}")
    return chosen


def without_comments(text):
    """C source with comments and literals blanked, every line in its place."""
    def blank(match):
        word = match.group(0)
        if word.startswith("/"):
            return re.sub(r"[^\n]", " ", word)
        return word[0] + " " * (len(word) - 2) + word[-1]

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)
