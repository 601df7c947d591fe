/* SPDX-License-Identifier: MIT */
/** Memory and devices that the VMM lends to an instruction of x86 or arm64: docs/spec/kvm.md. */
#ifndef PORT_KVM_FINISH_LENT_H
#define PORT_KVM_FINISH_LENT_H
#include <stdbool.h>
#include <svmcore/port/kvm_finish.h>

/** Bytes that no compiler leaves as they were. */
void svmc_kvm_zero(void *at, size_t bytes);

/** An ioctl once more where a signal came between. */
int svmc_kvm_ask(int fd, unsigned long request, void *arg);

/** Where the VMM has it; NULL: a device. */
void *svmc_kvm_lent_memory(const struct svmc_kvm_finish_lent *l, svmc_gpa at, size_t n,
                           uint32_t access);

/** The guest's tables, for a walk; ctx is a struct svmc_kvm_finish_lent. */
extern const struct svmc_walk_ops svmc_kvm_lent_tables;

/** What a walk says -> what `translate` does. */
enum svmc_status svmc_kvm_lent_found(enum svmc_status st, const struct svmc_walk_result *result,
                                     svmc_gpa *out, struct svmc_fault *fault);

/** `read` and `write` of exec.h. */
enum svmc_status svmc_kvm_lent_read(struct svmc_kvm_finish_lent *l, svmc_gpa at, void *dst,
                                    size_t n);
enum svmc_status svmc_kvm_lent_write(struct svmc_kvm_finish_lent *l, svmc_gpa at, const void *src,
                                     size_t n);

/** KV-17, KV-32: the next piece of an access of memory that waits, as an exit. */
void svmc_kvm_lent_ask(const struct svmc_kvm_finish_lent *l, const struct svmc_exec_wait *wait);

/** Its answer. true: it was the last piece. */
bool svmc_kvm_lent_take(struct svmc_kvm_finish_lent *l, const struct svmc_exec_wait *wait);

#endif
