/* SPDX-License-Identifier: MIT */
/**
 * The trace reader and the replay of mini-vmm, on any bytes: what a recorded run asks of the
 * library goes through the library. docs/spec/trace.md.
 *
 * The bytes are read as they are, and once more with END and its checksum made right, so that
 * mutations of records come further than the checksum. There is no KVM and no host in a replay.
 */
#include <stdlib.h>
#include <string.h>

#include "../examples/mini-vmm/tape.c"

#include "../examples/mini-vmm/account.c"
#include "../examples/mini-vmm/calls.c"
#include "../examples/mini-vmm/calls_watch.c"
#include "../examples/mini-vmm/dma.c"
#include "../examples/mini-vmm/dma_message.c"
#include "../examples/mini-vmm/embed.c"
#include "../examples/mini-vmm/guard.c"
#include "../examples/mini-vmm/lies.c"
#include "../examples/mini-vmm/natives.c"
#include "../examples/mini-vmm/report.c"
#include "../examples/mini-vmm/session.c"
#include "../examples/mini-vmm/store.c"
#include "../examples/mini-vmm/tokens.c"
#include "../examples/mini-vmm/watch.c"

#include "../tests/fakehost/crypto.h"

#define INPUT_MAX (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What only a live run calls. Reaching one of these is the bug. */
enum vm_turn vm_vcpu_run(struct vm_vcpu *c, char *why, size_t cap)
{
    (void)c, (void)why, (void)cap;
    abort();
}

struct kvm_regs *vm_vcpu_regs(struct vm_vcpu *c)
{
    (void)c;
    abort();
}

uint64_t *vm_reg(struct kvm_regs *regs, uint32_t reg)
{
    (void)regs, (void)reg;
    abort();
}

struct kvm_regs *vm_vcpu_behind(struct vm_vcpu *c)
{
    (void)c;
    abort();
}

bool vm_protect(struct vm *vm, uint64_t at, enum vm_page how, const struct svmc_token_gate *gate)
{
    (void)vm, (void)at, (void)how, (void)gate;
    abort();
}

uint64_t vm_rights(const struct vm *vm, uint64_t at, uint64_t *aliases)
{
    (void)vm, (void)at, (void)aliases;
    abort();
}

bool save_devices(const struct save *s, struct vcpu *v)
{
    (void)s, (void)v;
    abort();
}

enum svmc_status save_resume(const struct save *s, struct vcpu *v, struct svmc_outcome *out)
{
    (void)s, (void)v, (void)out;
    abort();
}

bool vm_shows(const struct vm *vm, uint64_t address)
{
    (void)vm, (void)address;
    abort();
}

/* Not the recorded run's: what a trace of tokens says of MACs differs, and that is all. */
const struct svmc_crypto_ops *tokens_back_end(void)
{
    static struct fake_crypto fake;

    fake_crypto_init(&fake);
    return &fake.ops;
}

const struct svmc_crypto_ops *dma_back_end(void)
{
    return tokens_back_end();
}

enum link_answer link_ask(struct link *l, uint32_t id, unsigned timeout_ms, uint64_t *tag)
{
    (void)l, (void)id, (void)timeout_ms, (void)tag;
    abort();
}

void link_notify(struct link *l, uint32_t id)
{
    (void)l, (void)id;
    abort();
}

size_t link_console(struct link *l, size_t from, uint8_t *bytes, size_t cap)
{
    (void)l, (void)from, (void)bytes, (void)cap;
    abort();
}

bool link_poll(struct link *l)
{
    (void)l;
    abort();
}

const char *link_death(struct link *l, char *text, size_t cap)
{
    (void)l, (void)text, (void)cap;
    abort();
}

uint8_t find_insn(struct vcpu *v, uint8_t bytes[SVMC_INSN_MAX])
{
    (void)v, (void)bytes;
    abort();
}

void scan_page(struct scan *s, const uint8_t page[SVMC_PAGE_BYTES], uint64_t exit)
{
    (void)s, (void)page, (void)exit;
    abort();
}

bool scan_turn(struct scan *s, pid_t host)
{
    (void)s, (void)host;
    abort();
}

void report_json(const struct report *r)
{
    (void)r;
    abort();
}

uint64_t boot_noise(uint64_t *state)
{
    return (*state)++;
}

static void replay(const uint8_t *bytes, size_t size)
{
    static struct session s;
    struct cpu *c = &s.cpu[0];
    char text[TAPE_TEXT_MAX], backend[64], guest[64];
    enum tape_error error;

    memset(&s, 0, sizeof s);
    pthread_mutex_init(&s.report.lock, NULL);
    error = tape_open(&c->tape, TAPE_REPLAY, bytes, size);
    tape_explain(&c->tape, error, text, sizeof text);
    if (error != TAPE_OK)
        return;
    session_header(&c->tape, guest, sizeof guest, backend, sizeof backend);
    s.report.json = true; /* nothing is printed while it runs */
    s.cpus = 1;
    c->vcpu.page = (volatile uint8_t *)c->vcpu.private_page;
    c->vcpu.run = c->vcpu.copy;
    c->vcpu.run_bytes = sizeof c->vcpu.copy;
    session_run(&s);
    /* an end is always said; PASS only with every record compared and the guest halted */
    if (!s.report.verdict || s.report.status < EXIT_GOOD || s.report.status > EXIT_BACKEND)
        abort();
    if (s.report.status == EXIT_GOOD &&
        (!c->halted || tape_bad(&c->tape) || tape_peek(&c->tape) != 0))
        abort();
    for (size_t i = 0; i < s.report.list[c->vcpu.id].count; i++) {
        char insn[SVMC_INSN_TEXT_MAX];

        report_insn_text(&s.report.list[c->vcpu.id].rows[i], insn, sizeof insn);
    }
    report_drop(&s.report);
}

/* The records that are whole, with an END of their own. Returns the new size, or 0. */
static size_t mend(uint8_t *to, const uint8_t *data, size_t size)
{
    size_t at = PREFIX_BYTES, length;
    uint64_t count = 0;

    if (size < PREFIX_BYTES || size > INPUT_MAX)
        return 0;
    memcpy(to, data, size);
    while (size - at >= HEAD_BYTES && load_le(to + at, 2) != TAPE_END) {
        length = (size_t)load_le(to + at + 2, 2);
        if (size - at - HEAD_BYTES < length)
            break;
        at += HEAD_BYTES + length;
        count++;
    }
    store_le(to + at, TAPE_END, 2);
    store_le(to + at + 2, END_BYTES, 2);
    store_le(to + at + HEAD_BYTES, count, 8);
    at += HEAD_BYTES + END_BYTES;
    store_le(to + at - 8, tape_checksum(to, at - 8), 8);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t mended[INPUT_MAX + HEAD_BYTES + END_BYTES];

    replay(data, size);
    size = mend(mended, data, size);
    if (size > 0)
        replay(mended, size);
    return 0;
}
