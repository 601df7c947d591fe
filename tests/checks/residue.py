#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No secret that is dead is left in a process: `residue.py token`, of tags (TK-14), `residue.py
seal`, of keys and of what was sealed, `residue.py store`, of the same on disks, in images, fetched,
and in processes that die.

What handles them is built as for use, with gcc and clang, and token_residue.c, seal_residue.c or
store_residue.c searches the memory of its own process after each step. A wipe that is taken out
of the source must be found."""
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (Report, core_flags, edited, first_error, need_tools, parallel,  # noqa: E402
                    run, sources)

LEVELS = ("-O1", "-O2", "-O3", "-Os") if "--long" in sys.argv else ("-O2", "-Os")
T, N, S, K = "src/token/", "src/hcall/native/", "src/seal/", "src/keyslot/"
P = "tests/checks/store_residue.c"  # what its handler does when a process dies
# the core's files, and wipes: file, text, what replaces it
SETS = {
    "token": (r"src/(token|judge|core|hcall/native)/", (
        (T + "pool.c", "        clear(&pool->priv.config);\n", "        ;\n"),
        (T + "pool_enrol.c", "    token_put(&e->priv.tag[0], 0);\n", ""),
        (T + "pool_enrol.c", "    token_put(&e->priv.tag[1], 0);\n", ""),
        (T + "pool_enrol.c", "        memset(out->tag, 0, sizeof out->tag);\n", "        ;\n"),
        (T + "pool_check.c", "    core_wipe(key, sizeof key);\n", ""),
        (T + "pool_check.c", "    core_wipe(kept.room, sizeof kept.room);\n", ""),
        (T + "gate.c", "    core_wipe(own, sizeof own);\n", ""),
        ("src/judge/judge.c", "    core_wipe(h.shown.words, sizeof h.shown.words);\n", ""),
        (N + "dispatch.c", "core_wipe(judged.token, sizeof judged.token);", ""),
        (N + "batch.c", "core_wipe(one.token, sizeof one.token);", ""),
    )),
    "seal": (r"src/(seal|keyslot|core)/", (
        (K + "slot_subkey.c", "        ops->wipe(ops->ctx, bytes, sizeof bytes);\n", ""),
        (S + "context.c", "        wipe(piece[i].at, piece[i].bytes);\n", "        ;\n"),
        (S + "context.c", "    wipe(text, about.bytes);\n", ""),
        (K + "slot_place.c", "    ops->wipe(ops->ctx, room, sizeof *room);\n", ""),
        (K + "keys.c", "    wipe(arena, work, sizeof *work);\n    if (st != SVMC_OK)\n"
         "        svmc_vmkey_drop(key);\n",
         "    if (st != SVMC_OK)\n        svmc_vmkey_drop(key);\n"),
        (K + "keys.c", "        wipe(key->priv.arena, cell, sizeof *cell);\n", "        ;\n"),
    )),
    "store": (r"src/(seal|keyslot|core)/", (
        (S + "disk.c", "        wipe(disk, disk->priv.bounce, SVMC_DISK_SECTOR);\n", "        ;\n"),
        (S + "disk.c", "    wipe(d, d->priv.memory, d->priv.bytes);\n", ""),
        (S + "image.c", "    ops->wipe(ops->ctx, key, sizeof key);\n", ""),
        (K + "keys.c", "    ops->wipe(ops->ctx, bytes, sizeof bytes);\n", ""),
        (K + "key_cache.c", "    wipe(cache, e, sizeof *e);\n", ""),
        (K + "key_cache.c", "    wipe(cache, cache->priv.memory, SVMC_KEY_CACHE_BYTES((size_t)"
         "cache->priv.entries));\n", ""),
        (K + "key_cache.c", "    ops->wipe(ops->ctx, derived, sizeof derived);\n", ""),
        (K + "key_cache_step.c", "    wipe(cache, a, sizeof *a);\n", ""),
        (K + "key_cache_step.c", "        wipe(cache, &e->key, sizeof e->key);\n", "        ;\n"),
        (P, "    wipe(&held, sizeof held);\n", ""),
        (P, "    wipe(memory, sizeof memory);\n", ""),
        (P, "    wipe((void *)at, stack_end - at);\n", "    (void)at;\n"),
        (P, '"rep stosb\\n\\t"', '""'),
    )),
}
WHAT = sys.argv[1]
FILES, WIPES = SETS[WHAT]
PROGRAM = f"tests/checks/{WHAT}_residue.c"


def core():
    port = sources("port-sodium") if WHAT != "token" else []
    return [s for s in sources("core") if re.match(FILES, str(s))] + port


def build(compiler, level, out, copies):
    """(program, None), or (None, why not). copies: {source: its edited copy}; of the others those
    objects are taken that are in `out` already."""
    flags = [f for f in core_flags("x86_64", compiler) if not re.fullmatch(r"-O\w", f)]
    objects = []
    for source in [*map(str, core()), PROGRAM]:
        target = out / (source.replace("/", "_") + ".o")
        if source in copies:
            target = copies[source].with_suffix(".o")
        objects.append(target)
        if target.exists():
            continue
        own = source.startswith("src/") and not source.startswith("src/port/")
        done = run([compiler, *(flags if own else ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]),
                    level if own else "-O2", f"-I{TOP}/include", f"-I{TOP}/src",
                    f"-iquote{(TOP / source).parent}", "-c", copies.get(source, TOP / source),
                    "-o", target])
        if not done.ok:
            return None, first_error(done.text)
    program = (next(iter(copies.values())) if copies else objects[0]).with_name("residue")
    done = run([compiler, "-o", program, *objects, *(["-lsodium"] if WHAT != "token" else [])])
    return (program, None) if done.ok else (None, first_error(done.text))


def search(job):
    """Nothing is found, or with an edit something."""
    compiler, level, edit, number, tmp = job
    out = Path(tmp, compiler + level)
    out.mkdir(exist_ok=True)
    copies = edited(*edit, Path(tmp, f"edited{number}")) if edit else {}
    if isinstance(copies, str):
        return [copies]
    program, fault = build(compiler, level, out, copies)
    if fault:
        return [fault]
    done = run([program])
    if done.returncode == 77:
        return ["no /proc/self/mem on this machine"]
    if edit:
        return [] if "failed: half" in done.text else ["it is not found"]
    return [] if done.ok else [" ".join(done.text.split())[:600]]


def main():
    need_tools("gcc", "clang")
    report = Report()
    with tempfile.TemporaryDirectory() as tmp:
        whole = [(c, level, None, 0, tmp) for c in ("gcc", "clang") for level in LEVELS]
        edits = [("gcc", "-O2", edit, n, tmp) for n, edit in enumerate(WIPES)]
        for jobs in (whole, edits):  # these take the objects of those
            for (compiler, level, edit, *_), faults in zip(jobs, parallel(search, jobs)):
                without = f" without {edit[1].strip()}" if edit else ""
                report.check(f"{compiler} {level}{without}", faults)
    report.close()


main()
