/* SPDX-License-Identifier: MIT */
/**
 * Everybody else in the VM of the trusted program, in ring 0 of the same kernel: calls that are not
 * its, tokens that are stolen, its pages and its mapping. Before each the guest says what it tries;
 * the keeper says what came of it. In between the program does its work.
 */
#include "tokens.h"
#include "user.h"

#define TRAP_AT    64u /* of a stub: token_page.md, landing pad and tag */
#define STUB_BYTES 74u
#define FS_BASE    0xc0000100u /* AMD APM vol. 2, A */
#define PTE        0x67u       /* present, writable, for ring 3, accessed, dirty */
#define TABLE      0x27u
#define ALIAS      0xb0000u /* RAM that nobody uses */
#define PATIENCE   100u

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);
void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int byte, unsigned long n);

static struct svmc_guest guest;
static struct program program;
static struct svmc_hcall_token stolen;
static unsigned checks, changes;
static uint64_t low[512] __attribute__((aligned(4096))); /* page table of the lowest 2 MiB */
static uint64_t other[512]
    __attribute__((aligned(4096))); /* what the hostile one has in its place */
static uint8_t fake[4096] __attribute__((aligned(4096)));

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

static void check(int good)
{
    checks++;
    if (!good)
        guest_halt(checks);
}

static svmc_hcall_word call(svmc_hcall_word number, svmc_hcall_word a, svmc_hcall_word b,
                            svmc_hcall_word c)
{
    svmc_hcall_word arg[6] = { a, b, c, 0, 0, 0 };

    return svmc_call(&guest, TOKENS_CONTROL(number), arg);
}

static void begin(const char *what, int asked)
{
    unsigned long n = 0;

    while (what[n])
        n++;
    check(call(TOKENS_TRY, (svmc_hcall_word)what, n, (svmc_hcall_word)asked) == SVMC_HCALL_OK);
}

/* What a refusal has done is nothing. */
static void end(svmc_hcall_word status)
{
    (void)call(TOKENS_TRIED, 0, 0, 0); /* the keeper keeps the score */
    check(SVMC_HCALL_CODE_OF(status) == SVMC_HCALL_DENIED);
    check(*(volatile uint64_t *)TOKENS_KEPT == changes);
}

/* The program's work; with patience, for others may have had its token locked out. */
static void work(void)
{
    svmc_hcall_word status = SVMC_HCALL_DENIED;

    changes++;
    for (unsigned i = 0; i < PATIENCE && status == SVMC_HCALL_DENIED; i++)
        status = program_put(&program, 0, changes);
    check(status == SVMC_HCALL_OK);
    check(*(volatile uint64_t *)TOKENS_KEPT == changes);
}

static void set_root(uint64_t at)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(at) : "memory");
}

static uint64_t root(void)
{
    uint64_t at;

    __asm__ volatile("mov %%cr3, %0" : "=r"(at));
    return at;
}

/* A RET of the program's own: who returns there seems to be it. */
static uint64_t find_ret(uint64_t from)
{
    const volatile uint8_t *at = (const volatile uint8_t *)from;

    while (*at != 0xc3)
        at++;
    return (uint64_t)at;
}

static uint64_t gadget(void)
{
    return find_ret(TOKENS_PROGRAM);
}

/* PUT with all registers as the program has them, and any token, by a jump to `at`; it returns to
   `ret`, a RET. */
static svmc_hcall_word jump_from(uint64_t ret, uint64_t at, const struct svmc_hcall_token *token)
{
    register svmc_hcall_word handle __asm__("r12") = token->handle;
    register svmc_hcall_word tag __asm__("r13") = token->tag_low;
    register svmc_hcall_word high __asm__("r8") = token->tag_high;
    register svmc_hcall_word back __asm__("r9") = ret;
    svmc_hcall_word status = TOKENS_CONTROL(TOKENS_PUT) | SVMC_HCALL_TOKEN, word = 666, to = 0;

    __asm__ volatile("push %%r14\n\tlea 1f(%%rip), %%rcx\n\tpush %%rcx\n\tpush %%r9\n\t"
                     "mov %%r8, %%r14\n\tjmp *%[at]\n1:\tpop %%r14"
                     : "+a"(status), "+D"(to), "+S"(word), "+r"(tag), "+r"(high), "+r"(back)
                     : [at] "b"(at), "d"((svmc_hcall_word)guest.port), "r"(handle)
                     : "rcx", "r10", "r11", "cc", "memory");
    return status;
}

static svmc_hcall_word jump(uint64_t at, const struct svmc_hcall_token *token)
{
    return jump_from(gadget(), at, token);
}

/* A PUT by an instruction of other code. */
static uint64_t call_with(void *token)
{
    svmc_hcall_word arg[6] = { 0, 666, 0, 0, 0, 0 };

    return svmc_call_tok(&guest, TOKENS_CONTROL(TOKENS_PUT), arg, token);
}

static uint64_t trap(void)
{
    return program.gate + TRAP_AT;
}

static void use_calls(void)
{
    struct svmc_hcall_token wrong = stolen;
    struct program thief = program;
    uint64_t last = TOKENS_GATE + 4096 - STUB_BYTES;

    begin("to enrol behind the others", 0);
    end(program_enrol(&thief));
    begin("no token at all", 0);
    wrong.handle = 0;
    end(call_with(&wrong));
    begin("the stolen tag, from other code", 0);
    end(call_with(&stolen));
    begin("the same, from ring 3", 0);
    end(user_in_ring(3, call_with, &stolen));
    begin("the gate, called by other code", 0);
    end(jump_from(find_ret(BOOT_IMAGE), program.gate, &stolen));
    begin("a decoy in the gate", 0);
    end(jump(program.gate + STUB_BYTES <= last ? program.gate + STUB_BYTES
                                               : program.gate - STUB_BYTES,
             &stolen));
    begin("the gate's trap, with a guess of the tag", 0);
    wrong = stolen;
    wrong.tag_high ^= 1;
    end(jump(trap(), &wrong));
    begin("the same, with the handle's next generation", 0);
    wrong = stolen;
    wrong.handle += 0x10000;
    end(jump(trap(), &wrong));
    begin("the same, with another index", 0);
    wrong.handle = stolen.handle + 5;
    end(jump(trap(), &wrong));
}

static void use_other_places(void)
{
    svmc_hcall_word arg[6] = { 1 };
    struct svmc_hcall_token lent;
    uint64_t was = root();

    begin("a token lent to vCPU 1, on vCPU 0", 0);
    check(svmc_call(&guest, TOKENS_CONTROL(TOKENS_STEAL), arg) == SVMC_HCALL_OK);
    lent = (struct svmc_hcall_token){ arg[0], arg[1], arg[2] };
    end(jump(trap(), &lent));
    begin("the gate, from another thread", 0);
    write_msr(FS_BASE, 0x1000);
    end(jump(program.gate, &stolen));
    write_msr(FS_BASE, 0);
    begin("the gate, from another address space", 0);
    memcpy(other, (const void *)was, sizeof other);
    set_root((uint64_t)other);
    end(jump(program.gate, &stolen));
    set_root(was);
}

static void use_mapping(void)
{
    volatile uint64_t *directory = (volatile uint64_t *)(BOOT_TABLES + 0x3000ull);
    uint64_t was = root();

    begin("the gate's page mapped once more elsewhere", 0);
    low[ALIAS >> 12] = TOKENS_GATE | PTE;
    set_root(was);
    end(jump(ALIAS + (program.gate - TOKENS_GATE), &stolen));
    low[ALIAS >> 12] = ALIAS | PTE;
    begin("its address mapped to a page with code of ours", 0);
    fake[trap() - TOKENS_GATE] = 0xef; /* out dx, eax; ret */
    fake[trap() - TOKENS_GATE + 1] = 0xc3;
    low[TOKENS_GATE >> 12] = (uint64_t)fake | PTE;
    set_root(was);
    end(jump(trap(), &stolen));
    low[TOKENS_GATE >> 12] = TOKENS_GATE | PTE;
    begin("another page table on the way to it", 0);
    memcpy(other, low, sizeof other);
    *directory = (uint64_t)other | TABLE;
    set_root(was);
    end(jump(program.gate, &stolen));
    *directory = (uint64_t)low | TABLE;
    set_root(was);
}

static void use_memory(void)
{
    static const struct {
        uint64_t at;
        const char *what;
    } pages[] = { { TOKENS_GATE, "a write to the gate" },
                  { TOKENS_PROGRAM, "a write to the program's code" },
                  { TOKENS_KEPT, "a write to the page that it keeps" } };
    uint64_t seen;

    begin("a read of the gate, for its tag", 0);
    seen = *(volatile uint64_t *)(program.gate + 4);
    end(SVMC_HCALL_DENIED);
    check(seen == ~0ull);
    for (unsigned i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (i > 0) /* who reads the gate is heard of */
            seen = *(volatile uint64_t *)pages[i].at;
        begin(pages[i].what, 0);
        *(volatile uint64_t *)pages[i].at = 666;
        end(SVMC_HCALL_DENIED);
        if (i > 0)
            check(*(volatile uint64_t *)pages[i].at == seen);
    }
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    struct svmc_hcall_token old, wrong;
    svmc_hcall_word arg[6] = { 0 };

    (void)boot;
    this_cpu()->id = id;
    this_cpu()->noise = BOOT_NOISE;
    this_cpu()->vector = CPU_NO_VECTOR;
    check(svmc_probe(&guest, 0) && guest.way == SVMC_WAY_PORT);
    write_msr(FS_BASE, 0);
    for (unsigned i = 0; i < 512; i++)
        low[i] = (uint64_t)i << 12 | PTE;
    *(volatile uint64_t *)(BOOT_TABLES + 0x3000ull) = (uint64_t)low | TABLE;
    user_prepare(id, guest.port);
    *(volatile uint64_t *)TOKENS_KEPT = 0;

    program.guest = &guest;
    begin("to enrol before the program does", 0);
    end(svmc_call(&guest, TOKENS_CONTROL(TOKENS_ENROL), arg));
    check(program_enrol(&program) == SVMC_HCALL_OK);
    check(call(TOKENS_SEAL, 0, 0, 0) == SVMC_HCALL_OK);
    work();
    arg[0] = 0;
    check(svmc_call(&guest, TOKENS_CONTROL(TOKENS_STEAL), arg) == SVMC_HCALL_OK);
    stolen = (struct svmc_hcall_token){ arg[0], arg[1], arg[2] };
    use_calls();
    work();
    use_other_places();
    use_mapping();
    work();
    use_memory();
    work();

    old = stolen;
    check(program_rotate(&program) == SVMC_HCALL_OK);
    begin("the old tag, when the program has a new one", 0);
    end(jump(trap(), &old));
    work();
    begin("guesses, until the token is heard no more on this vCPU", 0);
    wrong = old;
    for (unsigned i = 0; i < 8; i++) {
        wrong.tag_low++;
        arg[0] = jump(trap(), &wrong);
    }
    end(arg[0]);
    work();
    begin("to keep the program from a call it was asked for", 1);
    for (unsigned i = 0; i < 10; i++)
        arg[0] = call(TOKENS_SEAL, 0, 0, 0);
    end(arg[0]);
    work();
    rep_outs8(DEV_CONSOLE, "PASS: cpu 0\n", 12);
    return VERDICT_PASS;
}
