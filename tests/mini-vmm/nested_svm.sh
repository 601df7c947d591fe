#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mini-vmm on a stock Debian kernel with kvm_amd, under QEMU's emulated SVM: a KVM that runs guests
# on (emulated) hardware and reports RIP at the instruction, whatever /dev/kvm this machine has.
# nested_svm.sh WORK-FOLDER FOLDER-WITH-STATIC-EXAMPLES UNPACKED-KERNEL KVM-STEP
set -euo pipefail
work=$1 examples=$2 kernel=$3 steps=$4
mkdir -p "$work"
cd "$work"

if ! ls "$kernel"/boot/vmlinuz-* >/dev/null 2>&1; then
    echo "SKIPPED: no Debian kernel in $kernel: the download failed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

rm -rf root
mkdir -p root/bin root/proc root/sys root/dev root/lib root/guests root/tmp
cp "$(command -v busybox)" root/bin/busybox
for name in sh mount insmod poweroff cmp; do ln -s busybox "root/bin/$name"; done
for module in irqbypass kvm kvm-amd; do
    find "$kernel/lib/modules" -name "$module.ko" -exec cp {} root/lib/ \;
done
cp "$examples/mini-vmm/mini-vmm" "$examples/mini-vmm/mini-host" "$steps" root/bin/
for guest in hello calls finish; do cp "$examples/guests/$guest.bin" root/guests/; done
# kvm-step is not static
ldd "$steps" | grep -o '/[^ ]*' | while read -r library; do
    case $library in
    */ld-linux-*) mkdir -p "root${library%/*}" && cp -L "$library" "root$library" ;;
    *) cp -L "$library" root/lib/ ;;
    esac
done

# name, then what must succeed; every line of it is run, and its verdict printed
cat >root/cases <<'END'
live mini-vmm --quiet
secret mini-vmm --quiet --scan
evil mini-vmm --quiet --evil
pages-1 mini-vmm --quiet --seed 1 --noise 1 --dump-pages /tmp/1
pages-2 mini-vmm --quiet --seed 1 --noise 2 --dump-pages /tmp/2
pages-equal cmp /tmp/1 /tmp/2
vcpus mini-vmm --quiet --vcpus 2
kvm_run mini-vmm --quiet --host-format kvm_run
ghcb mini-vmm --quiet --host-format ghcb
record mini-vmm --quiet --record /tmp/trace
replay mini-vmm --quiet --replay /tmp/trace
calls mini-vmm --quiet --guestinfo hello=nested
calls-hostile mini-vmm --quiet --guestinfo mode=hostile --vcpus 2
calls-record mini-vmm --quiet --hypercalls --record /tmp/calls
calls-replay mini-vmm --quiet --replay /tmp/calls
finish mini-vmm --finish
steps kvm-step
END
cat >root/init <<'END'
#!/bin/sh
export PATH=/bin LD_LIBRARY_PATH=/lib
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in irqbypass kvm kvm-amd; do insmod /lib/$m.ko; done
while read -r name command; do
    if $command </dev/null; then echo "CASE ok $name"; else echo "CASE FAIL $name"; fi
done </cases
poweroff -f
END
chmod +x root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >root.gz

timeout 150 qemu-system-x86_64 -M pc -accel tcg -cpu max,+svm -m 512 -nographic -no-reboot \
    -nodefaults -serial stdio -kernel "$kernel"/boot/vmlinuz-* -initrd root.gz \
    -append 'console=ttyS0 quiet panic=-1' </dev/null | tr -d '\r' >console.txt || true
cat console.txt
grep -q 'backend: /dev/kvm .*kvm_amd' console.txt || { echo "FAIL kvm_amd did not run"; exit 1; }
cases=$(wc -l <root/cases)
passed=$(grep -c '^CASE ok' console.txt || true)
echo "$passed passed, $((cases - passed)) failed, 0 skipped"
[ "$passed" = "$cases" ]
