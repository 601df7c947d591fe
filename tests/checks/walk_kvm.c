/* SPDX-License-Identifier: MIT */
/*
 * The x86 walker beside a processor: random tables of each paging mode, one access of a guest of
 * KVM through them, at ring 0 or 3. Compared are the address (each word of memory holds its own;
 * outside of memory the exit says it), vector, error code and CR2 of a fault, and the accessed and
 * dirty bits of the tables. SVMC_COUNT cases.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <svmcore/walk.h>
#include <unistd.h>

#include "../harness.h"
#include "../random.h"

/* Guest-physical, and for what the guest itself needs virtual too. */
#define SUPERVISOR 0x8000u /* the access, at ring 0 */
#define USER       0x9000u /* at ring 3 */
#define IDT        0xa000u
#define GDT        0xb000u
#define TSS        0xb800u
#define HANDLERS   0xc000u /* 16 bytes each: push the vector, halt */
#define STACK      0xdff0u
#define DATA       0x400000u /* 4 MiB of words that hold their own address */
#define TABLES     0x800000u
#define MEMORY     0x2000000u
#define CODE_AT    0xf00u /* in each page of DATA: put its address into EAX, halt */

static uint8_t *memory;
static uint64_t next_table;
static int vm = -1, vcpu = -1;
static struct kvm_run *run;
static struct kvm_sregs clean;
static uint8_t address_bits, features;
static unsigned long early_reads;

enum mode { IN_32, IN_PAE, IN_48, IN_57, MODES };

static const struct {
    uint8_t levels, entry_bytes, index_bits, top_shift;
} modes[MODES] = { { 2, 4, 10, 22 }, { 3, 8, 9, 30 }, { 4, 8, 9, 39 }, { 5, 8, 9, 48 } };

struct test_case {
    enum mode mode;
    struct svmc_walk_x86 regs;
    uint64_t at;
    uint32_t access;
};

/* What became of it. */
struct sight {
    bool faulted, known; /* known: at is */
    uint8_t vector;
    uint32_t error;
    uint64_t cr2, at;
};

static bool set_memory(uint64_t size)
{
    struct kvm_userspace_memory_region region = {
        .memory_size = size,
        .userspace_addr = (uint64_t)(uintptr_t)memory,
    };

    return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

static void store(uint64_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        memory[at + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t load(uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)memory[at + i] << 8 * i;
    return value;
}

static void ask_cpuid(int kvm)
{
    static struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entry[256];
    } leaves;

    leaves.head.nent = 256;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &leaves) != 0 ||
        ioctl(vcpu, KVM_SET_CPUID2, &leaves) != 0)
        return;
    for (unsigned i = 0; i < leaves.head.nent; i++) {
        const struct kvm_cpuid_entry2 *leaf = &leaves.entry[i];

        if (leaf->function == 1 && leaf->edx >> 17 & 1)
            features |= SVMC_WALK_X86_PSE36;
        if (leaf->function == 0x80000001 && leaf->edx >> 26 & 1)
            features |= SVMC_WALK_X86_PAGE1G;
        if (leaf->function == 0 && (leaf->ecx == 0x444d4163 || leaf->ecx == 0x656e6975))
            features |= SVMC_WALK_X86_AMD; /* cAMD, uine */
        if (leaf->function == 0x80000008)
            address_bits = (uint8_t)leaf->eax;
    }
}

static bool open_guest(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;

    if (kvm < 0)
        return false;
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || size < 0 || memory == MAP_FAILED || !set_memory(MEMORY))
        return false;
    run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    ask_cpuid(kvm);
    close(kvm);
    return run != MAP_FAILED && address_bits >= 32 && ioctl(vcpu, KVM_GET_SREGS, &clean) == 0;
}

static void fill_memory(void)
{
    static const uint8_t accesses[4][8] = {
        { 0x8b, 0x03, 0xf4 },       /* mov (%rbx), %eax; hlt */
        { 0x89, 0x03, 0xf4 },       /* mov %eax, (%rbx) */
        { 0xf0, 0x01, 0x03, 0xf4 }, /* lock add %eax, (%rbx) */
        { 0xff, 0xe3 },             /* jmp *%rbx */
    };

    for (uint64_t at = DATA; at < TABLES; at += 8)
        store(at, at, 8);
    for (uint64_t at = DATA + CODE_AT; at < TABLES; at += 4096) {
        memory[at] = 0xb8;
        store(at + 1, at, 4);
        memory[at + 5] = 0xf4;
    }
    memcpy(memory + SUPERVISOR, accesses, sizeof accesses);
    memcpy(memory + USER, accesses, sizeof accesses);
    for (unsigned vector = 0; vector < 32; vector++) {
        memory[HANDLERS + 16 * vector] = 0x6a;
        memory[HANDLERS + 16 * vector + 1] = (uint8_t)vector;
        memory[HANDLERS + 16 * vector + 2] = 0xf4;
    }
}

/* Gates, segments and the stack of ring 0, of 64 or 32 bits. */
static void lay_out(bool wide)
{
    static const uint64_t segments[6] = { 0,
                                          0x00cf9b000000ffff,
                                          0x00cf93000000ffff,
                                          0x00cffb000000ffff,
                                          0x00cff3000000ffff,
                                          0x00008b0000000067 | (uint64_t)TSS << 16 };

    memset(memory + IDT, 0, 4096);
    for (unsigned vector = 0; vector < 32; vector++) {
        uint64_t gate = 0x00008e0000080000 | (HANDLERS + 16 * vector);

        store(IDT + (wide ? 16 : 8) * vector, gate, 8);
    }
    for (unsigned i = 0; i < 6; i++) /* L instead of D in the two for code */
        store(GDT + 8 * i,
              wide && (i & 1) && i < 5 ? segments[i] ^ 0x0060000000000000 : segments[i], 8);
    memset(memory + TSS, 0, 104);
    store(TSS + 4, STACK, wide ? 8 : 4);
    if (!wide)
        store(TSS + 8, 0x10, 2);
}

/* ---- cases ---------------------------------------------------------------------------------- */

static uint64_t new_table(void)
{
    uint64_t at = next_table;

    next_table += 4096;
    memset(memory + at, 0, 4096);
    return at;
}

/* Below the first entry of the first table: the guest's own pages, of which USER is the user's. */
static void map_own(const struct test_case *t, uint64_t root)
{
    unsigned bytes = modes[t->mode].entry_bytes;
    uint64_t table = root;

    for (unsigned level = 1; level < modes[t->mode].levels; level++) {
        uint64_t next = new_table();
        bool pdpte = t->mode == IN_PAE && level == 1;

        store(table, next | (pdpte ? 1 : 0x67), bytes);
        table = next;
    }
    for (uint64_t page = SUPERVISOR; page < 0x10000; page += 4096)
        store(table + page / 4096 * bytes, page | (page == USER ? 0x67 : 0x63), bytes);
}

static bool one_in(uint64_t *rng, unsigned n)
{
    return harness_random(rng) % n == 0;
}

/* An entry that says something of everything: mostly one that lets the access through. */
static uint64_t make_entry(uint64_t *rng, const struct test_case *t, unsigned shift, bool *leaf)
{
    uint64_t pick = harness_random(rng), entry = 0x7, mask = ((uint64_t)1 << shift) - 1;
    bool wide = modes[t->mode].entry_bytes == 8, large = !*leaf && shift <= 30;

    entry |= pick & 0xe60; /* A, D, 11:9 */
    for (unsigned bit = 0; bit < 3; bit++)
        if (one_in(rng, bit == 0 ? 24 : 5))
            entry ^= (uint64_t)1 << bit;
    if ((large && one_in(rng, 4)) || (!*leaf && one_in(rng, 40))) {
        entry |= 0x80;
        *leaf = true;
        if (t->mode == IN_32 && !(t->regs.cr4 & 0x10))
            *leaf = false; /* PS says nothing */
        else if (shift > 30 || (t->mode == IN_PAE && shift == 30))
            *leaf = false;
    }
    if (*leaf && one_in(rng, 2))
        entry |= shift == 30 ? 0 : DATA | (harness_random(rng) & (TABLES - DATA - 1) & ~mask);
    else if (*leaf) /* far away: an exit */
        entry |=
            harness_random(rng) & (((uint64_t)1 << address_bits) - 1) & ~mask & ~UINT64_C(4095);
    else
        entry |= new_table();
    if (!wide)
        entry = (entry & 0xffffffff) | (*leaf && shift == 12 ? 0x10000000 : 0);
    if (!wide && *leaf && shift > 12 && one_in(rng, 2))
        entry |= harness_random(rng) & 0x1fe000;
    if (wide && one_in(rng, 6))
        entry |= (uint64_t)1 << 63;
    if (wide && t->mode >= IN_48)
        entry |= harness_random(rng) & 0x07f0000000000000;
    if (one_in(rng, 16)) /* any bit that is no part of a table's address */
        entry ^=
            (uint64_t)1 << (*leaf ? 12 + pick % 52 : address_bits + pick % (64u - address_bits));
    return wide ? entry : entry & 0xffffffff;
}

static void make_tables(uint64_t *rng, struct test_case *t)
{
    unsigned shift = modes[t->mode].top_shift, bytes = modes[t->mode].entry_bytes;
    uint64_t root = new_table(), table = root;
    bool leaf = false;

    map_own(t, root);
    t->regs.cr3 = root;
    for (unsigned level = 0; level < modes[t->mode].levels && !leaf; level++) {
        uint64_t index = t->at >> shift & ((1u << modes[t->mode].index_bits) - 1), entry;

        leaf = shift == 12;
        if (t->mode == IN_PAE && level == 0) { /* what cannot be loaded into CR3 is not tried */
            index &= 3;
            entry = new_table() | (one_in(rng, 16) ? 0 : 1);
        } else {
            entry = make_entry(rng, t, shift, &leaf);
        }
        store(table + index * bytes, entry, bytes);
        table = entry & 0x000ffffffffff000 & (MEMORY - 1);
        shift -= modes[t->mode].index_bits;
    }
    for (unsigned i = 0; i < 4; i++)
        t->regs.pdpte[i] = load(root + 8 * i, 8);
}

static bool short_modes; /* this KVM has paging outside of long mode: kvm-pvm has not */

static void make(uint64_t *rng, struct test_case *t)
{
    static const uint32_t accesses[4] = { SVMC_WALK_READ, SVMC_WALK_WRITE,
                                          SVMC_WALK_READ | SVMC_WALK_WRITE, SVMC_WALK_FETCH };
    uint64_t pick = harness_random(rng);

    memset(t, 0, sizeof *t);
    t->mode = short_modes ? (enum mode)(pick % 3) : IN_48;
    t->access = accesses[pick >> 8 & 3];
    t->regs.cr0 = 0x80000011 | (pick & 0x10000); /* WP */
    t->regs.cr4 = pick & 0x300000;               /* SMEP, SMAP */
    t->regs.cr4 |= t->mode != IN_32 ? 0x20 : pick >> 40 & 0x10;
    t->regs.efer = (t->mode >= IN_48 ? 0x500 : 0) | (pick >> 32 & 0x800);
    t->regs.rflags = 2 | (pick & 0x40000);
    t->regs.cpl = pick >> 24 & 1 ? 3 : 0;
    t->regs.address_bits = address_bits;
    t->regs.features = features | SVMC_WALK_X86_PDPTES;
    t->at = DATA | (harness_random(rng) & (TABLES - DATA - 1));
    t->at =
        (t->at & ~UINT64_C(0xff8)) | (t->access == SVMC_WALK_FETCH ? CODE_AT : pick >> 48 & 0x7f8);
    t->at &= ~UINT64_C(7);
    if (t->mode <= IN_PAE)
        t->at |= (pick >> 56) % 2 << 31 | (uint64_t)1 << 30;
    else
        t->at |= (uint64_t)(1 + (pick >> 56) % 255) << 39 | (harness_random(rng) & 0x7fc0000000);
    if (t->mode <= IN_PAE)
        t->at &= 0xffffffff;
    else if (one_in(rng, 3))
        t->at |= 0xffff800000000000;
    else if (one_in(rng, 30))
        t->at |= 0x0040000000000000;
    make_tables(rng, t);
}

/* ---- the guest ------------------------------------------------------------------------------ */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool wide, uint8_t dpl)
{
    return (struct kvm_segment){ .limit = 0xffffffff,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .dpl = dpl,
                                 .s = 1,
                                 .g = 1,
                                 .l = wide && type == 11,
                                 .db = !(wide && type == 11) };
}

static bool start(const struct test_case *t)
{
    static const uint8_t offsets[] = { 0, 0, 8, 16 };
    bool wide = t->mode >= IN_48, user = t->regs.cpl == 3;
    struct kvm_sregs sregs = clean;
    struct kvm_regs regs = { .rax = 0x5a5a5a5a, .rbx = t->at, .rsp = STACK };

    sregs.cr0 = t->regs.cr0;
    sregs.cr2 = 0;
    sregs.cr3 = t->regs.cr3;
    sregs.cr4 = t->regs.cr4;
    sregs.efer = t->regs.efer;
    sregs.cs = segment(user ? 0x1b : 8, 11, wide, t->regs.cpl);
    sregs.ss = segment(user ? 0x23 : 0x10, 3, wide, t->regs.cpl);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
    sregs.tr = (struct kvm_segment){
        .base = TSS, .limit = 103, .selector = 0x28, .type = 11, .present = 1
    };
    sregs.idt.base = IDT;
    sregs.idt.limit = 4095;
    sregs.gdt.base = GDT;
    sregs.gdt.limit = 6 * 8 + 7;
    regs.rflags = t->regs.rflags;
    regs.rip =
        (user ? USER : SUPERVISOR) + (t->access == SVMC_WALK_FETCH ? 24u : offsets[t->access & 3]);
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0;
}

/* Finish an access outside of memory, so that nothing of it is left for the next case. */
static void drain(void)
{
    run->immediate_exit = 1;
    for (unsigned i = 0; i < 8; i++)
        if (ioctl(vcpu, KVM_RUN, 0) != 0)
            break;
    run->immediate_exit = 0;
}

static bool execute(const struct test_case *t, struct sight *s)
{
    unsigned word = t->mode >= IN_48 ? 8 : 4;
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    memset(s, 0, sizeof *s);
    if (!start(t) || ioctl(vcpu, KVM_RUN, 0) != 0)
        return false;
    if (run->exit_reason == KVM_EXIT_MMIO) {
        s->known = true;
        s->at = run->mmio.phys_addr;
        drain();
        return true;
    }
    if (run->exit_reason != KVM_EXIT_HLT)
        return t->access == SVMC_WALK_FETCH; /* no code there */
    if (ioctl(vcpu, KVM_GET_REGS, &regs) != 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs) != 0)
        return false;
    if (regs.rip >= HANDLERS && regs.rip < HANDLERS + 4096) {
        s->vector = (uint8_t)load(regs.rsp, 1);
        s->error = (uint32_t)load(regs.rsp + word, 4);
        s->cr2 = sregs.cr2;
        /* HLT of ring 3, behind the access: it went through */
        s->faulted =
            !(s->vector == 13 && load(regs.rsp + 2 * word, word) != 0 && t->regs.cpl == 3 &&
              memory[load(regs.rsp + 2 * word, word) & (MEMORY - 1)] == 0xf4);
        if (s->vector == 13 && t->access == SVMC_WALK_FETCH && regs.rax != 0x5a5a5a5a)
            s->faulted = false; /* the same, in the page that it jumped to */
    }
    s->known = !s->faulted && t->access != SVMC_WALK_WRITE && t->access != 3;
    s->at = regs.rax;
    return true;
}

/* One plain access through tables of 32 bits. */
static bool has_short_modes(void)
{
    struct test_case t = { .mode = IN_32, .at = DATA, .access = SVMC_WALK_READ };
    struct sight s;

    t.regs.cr0 = 0x80010011;
    t.regs.cr4 = 0x10;
    t.regs.rflags = 2;
    t.regs.cr3 = new_table();
    map_own(&t, t.regs.cr3);
    store(t.regs.cr3 + 4, DATA | 0xe7, 4);
    lay_out(false);
    return execute(&t, &s) && s.known && s.at == DATA;
}

/* ---- compared ------------------------------------------------------------------------------- */

static enum svmc_status read_memory(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    (void)ctx;
    if (at.v >= MEMORY)
        return SVMC_ERR_REFUSED;
    *entry = load(at.v, bytes);
    return SVMC_OK;
}

static const struct svmc_walk_ops ops = { sizeof(struct svmc_walk_ops), read_memory, NULL };

/* What was written is where it should be; undo it. */
static bool undo_write(const struct test_case *t, uint64_t at)
{
    uint64_t want = t->access == SVMC_WALK_WRITE ? 0x5a5a5a5a : at + 0x5a5a5a5a;
    bool there = load(at, 4) == (want & 0xffffffff);

    store(at, at, 8);
    return there;
}

/*
 * KVM emulates what is outside of memory, and reads there for a locked instruction before it looks
 * whether that may write; a processor does not. Then the walk of a read has to say the same.
 */
static bool is_early_read(const struct test_case *t, const struct sight *s,
                          const struct svmc_walk_result *r)
{
    struct svmc_walk_result read;

    return t->access == 3 && s->known && !s->faulted && r->fault.raised &&
           (r->fault.error & 0xb) == 3 && s->at >= MEMORY &&
           svmc_walk_by_x86(&t->regs, &ops, NULL, (svmc_gva){ t->at }, SVMC_WALK_READ, &read) ==
               SVMC_OK &&
           !read.fault.raised && read.at.v == s->at;
}

static bool compare(const struct test_case *t, const struct sight *s,
                    const struct svmc_walk_result *r)
{
    if (is_early_read(t, s, r)) {
        early_reads++;
        return true;
    }
    if (s->faulted || r->fault.raised)
        return s->faulted == r->fault.raised && s->vector == r->fault.vector &&
               s->error == r->fault.error && (s->vector != 14 || s->cr2 == r->fault.address);
    if (s->known && s->at != r->at.v)
        return false;
    if ((t->access & SVMC_WALK_WRITE) && r->at.v >= DATA && r->at.v < TABLES &&
        !undo_write(t, r->at.v))
        return false;
    for (unsigned i = 0; i < r->mark_count; i++)
        if (load(r->mark[i].at.v, r->entry_bytes) != r->mark[i].now)
            return false;
    return true;
}

static void tell(unsigned long i, const struct test_case *t, const struct sight *s,
                 const struct svmc_walk_result *r)
{
    printf("case %lu: mode %u at %llx access %x cpl %u cr0 %llx cr4 %llx efer %llx: processor "
           "%u vector %u error %x cr2 %llx at %llx; walk %u vector %u error %x at %llx\n",
           i, t->mode, (unsigned long long)t->at, t->access, t->regs.cpl,
           (unsigned long long)t->regs.cr0, (unsigned long long)t->regs.cr4,
           (unsigned long long)t->regs.efer, s->faulted, s->vector, s->error,
           (unsigned long long)s->cr2, (unsigned long long)s->at, r->fault.raised, r->fault.vector,
           r->fault.error, (unsigned long long)r->at.v);
}

TEST(walk_kvm, random_tables) /* WK-6 WK-7 WK-8 WK-9 WK-10 WK-12 WK-13 WK-14 */
{
    const char *given = getenv("SVMC_COUNT");
    unsigned long count = given ? strtoul(given, NULL, 10) : 20000, faults = 0, away = 0, marks = 0;
    unsigned long errors[64] = { 0 }, kinds = 0;
    uint64_t rng = harness_seed();
    unsigned failed = 0;

    if (!open_guest()) {
        harness_skip("hardware: no /dev/kvm that runs a guest");
        return;
    }
    fill_memory();
    next_table = TABLES;
    short_modes = has_short_modes();
    for (unsigned long i = 0; i < count && failed < 10; i++) {
        struct svmc_walk_result r;
        struct test_case t;
        struct sight s;

        if (next_table > MEMORY - 0x20000) { /* KVM forgets what it knows of the tables */
            REQUIRE(set_memory(0) && set_memory(MEMORY));
            next_table = TABLES;
        }
        make(&rng, &t);
        lay_out(t.mode >= IN_48);
        REQUIRE(svmc_walk_by_x86(&t.regs, &ops, NULL, (svmc_gva){ t.at }, t.access, &r) == SVMC_OK);
        if (t.access == SVMC_WALK_FETCH && !r.fault.raised && (r.at.v < DATA || r.at.v >= TABLES))
            continue; /* there is no code */
        if (!r.fault.raised && r.at.v < MEMORY && (r.at.v < DATA || r.at.v >= TABLES))
            continue; /* a bit more has made it the tables' or the guest's own */
        if (!CHECK(execute(&t, &s), "case %lu: exit %u", i, run->exit_reason) ||
            !CHECK(compare(&t, &s, &r), "case %lu", i)) {
            tell(i, &t, &s, &r);
            failed++;
        }
        faults += r.fault.raised;
        away += !r.fault.raised && (r.at.v < DATA || r.at.v >= TABLES);
        marks += r.mark_count;
        if (r.fault.raised && r.fault.vector == 14)
            kinds += errors[r.fault.error & 63]++ == 0;
    }
    printf("%lu cases, %s: %lu faults with %lu error codes, %lu outside of memory, %lu marks; %lu "
           "early reads "
           "of KVM's emulator; %u address bits\n",
           count, short_modes ? "all modes" : "this KVM has paging in long mode alone", faults,
           kinds, away, marks, early_reads, address_bits);
    CHECK(faults > count / 10 && faults < count * 9 / 10 && away > count / 50 && kinds >= 14,
          "the cases say something");
}
