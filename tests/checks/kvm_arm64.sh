#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kvm_arm64.c as the first program of a stock Debian kernel for arm64, whose KVM runs at EL2 of the
# processor that QEMU emulates. kvm_arm64.sh WORK-FOLDER UNPACKED-KERNEL BUILD-FOR-ARM64
set -euo pipefail
work=$1 kernel=$2 build=$3 top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$work/initrd/dev"

if ! ls "$kernel"/boot/vmlinuz-* >/dev/null 2>&1; then
    echo "SKIPPED: no Debian kernel for arm64 in $kernel: the download failed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

aarch64-linux-gnu-gcc -std=gnu11 -O2 -static -I"$top/include" "$top/tests/checks/kvm_arm64.c" \
    "$build/src/port/libsvmcore-kvm-a64.a" "$build/src/libsvmcore.a" -o "$work/initrd/init"
cd "$work"
(cd initrd && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz
timeout 150 qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 -cpu max,pauth-impdef=on \
    -m 512 -nographic -no-reboot -nodefaults -serial stdio -kernel "$kernel"/boot/vmlinuz-* \
    -initrd initrd.gz -append 'console=ttyAMA0 quiet panic=-1' </dev/null |
    tr -d '\r' >console.txt || true
cat console.txt
grep -q 'instructions had a syndrome that says nothing' console.txt
! grep -q FAIL console.txt
