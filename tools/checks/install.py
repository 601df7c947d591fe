#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An embedder's three ways in: the installed static and shared library through pkg-config, and the
source tree as a Meson subproject. Each builds a small program and runs it."""
import os
import shutil
import tempfile
from pathlib import Path

from common import ROOT, Report, first_error, need_tools, run

PROGRAM = """#include <svmcore/svmcore.h>
#include <svmcore/guest/hypercall.h>
int main(void) { return svmc_version() == SVMC_VERSION ? 0 : 1; }
"""
PROJECT = """project('embedder', 'c')
svmcore = dependency('svmcore', fallback: ['svmcore', 'svmcore_dep'])
executable('program', 'program.c', dependencies: svmcore)
"""


def step(faults, command, **options):
    """Run unless an earlier step failed."""
    if not faults:
        done = run(command, **options)
        if not done.ok:
            faults.append(f"{command[0]}: {first_error(done.text)}")
        return done.text
    return ""


def install(tmp, faults):
    build, prefix = Path(tmp, "build"), Path(tmp, "prefix")
    step(faults, ["meson", "setup", build, ROOT, "--prefix", prefix, "--libdir", "lib",
                  "-Dtests=disabled", "-Dexamples=disabled"])
    step(faults, ["ninja", "-C", build])
    step(faults, ["meson", "install", "-C", build, "--quiet"])
    for name in ("include/svmcore/svmcore.h", "include/svmcore/guest/hypercall.h",
                 "lib/libsvmcore.a", "lib/libsvmcore.so", "lib/pkgconfig/svmcore.pc"):
        if not faults and not (prefix / name).exists():
            faults.append(f"{name} was not installed")
    return prefix


def installed_program(tmp, prefix, kind):
    faults = []
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
           "LD_LIBRARY_PATH": str(prefix / "lib")}
    flags = step(faults, ["pkg-config", "--cflags", "--libs", "svmcore"], env=env).split()
    if kind == "static":
        flags = ["-l:libsvmcore.a" if f == "-lsvmcore" else f for f in flags]
    source, program = Path(tmp, f"{kind}.c"), Path(tmp, kind)
    source.write_text(PROGRAM)
    step(faults, ["gcc", source, "-o", program, *flags])
    linked = "libsvmcore.so" in step(faults, ["readelf", "-d", program])
    if not faults and linked != (kind == "shared"):
        faults.append("the wrong library was linked")
    step(faults, [program], env=env)
    return faults


def subproject(tmp):
    faults, top = [], Path(tmp, "embedder")
    (top / "subprojects").mkdir(parents=True)
    shutil.copytree(ROOT, top / "subprojects/svmcore",
                    ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
    (top / "meson.build").write_text(PROJECT)
    (top / "program.c").write_text(PROGRAM)
    step(faults, ["meson", "setup", top / "build", top, "--wrap-mode=forcefallback"])
    step(faults, ["ninja", "-C", top / "build"])
    step(faults, [top / "build/program"])
    if list((top / "build").rglob("unit*")):
        faults.append("an embedder's build contains our tests")
    return faults


def main():
    need_tools("meson", "ninja", "pkg-config", "gcc", "readelf")
    report = Report()
    with tempfile.TemporaryDirectory() as tmp:
        faults = []
        prefix = install(tmp, faults)
        report.check("install", faults)
        for kind in ("static", "shared"):
            report.check(f"{kind} library", faults or installed_program(tmp, prefix, kind))
        report.check("subproject", subproject(tmp))
    report.close()


main()
