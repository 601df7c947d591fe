/* SPDX-License-Identifier: MIT */
/*
 * The stub in a big-endian processor elsewhere: SVMC_GUEST, a command, runs a64_big_guest.c, which
 * shares memory with this process.
 */
#include "a64_stub.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES (5 * ARENA_PAGE)

static struct stub_shared *shared;
static uint32_t words[STUB_SLOTS][2];
static int to_guest, from_guest;

static uint64_t big(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

static uint32_t big32(uint32_t v)
{
    return (uint32_t)(big(v) >> 32);
}

/* The guest has done what it was told, or is ready. */
static bool await(void)
{
    uint8_t byte;

    return read(from_guest, &byte, 1) == 1;
}

static void become_guest(const char *command, int in, int out)
{
    char *argv[8] = { 0 }, *text = strdup(command);

    if (text == NULL || dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(3);
    for (unsigned i = 0; i < 7 && (argv[i] = strtok(i == 0 ? text : NULL, " ")) != NULL; i++)
        ;
    execvp(argv[0], argv);
    _exit(3);
}

static bool start(const char *command, int file)
{
    int in[2], out[2];

    if (pipe(in) != 0 || pipe(out) != 0)
        return false;
    fflush(stdout);
    if (fork() == 0) {
        close(in[1]); /* or it never reads the end */
        close(out[0]);
        if (file != 3 && dup2(file, 3) < 0)
            _exit(3);
        become_guest(command, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    to_guest = in[1];
    from_guest = out[0];
    return await();
}

const char *stub_open(void)
{
    const char *command = getenv("SVMC_GUEST");
    const int flags = MAP_SHARED | MAP_FIXED_NOREPLACE, rights = PROT_READ | PROT_WRITE;
    void *at = (void *)(uintptr_t)ARENA_THERE;
    int file = memfd_create("arena", 0);

    if (command == NULL)
        return "SVMC_GUEST";
    if (file < 0 || ftruncate(file, FILE_BYTES) != 0)
        return "a file in memory";
    shared = mmap(NULL, ARENA_PAGE, rights, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED || mmap(at, 4 * ARENA_PAGE, rights, flags, file, ARENA_PAGE) != at)
        return "addresses from 0x50011000 on";
    return start(command, file) ? NULL : command;
}

void stub_put(unsigned slot, uint32_t first, uint32_t second)
{
    words[slot % STUB_SLOTS][0] = first;
    words[slot % STUB_SLOTS][1] = second;
}

void stub_flush(void)
{
}

uint64_t stub_pc(unsigned slot)
{
    return STUB_BASE + slot * 64 + 4;
}

bool stub_is_big(void)
{
    return true;
}

uint64_t stub_dczid(void)
{
    return big(shared->dczid);
}

void stub_run(unsigned slot, struct stub_machine *m)
{
    shared->slot = big32(slot);
    shared->words[0] = big32(words[slot % STUB_SLOTS][0]);
    shared->words[1] = big32(words[slot % STUB_SLOTS][1]);
    for (unsigned i = 0; i < 32; i++)
        shared->general[i] = big(m->general[i]);
    memcpy(shared->vector, m->vector, sizeof m->vector);
    if (write(to_guest, "", 1) != 1 || !await()) {
        printf("the guest is gone: %08x at slot %u\n", words[slot % STUB_SLOTS][1], slot);
        fflush(stdout);
        _exit(1);
    }
    for (unsigned i = 0; i < 32; i++)
        m->general[i] = big(shared->general[i]);
    memcpy(m->vector, shared->vector, sizeof m->vector);
    m->signal = 0;
}
