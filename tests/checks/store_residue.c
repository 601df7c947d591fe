/* SPDX-License-Identifier: MIT */
/*
 * As seal_residue.c, for what is stored and what is fetched: disks, images, the key cache (DK-9,
 * DK-11, DK-16, IM-3, IM-15, PR-3, PR-16, PR-18). Then processes that die in the midst of it, by
 * SIGSEGV and by abort, whose handler does what docs/embedding.md says: they are stopped where the
 * kernel would write their core, and their memory and registers are searched. Exit status: as
 * there.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <svmcore/disk.h>
#include <svmcore/image.h>
#include <svmcore/key_cache.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "../../src/seal/sealer_private.h"
#include "residue_crypto.h"

#define PAGE   4096u
#define CANARY (PAGE - 48u) /* where it is in the page */
#define KEYS   2u

/* What may hold secrets. */
static struct {
    _Alignas(64) uint8_t arena[SVMC_KEYARENA_BYTES(3)], pool[16384], length[65536];
    _Alignas(64) uint8_t cache[SVMC_KEY_CACHE_BYTES(KEYS)];
    uint8_t page[PAGE];
} held;

static struct svmc_keyarena arena;
static struct svmc_vmkey key, again;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static _Alignas(64) uint8_t memory[65536]; /* of the authentic disk: nothing stays in it */
static unsigned canary;
static const uint8_t vm[SVMC_VM_ID_BYTES] = "a virtual one";

static void fill_page(void)
{
    for (unsigned i = 0; i < PAGE; i++)
        held.page[i] = (uint8_t)(i * 7);
    unmask(canary, held.page + CANARY);
    alive[canary] = 1;
}

static void empty_page(void)
{
    wipe(held.page, sizeof held.page);
    alive[canary] = 0;
}

/* ---- disks ------------------------------------------------------------------------------------*/

static uint8_t store[1 << 20];
static _Bool store_is_changed;
static struct svmc_disk disk;
static struct svmc_disk_config config;
static struct svmc_disk_result result;
static uint64_t anchored;

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, store + at, n);
    ((uint8_t *)dst)[n / 2] ^= store_is_changed;
    return SVMC_OK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(store + at, src, n);
    empty_vectors();
    return SVMC_OK;
}

static enum svmc_status store_flush(void *ctx)
{
    (void)ctx;
    return SVMC_OK;
}

static enum svmc_status store_anchor(void *ctx, uint64_t value)
{
    (void)ctx;
    anchored = value;
    return SVMC_OK;
}

static struct svmc_disk_store store_ops;

static uint8_t *disk_memory(void)
{
    return config.mode == SVMC_DISK_LENGTH ? held.length : memory;
}

static void format_disk(void)
{
    anchored = 0;
    OK(svmc_disk_format(&disk, &config, disk_memory(), sizeof memory, &result));
}

static void open_disk(void)
{
    config.anchor = anchored;
    OK(svmc_disk_open(&disk, &config, disk_memory(), sizeof memory, &result));
}

static void write_sector(void)
{
    fill_page();
    OK(svmc_disk_write(&disk, 3, 1, held.page, &result));
    empty_vectors();
}

static void write_many(void)
{
    fill_page();
    for (unsigned i = 0; i < 12; i++) /* more than the journal has */
        OK(svmc_disk_write(&disk, i, 1, held.page, &result));
    empty_vectors();
}

static void read_sector(void)
{
    OK(svmc_disk_read(&disk, 3, 1, held.page, &result));
    alive[canary] = 1;
    empty_vectors();
}

static void read_a_changed_one(void)
{
    store_is_changed = 1;
    must(svmc_disk_read(&disk, 3, 1, held.page, &result) != SVMC_OK, "changed");
    store_is_changed = 0;
    alive[canary] = 0;
    empty_vectors();
}

static void check_sectors(void)
{
    OK(svmc_disk_check(&disk, 0, 12, &result));
    empty_vectors();
}

static void flush_disk(void)
{
    OK(svmc_disk_flush(&disk, &result));
}

static void drop_disk(void)
{
    OK(svmc_disk_drop(&disk));
    subkeys_die();
}

static void authentic(void)
{
    store_ops = (struct svmc_disk_store){ .size = sizeof store_ops,
                                          .read = store_read,
                                          .write = store_write,
                                          .flush = store_flush,
                                          .anchor = store_anchor };
    config = (struct svmc_disk_config){ .sealer = &sealer,
                                        .store = &store_ops,
                                        .vm = vm,
                                        .sectors = 64,
                                        .mode = SVMC_DISK_AUTHENTIC,
                                        .sector_bytes = PAGE,
                                        .journal = 8,
                                        .nodes = 2 };
    must(svmc_disk_bytes(&config) <= sizeof memory, "room for the disk");
    must(svmc_disk_store_bytes(&config) <= sizeof store, "room for its store");
}

static void length_preserving(void)
{
    config.mode = SVMC_DISK_LENGTH;
    config.journal = config.nodes = 0;
    config.erase = SVMC_DISK_ERASE;
}

static void disks(void)
{
    authentic();
    now("format a disk", format_disk);
    now("write a sector", write_sector);
    now("more than the journal has", write_many);
    now("flush", flush_disk);
    now("wipe the page", empty_page);
    now("check", check_sectors);
    now("read", read_sector);
    now("read a changed one", read_a_changed_one);
    now("drop the disk", drop_disk);
    now("open it", open_disk);
    now("read it again", read_sector);
    now("wipe the page", empty_page);
    now("drop it", drop_disk);
    length_preserving();
    now("format one that keeps its length", format_disk);
    now("write to it", write_sector);
    now("wipe the page", empty_page);
    now("read from it", read_sector);
    now("wipe the page", empty_page);
    now("drop the one that keeps its length", drop_disk);
}

/* ---- images -----------------------------------------------------------------------------------*/

static struct svmc_image image;
static struct svmc_image_section section[1];
static uint32_t marks[1];
static uint8_t header[SVMC_IMAGE_HEADER_BYTES], table[SVMC_IMAGE_TABLE_BYTES(1)];
static uint8_t stored[SVMC_IMAGE_FRAME_BYTES + PAGE], tail[SVMC_IMAGE_END_BYTES];
static struct svmc_image_name name;

static struct svmc_image_config image_config(void)
{
    return (struct svmc_image_config){ .sealer = &sealer,
                                       .marks = marks,
                                       .marks_count = 1,
                                       .kind = SVMC_IMAGE_WHOLE,
                                       .chunk_bytes = PAGE };
}

static void begin_image(void)
{
    const struct svmc_image_config c = image_config();
    uint64_t body;

    section[0] = (struct svmc_image_section){ SVMC_IMAGE_OWN, 0, 0, PAGE, 0, PAGE, 0, 0 };
    must(svmc_image_layout(section, 1, &body) == 1 &&
             svmc_image_begin(&image, &c, section, 1, header, table) == SVMC_IMAGE_NONE,
         "begin an image");
}

static void seal_chunk(void)
{
    fill_page();
    must(svmc_image_seal_chunk(&image, 0, 0, held.page, stored) == SVMC_IMAGE_NONE, "chunk");
    empty_vectors();
}

static void checkpoint(void)
{
    must(svmc_image_checkpoint(&image, 1, tail) == SVMC_IMAGE_NONE, "checkpoint");
}

static void resume_image(void)
{
    const struct svmc_image_config c = image_config();
    uint64_t done;

    must(svmc_image_resume(&image, &c, header, tail, &done) == SVMC_IMAGE_NONE, "resume");
}

static void end_image(void)
{
    must(svmc_image_end(&image, tail, &name) == SVMC_IMAGE_NONE, "end an image");
}

static void open_image(void)
{
    const struct svmc_image_config c = image_config();

    must(svmc_image_open(&image, &c, header, sizeof header) == SVMC_IMAGE_NONE &&
             svmc_image_open_table(&image, 0, table, sizeof table, section) == SVMC_IMAGE_NONE,
         "open an image");
}

static void open_a_changed_chunk(void)
{
    stored[PAGE] ^= 1;
    must(svmc_image_open_chunk(&image, 0, 0, stored, sizeof stored, held.page) ==
             SVMC_IMAGE_CHANGED,
         "a changed chunk");
    stored[PAGE] ^= 1;
    alive[canary] = 0;
    empty_vectors();
}

static void open_chunk(void)
{
    must(svmc_image_open_chunk(&image, 0, 0, stored, sizeof stored, held.page) == SVMC_IMAGE_NONE,
         "open a chunk");
    alive[canary] = 1;
    empty_vectors();
}

static void close_image(void)
{
    must(svmc_image_close(&image, tail, sizeof tail, &name) == SVMC_IMAGE_NONE, "close");
}

static void drop_image(void)
{
    OK(svmc_image_drop(&image));
    subkeys_die();
}

static void images(void)
{
    now("begin an image", begin_image);
    now("seal a chunk", seal_chunk);
    now("a checkpoint", checkpoint);
    now("drop the image", drop_image);
    now("go on with it", resume_image);
    now("end the image", end_image);
    now("drop it", drop_image);
    now("wipe the page", empty_page);
    now("open the image", open_image);
    now("open a changed chunk", open_a_changed_chunk);
    now("open a chunk", open_chunk);
    now("close the image", close_image);
    now("wipe the page", empty_page);
    now("drop what was read", drop_image);
}

/* ---- fetched keys -----------------------------------------------------------------------------*/

static struct svmc_key_cache cache;
static struct svmc_key_wanted wanted;
static unsigned fetched; /* the provider's key: this secret and the next one */
static uint64_t asked, clock_ns;
static uint32_t says; /* enum svmc_key_state */
static uint8_t blob[SVMC_VMKEY_BLOB_BYTES];

static enum svmc_status request(void *ctx, uint64_t ticket, const uint8_t *id, size_t id_bytes,
                                uint64_t deadline)
{
    (void)ctx, (void)id, (void)id_bytes, (void)deadline;
    asked = ticket;
    return SVMC_OK;
}

static enum svmc_status poll(void *ctx, uint64_t ticket, uint64_t at,
                             struct svmc_provider_answer *answer)
{
    (void)ctx, (void)at;
    answer->ticket = ticket;
    answer->state = says;
    answer->usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN;
    answer->alg = SVMC_KEY_FOR_AES;
    answer->bits = 256;
    answer->id[0] = wanted.id[0];
    answer->id_bytes = 1;
    answer->key_bytes = 2 * SECRET_BYTES;
    unmask(fetched, answer->key);
    unmask(fetched + 1, answer->key + SECRET_BYTES);
    return SVMC_OK;
}

static void cancel(void *ctx, uint64_t ticket)
{
    (void)ctx, (void)ticket;
}

static struct svmc_provider_ops service;

static void set_up_cache(void)
{
    static const uint8_t id[1] = "k";
    struct svmc_key_cache_config c = { .crypto = &crypto,
                                       .provider = { &service },
                                       .providers = 1,
                                       .derive = SVMC_ALG_DERIVE_BLAKE2B,
                                       .timeout_ns = 1000,
                                       .negative_ns = 10,
                                       .lease_ns = 1000,
                                       .grace_ns = 1000 };

    service = (struct svmc_provider_ops){
        .size = sizeof service, .request = request, .poll = poll, .cancel = cancel
    };
    wanted = (struct svmc_key_wanted){ .id = id, .id_bytes = 1, .alg = SVMC_KEY_FOR_AES };
    OK(svmc_key_cache_init(&cache, &c, held.cache, sizeof held.cache));
    fetched = drawn;
    make_secret(held.page);
    make_secret(held.page);
    wipe(held.page, SECRET_BYTES);
}

static void provider_lives(_Bool lives)
{
    alive[fetched] = alive[fetched + 1] = lives;
}

static void step_twice(void)
{
    for (unsigned i = 0; i < 2; i++)
        (void)svmc_key_cache_step(&cache, ++clock_ns, NULL);
}

static enum svmc_status ask(void)
{
    struct svmc_key_news news;
    enum svmc_status st = svmc_key_cache_get(&cache, ++clock_ns, &wanted, &news);

    if (st != SVMC_ERR_ABSENT)
        return st;
    step_twice();
    return svmc_key_cache_get(&cache, ++clock_ns, &wanted, &news);
}

static void fetch(void)
{
    says = SVMC_KEY_ACTIVE;
    OK(ask());
    provider_lives(1);
}

static void fetch_another(void)
{
    wanted.has_check = 1;
    must(ask() == SVMC_ERR_KEY, "another key");
    wanted.has_check = 0;
    clock_ns += 20; /* as long as nobody asks again */
}

static void wrap_by_it(void)
{
    const struct svmc_key_blob b = { .key = &key, .to = blob, .aead = SVMC_ALG_AES_256_GCM };
    struct svmc_key_news news;

    OK(svmc_key_cache_wrap(&cache, ++clock_ns, &wanted, &b, &news));
}

static void unwrap_by_it(void)
{
    const struct svmc_key_blob b = {
        .key = &again, .arena = &arena, .vm = vm, .from = blob, .bytes = sizeof blob
    };
    struct svmc_key_news news;

    OK(svmc_key_cache_unwrap(&cache, ++clock_ns, &wanted, &b, &news));
    svmc_vmkey_drop(&again);
}

static void evict(void)
{
    svmc_key_cache_evict(&cache, wanted.id, wanted.id_bytes);
    provider_lives(0);
}

static void let_it_expire(void)
{
    clock_ns += 2000;
    (void)svmc_key_cache_step(&cache, clock_ns, NULL);
    provider_lives(0);
}

static void renew_a_destroyed_one(void)
{
    says = SVMC_KEY_DESTROYED;
    clock_ns += 900;
    OK(ask());
    step_twice();
    provider_lives(0);
    clock_ns += 20;
}

static void drop_cache(void)
{
    svmc_key_cache_drop(&cache);
    provider_lives(0);
}

static void fetched_keys(void)
{
    now("set a cache up", set_up_cache);
    now("fetch", fetch);
    now("wrap by it", wrap_by_it);
    now("unwrap by it", unwrap_by_it);
    now("evict", evict);
    now("fetch again", fetch);
    now("let it expire", let_it_expire);
    now("fetch another key", fetch_another);
    now("fetch once more", fetch);
    now("renew what was destroyed", renew_a_destroyed_one);
    now("fetch at last", fetch);
    now("drop the cache", drop_cache);
}

/* ---- deaths -----------------------------------------------------------------------------------*/

static enum fault armed;
static const volatile uintptr_t nowhere;
static _Alignas(16) uint8_t other_stack[32768];
static uintptr_t stack_end; /* what lies below it, calls of the library used */

/* With half of the VM's key in registers, which the kernel puts on the handler's stack. */
static void fault(enum fault at)
{
    if (at != AT_NOTHING && at == armed)
        __asm__ volatile("movq %0, %%xmm7\n\tmov %0, %%r15\n\tmovl $0, (%1)"
                         :
                         : "r"(masked[1][0] ^ mask), "r"(nowhere)
                         : "xmm7", "r15", "memory");
}

/* Die by `sig`, with nothing in the registers, and nothing on the stack on which this runs. */
static void die(int sig)
{
    const long own = getpid(), thread = syscall(SYS_gettid);
    register long pid __asm__("r8") = own, tid __asm__("r9") = thread, with __asm__("r10") = sig;

    __asm__ volatile(
        "rep stosb\n\t"
        "pxor %%xmm0,%%xmm0\n\tpxor %%xmm1,%%xmm1\n\tpxor %%xmm2,%%xmm2\n\t"
        "pxor %%xmm3,%%xmm3\n\tpxor %%xmm4,%%xmm4\n\tpxor %%xmm5,%%xmm5\n\t"
        "pxor %%xmm6,%%xmm6\n\tpxor %%xmm7,%%xmm7\n\tpxor %%xmm8,%%xmm8\n\t"
        "pxor %%xmm9,%%xmm9\n\tpxor %%xmm10,%%xmm10\n\tpxor %%xmm11,%%xmm11\n\t"
        "pxor %%xmm12,%%xmm12\n\tpxor %%xmm13,%%xmm13\n\tpxor %%xmm14,%%xmm14\n\t"
        "pxor %%xmm15,%%xmm15\n\txor %%ebx,%%ebx\n\txor %%ebp,%%ebp\n\txor %%r12d,%%r12d\n\t"
        "xor %%r13d,%%r13d\n\txor %%r14d,%%r14d\n\txor %%r15d,%%r15d\n\t"
        "mov %%r8,%%rdi\n\tmov %%r9,%%rsi\n\tmov %%r10,%%rdx\n\t"
        "mov %[tgkill],%%eax\n\tsyscall\n\tud2"
        :
        : "D"(other_stack), "c"(sizeof other_stack), "a"(0), "r"(pid), "r"(tid),
          "r"(with), [tgkill] "i"(SYS_tgkill)
        : "memory");
    __builtin_unreachable();
}

/* What docs/embedding.md says: all memory that the library was given, and the stack that its calls
   used; the library itself is not called. */
static void on_crash(int sig, siginfo_t *info, void *context)
{
    const uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP] - DEPTH;

    (void)info;
    wipe(&held, sizeof held);
    wipe(memory, sizeof memory);
    wipe((void *)at, stack_end - at);
    die(sig);
}

static void be_ready(enum fault at)
{
    const stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };
    struct sigaction act = { .sa_sigaction = on_crash,
                             .sa_flags =
                                 (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND) | SA_NODEFER };

    must(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &act, NULL) == 0 &&
             sigaction(SIGABRT, &act, NULL) == 0,
         "a handler");
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    armed = at;
}

/* In each place that handles secrets, with a disk, an image and a cache that are open. */
static void live_and_die(void)
{
    if (armed == AT_DERIVE || armed == AT_LOAD)
        begin_image();
    write_sector();
    read_sector();
    abort();
}

__attribute__((noinline)) static void child(enum fault at)
{
    stack_end = (uintptr_t)__builtin_frame_address(0);
    be_ready(at);
    deep(live_and_die);
    _exit(1);
}

/* Stopped by a signal. The secrets are those that it has drawn, at the same addresses. */
static void look_into(int pid)
{
    static char path[32];
    struct user_regs_struct r;
    struct user_fpregs_struct f;
    int mem;

    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    mem = open(path, O_RDONLY);
    must(mem >= 0 && pread(mem, masked, sizeof masked, (off_t)(uintptr_t)masked) > 0 &&
             pread(mem, &drawn, sizeof drawn, (off_t)(uintptr_t)&drawn) > 0,
         "its memory can be read");
    close(mem);
    snprintf(path, sizeof path, "/proc/%d", pid);
    whose = path;
    stray = 0;
    memset(alive, 0, sizeof alive);
    search();
    must(ptrace(PTRACE_GETREGS, pid, NULL, &r) == 0 && ptrace(PTRACE_GETFPREGS, pid, NULL, &f) == 0,
         "its registers can be read");
    look_at((uint8_t *)&r, sizeof r, 0, "register\n");
    look_at((uint8_t *)&f, sizeof f, 0, "vector register\n");
    whose = "/proc/self";
}

static void wait_for(int pid, int sig)
{
    int status;

    must(waitpid(pid, &status, 0) == pid, "wait");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        puts("SKIPPED: no ptrace");
        exit(77);
    }
    must(WIFSTOPPED(status) && WSTOPSIG(status) == sig, "it dies by its signal");
}

/* There are secrets when it dies, and none when it is dead. */
static void death(const char *where, enum fault at)
{
    const int sig = at == AT_NOTHING ? SIGABRT : SIGSEGV;
    int pid;

    fflush(stdout);
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        child(at);
    wait_for(pid, sig);
    quiet = 1;
    look_into(pid);
    quiet = 0;
    must(stray != 0, "secrets when it dies");
    must(ptrace(PTRACE_CONT, pid, NULL, (void *)(uintptr_t)sig) == 0, "go on");
    wait_for(pid, sig);
    look_into(pid);
    if (stray != 0)
        printf("after: death %s\n", where);
    failed += stray != 0;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void deaths(void)
{
    authentic();
    config.erase = SVMC_DISK_ERASE;
    set_up_cache();
    fetch();
    format_disk();
    death("by abort", AT_NOTHING);
    death("in derive", AT_DERIVE);
    death("in cipher_load", AT_LOAD);
    death("in seal", AT_SEAL);
    death("in open", AT_OPEN);
}

/* ---- all of it --------------------------------------------------------------------------------*/

static void start(void)
{
    const struct svmc_keyslots_config pool = { .crypto = &crypto, .slots = 8, .lanes = 1 };
    const struct svmc_sealer_config c = { .crypto = &crypto,
                                          .slots = &slots,
                                          .key = &key,
                                          .domain = 1,
                                          .protect = SVMC_PROTECT_ALL,
                                          .alg = SVMC_ALG_AES_256_GCM };

    begin_crypto();
    OK(svmc_keyslots_init(&slots, &pool, held.pool, sizeof held.pool));
    OK(svmc_sealer_init(&sealer, &c));
    for (uint32_t alg = SVMC_ALG_AES_256_GCM; alg <= SVMC_ALG_XCHACHA20_POLY1305; alg++)
        must(svmc_seal_try(&sealer, alg) == SVMC_SEAL_NONE, "tried"); /* as a disk does */
    replace_crypto();
    home = (uintptr_t)&held;
    home_bytes = sizeof held;
    make_secret(held.page + CANARY); /* canary: secret 0; the VM's key: 1 and 2 */
    wipe(held.page, sizeof held.page);
    halves = 3;
}

static void make_key(void)
{
    OK(svmc_keyarena_init(&arena, &crypto, held.arena, sizeof held.arena));
    OK(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B));
    alive[1] = alive[2] = 1;
}

int main(void)
{
    start();
    now("make a key", make_key);
    disks();
    images();
    fetched_keys();
    deaths();
    printf("%u secrets, %u steps that left something\n", drawn, failed);
    return failed != 0;
}
