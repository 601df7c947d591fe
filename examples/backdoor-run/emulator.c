/* SPDX-License-Identifier: MIT */
#include "emulator.h"

#include <elf.h>
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "grow.h"
#include "maps.h"
#include "remote.h"
#include "report.h"
#include "tracer.h"

#define MRS_XZR_MDCCSR 0xd533011fu /* mrs xzr, mdccsr_el0: open-vm-tools backdoorGcc64_arm64.c */
#define RET            0xd65f03c0u
#define BTI_C          0xd503245fu
#define REGISTERS_MOST 2048u /* bytes */
#define REG_X(n)       (8u * (n))
#define REG_X_WORD     7u /* the I/O instruction as a word: docs/spec/iox.md */
#define REG_X_PORT     3u
#define REG_X_LINK     30u
#define REG_PC         256u /* behind X0 to X30 and SP: QEMU target/arm/gdbstub64.c */
#define REG_BYTES      264u
#define GDB_TRAP       5u
#define GDB_SEGV       11u
#define VECTOR_DATA    0x24u /* ESR_ELx.EC */
#define FILES_MOST     1024u /* the list of the loader is the program's: it may have no end */
#define NAME_MOST      256u
#define WORDS_MOST     32u
#define HEADERS_MOST   64u
#define TRIES          400u /* of 25 ms: until the emulator listens */

struct emulator {
    struct machine *machine;
    const struct names *wanted;
    struct remote remote;
    struct memory memory;
    pid_t pid;
    int status;
    struct start start;
    uint64_t brk; /* 0: none */
    struct list {
        uint64_t *at;
        size_t count, cap;
    } sites, files; /* files: by what they were moved */
    uint8_t registers[REGISTERS_MOST];
    size_t register_bytes;
};

/* ---- its memory and registers --------------------------------------------------------------- */

static bool read_at(void *ctx, uint64_t at, void *to, size_t n)
{
    return remote_read(ctx, at, to, n);
}

static bool write_at(void *ctx, uint64_t at, const void *from, size_t n)
{
    return remote_write(ctx, at, from, n);
}

static bool writable_at(void *ctx, uint64_t page)
{
    uint8_t byte;

    return remote_read(ctx, page, &byte, 1) && remote_write(ctx, page, &byte, 1);
}

static uint64_t get(const struct emulator *e, size_t at)
{
    uint64_t value;

    memcpy(&value, e->registers + at, sizeof value);
    return value;
}

static void set(struct emulator *e, size_t at, uint64_t value)
{
    memcpy(e->registers + at, &value, sizeof value);
}

static bool has(const struct list *list, uint64_t at)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i] == at)
            return true;
    return false;
}

static bool add(struct list *list, uint64_t at)
{
    uint64_t *one = grow((void **)&list->at, &list->count, &list->cap, sizeof *one);

    if (one)
        *one = at;
    return one != NULL;
}

/* ---- where it calls ------------------------------------------------------------------------- */

/* One segment with code. */
static bool look_through(struct emulator *e, uint64_t at, uint64_t n)
{
    uint32_t words[512];

    for (uint64_t done = 0; done < n;) {
        size_t part = n - done < sizeof words ? (size_t)(n - done) : sizeof words;

        if (!remote_read(&e->remote, at + done, words, part))
            return false;
        for (size_t i = 0; i < part / 4; i++) {
            uint64_t site = at + done + 4 * i;

            if (words[i] == MRS_XZR_MDCCSR && !has(&e->sites, site) &&
                !(remote_break(&e->remote, site, true) && add(&e->sites, site)))
                return false;
        }
        done += part;
    }
    return true;
}

static bool look_at(struct emulator *e, uint64_t headers, uint64_t count, uint64_t bias)
{
    Elf64_Phdr header;
    bool ok = true;

    for (uint64_t i = 0; i < count && i < HEADERS_MOST; i++) {
        if (!remote_read(&e->remote, headers + i * sizeof header, &header, sizeof header))
            return false;
        if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0)
            ok &= look_through(e, (bias + header.p_vaddr) & ~(uint64_t)3, header.p_filesz);
    }
    return ok;
}

/* The name of a file in the loader's list, and whether it is wanted. */
static bool is_wanted(struct emulator *e, uint64_t at)
{
    char name[NAME_MOST];
    const char *slash;
    size_t n = 0;

    do
        if (!remote_read(&e->remote, at + n, &name[n], 1))
            return false;
    while (name[n++] != 0 && n < sizeof name);
    name[n - 1] = 0;
    slash = strrchr(name, '/');
    for (size_t i = 0; i < e->wanted->count; i++)
        if (fnmatch(e->wanted->list[i], slash ? slash + 1 : name, 0) == 0)
            return true;
    return false;
}

/* What the loader has loaded since the last time. */
static bool look_at_files(struct emulator *e, uint64_t at)
{
    struct link_map map;
    Elf64_Ehdr head;
    bool ok = true;

    for (size_t i = 0; at != 0 && i < FILES_MOST; i++, at = (uint64_t)(uintptr_t)map.l_next) {
        if (!remote_read(&e->remote, at, &map, sizeof map))
            return false;
        if (has(&e->files, map.l_addr))
            continue;
        if (!add(&e->files, map.l_addr))
            return false;
        if (is_wanted(e, (uint64_t)(uintptr_t)map.l_name))
            ok &= remote_read(&e->remote, map.l_addr, &head, sizeof head) &&
                  look_at(e, map.l_addr + head.e_phoff, head.e_phnum, map.l_addr);
    }
    return ok;
}

static bool look(struct emulator *e)
{
    struct r_debug debug;
    uint64_t bias;
    bool dynamic = start_debug(&e->memory, &e->start, &debug, &bias);
    uint32_t word = 0;
    bool ok = true;

    if (!has(&e->files, bias)) {
        ok = add(&e->files, bias) && look_at(e, e->start.headers, e->start.count, bias);
        if (dynamic && remote_read(&e->remote, debug.r_brk, &word, sizeof word)) {
            e->brk = debug.r_brk + (word == BTI_C ? 4 : 0);
            ok &= remote_read(&e->remote, e->brk, &word, sizeof word);
            if (word != RET || !remote_break(&e->remote, e->brk, true))
                e->brk = 0; /* not the function that only returns: no dlopen is noticed */
        }
    }
    return dynamic ? look_at_files(e, (uint64_t)(uintptr_t)debug.r_map) && ok : ok;
}

/* ---- its stops ------------------------------------------------------------------------------ */

/* MRS: the signal to go on with. */
static unsigned call(struct emulator *e)
{
    struct trap trap = { .memory = e->memory, .tid = e->pid, .way = WAY_MRS };
    struct svmc_fault fault = { 0 };
    uint64_t pc = get(e, REG_PC);
    enum outcome outcome = OUTCOME_NOT_OURS;
    struct svmc_iox io;
    uint16_t port;

    if (svmc_iox_decode(get(e, REG_X(REG_X_WORD)), &io) == SVMC_OK) {
        port = io.immediate ? io.port : (uint16_t)get(e, REG_X(REG_X_PORT));
        for (unsigned i = 0; i < SVMC_IOX_ARGS; i++)
            trap.call.arg[i] = get(e, REG_X(i));
        trap.call.isa = SVMC_ISA_A64;
        trap.call.user = 1;
        if (machine_is_call(&io, port, &trap.call))
            outcome = machine_call(e->machine, &trap, &fault);
    }
    for (unsigned i = 0; outcome != OUTCOME_NOT_OURS && i < SVMC_IOX_ARGS; i++)
        set(e, REG_X(i), trap.call.arg[i]);
    if (outcome == OUTCOME_NOT_OURS || outcome == OUTCOME_DONE)
        set(e, REG_PC, pc + 4); /* not ours: it reads into XZR, and nothing is seen of it */
    return outcome == OUTCOME_FAULT ? GDB_SEGV : 0;
}

/* A breakpoint; false: none of ours. */
static bool on_break(struct emulator *e, unsigned *signal)
{
    uint64_t pc = get(e, REG_PC);

    if (has(&e->sites, pc)) {
        *signal = call(e);
        return true;
    }
    if (pc == e->start.entry)
        (void)remote_break(&e->remote, pc, false);
    else if (pc == e->brk)
        set(e, REG_PC, get(e, REG_X(REG_X_LINK)));
    else
        return false;
    *signal = 0;
    if (!look(e) && !e->remote.ended)
        report("not all of the program's code could be looked through");
    return true;
}

/* The packet to go on with; false: the connection broke. */
static bool on_stop(struct emulator *e, const char *reply, char packet[8])
{
    unsigned stop = (unsigned)strtoul((char[3]){ reply[1], reply[1] ? reply[2] : 0, 0 }, NULL, 16);
    unsigned signal = stop;

    e->register_bytes = sizeof e->registers;
    if (!remote_get_registers(&e->remote, e->registers, &e->register_bytes) ||
        e->register_bytes < REG_BYTES)
        return false;
    if (stop == GDB_TRAP && on_break(e, &signal) &&
        !remote_set_registers(&e->remote, e->registers, e->register_bytes))
        return false;
    snprintf(packet, 8, signal != 0 ? "C%02x" : "c", signal & 0xffu);
    return true;
}

static int serve(struct emulator *e)
{
    char reply[REMOTE_PACKET + 1], packet[8] = "c";
    uint8_t auxv[1024];

    if (!remote_ask(&e->remote, "?", reply))
        return -TRACER_FAILED;
    start_take(&e->start, auxv, remote_auxv(&e->remote, auxv, sizeof auxv));
    if (e->start.entry == 0 || !remote_break(&e->remote, e->start.entry, true))
        return -TRACER_FAILED;
    while (remote_ask(&e->remote, packet, reply) && (reply[0] == 'T' || reply[0] == 'S'))
        if (!on_stop(e, reply, packet))
            return e->remote.ended ? 0 : -TRACER_FAILED;
    return 0;
}

/* ---- starting it ---------------------------------------------------------------------------- */

static void become(const char *command, const char *path, char *const *argv)
{
    const char *words[WORDS_MOST];
    char *copy = strdup(command), *rest, *word;
    char **all;
    size_t n = 0, count = 0;

    while (argv[count])
        count++;
    for (word = copy ? strtok_r(copy, " ", &rest) : NULL; word && n < WORDS_MOST - 2;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    words[n++] = "-g";
    words[n++] = path;
    all = calloc(n + count + 1, sizeof *all);
    if (all && n > 2) {
        memcpy(all, words, n * sizeof *all);
        memcpy(all + n, argv, count * sizeof *all);
        execvp(all[0], all);
    }
    report("cannot run %s: %s", command, strerror(errno));
    _exit(errno == ENOENT ? TRACER_NOT_FOUND : TRACER_NOT_RUN);
}

/* false: it has ended before it listened. */
static bool meet(struct emulator *e, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    e->remote.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (unsigned i = 0; e->remote.fd >= 0 && i < TRIES; i++) {
        if (connect(e->remote.fd, (struct sockaddr *)&address, sizeof address) == 0)
            return true;
        if (waitpid(e->pid, &e->status, WNOHANG) != 0) {
            e->pid = 0;
            return false;
        }
        usleep(25000);
    }
    return false;
}

static pid_t ours; /* for the handler */

/* To its first thread, which calls most: two threads that stop at once are too much for QEMU. */
static void pass_on(int signal)
{
    tgkill(ours, ours, signal);
}

int emulator_run(struct machine *machine, const struct names *wanted, const char *command,
                 char *const *argv)
{
    struct emulator e = { .machine = machine, .wanted = wanted };
    char folder[] = "/tmp/backdoor-run.XXXXXX", path[64];
    int status;

    e.memory = (struct memory){ read_at, write_at, writable_at, &e.remote };
    if (!mkdtemp(folder) || (e.pid = fork()) < 0) {
        report("%s: %s", folder, strerror(errno));
        return -TRACER_FAILED;
    }
    snprintf(path, sizeof path, "%s/gdb", folder);
    if (e.pid == 0)
        become(command, path, argv);
    ours = e.pid;
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, pass_on);
    signal(SIGHUP, pass_on);
    status = meet(&e, path) ? serve(&e) : 0;
    unlink(path);
    rmdir(folder);
    free(e.sites.at);
    free(e.files.at);
    if (status < 0 && e.remote.torn)
        report("%s: two threads stopped at once: that is more than its debugger can tell apart",
               command);
    else if (status < 0)
        report("%s: this emulator does not speak as QEMU for AArch64 does", command);
    if (status < 0 && e.pid != 0)
        kill(e.pid, SIGKILL);
    while (e.pid != 0 && waitpid(e.pid, &e.status, 0) < 0 && errno == EINTR)
        ;
    return status < 0 ? status : e.status;
}
