/* SPDX-License-Identifier: MIT */
/* The provider of keys: a file under a passphrase, or a KMIP server. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/port/keyfile.h>
#include <svmcore/port/kmip.h>
#include <svmcore/port/sodium.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "keys.h"
#include "wait.h"

#define MS             1000000u
#define LEASE_NS       ((uint64_t)3600 * 1000 * MS) /* more than a command keeps it unused */
#define MEMORY_KIB_MAX (1024u * 1024u)              /* that a foreign key file may ask for */

/* Where a key file has its cost and its name (docs/spec/keyfile.md, KF-1). */
enum { KEYFILE_PASSES = 8, KEYFILE_MEMORY = 12, KEYFILE_ID_BYTES = 56, KEYFILE_ID = 64 };

/* ---- passphrases -----------------------------------------------------------------------------*/

struct passphrase {
    size_t bytes;
    char at[SVMC_KEYFILE_PASSPHRASE_MAX + 2]; /* and a line feed, and one too many */
};

/* One line, read by read(2) alone: no buffer of stdio keeps a copy. */
static enum cli_status read_line(int fd, struct passphrase *p, const char *file)
{
    ssize_t got = 0;

    for (p->bytes = 0; p->bytes < sizeof p->at; p->bytes++) {
        got = read(fd, p->at + p->bytes, 1);
        if (got != 1 || p->at[p->bytes] == '\n')
            break;
    }
    if (cli_stopped)
        return cli_fail(CLI_STOPPED, NULL, "stopped; nothing is changed");
    if (got < 0)
        return cli_fail(CLI_SYSTEM, file, "cannot be read: %s", strerror(errno));
    if (p->bytes == 0)
        return cli_fail(CLI_KEY, file, "has no passphrase in its first line");
    if (p->bytes > SVMC_KEYFILE_PASSPHRASE_MAX)
        return cli_fail(CLI_KEY, file, "the passphrase is longer than %u bytes",
                        SVMC_KEYFILE_PASSPHRASE_MAX);
    return CLI_GOOD;
}

static enum cli_status prompt(int terminal, const char *text, const char *path,
                              struct passphrase *p)
{
    struct termios before, quiet;
    enum cli_status status;

    if (tcgetattr(terminal, &before) != 0)
        return cli_fail(CLI_SYSTEM, "/dev/tty", "%s", strerror(errno));
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    (void)tcsetattr(terminal, TCSAFLUSH, &quiet); /* it drops what was typed before */
    dprintf(terminal, "%s of %s: ", text, path);
    status = read_line(terminal, p, "/dev/tty");
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    dprintf(terminal, "\n");
    return status;
}

/* Twice, where it makes a key: nobody sees what was typed. again: room for that. */
static enum cli_status ask_terminal(const char *path, bool twice, struct passphrase *p,
                                    struct passphrase *again)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    enum cli_status status;

    if (terminal < 0)
        return cli_fail(CLI_KEY, path,
                        "wants a passphrase, and there is no terminal to ask; "
                        "use --passphrase-file");
    status = prompt(terminal, twice ? "New passphrase" : "Passphrase", path, p);
    if (status == CLI_GOOD && twice)
        status = prompt(terminal, "The same once more", path, again);
    if (status == CLI_GOOD && twice &&
        (p->bytes != again->bytes || memcmp(p->at, again->at, p->bytes) != 0))
        status = cli_fail(CLI_KEY, path, "these are two passphrases; nothing was made");
    close(terminal);
    return status;
}

static enum cli_status ask(const struct provider_options *o, const char *path, bool twice,
                           struct passphrase *p)
{
    enum cli_status status;
    int fd;

    if (!o->passphrase_file)
        return ask_terminal(path, twice, p, p + 1);
    fd = strcmp(o->passphrase_file, "-") == 0 ? dup(STDIN_FILENO)
                                              : open(o->passphrase_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(CLI_SYSTEM, o->passphrase_file, "cannot be read: %s", strerror(errno));
    status = read_line(fd, p, o->passphrase_file);
    close(fd);
    return status;
}

/* ---- a key file ------------------------------------------------------------------------------*/

static enum cli_status make_keyfile(struct provider *p, const struct provider_options *o,
                                    const char *path, const struct svmc_keyfile_passphrase *word)
{
    const struct svmc_keyfile_cost cost = { o->passes, o->memory_kib };
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();
    uint8_t file[SVMC_KEYFILE_BYTES], random[12];
    char id[sizeof "svmcore-" + 2 * sizeof random];
    size_t n = sizeof "svmcore-" - 1;
    enum svmc_status st = SVMC_ERR_CALLBACK;

    if (o->memory_kib > MEMORY_KIB_MAX)
        return cli_fail(CLI_USAGE, path, "--key-cost: at most %u KiB", MEMORY_KIB_MAX);
    memcpy(id, "svmcore-", n);
    if (ops && ops->random(ops->ctx, random, sizeof random) == SVMC_OK) {
        (void)cli_hex(id + n, random, sizeof random);
        st = svmc_keyfile_create(file, word, (const uint8_t *)id, strlen(id),
                                 o->passes != 0 ? &cost : NULL);
    }
    if (st == SVMC_ERR_ARG)
        return cli_fail(CLI_USAGE, path, "--key-cost is not possible");
    if (st != SVMC_OK)
        return cli_fail(CLI_SYSTEM, path, "no key can be made: too little memory for --key-cost?");
    p->made = true;
    return out_write(path, file, sizeof file, false);
}

static enum cli_status keyfile_verdict(enum svmc_status st, const char *path)
{
    switch (st) {
    case SVMC_OK:
        return CLI_GOOD;
    case SVMC_ERR_FORMAT:
        return cli_fail(CLI_KEY, path, "is no key file, or is cut");
    case SVMC_ERR_UNSUPPORTED:
        return cli_fail(CLI_KEY, path, "is a key file of a version that this program has not");
    case SVMC_ERR_FULL:
        return cli_fail(CLI_KEY, path,
                        "wants more than %u MiB for its passphrase; it is not "
                        "opened",
                        MEMORY_KIB_MAX / 1024);
    case SVMC_ERR_KEY:
        return cli_fail(CLI_KEY, path, "another passphrase, or the file was changed; try again");
    case SVMC_ERR_AUTH:
        return cli_fail(CLI_KEY, path, "the file was changed; take its backup");
    default:
        return cli_fail(CLI_SYSTEM, path, "cannot be opened: too little memory?");
    }
}

static enum cli_status open_keyfile(struct provider *p, const struct provider_options *o,
                                    const char *path, struct passphrase *room)
{
    struct svmc_keyfile_passphrase word = { room->at, 0 };
    uint8_t file[SVMC_KEYFILE_BYTES];
    enum cli_status status = CLI_GOOD;
    bool make = o->make && access(path, F_OK) != 0;
    size_t n;

    if (!make)
        status = file_slurp(path, file, sizeof file, &n);
    if (status == CLI_REFUSED)
        return CLI_KEY;
    if (status == CLI_GOOD)
        status = ask(o, path, make, room);
    word.bytes = room->bytes;
    if (status == CLI_GOOD && make) {
        status = make_keyfile(p, o, path, &word);
        if (status == CLI_GOOD)
            status = file_slurp(path, file, sizeof file, &n);
    }
    if (status == CLI_GOOD)
        status =
            keyfile_verdict(svmc_keyfile_open(&p->keyfile, file, n, &word, MEMORY_KIB_MAX), path);
    if (status == CLI_GOOD) { /* it was opened: its name is whole */
        p->id_bytes = file[KEYFILE_ID_BYTES];
        memcpy(p->id, file + KEYFILE_ID, p->id_bytes);
    }
    return status;
}

/* KF-5: what it costs stays, unless the user says else. */
static enum cli_status change(uint8_t *file, const char *path, const struct passphrase *words,
                              const struct provider_options *next)
{
    const struct svmc_keyfile_passphrase from = { words[0].at, words[0].bytes };
    const struct svmc_keyfile_passphrase to = { words[1].at, words[1].bytes };
    struct svmc_keyfile_cost cost = { next->passes, next->memory_kib };
    enum svmc_status st;

    if (cost.memory_kib > MEMORY_KIB_MAX)
        return cli_fail(CLI_USAGE, path, "--key-cost: at most %u KiB", MEMORY_KIB_MAX);
    if (cost.passes == 0) {
        cost.passes = file_le32(file + KEYFILE_PASSES);
        cost.memory_kib = file_le32(file + KEYFILE_MEMORY);
    }
    st = svmc_keyfile_change(file, &from, &to, &cost, MEMORY_KIB_MAX);
    if (st == SVMC_ERR_ARG)
        return cli_fail(CLI_USAGE, path, "--key-cost is not possible");
    return keyfile_verdict(st, path);
}

enum cli_status keyfile_change(const char *path, const struct provider_options *o,
                               const struct provider_options *next)
{
    uint8_t file[SVMC_KEYFILE_BYTES];
    struct passphrase *words;
    struct key_room room;
    enum cli_status status = key_room_open(&room, 3 * sizeof *words + SVMC_CIPHER_ROOM_ALIGN);
    size_t n;

    if (status != CLI_GOOD)
        return status;
    words = key_room_take(&room, 3 * sizeof *words);
    status = file_slurp(path, file, sizeof file, &n);
    if (status == CLI_REFUSED)
        status = CLI_KEY;
    if (status == CLI_GOOD && n != sizeof file)
        status = keyfile_verdict(SVMC_ERR_FORMAT, path);
    if (status == CLI_GOOD)
        status = ask(o, path, false, words);
    if (status == CLI_GOOD)
        status = ask(next, path, true, words + 1);
    if (status == CLI_GOOD)
        status = change(file, path, words, next);
    key_room_close(&room);
    return status == CLI_GOOD ? out_write(path, file, sizeof file, true) : status;
}

/* ---- kmip://HOST:PORT/KEYID?cert=FILE&key=FILE&ca=FILE[&name=NAME] ----------------------------*/

/* What %XX stands for, in place. */
static bool unescape(char *text)
{
    char *to = text;

    for (; *text != 0; text++) {
        char pair[3] = { 0 };
        uint8_t byte;

        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        pair[0] = text[1];
        pair[1] = text[1] != 0 ? text[2] : 0;
        if (!cli_unhex(&byte, 1, pair) || byte == 0)
            return false;
        *to++ = (char)byte;
        text += 2;
    }
    *to = 0;
    return true;
}

struct kmip_uri {
    char *host, *port, *id, *certificate, *key, *ca, *name;
};

static bool take_parameter(struct kmip_uri *u, char *text)
{
    static const char *const names[] = { "cert=", "key=", "ca=", "name=" };
    char **const to[] = { &u->certificate, &u->key, &u->ca, &u->name };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);

        if (strncmp(text, names[i], n) == 0 && !*to[i]) {
            *to[i] = text + n;
            return unescape(*to[i]) && **to[i] != 0;
        }
    }
    return false;
}

/* Cuts the text into its parts. */
static bool cut_uri(struct kmip_uri *u, char *text)
{
    char *slash = strchr(text, '/'), *mark = slash ? strchr(slash, '?') : NULL, *rest = NULL;

    if (!slash || !mark)
        return false;
    *slash = *mark = 0;
    u->host = text;
    u->id = slash + 1;
    if (*text == '[') { /* an IPv6 address has colons itself */
        u->host = text + 1;
        text = strchr(text, ']');
        if (!text)
            return false;
        *text++ = 0;
    } else {
        text += strcspn(text, ":");
    }
    if (*text == ':') {
        *text = 0;
        u->port = text + 1;
    } else if (*text != 0) {
        return false;
    }
    for (char *p = strtok_r(mark + 1, "&", &rest); p; p = strtok_r(NULL, "&", &rest))
        if (!take_parameter(u, p))
            return false;
    return *u->host != 0 && unescape(u->id) && *u->id != 0 &&
           strlen(u->id) <= SVMC_KEY_NAME_BYTES_MAX && u->certificate && u->key && u->ca;
}

/* The port wants an address as a number: resolvers block, and here that does not matter. */
static enum cli_status open_kmip(struct provider *p, const struct provider_options *o, char *text)
{
    struct svmc_kmip_config config = { 0 };
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char address[NI_MAXHOST];
    struct kmip_uri u = { 0 };
    enum svmc_status st;
    int error;

    if (!cut_uri(&u, text))
        return cli_fail(CLI_USAGE, o->uri,
                        "%s wants kmip://HOST:PORT/KEYID?cert=FILE&key=FILE"
                        "&ca=FILE[&name=NAME]",
                        o->flag);
    error = getaddrinfo(u.host, NULL, &hints, &found);
    if (error == 0)
        error = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, NULL, 0,
                            NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
    if (error != 0)
        return cli_fail(CLI_KEY, u.host, "no such host: %s", gai_strerror(error));
    config.address = address;
    config.port = u.port;
    config.name = u.name ? u.name : u.host;
    config.ca = u.ca;
    config.certificate = u.certificate;
    config.key = u.key;
    st = svmc_kmip_open(&p->kmip, &config);
    if (st == SVMC_ERR_FORMAT)
        return cli_fail(CLI_KEY, u.host,
                        "a file of %s, %s or %s cannot be read, is no PEM, or "
                        "key and certificate do not fit",
                        u.certificate, u.key, u.ca);
    if (st != SVMC_OK)
        return cli_fail(CLI_USAGE, o->uri, "no such server: %s", svmc_status_name(st));
    p->id_bytes = strlen(u.id);
    memcpy(p->id, u.id, p->id_bytes);
    return CLI_GOOD;
}

/* ---- the cache -------------------------------------------------------------------------------*/

static enum cli_status open_cache(struct provider *p)
{
    struct svmc_key_cache_config config = { .crypto = svmc_sodium_ops(),
                                            .provider = { p->keyfile ? svmc_keyfile_ops(p->keyfile)
                                                                     : svmc_kmip_ops(p->kmip) },
                                            .providers = 1,
                                            .derive = VAULT_DERIVE,
                                            .timeout_ns = p->timeout_ns,
                                            .negative_ns = LEASE_NS, /* one try */
                                            .lease_ns = LEASE_NS };
    uint8_t hash[SVMC_HASH_BYTES];
    size_t bytes = SVMC_KEY_CACHE_BYTES(1);
    void *memory = key_room_take(&p->room, bytes);

    if (!config.crypto || !memory ||
        svmc_key_cache_init(&p->cache, &config, memory, bytes) != SVMC_OK ||
        svmc_crypto_hash(config.crypto, SVMC_ALG_BLAKE2B_256, p->id, p->id_bytes, hash) != SVMC_OK)
        return cli_fail(CLI_SYSTEM, NULL, "libsodium does not work here");
    memcpy(p->name, hash, sizeof p->name);
    return CLI_GOOD;
}

enum cli_status provider_open(struct provider *p, const struct provider_options *o)
{
    struct passphrase *words;
    enum cli_status status;
    char *text;

    memset(p, 0, sizeof *p);
    p->uri = o->uri;
    p->timeout_ns = (uint64_t)o->timeout_ms * MS;
    if (!o->uri)
        return cli_fail(CLI_USAGE, NULL, "%s is missing: file:PATH or kmip://...", o->flag);
    status = key_room_open(&p->room, 2 * sizeof *words + SVMC_KEY_CACHE_BYTES(1) + 4096);
    if (status != CLI_GOOD)
        return status;
    words = key_room_take(&p->room, 2 * sizeof *words);
    if (strncmp(o->uri, "file:", 5) == 0 && o->uri[5] != 0) {
        status = open_keyfile(p, o, o->uri + 5, words);
    } else if (strncmp(o->uri, "kmip://", 7) == 0) {
        text = strdup(o->uri + 7);
        status = text ? open_kmip(p, o, text) : cli_fail(CLI_SYSTEM, NULL, "no memory");
        free(text);
    } else {
        status = cli_fail(CLI_USAGE, o->uri, "%s wants file:PATH or kmip://...", o->flag);
    }
    explicit_bzero(words, 2 * sizeof *words);
    if (status == CLI_GOOD)
        status = open_cache(p);
    if (status != CLI_GOOD)
        provider_close(p);
    return status;
}

void provider_close(struct provider *p)
{
    svmc_key_cache_drop(&p->cache);
    svmc_keyfile_close(p->keyfile);
    svmc_kmip_close(p->kmip);
    key_room_close(&p->room);
    memset(p, 0, sizeof *p);
}

/* ---- waiting for a key -----------------------------------------------------------------------*/

struct key_words {
    uint32_t reason;
    const char *text;
};

static const struct key_words words_of[] = {
    { SVMC_FETCH_UNREACHABLE, "cannot be reached; is it running?" },
    { SVMC_FETCH_RESET, "the connection broke; try again" },
    { SVMC_FETCH_DEADLINE, "no answer in time; try again, or with a longer --timeout-ms" },
    { SVMC_FETCH_SERVICE, "the service says that it failed; see its log" },
    { SVMC_FETCH_TLS, "no TLS session; see the server's log" },
    { SVMC_FETCH_PEER, "its certificate is of another authority or name; check ca= and name=" },
    { SVMC_FETCH_PEER_EXPIRED, "its certificate is not valid any more, or not yet" },
    { SVMC_FETCH_FORMAT, "what it sends is no KMIP answer" },
    { SVMC_FETCH_CUT, "its answer ends too early" },
    { SVMC_FETCH_TOO_LONG, "its answer is too long" },
    { SVMC_FETCH_OWN_MISSING, "it wants a certificate; check cert=" },
    { SVMC_FETCH_OWN_REFUSED, "it does not take our certificate; check cert= and key=" },
    { SVMC_FETCH_OWN_EXPIRED, "our certificate has expired" },
    { SVMC_FETCH_DENIED, "this certificate may not have the key" },
    { SVMC_FETCH_NOT_FOUND, "it has no such key" },
    { SVMC_FETCH_PRE_ACTIVE, "the key is not active yet; activate it" },
    { SVMC_FETCH_DEACTIVATED, "the key is deactivated" },
    { SVMC_FETCH_COMPROMISED, "the key is compromised" },
    { SVMC_FETCH_DESTROYED, "the key is destroyed" },
    { SVMC_FETCH_ALG, "the key is for another algorithm than AES" },
    { SVMC_FETCH_LENGTH, "the key has not 256 bits" },
    { SVMC_FETCH_USAGE, "the key may not encrypt and decrypt" },
};

static enum cli_status no_key(const struct provider *p, uint32_t reason)
{
    const char *text = svmc_fetch_name(reason);
    int shown = (int)strcspn(p->uri, "?");

    for (size_t i = 0; i < sizeof words_of / sizeof words_of[0]; i++)
        if (words_of[i].reason == reason)
            text = words_of[i].text;
    return cli_fail(CLI_KEY, NULL, "%.*s: %s", shown, p->uri, text);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

enum cli_status provider_wait(struct provider *p, bool wrap, struct svmc_key_blob *blob,
                              enum svmc_status *result)
{
    struct svmc_key_wanted want = { .id = p->id,
                                    .id_bytes = p->id_bytes,
                                    .alg = SVMC_KEY_FOR_AES,
                                    .usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN };
    struct svmc_key_news news;

    memcpy(want.name, p->name, sizeof want.name);
    for (;;) {
        struct pollfd ready = { .fd = -1 };

        *result = (wrap ? svmc_key_cache_wrap : svmc_key_cache_unwrap)(&p->cache, now_ns(), &want,
                                                                       blob, &news);
        if (news.reason == SVMC_FETCH_NONE)
            return CLI_GOOD;
        if (*result != SVMC_ERR_ABSENT)
            return no_key(p, news.reason);
        if (svmc_key_cache_step(&p->cache, now_ns(), NULL) != 0)
            continue;
        if (p->kmip)
            ready.fd = svmc_kmip_wait(p->kmip, &ready.events);
        (void)poll(&ready, 1, ready.fd < 0 ? 1 : 10);
        if (cli_stopped)
            return cli_fail(CLI_STOPPED, NULL, "stopped; nothing is changed");
    }
}
