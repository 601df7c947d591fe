/* SPDX-License-Identifier: MIT */
/**
 * A guest that makes hypercalls, from ring 0 and from ring 3, by guest/hypercall.h alone: it looks
 * whether somebody answers, asks VMware's way and the native way for the same, and compares. What
 * it got it tells the keeper, not the host. guestinfo.mode=hostile: all processors but the first
 * then abuse every call, while the first goes on.
 */
#include "calls.h"

#include "../guest-tools/rpc.h"

#define TRIES 2000000u

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);

static struct work works[BOOT_CPUS_MAX][2];
static uint64_t passed;

/* The compiler may call these. */
void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int byte, unsigned long n);

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

unsigned long length(const char *text)
{
    unsigned long n = 0;

    while (text && text[n])
        n++;
    return n;
}

static int same(const char *a, const char *b, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

svmc_hcall_word native(struct work *w, unsigned number, svmc_hcall_word arg[6])
{
    return svmc_call(&w->guest, SVMC_HCALL_CONTROL(number) | SVMC_HCALL_OWNER(NATIVE_OWNER), arg);
}

void say(struct work *w, const char *a, const char *b, const char *c, const char *d)
{
    const char *const parts[] = { w->ring == 0 ? "ring 0: " : "ring 3: ", a, b, c, d };
    char line[200];
    unsigned long n = 0;
    svmc_hcall_word arg[6] = { 0 };

    for (unsigned i = 0; i < 5; i++)
        for (const char *at = parts[i]; at && *at && n < sizeof line; at++)
            line[n++] = *at;
    arg[0] = (svmc_hcall_word)line;
    arg[1] = n;
    (void)native(w, NATIVE_SAY, arg);
}

void check(struct work *w, int good, const char *name)
{
    w->cpu->checks++;
    if (good || w->failed)
        return;
    w->failed = w->cpu->checks;
    say(w, "FAIL ", name, 0, 0);
}

static void print(const char *text)
{
    rep_outs8(DEV_CONSOLE, text, length(text));
}

/* Reply to an RPCI request, in w->reply as text; the first two characters say whether. */
static int ask(struct work *w, int high, const char *request)
{
    size_t n = 0;
    enum rpc_end end = RPC_NO_OPEN;

    /* somebody may hold all channels, or all room for messages: it is taken back in time */
    for (unsigned i = 0; i < TRIES && end != RPC_DONE; i++)
        end = rpc(&w->guest, high, request, length(request), w->reply, sizeof w->reply - 1, &n);
    w->reply[end == RPC_DONE ? n : 0] = 0;
    return end == RPC_DONE && n >= 2;
}

static unsigned long ask_native(struct work *w, const char *key, char *to, unsigned long room)
{
    svmc_hcall_word arg[6] = { (svmc_hcall_word)key, length(key), (svmc_hcall_word)to, room };

    return native(w, NATIVE_INFO, arg) == SVMC_HCALL_OK ? arg[0] : 0;
}

static void use_vmware(struct work *w)
{
    svmc_hcall_word word[6] = { 0 };

    word[2] = SVMC_VMWARE_GET_VERSION;
    check(w, svmc_vmware_low(&w->guest, word) == 6 && word[1] == SVMC_VMWARE_MAGIC, "version");
    word[2] = 20;
    check(w, svmc_vmware_low(&w->guest, word) == BOOT_RAM_BYTES >> 20, "memory size");
    word[2] = 99;
    word[1] = 0x1234;
    check(w, svmc_vmware_low(&w->guest, word) == 0xffffffff && word[1] == 0x1234, "no command");
}

static void use_native(struct work *w)
{
    static const char text[] = "through two buffers";
    char copied[64];
    svmc_hcall_word arg[6] = { 0 }, before;

    check(w, native(w, SVMC_HCALL_ASK_VERSION, arg) == SVMC_HCALL_OK && arg[0] == SVMC_HCALL_ABI,
          "native version");
    arg[0] = NATIVE_COPY;
    check(w,
          native(w, SVMC_HCALL_ASK_FEATURES, arg) == SVMC_HCALL_OK &&
              (arg[0] & SVMC_HCALL_HAS_MEMORY) && (arg[0] & SVMC_HCALL_MAY_NOW),
          "features of a call");
    arg[0] = 0;
    check(w, native(w, NATIVE_COUNT, arg) == SVMC_HCALL_OK, "counter");
    before = arg[0];
    arg[0] = 3;
    check(w, native(w, NATIVE_COUNT, arg) == SVMC_HCALL_OK && arg[0] >= before + 3, "counts on");
    memset(copied, '#', sizeof copied);
    arg[0] = (svmc_hcall_word)text;
    arg[1] = sizeof text;
    arg[2] = (svmc_hcall_word)copied;
    arg[3] = sizeof copied;
    check(w,
          native(w, NATIVE_COPY, arg) == SVMC_HCALL_OK && arg[0] == sizeof text &&
              same(copied, text, sizeof text) && copied[sizeof text] == '#',
          "copy");
    arg[0] = 1;
    check(w, svmc_call(&w->guest, SVMC_HCALL_CONTROL(NATIVE_COUNT), arg) == SVMC_HCALL_NOT_DEFINED,
          "an owner that is not there");
    if (w->ring == 3)
        check(w, native(w, NATIVE_LOCK, arg) == SVMC_HCALL_DENIED, "the kernel's call");
}

/* The same value by three ways; then one that is set. */
static void use_info(struct work *w)
{
    static const char get[] = "info-get guestinfo.hello", none[] = "info-get guestinfo.nothing";
    char set[] = "info-set guestinfo.seen.0.0 by the guest";
    char key[] = "seen.0.0", value[600];
    unsigned long n = ask_native(w, "hello", value, sizeof value - 1);

    set[24] = key[5] = (char)('0' + w->cpu->id);
    set[26] = key[7] = (char)('0' + w->ring);
    value[n] = 0;
    for (int high = 0; high < 2; high++) {
        check(w, ask(w, high, get), "info-get");
        check(w,
              n == 0 ? same(w->reply, "0 ", 2)
                     : same(w->reply, "1 ", 2) && length(w->reply) == n + 2 &&
                           same(w->reply + 2, value, n),
              "both ABIs say the same");
    }
    say(w, "guestinfo.hello is ", n > 0 ? value : "not there", 0, 0);
    check(w, ask(w, 1, none) && same(w->reply, "0 No value found", 16), "no such key");
    check(w, ask(w, 0, set) && same(w->reply, "1 ", 2), "info-set");
    n = ask_native(w, key, value, sizeof value);
    check(w, n == 12 && same(value, "by the guest", 12), "what was set");
    check(w, ask(w, 1, "log hello from a log") && same(w->reply, "1 ", 2), "log");
}

static uint64_t use(void *of)
{
    struct work *w = of;
    struct svmc_probe_how how = { 0 };
    int found;

    how.kernel = w->ring == 0;
    how.attempt = attempt;
    found = svmc_probe(&w->guest, &how);
    if (w->ring == 3 && w->guest.abi == 0) { /* some KVMs show a program the machine's own CPUID */
        w->guest = works[w->cpu->id][0].guest;
        say(w, "CPUID says nothing here: the kernel told me", 0, 0, 0);
    }
    check(w, found && w->guest.abi == SVMC_HCALL_ABI, "probe");
    check(w, w->guest.way == SVMC_WAY_PORT && w->guest.vmware == SVMC_WAY_PORT, "both answer");
    use_vmware(w);
    use_native(w);
    use_info(w);
    return w->failed;
}

static void must(uint64_t failed)
{
    if (failed)
        guest_halt(failed);
}

static void both_rings(struct cpu *cpu, uint64_t (*f)(void *))
{
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        struct work *w = &works[cpu->id][ring / 3];

        w->cpu = cpu;
        w->ring = ring;
        must(user_in_ring(ring, f, w));
    }
}

/* The first processor goes on while the others abuse; in the end nothing is set any more. */
static void finish(const struct boot_info *boot, struct cpu *cpu, int hostile)
{
    struct work *w = &works[cpu->id][0];
    svmc_hcall_word arg[6] = { 0 };

    while (__atomic_load_n(&passed, __ATOMIC_ACQUIRE) + 1 < boot->cpus)
        if (hostile)
            both_rings(cpu, use);
        else
            __asm__ volatile("pause");
    check(w, native(w, NATIVE_LOCK, arg) == SVMC_HCALL_OK, "lock");
    check(w, ask(w, 1, "info-set guestinfo.hello mine") && same(w->reply, "0 Not", 5), "locked");
    must(w->failed);
}

static void run(const struct boot_info *boot, struct cpu *cpu)
{
    uint64_t *page_tables = (uint64_t *)(BOOT_TABLES + 0x3000ull); /* of the lowest GiB */
    struct svmc_guest guest;
    struct work *w = &works[cpu->id][0];
    char mode[16];
    int hostile;

    if (!svmc_probe(&guest, 0)) {
        print("nobody announces hypercalls here\n");
        return;
    }
    page_tables[ALIAS_READ >> 21] = 0xa5; /* present, user, accessed, 2 MiB */
    page_tables[ALIAS_KERNEL >> 21] = 0xe3;
    user_prepare(cpu->id, guest.port);
    both_rings(cpu, use);
    hostile = ask_native(w, "mode", mode, sizeof mode) == 7 && same(mode, "hostile", 7);
    if (hostile && (cpu->id != 0 || boot->cpus == 1))
        both_rings(cpu, abuse);
    if (cpu->id == 0)
        finish(boot, cpu, hostile);
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    char line[] = "PASS: cpu 0\n";
    struct cpu *cpu = this_cpu();

    cpu->noise = BOOT_NOISE + id * (BOOT_NOISE_BYTES / BOOT_CPUS_MAX);
    cpu->vector = CPU_NO_VECTOR;
    cpu->id = id;
    cpu->checks = 0;
    run(boot, cpu);
    line[10] = (char)('0' + id);
    print(line);
    __atomic_add_fetch(&passed, 1, __ATOMIC_RELEASE);
    return VERDICT_PASS;
}
