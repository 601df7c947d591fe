#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules include downward only. The table below is the order; what it does not list is refused."""
import re
from pathlib import Path

from common import ROOT, Report

# module: the modules whose headers it may use besides its own
BELOW = {
    "core": [],
    "decode": ["core"],
    "exec": ["core", "decode"],
    "intercept": ["core", "decode", "exec"],
    "walk": ["core"],
    "hcall": ["core", "decode"],
    "keyslot": ["core"],
    "seal": ["core", "keyslot"],
    "token": ["core"],
    "judge": ["core", "decode", "hcall", "token"],
    "port": ["core", "decode", "exec", "intercept", "walk", "keyslot"],
}
# public header: the module it belongs to
PUBLIC = {
    "config.h": "core", "crypto.h": "core", "status.h": "core", "types.h": "core",
    "version.h": "core",
    "insn.h": "decode", "insn_class.h": "decode", "address.h": "decode",
    "x86_ids.h": "decode", "x86_features.h": "decode", "x86_cpu.h": "decode", "a64_ids.h": "decode",
    "rv_ids.h": "decode", "s390_ids.h": "decode", "host.h": "core", "exit.h": "intercept",
    "event.h": "intercept", "exit_a64.h": "intercept", "exit_kvm.h": "intercept",
    "exit_ppc.h": "intercept", "exit_rv.h": "intercept", "exit_s390.h": "intercept",
    "exit_svm.h": "intercept", "exit_vmx.h": "intercept", "offer.h": "intercept",
    "page.h": "intercept", "policy.h": "intercept", "policy_rows.h": "intercept",
    "intercept.h": "intercept", "adapt.h": "intercept", "audit.h": "intercept",
    "guest/hypercall.h": "core", "iox.h": "hcall", "trap.h": "hcall", "vmware.h": "hcall",
    "answer.h": "hcall",
    "vmware_types.h": "hcall", "hcall.h": "hcall", "hcall_decl.h": "hcall", "discover.h": "hcall",
    "token.h": "token", "token_types.h": "token", "token_page.h": "token", "judge.h": "judge",
    "walk.h": "walk",
    "measure.h": "token",
    "measure_types.h": "token", "port/sodium.h": "port", "port/openssl.h": "port",
    "port/kvm.h": "port", "port/kvm_finish.h": "port",
    "port/kvm_finish_a64.h": "port",
    "port/x86vec.h": "port",
    "exec.h": "exec", "exec_a64.h": "exec", "exec_rv.h": "exec", "exec_vec.h": "exec",
    "exec_x86.h": "exec",
    "keys.h": "keyslot", "keyslot.h": "keyslot", "device.h": "keyslot", "dma.h": "keyslot",
    "seal.h": "seal", "seal_page.h": "seal", "seal_context.h": "seal",
    "seal_tree.h": "seal",
    "seal.h": "seal", "disk.h": "seal",
    "seal.h": "seal", "image.h": "seal", "image_table.h": "seal",
    "seal.h": "seal", "state.h": "core", "keyslot_state.h": "keyslot",
    "port/kmip.h": "port", "port/keyfile.h": "port",
    "keys.h": "keyslot", "key_cache.h": "keyslot", "provider.h": "keyslot",
    "keyslot.h": "keyslot", "device.h": "keyslot", "dma.h": "keyslot",
    "seal.h": "seal",
}
STANDARD = {"stddef.h", "stdint.h", "stdbool.h", "limits.h", "stdalign.h", "stdarg.h", "float.h",
            "iso646.h", "stdnoreturn.h"}  # C11 freestanding
# back end: what it is there to wrap; another one's headers are refused
WRAPPED = {
    "src/port/x86vec": {"cpuid.h"},
    "src/port/kvm": {"cpuid.h", "errno.h", "string.h", "linux/kvm.h", "sys/ioctl.h"},
    "src/port/kvm-a64": {"string.h", "linux/kvm.h"},
    "src/port/sodium": {"sodium.h", "string.h"},
    "src/port/openssl": {"string.h",
                         *(f"openssl/{name}.h" for name in ("core_names", "crypto", "evp",
                                                            "rand"))},
    "src/port/kmip": {"string.h", "stdlib.h", "errno.h", "fcntl.h", "netdb.h", "netinet/in.h",
                      "netinet/tcp.h", "poll.h", "sys/socket.h", "unistd.h",
                      *(f"openssl/{name}.h" for name in ("bio", "err", "ssl", "x509v3"))},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)"|(\S+))', re.M)


def fault_of(path, module, system, local, other):
    """Why this #include is not allowed, or None."""
    if other:
        return f"#include {other}: a macro hides the name"
    if system in STANDARD:
        return None
    if system and system.startswith("svmcore/"):
        name = system[len("svmcore/"):]
        if name == "svmcore.h":
            return f"<{system}>: the library itself includes single headers"
        owner = PUBLIC.get(name)
        if owner is None:
            return f"<{system}> has no row in PUBLIC"
        return None if owner == module or owner in BELOW[module] else f"<{system}> is upward"
    if system and system in WRAPPED.get(str(path.parent), ()):
        return None
    if system:
        return f"<{system}> is neither svmcore/ nor a freestanding C11 header"
    return local_fault(path, module, local)


def local_fault(path, module, local):
    """Quoted: the file beside the includer first, then src/, as the compiler looks."""
    beside, from_src = (ROOT / path).parent / local, ROOT / "src" / local
    found = next((p.resolve() for p in (beside, from_src) if p.exists()), None)
    if found is None or ROOT / "src" not in found.parents:
        return f'"{local}" is not below src/'
    owner = found.relative_to(ROOT / "src").parts[0]
    if owner == module:
        return None
    if owner == "core" and owner in BELOW[module]:
        return None
    if owner in BELOW[module] and not found.name.endswith("_private.h"):
        return None
    return f'"{local}" belongs to {owner}, which {module} may not use'


def main():
    report = Report()
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".c", ".h", ".def"):
            continue
        name = path.relative_to(ROOT)
        module = name.parts[1]
        if module not in BELOW:
            report.fail(name, f"module {module} has no row")
            continue
        faults = (fault_of(name, module, *m) for m in INCLUDE.findall(path.read_text()))
        report.check(name, [f for f in faults if f])
    for header in sorted((ROOT / "include/svmcore").rglob("*.h")):
        name = str(header.relative_to(ROOT / "include/svmcore"))
        if name not in PUBLIC and name != "svmcore.h":
            report.fail(f"include/svmcore/{name}", "has no row in PUBLIC")
    report.close()


main()
