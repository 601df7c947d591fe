/* SPDX-License-Identifier: MIT */
/**
 * Which pages of a guest lie open, and how the others are sealed. Two queues: a page is cold when
 * it comes back, hot if it does so soon after it was put away; cold ones go first, the oldest of
 * them, as long as they have a quarter of the budget.
 */
#include "pager.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

#define STORE_BYTES(p) ((size_t)(p)->pages * 2 * (SVMC_TAG_BYTES + PAGER_PAGE))
#define SUBKEYS        2u

#define TABLE_PRESENT  0x1u
#define TABLE_LARGE    0x80u
#define TABLE_ADDRESS  0x000ffffffffff000u
#define TABLE_LEVELS   4u
#define CR0_PAGING     0x80000000u
#define INSN_BYTES_MAX 15u
#define RETRIES_MAX    8u /* of an instruction that KVM could not fetch though all is there */

__attribute__((format(printf, 2, 3))) static bool fail(struct pager *p, const char *format, ...)
{
    va_list args;

    if (!atomic_load(&p->failed)) {
        va_start(args, format);
        vsnprintf(p->why, sizeof p->why, format, args);
        va_end(args);
        atomic_store(&p->failed, true);
    }
    return false;
}

static const char *reason(enum svmc_seal_reason why)
{
    return why == SVMC_SEAL_TAG ? "its sealed copy is not what was written last"
                                : svmc_status_name(svmc_seal_status(why));
}

static uint8_t *tag_at(const struct pager *p, uint64_t page, bool second)
{
    return p->store + (page * 2 + second) * SVMC_TAG_BYTES;
}

static uint8_t *copy_at(const struct pager *p, uint64_t page, bool second)
{
    return p->store + (size_t)p->pages * 2 * SVMC_TAG_BYTES + (page * 2 + second) * PAGER_PAGE;
}

/* A page comes back, into plain. */
static bool fetch(struct pager *p, uint64_t page)
{
    bool second = p->page[page].second;
    enum svmc_seal_reason why =
        svmc_pages_open(&p->sealed, SEALING_LANE_PAGES, page, copy_at(p, page, second),
                        tag_at(p, page, second), p->plain);

    return why == SVMC_SEAL_NONE ||
           fail(p, "page 0x%llx: %s", (unsigned long long)page * PAGER_PAGE, reason(why));
}

static void is_open(struct pager *p, uint64_t page)
{
    struct pager_page *at = &p->page[page];

    p->turn++;
    at->hot = at->closed > 0 && p->turn - at->closed <= p->budget / 16;
    at->opened = p->turn;
    at->open = true;
    p->open++;
    p->counts.opened++;
    if (p->open > p->counts.most)
        p->counts.most = p->open;
}

/* Beside the copy that there may be, which is the good one until this one is there. */
static bool seal(struct pager *p, uint64_t page, const uint8_t *from)
{
    bool second = !p->page[page].second;
    struct svmc_page_copy copy;
    enum svmc_seal_reason why = SVMC_SEAL_NONE;

    if (svmc_pages_left(&p->sealed) == 0) {
        pthread_mutex_lock(&p->sealing->lock);
        why = svmc_pages_tend(&p->sealed);
        pthread_mutex_unlock(&p->sealing->lock);
    }
    if (why == SVMC_SEAL_NONE)
        why = svmc_pages_seal(&p->sealed, SEALING_LANE_PAGES, page, from, copy_at(p, page, second),
                              tag_at(p, page, second), &copy);
    if (why == SVMC_SEAL_NONE)
        why = svmc_pages_publish(&p->sealed, &copy);
    if (why == SVMC_SEAL_NONE)
        p->page[page].second = second;
    p->counts.sealed++;
    return why == SVMC_SEAL_NONE || fail(p, "sealing a page: %s", reason(why));
}

/*
 * Put a page away: what was written since it came is sealed anew, all else is sealed already.
 * Nobody writes it from pager_take on. KVM's log is no help with several vCPUs: one that runs may
 * have written what the log does not have yet.
 */
static bool put_away(struct pager *p, uint64_t page)
{
    struct pager_page *at = &p->page[page];
    const uint8_t *from = pager_take(p, page);

    if (!from)
        return fail(p, "a page cannot be taken from the guest");
    if (p->cpus > 1)
        svmc_pages_mark(&p->sealed, page, 1);
    else if (!pager_log(p, page))
        return fail(p, "KVM's log of written pages");
    if (svmc_pages_state(&p->sealed, page) == SVMC_PAGE_CLEAN)
        p->counts.unchanged++;
    else if (!seal(p, page, from))
        return false;
    if (!pager_hide(p, page) || svmc_pages_leave(&p->sealed, page) != SVMC_SEAL_NONE)
        return fail(p, "a page cannot be taken from the guest");
    at->open = false;
    at->closed = p->turn;
    p->open--;
    return true;
}

/* Who has to go; p->pages: nobody may. */
static uint64_t victim(const struct pager *p)
{
    uint64_t cold = p->pages, hot = p->pages, colds = 0;

    for (uint64_t i = 0; i < p->pages; i++) {
        const struct pager_page *at = &p->page[i];
        uint64_t *oldest = at->hot ? &hot : &cold;

        if (!at->open || at->kept > 0)
            continue;
        colds += !at->hot;
        if (*oldest == p->pages || at->opened < p->page[*oldest].opened)
            *oldest = i;
    }
    return hot == p->pages || (cold < p->pages && colds > p->budget / 4) ? cold : hot;
}

/* Room for one page more. */
static bool make_room(struct pager *p)
{
    while (p->open >= p->budget) {
        uint64_t page = victim(p);

        if (page == p->pages)
            return fail(p, "the budget is too small for what the processor needs at once");
        if (!put_away(p, page))
            return false;
    }
    return true;
}

/* Under the lock. */
static bool bring(struct pager *p, uint64_t page)
{
    bool good;

    if (p->page[page].open)
        return true;
    good = make_room(p) && fetch(p, page);
    if (good) {
        good = pager_show(p, page) || fail(p, "a page cannot be given to the guest");
        explicit_bzero(p->plain, PAGER_PAGE);
    }
    if (good)
        is_open(p, page);
    return good;
}

bool pager_touch(struct pager *p, uint64_t at, size_t bytes)
{
    uint64_t begin = now_ns();
    bool good = true;

    pthread_mutex_lock(&p->lock);
    for (uint64_t page = at / PAGER_PAGE;
         good && page < p->pages && bytes > 0 && page <= (at + bytes - 1) / PAGER_PAGE; page++)
        good = bring(p, page);
    p->counts.ns += now_ns() - begin;
    pthread_mutex_unlock(&p->lock);
    return good;
}

/* Under the lock page by page, so that each is there meanwhile. */
bool pager_copy(struct pager *p, uint64_t at, void *bytes, size_t n, bool write)
{
    uint8_t *with = bytes;
    bool good = true;

    pthread_mutex_lock(&p->lock);
    for (size_t done = 0, some; good && done < n; done += some) {
        uint64_t page = (at + done) / PAGER_PAGE;
        uint8_t *here = p->vm->memory + at + done;

        some = (size_t)((page + 1) * PAGER_PAGE - (at + done));
        some = some < n - done ? some : n - done;
        good = bring(p, page);
        if (good && write)
            memcpy(here, with + done, some);
        else if (good)
            memcpy(with + done, here, some);
        if (good && write)
            svmc_pages_mark(&p->sealed, page, 1); /* in no log of KVM's */
    }
    pthread_mutex_unlock(&p->lock);
    return good;
}

/* Pages that hold what the processor reads by itself, at most PAGER_KEPT_MAX. */
struct kept {
    uint32_t count;
    uint16_t page[PAGER_KEPT_MAX];
};

/* true: it is new, it is in memory, and there is room. */
static bool keep(struct pager *p, struct kept *k, uint64_t at)
{
    uint64_t page = at / PAGER_PAGE;

    for (uint32_t i = 0; i < k->count; i++)
        if (k->page[i] == page)
            return false;
    if (page >= p->pages || k->count == PAGER_KEPT_MAX || !pager_touch(p, at, 1))
        return false;
    k->page[k->count++] = (uint16_t)page;
    return true;
}

/* The tables from CR3 down, level by level. */
static void keep_tables(struct pager *p, struct kept *k, const struct kvm_sregs *sregs)
{
    uint32_t level_from = k->count, next;

    if ((sregs->cr0 & CR0_PAGING) == 0)
        return;
    keep(p, k, sregs->cr3 & TABLE_ADDRESS);
    for (uint32_t level = TABLE_LEVELS; level > 1; level--, level_from = next) {
        next = k->count;
        for (uint32_t i = level_from; i < next; i++) {
            const uint64_t *table = (const void *)(p->vm->memory + k->page[i] * PAGER_PAGE);

            for (uint32_t j = 0; j < PAGER_PAGE / 8; j++)
                if ((table[j] & TABLE_PRESENT) != 0 && (table[j] & TABLE_LARGE) == 0)
                    keep(p, k, table[j] & TABLE_ADDRESS);
        }
    }
}

bool pager_before(struct pager *p, struct vm_vcpu *c)
{
    struct kept k = { 0 };
    struct kvm_sregs sregs;

    if (ioctl(c->fd, KVM_GET_SREGS, &sregs) != 0)
        return fail(p, "KVM_GET_SREGS");
    keep_tables(p, &k, &sregs);
    keep(p, &k, sregs.gdt.base);
    keep(p, &k, sregs.idt.base);
    keep(p, &k, sregs.idt.base + sregs.idt.limit);
    keep(p, &k, sregs.tr.base);
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = 0; i < k.count; i++)
        p->page[k.page[i]].kept++;
    for (uint32_t i = 0; i < p->kept_count[c->id]; i++)
        p->page[p->kept[c->id][i]].kept--;
    memcpy(p->kept[c->id], k.page, sizeof k.page);
    p->kept_count[c->id] = k.count;
    p->vcpu[c->id] = pthread_self();
    pthread_mutex_unlock(&p->lock);
    return !atomic_load(&p->failed);
}

/* An access to memory that has no slot, or whose page was waited for in vain: with its bytes. */
static bool complete(struct pager *p, struct kvm_run *run)
{
    uint64_t at = run->mmio.phys_addr;

    if (at >= p->vm->memory_bytes || run->mmio.len > sizeof run->mmio.data ||
        run->mmio.len > p->vm->memory_bytes - at || !pager_touch(p, at, run->mmio.len))
        return false;
    if (run->mmio.is_write) {
        memcpy(p->vm->memory + at, run->mmio.data, run->mmio.len);
        svmc_pages_mark(&p->sealed, at / PAGER_PAGE, 1); /* in no log of KVM's */
    } else {
        memcpy(run->mmio.data, p->vm->memory + at, run->mmio.len);
    }
    p->counts.completed++;
    return true;
}

/* KVM could not fetch an instruction: its code comes back. It is executed then, from its start. */
static bool bring_code(struct pager *p, struct vm_vcpu *c)
{
    const struct kvm_regs *regs = vm_vcpu_regs(c);
    uint64_t before = p->counts.opened;

    for (uint32_t i = 0; regs && i <= INSN_BYTES_MAX; i += INSN_BYTES_MAX) {
        struct kvm_translation where = { .linear_address = regs->rip + i };

        if (ioctl(c->fd, KVM_TRANSLATE, &where) == 0 && where.valid &&
            !pager_touch(p, where.physical_address, 1))
            return false;
    }
    p->retries = p->counts.opened > before ? 0 : p->retries + 1;
    return regs && p->retries < RETRIES_MAX;
}

bool pager_exit(struct pager *p, struct vm_vcpu *c)
{
    if (c->run->exit_reason == KVM_EXIT_MMIO)
        return complete(p, c->run);
    return c->run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
           c->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && bring_code(p, c);
}

/* A file of its own, which has a name in /proc: nobody is trusted with it. */
static bool open_store(struct pager *p)
{
    p->store_fd = memfd_create("sealed-pages", MFD_CLOEXEC);
    if (p->store_fd < 0 || ftruncate(p->store_fd, (off_t)STORE_BYTES(p)) != 0)
        return false;
    p->store = mmap(NULL, STORE_BYTES(p), PROT_READ | PROT_WRITE, MAP_SHARED, p->store_fd, 0);
    p->plain = mmap(NULL, PAGER_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p->aside = mmap(NULL, PAGER_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->store == MAP_FAILED || p->plain == MAP_FAILED || p->aside == MAP_FAILED)
        return false;
    (void)mlock(p->plain, PAGER_PAGE);
    return true;
}

static enum svmc_status open_pages(struct pager *p)
{
    const struct svmc_pages_config config = {
        .sealer = &p->sealing->sealer, .pages = p->pages, .lanes = SEALING_LANES, .subkeys = SUBKEYS
    };
    enum svmc_status st;

    p->trusted_bytes = svmc_pages_bytes(&config);
    p->trusted =
        mmap(NULL, p->trusted_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->trusted == MAP_FAILED || !open_store(p))
        return SVMC_ERR_FULL;
    (void)mlock(p->trusted, p->trusted_bytes);
    pthread_mutex_lock(&p->sealing->lock);
    st = svmc_pages_init(&p->sealed, &config, p->trusted, p->trusted_bytes);
    pthread_mutex_unlock(&p->sealing->lock);
    return st;
}

static bool begin(struct pager *p, enum pager_way way, char *why, size_t cap)
{
    enum svmc_status st = open_pages(p);

    if (st != SVMC_OK) {
        snprintf(why, cap, "--memory-budget: %s", svmc_status_name(st));
        return false;
    }
    if (way != PAGER_SLOTS && pager_begin_faults(p, p->why_way, sizeof p->why_way))
        return true;
    if (way == PAGER_FAULTS || p->cpus > 1) {
        snprintf(why, cap, "--memory-budget: userfaultfd: %s%s", p->why_way,
                 p->cpus > 1 ? ": several vCPUs need it" : "");
        return false;
    }
    return pager_begin_slots(p, why, cap);
}

bool pager_open(struct pager *p, struct vm *vm, uint32_t cpus, struct sealing *sealing,
                uint32_t percent, enum pager_way way, char *why, size_t cap)
{
    *p = (struct pager){
        .vm = vm, .sealing = sealing, .cpus = cpus, .faults = -1, .end = -1, .store_fd = -1
    };
    p->pages = (uint32_t)(vm->memory_bytes / PAGER_PAGE);
    p->open = p->pages;
    p->budget = (uint32_t)((uint64_t)p->pages * percent / 100);
    if (p->budget < PAGER_OPEN_MIN)
        p->budget = PAGER_OPEN_MIN;
    pthread_mutex_init(&p->lock, NULL);
    for (uint32_t i = 0; i < cpus; i++)
        p->vcpu[i] = pthread_self(); /* until it runs */
    for (uint32_t i = 0; i < p->pages; i++)
        p->page[i].open = true;
    if (!begin(p, way, why, cap))
        return false;
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = 0; i < p->pages && !atomic_load(&p->failed); i++) {
        put_away(p, i);
        p->page[i].closed = 0; /* nobody had it */
    }
    pthread_mutex_unlock(&p->lock);
    p->counts = (struct pager_counts){ 0 };
    vm->pager = p;
    if (atomic_load(&p->failed))
        snprintf(why, cap, "--memory-budget: %s", p->why);
    return !atomic_load(&p->failed);
}

/* Its subkeys go with all others: sealing_close. */
void pager_close(struct pager *p)
{
    struct pager_counts counts;

    if (!p->vm)
        return;
    counts = p->counts;
    p->budget = p->pages;
    if (!atomic_load(&p->failed))
        pager_touch(p, 0, p->vm->memory_bytes);
    p->counts = counts; /* of the run, not of its end */
    pager_end(p);
    p->vm->pager = NULL;
    if (p->store && p->store != MAP_FAILED)
        munmap(p->store, STORE_BYTES(p));
    if (p->plain && p->plain != MAP_FAILED)
        munmap(p->plain, PAGER_PAGE);
    if (p->aside && p->aside != MAP_FAILED)
        munmap(p->aside, PAGER_PAGE);
    if (p->trusted && p->trusted != MAP_FAILED)
        munmap(p->trusted, p->trusted_bytes);
    if (p->store_fd >= 0)
        close(p->store_fd);
    p->vm = NULL;
}
