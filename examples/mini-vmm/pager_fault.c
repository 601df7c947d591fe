/* SPDX-License-Identifier: MIT */
/**
 * How a touch of a page that is away is heard of: userfaultfd, where the right to it is there, else
 * memory slots of one page each, of which those of sealed pages are missing. PROT_NONE is not a
 * third way: what KVM makes of it is not the same everywhere.
 */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef USERFAULTFD_IOC_NEW /* Linux 6.1 */
#define USERFAULTFD_IOC_NEW _IO(0xaa, 0x00)
#endif
#ifndef MREMAP_DONTUNMAP /* Linux 5.7 */
#define MREMAP_DONTUNMAP 4
#endif

/* One that hears of KVM's faults too: UFFD_USER_MODE_ONLY does not. By the call, or the device. */
static int open_faults(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), device, error = errno;

    if (fd >= 0)
        return fd;
    device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) {
        errno = error;
        return -1;
    }
    fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    close(device);
    return fd;
}

/*
 * One fault; the vCPU waits in it. A page that is there already was brought by pager_touch. One
 * that cannot be brought ends the run, but the kernel waits for it, signals or not: the vCPU gets a
 * signal, then zeros, and is out of KVM_RUN before it enters the guest. An instruction that KVM
 * emulates may end with these zeros; nothing comes of it any more.
 */
static void serve(struct pager *p, uint64_t address)
{
    uint64_t at = address - (uintptr_t)p->vm->memory;
    struct uffdio_range range = { .start = address / PAGER_PAGE * PAGER_PAGE, .len = PAGER_PAGE };

    struct uffdio_zeropage zeros = { .range = range };

    if (at < p->vm->memory_bytes && pager_touch(p, at, 1)) {
        (void)ioctl(p->faults, UFFDIO_WAKE, &range);
    } else {
        for (uint32_t i = 0; i < p->cpus; i++) /* whoever it is */
            (void)pthread_kill(p->vcpu[i], SIGRTMIN);
        (void)ioctl(p->faults, UFFDIO_ZEROPAGE, &zeros);
    }
}

static void *serve_all(void *arg)
{
    struct pager *p = arg;
    struct pollfd on[] = { { .fd = p->faults, .events = POLLIN },
                           { .fd = p->end, .events = POLLIN } };
    struct uffd_msg msg;

    while (poll(on, 2, -1) >= 0 || errno == EINTR) {
        if (on[1].revents != 0)
            break;
        if (read(p->faults, &msg, sizeof msg) == (ssize_t)sizeof msg &&
            msg.event == UFFD_EVENT_PAGEFAULT)
            serve(p, msg.arg.pagefault.address);
    }
    return NULL;
}

bool pager_begin_faults(struct pager *p, char *why, size_t cap)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register all = { .range = { .start = (uintptr_t)p->vm->memory,
                                              .len = p->vm->memory_bytes },
                                   .mode = UFFDIO_REGISTER_MODE_MISSING };

    p->faults = open_faults();
    if (p->faults >= 0 && ioctl(p->faults, UFFDIO_API, &api) == 0 &&
        madvise(p->vm->memory, p->vm->memory_bytes, MADV_NOHUGEPAGE) == 0 &&
        ioctl(p->faults, UFFDIO_REGISTER, &all) == 0 && (p->end = eventfd(0, EFD_CLOEXEC)) >= 0) {
        p->way = PAGER_FAULTS;
        p->manual = svmc_kvm_log_manual(p->vm->fd);
        p->running = vm_log(p->vm) && pthread_create(&p->thread, NULL, serve_all, p) == 0;
        if (p->running)
            return true;
    }
    snprintf(why, cap, "%s", strerror(errno));
    if (p->faults >= 0)
        close(p->faults);
    p->faults = -1;
    return false;
}

bool pager_begin_slots(struct pager *p, char *why, size_t cap)
{
    p->way = PAGER_SLOTS;
    p->manual = 0;
    if (vm_split(p->vm))
        return true;
    snprintf(why, cap, "--memory-budget: memory slots of one page: %s", strerror(errno));
    return false;
}

void pager_end(struct pager *p)
{
    uint64_t one = 1;

    if (p->running) {
        while (write(p->end, &one, sizeof one) < 0 && errno == EINTR)
            ;
        pthread_join(p->thread, NULL);
        p->running = false;
    }
    if (p->faults >= 0)
        close(p->faults); /* what is missing reads as zeros from now on */
    if (p->end >= 0)
        close(p->end);
    p->faults = p->end = -1;
}

bool pager_show(struct pager *p, uint64_t page)
{
    uint8_t *at = p->vm->memory + page * PAGER_PAGE;
    struct uffdio_copy copy = { .dst = (uintptr_t)at,
                                .src = (uintptr_t)p->plain,
                                .len = PAGER_PAGE };

    if (p->way == PAGER_FAULTS)
        return ioctl(p->faults, UFFDIO_COPY, &copy) == 0;
    memcpy(at, p->plain, PAGER_PAGE);
    return vm_show(p->vm, page, true);
}

/*
 * By userfaultfd it moves out of the guest's memory in one step: whoever had it loses it before the
 * call ends, and whoever touches it then waits for us.
 */
const uint8_t *pager_take(struct pager *p, uint64_t page)
{
    uint8_t *at = p->vm->memory + page * PAGER_PAGE;

    if (p->way == PAGER_SLOTS)
        return at;
    return mremap(at, PAGER_PAGE, PAGER_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                  p->aside) == p->aside
               ? p->aside
               : NULL;
}

/* Zeros first: what the kernel gets back holds nothing. */
bool pager_hide(struct pager *p, uint64_t page)
{
    uint8_t *at = p->way == PAGER_SLOTS ? p->vm->memory + page * PAGER_PAGE : p->aside;

    if (p->way == PAGER_SLOTS && !vm_show(p->vm, page, false))
        return false;
    explicit_bzero(at, PAGER_PAGE);
    return madvise(at, PAGER_PAGE, MADV_DONTNEED) == 0;
}

bool pager_log(struct pager *p, uint64_t page)
{
    const uint64_t from = page / 64 * 64, left = p->pages - from;
    struct svmc_kvm_log log = { .vm = p->vm->fd, .pages = p->pages, .manual = p->manual };
    uint64_t one[VM_PAGES / 64] = { 0 };
    bool good;

    memset(p->written, 0, sizeof p->written);
    if (p->way == PAGER_FAULTS) {
        one[page / 64] = (uint64_t)1 << page % 64;
        good = svmc_kvm_log_fetch(&log, p->scratch, p->written) == SVMC_OK &&
               svmc_kvm_log_clear(&log, from, left < 64 ? left : 64, one) == SVMC_OK;
        svmc_pages_log(&p->sealed, 0, p->written, p->pages / 64);
        return good;
    }
    log.slot = (uint32_t)page; /* a slot of one page */
    log.pages = 1;
    good = svmc_kvm_log_fetch(&log, p->scratch, p->written) == SVMC_OK;
    svmc_pages_mark(&p->sealed, page, p->written[0] & 1);
    return good;
}
