/* SPDX-License-Identifier: MIT */
#include "adapt_lab.h"

#include <svmcore/guest/hypercall.h>

void adapt_put(uint8_t *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++, value >>= 8) /* 0 beyond the eighth */
        at[i] = (uint8_t)value;
}

uint64_t adapt_get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

void adapt_init(struct adapt_lab *a, enum svmc_foreign_format format, uint64_t fill)
{
    uint64_t rng = fill ^ 0x5eed;
    struct lab *lab = &a->lab;

    memset(a, 0, sizeof *a);
    world_init(&lab->world, &rng);
    for (unsigned i = 0; i < WORLD_REGS; i++)
        lab->world.reg[i] = fill;
    lab->world.random = 0x0123456789ab;
    for (unsigned i = 0; i < sizeof lab->backend_data; i++)
        lab->backend_data[i] = (uint8_t)(i * 11 + 3);
    CHECK_EQ(svmc_policy_init(&lab->policy, LAB_REFUSALS, LAB_RETRIES), SVMC_OK);
    lab_delegate(&lab->policy, 4, 0);
    CHECK_EQ(svmc_policy_seal(&lab->policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&lab->vc, &world_ops, &lab->world, &lab->policy, lab->world.page, 7),
             SVMC_OK);
    a->foreign = (struct svmc_foreign){ .format = format,
                                        .area_bytes = sizeof a->area,
                                        .area = a->area,
                                        .gpa = ADAPT_GPA,
                                        .sida = a->sida,
                                        .sida_bytes = sizeof a->sida };
}

bool adapt_exit(struct adapt_lab *a, const char *scenario)
{
    unsigned n = scenario_named(scenario);

    return CHECK_EQ(lab_exit(&a->lab, n), SVMC_OK, "%s", scenario) &&
           a->lab.out.action == SVMC_ACT_DELEGATED;
}

enum svmc_status adapt_emit(struct adapt_lab *a)
{
    CHECK_EQ(svmc_request_read(a->lab.world.page, &a->request, a->data, sizeof a->data), SVMC_OK);
    return svmc_adapt_emit(&a->foreign, &a->request, a->data);
}

/* n bytes of the device's stream, as a number. */
static uint64_t stream(struct device *d, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n; i++)
        value |= (uint64_t)(uint8_t)(0x91 + 29 * d->given++) << (8 * i);
    return value;
}

static void write_log(struct device *d, uint8_t byte)
{
    d->log[d->taken++ % sizeof d->log] = byte;
}

void device_answer(struct device *d, const struct svmc_request *r, const uint8_t *data,
                   struct svmc_reply *reply, uint8_t *out)
{
    memset(reply, 0, sizeof *reply);
    reply->seq = r->seq;
    reply->done = r->count;
    switch (r->kind) {
    case SVMC_KIND_CPUID:
        reply->out_valid = 15;
        for (unsigned i = 0; i < 4; i++)
            reply->out[i] = stream(d, 4);
        d->arguments = d->arguments * 31 + r->in[0] * 7 + r->in[1];
        break;
    case SVMC_KIND_RDMSR:
        reply->out_valid = 3;
        reply->out[0] = stream(d, 4);
        reply->out[1] = stream(d, 4);
        break;
    case SVMC_KIND_IN:
    case SVMC_KIND_MMIO_READ:
        reply->out_valid = 1;
        reply->out[0] = stream(d, r->size);
        break;
    case SVMC_KIND_INS:
        reply->data_bytes = r->size * r->count;
        for (unsigned i = 0; i < reply->data_bytes; i++)
            out[i] = (uint8_t)stream(d, 1);
        break;
    case SVMC_KIND_OUTS:
    case SVMC_KIND_PAGE_STATE:
        for (unsigned i = 0; i < r->size * r->count; i++)
            write_log(d, data[i]);
        break;
    case SVMC_KIND_HYPERCALL:
        reply->out_valid = 1;
        reply->out[0] = SVMC_HCALL_DENIED;
        for (unsigned i = 0; i < 4; i++)
            d->arguments = d->arguments * 31 + r->in[i];
        break;
    case SVMC_KIND_HCALL: /* H_GET_TERM_CHAR, and one that brings its code alone */
        reply->out_valid = r->address == LAB_PAPR ? 15 : 1;
        reply->out[0] = 1; /* H_BUSY */
        for (unsigned i = 1; i < 4 && r->address == LAB_PAPR; i++)
            reply->out[i] = stream(d, 8);
        for (unsigned i = 0; i < (r->address == LAB_PAPR ? 1 : 4); i++)
            d->arguments = d->arguments * 31 + r->in[i];
        break;
    case SVMC_KIND_MAP_GPA:
    case SVMC_KIND_RIPAS:
    case SVMC_KIND_S2AP:
    case SVMC_KIND_DEV_MEM:
        reply->out_valid = 1;
        reply->out[0] = r->in[0];
        d->arguments = d->arguments * 31 + r->in[1];
        break;
    case SVMC_KIND_GUEST_REQUEST_EXT:
    case SVMC_KIND_GUEST_REQUEST:
        reply->out_valid = r->kind == SVMC_KIND_GUEST_REQUEST ? 1 : 3;
        reply->out[0] = (uint64_t)2 << 32; /* busy */
        reply->out[1] = reply->out_valid == 3 ? r->in[2] + 5 : 0;
        for (unsigned i = 0; i < 3; i++)
            d->arguments = d->arguments * 31 + r->in[i];
        break;
    case SVMC_KIND_DIAG_500:
        reply->out_valid = 1;
        reply->out[0] = stream(d, 8);
        for (unsigned i = 0; i < 4; i++)
            d->arguments = d->arguments * 31 + r->in[i];
        break;
    case SVMC_KIND_STSCH:
    case SVMC_KIND_TSCH:
    case SVMC_KIND_SSCH:
    case SVMC_KIND_MSCH:
        reply->data_bytes = r->direction == SVMC_DIRECTION_IN ? r->size : 0;
        for (unsigned i = 0; i < r->size; i++)
            if (r->direction == SVMC_DIRECTION_IN)
                out[i] = (uint8_t)stream(d, 1);
            else
                write_log(d, data[i]);
        /* fall through */
    case SVMC_KIND_CSCH:
    case SVMC_KIND_HSCH:
    case SVMC_KIND_RSCH:
    case SVMC_KIND_XSCH:
    case SVMC_KIND_RCHP:
        reply->out_valid = 1;
        reply->out[0] = 2;
        d->arguments = d->arguments * 31 + r->in[0];
        break;
    default: /* OUT, MMIO_WRITE, WRMSR, SAL, DIAG_288 */
        for (unsigned i = 0; i < (r->size ? r->size : 8); i++)
            write_log(d, (uint8_t)(r->in[0] >> (8 * i)));
        break;
    }
    d->arguments = d->arguments * 31 + r->address;
}

enum svmc_status adapt_host(struct adapt_lab *a)
{
    static uint8_t data[SVMC_PAGE_DATA_BYTES], out[SVMC_PAGE_DATA_BYTES];
    struct svmc_request request;
    struct svmc_reply reply;
    enum svmc_status st = svmc_adapt_decode(&a->foreign, &request, data);

    if (st != SVMC_OK)
        return st;
    device_answer(&a->device, &request, data, &reply, out);
    return svmc_adapt_answer(&a->foreign, &request, &reply, out);
}

enum svmc_status adapt_enter(struct adapt_lab *a)
{
    static uint8_t data[SVMC_PAGE_DATA_BYTES];
    enum svmc_status st = svmc_adapt_absorb(&a->foreign, &a->request, &a->reply, data, &a->rule);

    CHECK(st == SVMC_OK || st == SVMC_ERR_HOST_REPLY, "absorb: %d", (int)st);
    CHECK_EQ(st == SVMC_ERR_HOST_REPLY, a->rule != 0);
    CHECK_EQ(svmc_reply_write(a->lab.world.page, &a->reply, data), SVMC_OK);
    return svmc_vcpu_enter(&a->lab.vc, &a->lab.out);
}

/* An own string that was done in part: the guest executes its instruction again. */
static bool again(struct adapt_lab *a, const char *scenario)
{
    struct svmc_exit exit = scenarios[scenario_named(scenario)].exit;
    uint64_t *reg = a->lab.world.reg;

    exit.count = (uint32_t)reg[SVMC_REG_RCX];
    exit.buffer.v = reg[exit.kind == SVMC_KIND_INS ? SVMC_REG_RDI : SVMC_REG_RSI];
    return exit.repeat && exit.count > 0 && a->lab.out.action == SVMC_ACT_RESUME &&
           CHECK_EQ(svmc_vcpu_exit(&a->lab.vc, &exit, &a->lab.out), SVMC_OK, "%s", scenario);
}

bool adapt_serve(struct adapt_lab *a, const char *scenario)
{
    bool ok = adapt_exit(a, scenario);

    for (unsigned i = 0;
         ok && (a->lab.out.action == SVMC_ACT_DELEGATED || again(a, scenario)) && i < 64; i++)
        ok = CHECK_EQ(adapt_emit(a), SVMC_OK, "%s", scenario) &&
             CHECK_EQ(adapt_host(a), SVMC_OK, "%s", scenario) &&
             CHECK_EQ(adapt_enter(a), SVMC_OK, "%s: R%u AP-%u", scenario, a->lab.out.rule, a->rule);
    return ok && CHECK_EQ(a->lab.out.action, SVMC_ACT_RESUME, "%s", scenario);
}

bool adapt_serve_native(struct adapt_lab *a, const char *scenario)
{
    static uint8_t out[SVMC_PAGE_DATA_BYTES];
    bool ok = adapt_exit(a, scenario);

    for (unsigned i = 0; ok && a->lab.out.action == SVMC_ACT_DELEGATED && i < 64; i++) {
        ok = CHECK_EQ(svmc_request_read(a->lab.world.page, &a->request, a->data, sizeof a->data),
                      SVMC_OK);
        device_answer(&a->device, &a->request, a->data, &a->reply, out);
        ok = ok && CHECK_EQ(svmc_reply_write(a->lab.world.page, &a->reply, out), SVMC_OK) &&
             CHECK_EQ(svmc_vcpu_enter(&a->lab.vc, &a->lab.out), SVMC_OK, "%s", scenario);
    }
    return ok && CHECK_EQ(a->lab.out.action, SVMC_ACT_RESUME, "%s", scenario);
}

static void refuses(struct adapt_lab *a, enum svmc_foreign_format format,
                    const struct adapt_lie *lie)
{
    static const struct svmc_reply nothing;
    static uint8_t right[ADAPT_BYTES];
    static struct lab before;

    adapt_init(a, format, 0x1111222233334444);
    REQUIRE(adapt_exit(a, lie->scenario));
    REQUIRE(CHECK_EQ(adapt_emit(a), SVMC_OK, "%s", lie->name));
    REQUIRE(CHECK_EQ(adapt_host(a), SVMC_OK, "%s", lie->name));
    memcpy(right, a->area, sizeof right);
    for (unsigned i = 0; i < 3; i++)
        adapt_put(a->area + lie->put[i].at, lie->put[i].bytes, lie->put[i].value);
    CHECK(memcmp(right, a->area, sizeof right) != 0, "%s: it is no lie", lie->name);
    memcpy(&before, &a->lab, sizeof before);
    CHECK_EQ(adapt_enter(a), SVMC_ERR_HOST_REPLY, "%s", lie->name);
    CHECK_EQ(a->rule, lie->ap, "%s: AP", lie->name);
    if (lie->ap != 0) /* AP-6 */
        CHECK_MEM(&a->reply, &nothing, sizeof nothing, "%s: zeroed", lie->name);
    else
        CHECK_EQ(a->lab.out.rule, lie->r, "%s: R", lie->name);
    CHECK_EQ(a->lab.vc.priv.stats.refused, 1, "%s: it counts", lie->name);
    CHECK(lab_same(&a->lab, &before), "%s: the guest is unchanged", lie->name);
    memcpy(a->area, right, sizeof right);
    CHECK_EQ(adapt_enter(a), SVMC_OK, "%s: a right answer is taken afterwards", lie->name);
}

void adapt_refuses(enum svmc_foreign_format format, const struct adapt_lie *lies, unsigned count)
{
    static struct adapt_lab a;

    for (unsigned i = 0; i < count; i++)
        refuses(&a, format, &lies[i]);
}
