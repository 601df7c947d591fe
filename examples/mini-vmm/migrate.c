/* SPDX-License-Identifier: MIT */
/** Rounds over a socket: lengths and images. What comes in is checked as any file. */
#include "migrate.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/port/kvm.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

#define LENGTH_BYTES 8u
#define IMAGE_MAX    (64u << 20)
#define PATIENCE_MS  10000 /* for the other side to be there, and for each of its words */
#define STEP_MS      20
#define RUNS         'R'

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "%s: %.120s", what, detail);
    return false;
}

static bool send_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        ssize_t done = send(fd, from, n, MSG_NOSIGNAL);

        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            from += done;
            n -= (size_t)done;
        }
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t n)
{
    struct pollfd on = { .fd = fd, .events = POLLIN };
    uint8_t *to = bytes;

    while (n > 0) {
        ssize_t done;

        if (poll(&on, 1, PATIENCE_MS) == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        done = recv(fd, to, n, 0);
        if (done == 0)
            errno = ECONNRESET;
        if (done == 0 || (done < 0 && errno != EINTR))
            return false;
        if (done > 0) {
            to += done;
            n -= (size_t)done;
        }
    }
    return true;
}

static bool name_of(struct sockaddr_un *name, const char *path)
{
    *name = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof name->sun_path)
        return false;
    memcpy(name->sun_path, path, strlen(path));
    return true;
}

/* The receiver may come later. */
static int connect_to(const char *path)
{
    const struct timespec step = { 0, STEP_MS * 1000000L };
    struct sockaddr_un name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || !name_of(&name, path))
        return fd;
    for (int ms = 0; connect(fd, (const struct sockaddr *)&name, sizeof name) != 0; ms += STEP_MS) {
        int error = errno;

        if (ms >= PATIENCE_MS || (error != ENOENT && error != ECONNREFUSED)) {
            close(fd);
            errno = error;
            return -1;
        }
        nanosleep(&step, NULL);
    }
    return fd;
}

static int accept_from(const char *path)
{
    struct sockaddr_un name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), from = -1;
    struct pollfd on = { .fd = fd, .events = POLLIN };

    if (fd < 0 || !name_of(&name, path) ||
        bind(fd, (const struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    errno = ETIMEDOUT;
    if (poll(&on, 1, PATIENCE_MS) == 1)
        from = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    (void)unlink(path);
    close(fd);
    return from;
}

/* One image: the pages of `dirty`, NULL: all; of a VM that has stopped all else as well. */
static bool send_image(struct migrate *m, const uint64_t *dirty, const struct save_from *from)
{
    const struct save_step step = { .kind = from ? SVMC_IMAGE_LAST : SVMC_IMAGE_ROUND,
                                    .parent = m->sent > 0 ? &m->name : NULL,
                                    .session = m->session };
    uint8_t *image = NULL, length[LENGTH_BYTES];
    enum svmc_image_reason no;
    uint64_t pages;
    char text[100];
    size_t n;
    bool good;

    if (!save_body(m->save, m->vm, dirty, from, &pages, m->why, sizeof m->why))
        return false;
    no = save_seal(m->save, m->sealing, &step, &image, &n, &m->name);
    if (no != SVMC_IMAGE_NONE) {
        free(image);
        return save_no_image(m->why, sizeof m->why, no);
    }
    store_le(length, n, LENGTH_BYTES);
    good = send_all(m->fd, length, sizeof length) && send_all(m->fd, image, n);
    if (!good)
        refuse(m->why, sizeof m->why, "the receiver", strerror(errno));
    snprintf(text, sizeof text, "%s %u: %llu pages, %zu KiB", from ? "last, image" : "image",
             m->sent++, (unsigned long long)pages, n >> 10);
    report_call(m->report, 0, REPORT_SEAL, text);
    free(image);
    return good;
}

/* KV-11: fetched and cleared before they are read. */
static bool look(struct migrate *m, uint32_t *count)
{
    const struct svmc_kvm_log log = { .vm = m->vm->fd,
                                      .pages = m->vm->memory_bytes / SVMC_IMAGE_PAGE,
                                      .manual = m->manual };

    memset(m->dirty, 0, sizeof m->dirty);
    if (svmc_kvm_log_fetch(&log, m->scratch, m->dirty) != SVMC_OK ||
        svmc_kvm_log_clear(&log, 0, log.pages, m->dirty) != SVMC_OK)
        return refuse(m->why, sizeof m->why, "KVM", "its log of written pages");
    for (size_t i = 0; atomic_load(&m->over) && i < sizeof m->dirty / sizeof *m->dirty; i++)
        m->dirty[i] |= m->vm->wrote[i]; /* by the keeper, who does not any more */
    *count = 0;
    for (uint64_t page = 0; page < log.pages; page++)
        *count += m->dirty[page / 64] >> page % 64 & 1;
    return true;
}

/* Until little is left, or it does not become less: then the guest stops at its next request. */
static void *send_rounds(void *arg)
{
    struct migrate *m = arg;
    uint32_t count = UINT32_MAX;
    bool good = send_image(m, NULL, NULL);

    for (uint32_t i = 1; good && i < MIGRATE_ROUNDS && !atomic_load(&m->over); i++) {
        uint32_t before = count;

        good = look(m, &count) && send_image(m, m->dirty, NULL);
        if (count <= MIGRATE_FEW || count >= before)
            break;
    }
    m->failed = !good;
    for (uint32_t i = 0; i < m->cpus; i++)
        atomic_store(&m->cpu[i]->save_now, true);
    return NULL;
}

bool migrate_begin(struct migrate *m, const char *path, char *why, size_t cap)
{
    uint8_t head[SEALING_HEAD_BYTES];

    atomic_store(&m->over, false);
    if (!save_head(m->save, m->sealing, head, why, cap))
        return false;
    m->fd = connect_to(path);
    if (m->fd < 0 || !send_all(m->fd, head, sizeof head) ||
        !receive_all(m->fd, m->session, sizeof m->session))
        return refuse(why, cap, path, strerror(errno));
    m->manual = svmc_kvm_log_manual(m->vm->fd);
    if (!vm_log(m->vm) || pthread_create(&m->thread, NULL, send_rounds, m) != 0)
        return refuse(why, cap, "--migrate-to", "no log of written pages, or no thread");
    m->running = true;
    return true;
}

bool migrate_end(struct migrate *m, const struct save_from *from)
{
    uint32_t count;
    uint8_t word = 0;
    bool good;

    atomic_store(&m->over, true);
    if (m->running)
        pthread_join(m->thread, NULL);
    m->running = false;
    good = !m->failed;
    if (good && !from)
        good = refuse(m->why, sizeof m->why, "--migrate-to", "the guest ended before");
    good = good && look(m, &count) && send_image(m, m->dirty, from);
    if (good && (!receive_all(m->fd, &word, 1) || word != RUNS))
        good = refuse(m->why, sizeof m->why, "the receiver", "does not take it");
    close(m->fd);
    return good;
}

/* One image of the row. *last: it was the last one. */
static bool receive_image(struct save *s, int fd, struct sealing *sealing, struct save_step *step,
                          struct svmc_image_name *name, char *why, size_t cap)
{
    uint8_t length[LENGTH_BYTES], *image;
    enum svmc_image_reason no;
    struct svmc_image_name next;
    uint64_t n;

    if (!receive_all(fd, length, sizeof length))
        return refuse(why, cap, "the sender", strerror(errno));
    n = load_le(length, LENGTH_BYTES);
    image = n <= IMAGE_MAX ? malloc(n + 1) : NULL;
    if (!image || !receive_all(fd, image, n)) {
        free(image);
        return refuse(why, cap, "the sender", image ? strerror(errno) : "too long an image");
    }
    no = save_open(s, sealing, step, image, n, &next);
    free(image);
    if (no != SVMC_IMAGE_NONE)
        return save_no_image(why, cap, no);
    *name = next;
    step->parent = name;
    return true;
}

bool migrate_receive(struct save *s, const char *path, struct sealing *sealing, uint32_t protect,
                     char *why, size_t cap)
{
    uint8_t head[SEALING_HEAD_BYTES], session[SVMC_IMAGE_ID_BYTES], word = RUNS;
    struct save_step step = { .session = session };
    struct svmc_image_name name = { .kind = 0 };
    int fd = accept_from(path);
    bool good;

    if (fd < 0)
        return refuse(why, cap, path, strerror(errno));
    good = receive_all(fd, head, sizeof head) || refuse(why, cap, "the sender", strerror(errno));
    good = good && save_take_head(s, head, sealing, protect, why, cap);
    if (good && (getrandom(session, sizeof session, 0) != (ssize_t)sizeof session ||
                 !send_all(fd, session, sizeof session)))
        good = refuse(why, cap, "the sender", strerror(errno));
    while (good && !svmc_image_may_run(&name))
        good = receive_image(s, fd, sealing, &step, &name, why, cap);
    if (good && !send_all(fd, &word, 1))
        good = refuse(why, cap, "the sender", strerror(errno));
    close(fd);
    return good;
}
