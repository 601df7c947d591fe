#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generated files are what their generators make: each tools/gen-* is asked with --check."""
from common import ROOT, Report, first_error, run

report = Report()
for generator in sorted((ROOT / "tools").glob("gen-*")):
    done = run([generator, "--check"], cwd=ROOT)
    report.check(f"{generator.name} --check", [] if done.ok else [first_error(done.text)])
report.close()
