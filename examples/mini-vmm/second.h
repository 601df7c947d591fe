/* SPDX-License-Identifier: MIT */
/** KVM's second chance: what it cannot emulate is finished by svmcore/port/kvm_finish.h. */
#ifndef SECOND_H
#define SECOND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/port/kvm_finish.h>
#include <svmcore/port/x86vec.h>

struct vm;
struct vm_vcpu;

struct second {
    struct svmc_kvm_finish finish;
    struct svmc_x86vec floats;
    struct vm *vm;
    uint64_t finished; /* instructions */
    bool mends;
    _Alignas(8) uint8_t xsave[16384];
};

enum second_end {
    SECOND_NONE,   /* no exit of that kind */
    SECOND_DONE,   /* KVM_RUN goes on */
    SECOND_DEVICE, /* the vCPU's struct kvm_run has an access of a device */
    SECOND_FAILED  /* `why` says at what */
};

/** mends: loads that KVM would do wrong as well. false: this KVM cannot, its errors end the run. */
bool second_open(struct second *s, struct vm_vcpu *c, bool mends);

/** After KVM_RUN, and instead of it while a device is asked. */
enum second_end second_chance(struct second *s, char *why, size_t cap);

bool second_waits(const struct second *s);

/** XCR0 and CR4 for guests with AVX, where KVM lets them. */
void second_boot(const struct vm_vcpu *c);

#endif
