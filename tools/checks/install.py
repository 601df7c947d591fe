#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An embedder's three ways in: the installed static and shared library through pkg-config, and the
source tree as a Meson subproject. Each builds the documented example and looks at its answer."""
import os
import shutil
import tempfile
from pathlib import Path

from common import ROOT, Report, first_error, need_tools, run

PROGRAM = ROOT / "examples/howto/first-exit.c"  # what docs/embedding.md points to
IMAGES = ROOT / "examples/howto/save-restore.c"
FINISH = ROOT / "examples/howto/finish.c"
BACK_ENDS = ("sodium", "openssl", "kmip")
KVM = ("include/svmcore/port/kvm.h", "include/svmcore/port/kvm_finish.h", "lib/libsvmcore-kvm.a",
       "lib/pkgconfig/svmcore-kvm.pc")
X86VEC = ("include/svmcore/port/x86vec.h", "lib/libsvmcore-x86vec.a",
          "lib/pkgconfig/svmcore-x86vec.pc")  # where the processor is an x86
LEAN = ("-Dtests=disabled", "-Dexamples=disabled", "-Doptimization=0")  # it is what is looked at
HASH = """#include <stdio.h>
#include <svmcore/port/NAME.h>
int main(void)
{
    const struct svmc_crypto_ops *ops = svmc_NAME_ops();
    unsigned char out[SVMC_HASH_BYTES];

    if (!ops || svmc_crypto_hash(ops, SVMC_ALG_SHA_256, "abc", 3, out) != SVMC_OK)
        return 1;
    printf("sha-256 of abc begins with %02x%02x\\n", out[0], out[1]);
    return 0;
}
"""  # FIPS 180-4: ba78
KEYS = """#include <stdio.h>
#include <svmcore/key_cache.h>
#include <svmcore/port/kmip.h>
int main(void)
{
    struct svmc_kmip_config config = { "127.0.0.1", "1", NULL, "/none", NULL, NULL };
    struct svmc_kmip *kmip;

    printf("%s %s\\n", svmc_status_name(svmc_kmip_open(&kmip, &config)),
           svmc_fetch_name(SVMC_FETCH_CUT));
    return 0;
}
"""  # there is no such file
ANSWER = "rax 0x112233445566771c, rip 0x1002"  # its AL came from the host, the rest is its own
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


def look(faults, program, env, answer=ANSWER):
    text = step(faults, [program], env=env)
    if not faults and answer not in text:
        faults.append(f"the example printed: {text.strip()}")


def install(tmp, faults):
    build, prefix = Path(tmp, "build"), Path(tmp, "prefix")
    step(faults, ["meson", "setup", build, ROOT, "--prefix", prefix, "--libdir", "lib",
                  *LEAN,
                  *(f"-D{name}=enabled" for name in BACK_ENDS)])
    step(faults, ["ninja", "-C", build])
    step(faults, ["meson", "install", "-C", build, "--quiet"])
    for name in ("include/svmcore/svmcore.h", "include/svmcore/guest/hypercall.h",
                 "lib/libsvmcore.a", "lib/libsvmcore.so", "lib/pkgconfig/svmcore.pc",
                 "bin/svmcore", *KVM, *X86VEC,
                 *(kind.format(name) for name in BACK_ENDS for kind in (
                     "include/svmcore/port/{}.h", "lib/libsvmcore-{}.a",
                     "lib/pkgconfig/svmcore-{}.pc"))):
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
    program = Path(tmp, kind)
    step(faults, ["gcc", "-Wall", "-Wextra", "-Werror", PROGRAM, "-o", program, *flags])
    linked = "libsvmcore.so" in step(faults, ["readelf", "-d", program])
    if not faults and linked != (kind == "shared"):
        faults.append("the wrong library was linked")
    look(faults, program, env)
    return faults


def back_end_program(tmp, prefix, name):
    """The back end through its own pkg-config module, which brings the core's."""
    faults = []
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
           "LD_LIBRARY_PATH": str(prefix / "lib")}
    flags = step(faults, ["pkg-config", "--cflags", "--libs", f"svmcore-{name}"], env=env).split()
    source, program = Path(tmp, f"{name}.c"), Path(tmp, name)
    source.write_text(KEYS if name == "kmip" else HASH.replace("NAME", name))
    step(faults, ["gcc", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags])
    look(faults, program, env, "SVMC_ERR_FORMAT SVMC_FETCH_CUT" if name == "kmip" else "ba78")
    return faults


def finish_program(tmp, prefix):
    """A device answers later, and a page fault has its address."""
    faults, program = [], Path(tmp, "finish")
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
           "LD_LIBRARY_PATH": str(prefix / "lib")}
    flags = step(faults, ["pkg-config", "--cflags", "--libs", "svmcore"], env=env).split()
    step(faults, ["gcc", "-Wall", "-Wextra", "-Werror", FINISH, "-o", program, *flags])
    look(faults, program, env, "mov eax, [rbx]: done, eax 0x12345678")
    look(faults, program, env, "inject 14, error 6, at 0x203008")
    return faults


def image_program(tmp, prefix):
    """A VM is saved, restored in another process, and refused when a bit of it is changed."""
    faults, program, image = [], Path(tmp, "save-restore"), Path(tmp, "image")
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
           "LD_LIBRARY_PATH": str(prefix / "lib")}
    flags = step(faults, ["pkg-config", "--cflags", "--libs", "svmcore-openssl"], env=env).split()
    step(faults, ["gcc", "-Wall", "-Wextra", "-Werror", IMAGES, "-o", program, *flags,
                  "-lpthread"])
    step(faults, [program, "save", image], env=env)
    text = step(faults, [program, "restore", image], env=env)
    if not faults and "it goes on" not in text:
        faults.append(f"restored: {text.strip()}")
    if not faults:
        changed = bytearray(image.read_bytes())
        changed[len(changed) // 2] ^= 1
        image.write_bytes(changed)
        done = run([program, "restore", image], env=env)
        if done.ok or "CHANGED" not in done.text:
            faults.append(f"a changed image: {done.text.strip()}")
    return faults


def without_back_ends(tmp):
    """Not built, not installed, and nobody misses them."""
    faults, build, prefix = [], Path(tmp, "build-without"), Path(tmp, "prefix-without")
    step(faults, ["meson", "setup", build, ROOT, "--prefix", prefix, "--libdir", "lib",
                  *LEAN, "-Dkvm=disabled",
                  *(f"-D{name}=disabled" for name in BACK_ENDS)])
    step(faults, ["meson", "install", "-C", build, "--quiet"])
    if not faults and not (prefix / "lib/libsvmcore.a").exists():
        faults.append("nothing was installed")
    return faults + [f"{p.name} was installed" for name in (*BACK_ENDS, "svmcore-kvm")
                     for p in prefix.rglob(f"*{name}*")]


def subproject(tmp):
    faults, top = [], Path(tmp, "embedder")
    (top / "subprojects").mkdir(parents=True)
    shutil.copytree(ROOT, top / "subprojects/svmcore",
                    ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
    (top / "meson.build").write_text(PROJECT)
    shutil.copy(PROGRAM, top / "program.c")
    step(faults, ["meson", "setup", top / "build", top, "--wrap-mode=forcefallback",
                  "-Doptimization=0"])
    step(faults, ["ninja", "-C", top / "build"])
    look(faults, top / "build/program", None)
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
        for name in BACK_ENDS:
            report.check(f"svmcore-{name}", faults or back_end_program(tmp, prefix, name))
        report.check("finish", faults or finish_program(tmp, prefix))
        report.check("save-restore", faults or image_program(tmp, prefix))
        report.check("without back ends", without_back_ends(tmp))
        report.check("subproject", subproject(tmp))
    report.close()


main()
