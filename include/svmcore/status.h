/* SPDX-License-Identifier: MIT */
#ifndef SVMCORE_STATUS_H
#define SVMCORE_STATUS_H
#include "config.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * Whether the library did its work. What the guest gets is never said here but in struct
 * svmc_outcome. The values are pinned: new ones are appended to their group, none is renumbered.
 */
enum svmc_status {
    SVMC_OK = 0x00, /* the only success value */

    SVMC_ERR_ARG = 0x10, /* 0x1x: the caller broke the contract: NULL, a bad size, a reserved bit */
    SVMC_ERR_STATE = 0x11, /* the call is not legal now, e.g. enter without a pending exit */

    SVMC_ERR_TRUNCATED = 0x20, /* 0x2x: the guest's bytes: more of them are needed */
    SVMC_ERR_UNDEFINED = 0x21, /* the processor answers these bytes with #UD */
    SVMC_ERR_TOO_LONG = 0x22,  /* more than SVMC_INSN_MAX bytes: the processor answers with #GP */
    SVMC_ERR_MISMATCH = 0x23,  /* the instruction cannot have caused the exit it came with */

    SVMC_ERR_CALLBACK = 0x30,   /* 0x3x: from outside: a callback failed or gave nonsense */
    SVMC_ERR_HOST_REPLY = 0x31, /* the reply breaks a rule of docs/spec/reply.md; nothing changed */
    SVMC_ERR_AUTH = 0x32,       /* a tag does not fit: what it stands for is not what was written */
    SVMC_ERR_FORMAT = 0x33,     /* stored bytes are not in the form that they claim, or cut */
    SVMC_ERR_KEY = 0x34,        /* made with another key, or the key is not the one it is named */
    SVMC_ERR_OWNER = 0x35,      /* whole, but another VM's */
    SVMC_ERR_PURPOSE = 0x36,    /* whole, but made for something else */
    SVMC_ERR_POLICY = 0x37,     /* whole, but of a vCPU under another policy */

    SVMC_ERR_FULL = 0x40,        /* 0x4x: no room in the caller's buffer or table */
    SVMC_ERR_UNSUPPORTED = 0x41, /* well-formed, but not known to this build */

    SVMC_ERR_STALE = 0x50,  /* 0x5x: a handle or token is not valid now */
    SVMC_ERR_BUSY = 0x51,   /* somebody is at it: nothing changed, call again */
    SVMC_ERR_ABSENT = 0x52, /* the key is not where it is used: bring it, and call again */

    SVMC_ERR_REFUSED = 0x60 /* 0x6x: a device asks for what it may not have; nothing moved */
};

/**
 * The name of a status, e.g. "SVMC_ERR_ARG"; "SVMC_ERR_?" for a value that is none.
 *
 * Owns: the string is static and never NULL.
 */
SVMC_API const char *svmc_status_name(enum svmc_status status);

#ifdef __cplusplus
}
#endif
#endif
