/* SPDX-License-Identifier: MIT */
/** VMware's calls: who may make which, and those whose answer is a number. docs/spec/vmware.md. */
#include "../../core/bytes.h"
#include "../../core/clamp.h"
#include "../../core/memory.h"
#include "vmware_private.h"

#define SETS       (SVMC_VMWARE_COMMANDS / 32u)
#define UNKNOWN    0xffffffffu
#define VERSION    6u
#define BUS_MAX    4294967u /* kHz: in Hz it has 32 bits */
#define CPUID_WAYS (SVMC_VMWARE_CPUID_VMMCALL | SVMC_VMWARE_CPUID_VMCALL | SVMC_VMWARE_CPUID_TDX)
#define BIT(n)     (1u << ((n) % 32u))

/* VW-4: for CPL 0 alone: open-vm-tools lib/include/backdoor_def.h; 103: reference of issue 5. */
static const uint32_t kernel_only[SETS] = {
    BIT(2) | BIT(18) | BIT(28),
    BIT(37) | BIT(43) | BIT(48) | BIT(49) | BIT(50) | BIT(54) | BIT(62),
    BIT(64) | BIT(65) | BIT(69) | BIT(70) | BIT(71) | BIT(73) | BIT(74) | BIT(75) | BIT(76) |
        BIT(77) | BIT(78) | BIT(79) | BIT(80) | BIT(85) | BIT(91) | BIT(92) | BIT(93),
    BIT(103),
};

CORE_SMALL static bool has(const uint32_t set[SETS], uint32_t command)
{
    return command < SVMC_VMWARE_COMMANDS &&
           (set[core_clamp(command / 32, SETS)] >> command % 32 & 1);
}

/* VW-4: what the VM does not have and what the caller may not do look alike. */
CORE_SMALL static bool allowed(const struct svmc_vmware *vm, const struct svmc_vmware_call *call,
                               uint32_t command)
{
    const struct svmc_vmware_config *config = &vm->priv.config;

    return has(config->commands, command) &&
           !(call->user && (has(kernel_only, command) || has(config->kernel_only, command)));
}

/* VW-2 */
CORE_SMALL static bool messages_are_usable(const struct svmc_vmware_config *config)
{
    uint32_t unit = SVMC_VMWARE_MESSAGE_UNIT, message = config->message_bytes;

    return config->channels && config->arena && config->channel_count >= 1 &&
           config->channel_count <= SVMC_VMWARE_CHANNELS_MAX && message >= 2 * unit &&
           message <= SVMC_VMWARE_MESSAGE_MAX && message % unit == 0 &&
           config->arena_bytes % unit == 0 && config->arena_bytes / 2 >= message;
}

CORE_SMALL enum svmc_status svmc_vmware_init(struct svmc_vmware *vm,
                                             const struct svmc_vmware_config *config,
                                             const struct svmc_vmware_ops *ops, void *ctx)
{
    struct svmc_vmware_ops lent = { 0 };
    size_t size;

    if (!vm)
        return SVMC_ERR_ARG;
    memset(vm, 0, sizeof *vm);
    if (!config || !ops || ops->size < sizeof(void *) || config->size != sizeof *config ||
        (config->flags & ~(uint32_t)(SVMC_VMWARE_HIGH_BANDWIDTH | SVMC_VMWARE_COOKIES)) != 0 ||
        config->vcpu_info >> 31 || config->bus_khz > BUS_MAX ||
        (config->cpuid_ways & ~(uint32_t)CPUID_WAYS) != 0)
        return SVMC_ERR_ARG;
    size = ops->size;
    if (size > sizeof lent)
        size = sizeof lent;
    memcpy(&lent, ops, size - size % sizeof(void *)); /* whole members of an older host's table */
    if (has(config->commands, SVMC_VMWARE_MESSAGE)) {
        if (!lent.random || (config->idle_ticks != 0 && !lent.ticks) ||
            !messages_are_usable(config))
            return SVMC_ERR_ARG;
        memset(config->channels, 0, config->channel_count * sizeof *config->channels);
    }
    if (!lent.guest_span)
        lent.translate = NULL; /* each is of use with the other alone */
    vm->priv.config = *config;
    svmc_vmware_pointer_reset(vm);
    vm->priv.ops = lent;
    vm->priv.ctx = ctx;
    return SVMC_OK;
}

/* VW-6, VW-7: what a register can get. */
enum value {
    KEEP,
    ZERO,
    SIX,
    MAGIC,
    PRODUCT,
    HARDWARE,
    MEMORY,
    VCPU,
    UUID_0,
    UUID_1,
    UUID_2,
    UUID_3,
    MHZ,
    HZ_LOW,
    HZ_HIGH,
    BUS_HZ,
    SECONDS_LOW,
    SECONDS_HIGH,
    MICROSECONDS,
    MAX_LAG,
    BOTH_LAGS,
    TIMER_LAG,
    CLOCK_HIGH,
    CLOCK_LOW,
    VALUES
};

/* What a command must have. */
enum need { NOTHING, TSC, TIME, CLOCK, MESSAGES, POINTER };

/* One command of the library's. */
struct row {
    uint8_t command;
    uint8_t need;     /* enum need */
    uint8_t value[6]; /* of arguments 0 to 5: enum value */
};

/* VW-6, VW-7. Sources: QEMU hw/i386/vmport.c; Linux arch/x86/kernel/cpu/vmware.c (45, 68) and
   drivers/ptp/ptp_vmw.c (97); open-vm-tools services/plugins/timeSync/timeSync.c (23, 46, 55). */
static const struct row rows[] = {
    { SVMC_VMWARE_GETMHZ, TSC, { MHZ } },
    { SVMC_VMWARE_GETVERSION, NOTHING, { SIX, MAGIC, PRODUCT } },
    { SVMC_VMWARE_GETHWVERSION, NOTHING, { HARDWARE, MAGIC } },
    { SVMC_VMWARE_GETUUID, NOTHING, { UUID_0, UUID_1, UUID_2, UUID_3 } },
    { SVMC_VMWARE_GETMEMSIZE, NOTHING, { MEMORY } },
    { SVMC_VMWARE_GETTIME, TIME, { SECONDS_LOW, MICROSECONDS, BOTH_LAGS } },
    { SVMC_VMWARE_MESSAGE, MESSAGES, { KEEP } },
    { SVMC_VMWARE_ISMOUSEABSOLUTE, POINTER, { KEEP } },
    { SVMC_VMWARE_ABSPOINTER_DATA, POINTER, { KEEP } },
    { SVMC_VMWARE_ABSPOINTER_STATUS, POINTER, { KEEP } },
    { SVMC_VMWARE_ABSPOINTER_COMMAND, POINTER, { KEEP } },
    { SVMC_VMWARE_GETHZ, TSC, { HZ_LOW, HZ_HIGH, BUS_HZ } },
    { SVMC_VMWARE_GETTIMEFULL,
      TIME,
      { MAGIC, MICROSECONDS, BOTH_LAGS, SECONDS_LOW, SECONDS_HIGH } },
    { SVMC_VMWARE_GETTIMEFULL_WITH_LAG,
      TIME,
      { MAGIC, MICROSECONDS, MAX_LAG, SECONDS_LOW, SECONDS_HIGH, TIMER_LAG } },
    { SVMC_VMWARE_GET_VCPU_INFO, NOTHING, { VCPU } },
    { SVMC_VMWARE_ABSPOINTER_RESTRICT, POINTER, { KEEP } },
    { SVMC_VMWARE_PRECISIONCLOCK, CLOCK, { ZERO, CLOCK_HIGH, CLOCK_LOW } },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* VW-7 */
CORE_SMALL static bool read_time(const struct svmc_vmware *vm, struct svmc_vmware_time *t)
{

    return vm->priv.ops.time && vm->priv.ops.time(vm->priv.ctx, t) == SVMC_OK &&
           t->nanoseconds < 1000000000u;
}

/* VW-6, VW-7: what needs nothing of the VM but its configuration. */
CORE_SMALL static bool answer(const struct svmc_vmware *vm, struct svmc_vmware_call *call,
                              const struct row *row)
{
    const struct svmc_vmware_config *c = &vm->priv.config;
    uint64_t hz = (uint64_t)c->tsc_khz * 1000, clock;
    struct svmc_vmware_time t = { 0 };

    if ((row->need == TSC && hz == 0) ||
        (row->need == CLOCK && vmware_get(call, 2) >> 16 != 0) || /* the others would set it */
        ((row->need == TIME || row->need == CLOCK) && !read_time(vm, &t)))
        return false;
    clock = t.seconds * 1000000000u + t.nanoseconds;
    const uint32_t values[VALUES] = {
        [SIX] = VERSION,
        [MAGIC] = SVMC_VMWARE_MAGIC,
        [PRODUCT] = c->product,
        [HARDWARE] = c->hardware_version,
        [MEMORY] = c->memory_size,
        [VCPU] = c->vcpu_info,
        [UUID_0] = core_load_le32(c->uuid),
        [UUID_1] = core_load_le32(c->uuid + 4),
        [UUID_2] = core_load_le32(c->uuid + 8),
        [UUID_3] = core_load_le32(c->uuid + 12),
        [MHZ] = c->tsc_khz / 1000,
        [HZ_LOW] = (uint32_t)hz,
        [HZ_HIGH] = (uint32_t)(hz >> 32),
        [BUS_HZ] = c->bus_khz * 1000,
        [SECONDS_LOW] = (uint32_t)t.seconds,
        [SECONDS_HIGH] = (uint32_t)(t.seconds >> 32),
        [MICROSECONDS] = t.nanoseconds / 1000,
        [MAX_LAG] = t.max_lag_us,
        [BOTH_LAGS] = t.max_lag_us + t.interrupt_lag_us,
        [TIMER_LAG] = t.interrupt_lag_us,
        [CLOCK_HIGH] = (uint32_t)(clock >> 32),
        [CLOCK_LOW] = (uint32_t)clock,
    };
    for (unsigned n = 0; n < sizeof row->value; n++)
        if (row->value[n] != KEEP)
            vmware_set(call, n, values[row->value[n]]); /* clamp: of a constant row */
    return true;
}

/* One call, on a copy of its registers. */
CORE_SMALL static enum svmc_status perform(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                           struct svmc_vmware_result *out)
{
    uint32_t command = call->high ? SVMC_VMWARE_MESSAGE : vmware_get(call, 2) & 0xffff;
    const struct row *row = rows;
    enum svmc_status st = SVMC_OK;

    out->end = SVMC_VMWARE_DONE;
    out->unknown = 1;
    if (!allowed(vm, call, command))
        return SVMC_OK;
    while (row < rows + ROWS && row->command != command)
        row++;
    if (row == rows + ROWS) {
        out->unknown = !vm->priv.ops.command ||
                       vm->priv.ops.command(vm->priv.ctx, command, call) != SVMC_OK; /* VW-8 */
    } else if (row->need != MESSAGES && row->need != POINTER) {
        out->unknown = !answer(vm, call, row);
    } else if (!vmware_claim(vm)) {
        out->end = SVMC_VMWARE_BUSY;
        out->unknown = 0;
    } else {
        if (row->need == POINTER) {
            out->unknown = !svmc_vmware_pointer_command(vm, call, command);
        } else {
            out->unknown = 0;
            st = call->high ? svmc_vmware_high(vm, call, out) : svmc_vmware_message(vm, call);
        }
        vmware_release(vm);
    }
    return st;
}

CORE_SMALL enum svmc_status svmc_vmware_enter(struct svmc_vmware *vm)
{
    if (!vm || vm->priv.ops.size == 0)
        return SVMC_ERR_ARG;
    return vmware_claim(vm) ? SVMC_OK : SVMC_ERR_STATE;
}

static bool is_usable(const struct svmc_vmware_call *call)
{
    return (call->user | call->high | call->write | call->iopl) <= 1 && call->reserved[0] == 0 &&
           call->reserved[1] == 0 && call->reserved2 == 0 &&
           svmc_iox_reg((enum svmc_isa)call->isa, 0) != SVMC_REG_NONE &&
           call->data_bytes <= (call->data ? SVMC_VMWARE_MESSAGE_MAX : 0);
}

CORE_SMALL enum svmc_status svmc_vmware_handle(struct svmc_vmware *vm,
                                               struct svmc_vmware_call *call,
                                               struct svmc_vmware_result *out)
{
    struct svmc_vmware_call work;
    enum svmc_status st;
    unsigned changed = 0;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!vm || !call || !is_usable(call))
        return SVMC_ERR_ARG;
    if (vm->priv.ops.size == 0 || vmware_get(call, 0) != SVMC_VMWARE_MAGIC) { /* VW-3 */
        out->end = SVMC_VMWARE_NOT_OURS;
        return SVMC_OK;
    }
    work = *call;
    st = perform(vm, &work, out);
    if (out->unknown) { /* VW-5: clients read what the others still hold */
        memcpy(work.arg, call->arg, sizeof work.arg);
        vmware_set(&work, 0, UNKNOWN);
        if (call->high)
            vmware_set_upper(&work, 1, 0); /* else it says what the guest put there: success */
    }
    if (out->end == SVMC_VMWARE_DONE && call->high && !call->write && call->data &&
        !(work.arg[1] >> 16 & SVMC_VMWARE_SUCCESS))
        memset(call->data, 0, call->data_bytes); /* VW-11: nothing has filled them */
    if (st != SVMC_OK) {
        memset(out, 0, sizeof *out);
        if (!call->high)
            return st;
    }
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        changed |= (unsigned)(work.arg[n] != call->arg[n]) << n;
    memcpy(call->arg, work.arg, sizeof call->arg);
    out->changed = (uint8_t)changed;
    return st;
}
