/* SPDX-License-Identifier: MIT */
/**
 * The trace: one list of records that a live run writes and a replay reads. docs/spec/trace.md.
 *
 * The keeper's loop calls tape_in for what comes from outside (an exit, a callback's answer, a
 * host's reply) and tape_out for what the library makes of it. Recording, both append; replaying,
 * tape_in hands out what was recorded and tape_out compares, bit for bit.
 */
#ifndef TAPE_H
#define TAPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TAPE_VERSION   1u
#define TAPE_BYTES_MAX (16u << 20) /* a larger file is not read */
#define TAPE_TEXT_MAX  120u

enum tape_mode {
    TAPE_OFF,
    TAPE_RECORD,
    TAPE_REPLAY, /* everything from the trace, every output compared */
    TAPE_FEED    /* only exits and registers from the trace; a live host answers */
};

enum tape_type {
    TAPE_HEADER = 1,    /* in: who recorded */
    TAPE_CONFIG = 2,    /* in: what the policy depends on */
    TAPE_EXIT = 3,      /* in: the bytes of struct kvm_run */
    TAPE_INSN = 4,      /* in: the instruction, for the report */
    TAPE_CALL = 5,      /* in: a callback and its answer */
    TAPE_WRITE = 6,     /* out: a register the library wrote */
    TAPE_NORMAL = 7,    /* out: svmc_exit_from_kvm */
    TAPE_OUTCOME = 8,   /* out: svmc_vcpu_exit or svmc_vcpu_enter */
    TAPE_PAGE = 9,      /* out: a request page */
    TAPE_REPLY = 10,    /* in: the reply area and data as the library read them */
    TAPE_COMPLETE = 11, /* out: what svmc_kvm_complete changed */
    TAPE_CONSOLE = 12,  /* in: console bytes */
    TAPE_VERDICT = 13,  /* in: RAX at HLT */
    TAPE_END = 14,      /* record count and checksum */
    TAPE_STORE = 15,    /* in: what the keeper answers hypercalls with */
    TAPE_TRAP = 16,     /* out: svmc_trap_from_x86 */
    TAPE_ANSWER = 17,   /* out: svmc_vmware_handle, svmc_hcall_dispatch */
    TAPE_MEMORY = 18,   /* in: guest memory that a call was given */
    TAPE_WRITTEN = 19,  /* out: what it became */
    TAPE_GATE = 20,     /* out: a line about tokens or DMA */
    TAPE_DMA = 21,      /* in: a message of the host, or the bytes that it writes */
    TAPE_MOVED = 22     /* out: the answer, and the bytes that were read */
};

enum tape_error {
    TAPE_OK = 0,
    TAPE_ERR_OPEN,
    TAPE_ERR_TOO_LARGE,
    TAPE_ERR_FOREIGN,
    TAPE_ERR_NEWER,
    TAPE_ERR_TRUNCATED,
    TAPE_ERR_CHECKSUM,
    TAPE_ERR_RECORD,    /* a record that cannot be */
    TAPE_ERR_DIFFERENT, /* replay: an output is not what was recorded */
    TAPE_ERR_MEMORY,
    TAPE_ERR_KIND /* a FIFO, a folder, a device */
};

struct tape {
    enum tape_mode mode;
    uint8_t *bytes; /* the whole file */
    size_t size;
    size_t capacity; /* RECORD */
    size_t at;
    uint64_t record;       /* number of the last record, from 1 */
    enum tape_error error; /* the first one; sticks */
    uint64_t bad_record;   /* where it happened */
    size_t bad_byte;       /* DIFFERENT: first differing byte of the payload */
    uint8_t bad_type;
    bool owned;
};

/** Begin to record. */
void tape_record(struct tape *t);

/** Read bytes as a trace: all of magic, version, record bounds and checksum are checked. */
enum tape_error tape_open(struct tape *t, enum tape_mode mode, const uint8_t *bytes, size_t size);

/** The same from a file; `error` gets errno where the answer is ERR_OPEN. */
enum tape_error tape_load(struct tape *t, enum tape_mode mode, const char *path, int *error);

/** Recording: end it, write and close the file. */
enum tape_error tape_save(struct tape *t, FILE *file, int *error);

void tape_drop(struct tape *t);

/** Is there an error, so that the run must end? */
static inline bool tape_bad(const struct tape *t)
{
    return t->error != TAPE_OK;
}

/**
 * An input. RECORD: append payload[*bytes]. REPLAY: the next record must be of this type and at
 * most cap bytes; payload and *bytes get it. Elsewhere nothing happens. false: the tape is bad.
 */
bool tape_in(struct tape *t, enum tape_type type, void *payload, size_t cap, size_t *bytes);

/** An output. RECORD: append. REPLAY: the next record must be this one. false: the tape is bad. */
bool tape_out(struct tape *t, enum tape_type type, const void *payload, size_t bytes);

/** The run is not what the trace says, at byte `byte` of the record before. Returns false. */
bool tape_differs(struct tape *t, enum tape_type type, size_t byte);

/** REPLAY, FEED: the type of the next record; 0 at the end. */
uint8_t tape_peek(const struct tape *t);

/** FEED: go to the next record of this type and hand it out; false: there is none. */
bool tape_seek(struct tape *t, enum tape_type type, void *payload, size_t cap, size_t *bytes);

/** The checksum of the file format: FNV-1a, 64 bits. */
uint64_t tape_checksum(const uint8_t *bytes, size_t size);

/** One line about the tape's error, e.g. "record 17 (page) differs from the trace at byte 24". */
void tape_explain(const struct tape *t, enum tape_error error, char *text, size_t cap);

#endif
