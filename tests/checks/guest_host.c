/* SPDX-License-Identifier: MIT */
/*
 * A small host for svmc-call on x86-64: runs it under ptrace and answers the port instructions that
 * fault, from docs/spec/hypercall.md and the message protocol of open-vm-tools, lib/message.
 * guest-host [--no-high] [--checkpoint N] [--silent] PROGRAM ARGUMENT...
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct user_regs_struct regs_t;

#define MAGIC       0x564d5868u
#define CHANNEL     0x2au
#define COOKIE_HIGH 0xfeedf00du
#define COOKIE_LOW  0x600dcafeu

static struct {
    pid_t child;
    bool high, silent;
    unsigned checkpoints; /* how many data steps are met by one */
    bool open, asked;
    char request[65536], reply[65536];
    size_t request_bytes, request_at, reply_bytes, reply_at;
} host;

static void broken(const char *why)
{
    printf("FAIL guest-host: %s\n", why);
    kill(host.child, SIGKILL);
    exit(9);
}

static void low_half(unsigned long long *reg, uint32_t value) /* the upper half is not defined */
{
    *reg = 0x6e69000000000000u | value;
}

static void answer_request(void)
{
    static const char key[] = "info-get guestinfo.hello", echo[] = "echo ";

    host.asked = true;
    host.reply_at = 0;
    if (host.request_bytes == sizeof key - 1 && !memcmp(host.request, key, sizeof key - 1)) {
        host.reply_bytes = (size_t)sprintf(host.reply, "1 world");
    } else if (host.request_bytes > sizeof echo && !memcmp(host.request, echo, sizeof echo - 1)) {
        host.reply_bytes = host.request_bytes - sizeof echo + 3;
        memcpy(host.reply, "1 ", 2);
        memcpy(host.reply + 2, host.request + sizeof echo - 1, host.reply_bytes - 2);
    } else {
        host.reply_bytes = (size_t)sprintf(host.reply, "0 No value found");
    }
}

/* A data step: is it met by a checkpoint? */
static bool checkpoint(void)
{
    return host.checkpoints && host.checkpoints--;
}

static uint32_t message(regs_t *r, uint32_t sub)
{
    uint32_t value = (uint32_t)r->rbx, n, may_high = host.high ? 0x80 : 0;

    if (sub == 0) {
        if (value != (0x49435052u | 0x80000000u) || host.open)
            return 0;
        host.open = true;
        low_half(&r->rdx, CHANNEL << 16 | ((uint32_t)r->rdx & 0xffff));
        low_half(&r->rsi, COOKIE_HIGH);
        low_half(&r->rdi, COOKIE_LOW);
        return 1;
    }
    if (!host.open || ((uint32_t)r->rdx >> 16) != CHANNEL || (uint32_t)r->rsi != COOKIE_HIGH ||
        (uint32_t)r->rdi != COOKIE_LOW)
        broken("a step names another channel or cookie");
    switch (sub) {
    case 1:
        host.request_bytes = value;
        host.request_at = 0;
        if (value == 0)
            answer_request();
        return 1 | may_high;
    case 2:
        if (checkpoint())
            return 0x10;
        n = host.request_bytes - host.request_at < 4
                ? (uint32_t)(host.request_bytes - host.request_at)
                : 4;
        memcpy(host.request + host.request_at, &value, n);
        host.request_at += n;
        if (host.request_at == host.request_bytes)
            answer_request();
        return 1;
    case 3:
        if (!host.asked)
            return 1;
        host.reply_at = 0;
        low_half(&r->rbx, (uint32_t)host.reply_bytes);
        low_half(&r->rdx, 1 << 16 | ((uint32_t)r->rdx & 0xffff)); /* over the channel */
        return 1 | 2 | may_high;
    case 4:
        if ((value & 1) == 0)
            broken("a step does not say that the one before went well");
        if (checkpoint())
            return 0x10;
        value = 0;
        n = host.reply_bytes - host.reply_at < 4 ? (uint32_t)(host.reply_bytes - host.reply_at) : 4;
        memcpy(&value, host.reply + host.reply_at, n);
        host.reply_at += n;
        low_half(&r->rbx, value);
        low_half(&r->rdx, 2 << 16 | ((uint32_t)r->rdx & 0xffff));
        return 1;
    case 5:
        host.asked = false;
        return 1;
    case 6:
        host.open = false;
        return 1;
    default:
        return 0;
    }
}

static void low(regs_t *r)
{
    uint32_t ecx = (uint32_t)r->rcx;

    switch (ecx & 0xffff) {
    case 10:
        low_half(&r->rax, 6);
        low_half(&r->rbx, MAGIC);
        low_half(&r->rcx, 4);
        break;
    case 30:
        low_half(&r->rcx, message(r, ecx >> 16) << 16 | 30);
        break;
    default:
        low_half(&r->rax, UINT32_MAX);
    }
}

static void high(regs_t *r, bool out)
{
    uint32_t cookie_high = (uint32_t)(out ? r->rbp : r->rsi);
    uint32_t cookie_low = (uint32_t)(out ? r->rdi : r->rbp), status = 1;
    struct iovec mine = { out ? host.request : host.reply, r->rcx };
    struct iovec its = { (void *)(out ? r->rsi : r->rdi), r->rcx };

    if (!host.high || !host.open || cookie_high != COOKIE_HIGH || cookie_low != COOKIE_LOW ||
        (uint32_t)r->rdx != (CHANNEL << 16 | 0x5659) || (uint32_t)r->rbx != 0x10000 ||
        r->rcx != (out ? host.request_bytes : host.reply_bytes))
        broken("a high-bandwidth call is not in order");
    if (checkpoint())
        status = 0x10;
    else if ((out ? process_vm_readv(host.child, &mine, 1, &its, 1, 0)
                  : process_vm_writev(host.child, &mine, 1, &its, 1, 0)) != (ssize_t)r->rcx)
        broken("its memory is not there");
    else if (out)
        answer_request();
    *(out ? &r->rsi : &r->rdi) += r->rcx;
    r->rcx = 0;
    low_half(&r->rbx, status << 16);
}

/* HC-3 HC-4 HC-8 HC-13 */
static void native(regs_t *r)
{
    switch (r->rax ^ (uint64_t)1 << 56) {
    case 0:
        r->rax = 0;
        r->rdi = 1;
        break;
    case 8:
        r->rax = 0;
        r->rdi += r->rsi;
        break;
    case 3 << 16 | 9:
        r->rax = 0x00720001 | (uint64_t)7 << 32;
        break;
    default:
        r->rax = 2;
    }
}

/* The instruction that faulted: true: it was for us. */
static bool serve(void)
{
    regs_t r;
    uint8_t at[8];
    long word;

    ptrace(PTRACE_GETREGS, host.child, NULL, &r);
    word = ptrace(PTRACE_PEEKTEXT, host.child, (void *)r.rip, NULL);
    memcpy(at, &word, sizeof at);
    if (host.silent)
        return false;
    if (at[0] == 0xef && (r.rdx & 0xffff) == 0x565c)
        native(&r);
    else if (at[0] == 0xed && (r.rdx & 0xffff) == 0x5658 && (uint32_t)r.rax == MAGIC)
        low(&r);
    else if (at[0] == 0xf3 && (at[1] | 2) == 0x6e && (r.rdx & 0xffff) == 0x5659)
        high(&r, at[1] == 0x6e);
    else
        return false;
    r.rip += at[0] == 0xf3 ? 2 : 1;
    ptrace(PTRACE_SETREGS, host.child, NULL, &r);
    return true;
}

int main(int argc, char **argv)
{
    int at = 1, status;

    host.high = true;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (!strcmp(argv[at], "--no-high"))
            host.high = false;
        else if (!strcmp(argv[at], "--silent"))
            host.silent = true;
        else if (!strcmp(argv[at], "--checkpoint") && at + 1 < argc)
            host.checkpoints = (unsigned)atoi(argv[++at]);
        else
            return 9;
    }
    host.child = fork();
    if (host.child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(argv[at], argv + at);
        _exit(9);
    }
    while (waitpid(host.child, &status, 0) == host.child && WIFSTOPPED(status)) {
        int number = WSTOPSIG(status);

        if (number == SIGTRAP || (number == SIGSEGV && serve()))
            number = 0;
        ptrace(PTRACE_CONT, host.child, NULL, (long)number);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}
