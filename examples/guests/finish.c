/* SPDX-License-Identifier: MIT */
/**
 * A guest that executes in ring 3 what KVM's emulator lacks: each instruction of finish.def on RAM,
 * which the processor does, and on the device, which somebody has to finish; and compares
 * registers, flags and memory. One line each says what came of it:
 *   same     as on RAM
 *   other    not as on RAM: the guest fails
 *   bsr      LZCNT or TZCNT: the hypervisor took it for BSR or BSF and finished that, unasked
 *   refused  an exception: the hypervisor could not; the guest fails
 *   absent   this processor has no such instruction, on RAM either
 */
#include "finish.h"
#include "user.h"

#define DEVICE     (DEV_MMIO_ALIAS + MMIO_SCRATCH)
#define BYTES_MAX  256u
#define FLAGS_SEEN 0x8d5u /* OF SF ZF AF PF CF */
#define ROUNDS     2u

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);
void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int byte, unsigned long n);
int memcmp(const void *a, const void *b, unsigned long n);

/* The compiler may call these. */
void *memcpy(void *to, const void *from, unsigned long n)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memset(void *to, int byte, unsigned long n)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, unsigned long n)
{
    const uint8_t *x = a, *y = b;

    for (unsigned long i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

enum result { SAME, OTHER, BSR, REFUSED, ABSENT };
static const char *const results[] = { "same", "other", "bsr", "refused", "absent" };

struct
try {
    void (*call)(void *);
    unsigned bytes, flags, round;
    unsigned char scans; /* LZCNT: 1, TZCNT: 2 */
    unsigned char result;
    const uint8_t *noise;
};

static uint8_t ram[BYTES_MAX + 256] __attribute__((aligned(64)));
static struct form forms[2];

static void put_words(volatile uint64_t *to, const uint64_t *from, unsigned bytes)
{
    for (unsigned i = 0; i < bytes / 8; i++)
        to[i] = from[i];
}

/* The same registers for both; in the second round a compare meets what it looks for. */
static void fill(struct form *f, const struct try *t, uint64_t at)
{
    memcpy(f, t->noise + BYTES_MAX, sizeof *f);
    f->flags = t->round & 1 ? FLAGS_SEEN | 2 : 2;
    if (t->round & 1) {
        memcpy(&f->rax, t->noise, 8);
        memcpy(&f->rdx, t->noise + 8, 8);
    }
    f->at = at;
}

static int differs(const struct form *a, const struct form *b, const struct try *t)
{
    const volatile uint64_t *device = (const volatile uint64_t *)DEVICE;
    uint64_t word;

    for (unsigned i = 0; i < (t->bytes + 7) / 8; i++) {
        memcpy(&word, ram + 8 * i, 8);
        if (device[i] != word)
            return 1;
    }
    return memcmp(a->x87, b->x87, FORM_AT - FORM_X87) != 0 || a->rax != b->rax ||
           a->rbx != b->rbx || a->rcx != b->rcx || a->rdx != b->rdx ||
           ((a->flags ^ b->flags) & t->flags) != 0;
}

/* What BSR and BSF, the same opcode without its prefix, make of the operand: SDM vol. 2. */
static int is_bsr(const struct form *f, const struct try *t)
{
    uint64_t word, scanned;

    memcpy(&word, t->noise, 8);
    if (t->scans == 0 || word == 0)
        return 0;
    scanned =
        t->scans == 1 ? 63u - (unsigned)__builtin_clzll(word) : (unsigned)__builtin_ctzll(word);
    return f->rax == scanned;
}

static uint64_t once(void *of)
{
    struct try *t = of;

    memset(ram, 0, sizeof ram);
    if (t->bytes < BYTES_MAX) /* FXSAVE of QEMU 7.2 leaves FOP and reserved bytes as they were */
        memcpy(ram, t->noise, t->bytes);
    fill(&forms[0], t, (uint64_t)ram);
    fill(&forms[1], t, DEVICE);
    put_words((volatile uint64_t *)DEVICE, (const uint64_t *)(const void *)ram,
              (t->bytes + 15) & ~15u);
    t->result = ABSENT;
    if (attempt(0, t->call, &forms[0]))
        return 0;
    t->result = REFUSED;
    if (attempt(0, t->call, &forms[1]))
        return 0;
    t->result = !differs(&forms[0], &forms[1], t) ? SAME : is_bsr(&forms[1], t) ? BSR : OTHER;
    return 0;
}

static void print(const char *text)
{
    unsigned long n = 0;

    while (text[n])
        n++;
    rep_outs8(DEV_CONSOLE, text, n);
}

/* Rounds with other noise each: the worst counts. */
static int run(const char *name, void (*call)(void *), unsigned bytes, unsigned flags,
               unsigned char scans)
{
    struct cpu *cpu = this_cpu();
    struct try t = { .call = call, .bytes = bytes, .flags = flags, .scans = scans };
    unsigned worst = SAME;

    for (t.round = 0; t.round < ROUNDS; t.round++) {
        cpu->noise = BOOT_NOISE | ((cpu->noise + 2 * BYTES_MAX) & (BOOT_NOISE_BYTES - 1));
        t.noise = (const uint8_t *)cpu->noise;
        user_in_ring(3, once, &t);
        worst = t.result > worst ? t.result : worst;
    }
    print(name);
    print(" ");
    print(results[worst]);
    print("\n");
    cpu->checks++;
    return worst != OTHER && worst != REFUSED;
}

/* The device within reach of ring 3, too. */
static void open_device(void)
{
    uint64_t *tables = (uint64_t *)(BOOT_TABLES + 0x3000ull), at;

    tables[DEV_MMIO_ALIAS >> 21] |= 4;
    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=&r"(at) : : "memory");
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    struct cpu *cpu = this_cpu();
    uint64_t failed = 0;

    (void)boot;
    cpu->noise = BOOT_NOISE;
    cpu->vector = CPU_NO_VECTOR;
    cpu->id = id;
    cpu->checks = 0;
    user_prepare(id, NATIVE_PORT);
    open_device();
#define FORM(name, bytes, flags, scans, insn, behind)                 \
    if (!run(#name, form_##name, bytes, flags, scans) && failed == 0) \
        failed = cpu->checks;
#include "finish.def"
#undef FORM
    if (failed)
        return failed;
    print("PASS: cpu 0\n");
    return VERDICT_PASS;
}
