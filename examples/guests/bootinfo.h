/* SPDX-License-Identifier: MIT */
/** What the keeper and its guest agree on: memory, devices, the boot page, the verdict. */
#ifndef BOOTINFO_H
#define BOOTINFO_H

/* guest-physical; 0..2 MiB is RAM, mapped 1:1 */
#define BOOT_RAM_BYTES   0x200000u
#define BOOT_TABLES      0x1000u /* GDT, then the page tables: up to BOOT_INFO */
#define BOOT_INFO        0x8000u
#define BOOT_NOISE       0x10000u /* words of noise for the guest's registers */
#define BOOT_NOISE_BYTES 0x10000u
#define BOOT_STACKS      0x40000u /* one a processor; at its bottom the guest's struct cpu */
#define BOOT_STACK_BYTES 0x10000u
#define BOOT_CPUS_MAX    4u
#define BOOT_IMAGE       0x100000u /* the flat binary, entered at its first byte */

#define BOOT_MAGIC   0x424d5653u /* "SVMB" */
#define BOOT_VERSION 2u
#define BOOT_LEAK    1u /* flags: print the secret, a control for the scanner */
#define BOOT_RESULTS 4u /* flags: calls have results; without it, those that do are unknown */
#define BOOT_DWELL   8u /* flags: rest a while in the middle of the work */
#define BOOT_MSR     2u /* flags: the MSRs below exit; without it, leave them alone */

/* devices, all in the host */
#define DEV_CONSOLE        0x3f8u /* 8 ports: data at +0, line status at +5 */
#define DEV_CONSOLE_STATUS 0x3fdu
#define DEV_CLOCK          0x510u /* 4-byte IN: microseconds */
#define DEV_CLOCK_STREAM   0x514u /* REP INS, elements of 1 or 4 bytes */
#define DEV_RING           0x520u /* 64 bytes, written in turn and read in turn, by 1, 2 or 4 */
#define DEV_RING_BYTES     64u
#define DEV_RING_RESET     0x524u /* 4-byte OUT: both turns begin at its first byte */
#define DEV_LATCH          0xe0u  /* 8 ports that give back what was written to them */
#define DEV_EMPTY          0x700u /* 16 ports with nothing behind them: answered inside */
#define DEV_MMIO           0xfe000000u
#define DEV_MMIO_BYTES     0x1000u
#define DEV_MMIO_ALIAS     0x200000u   /* guest-virtual: the same page within reach of RIP */
#define DEV_MSR            0x400000f0u /* one a processor: gives back what was written */
#define DEV_MSR_FAULT      0x400000f1u /* the host answers #GP */
#define DEV_MSR_ZERO       0x400000f2u /* answered inside: reads as 0 */
#define DEV_MSR_NONE       0x400000f3u /* in no policy: #GP from inside */
#define DEV_MSRS           4u

/* registers of the MMIO device */
#define MMIO_ID            0x000u
#define MMIO_ACCUMULATOR   0x010u /* a write adds */
#define MMIO_SCRATCH       0x100u /* each processor sees its own */
#define MMIO_SCRATCH_BYTES 0x100u
#define MMIO_ID_VALUE      0x0000000144564d53ull

/* hypercalls */
#define CALL_ADD     1u /* a, b -> a + b */
#define CALL_CLOCK   2u /* -> microseconds */
#define CALL_REVERSE 3u /* six words -> the last three, last first */
#define CALL_PUSH    4u /* adds to MMIO_ACCUMULATOR; 0 is refused; no results */
#define CALL_UNKNOWN 9u /* never defined: answered inside */

/* native calls of NATIVE_OWNER, answered by the keeper itself (--hypercalls) */
#define NATIVE_OWNER    1u
#define NATIVE_PORT     0x565du /* the default; CPUID says which it is */
#define NATIVE_COUNT    8u      /* n -> the VM's counter behind n steps */
#define NATIVE_COPY     9u      /* from, bytes, to, room -> bytes copied */
#define NATIVE_INFO     10u     /* key, bytes, to, room -> bytes of guestinfo.KEY */
#define NATIVE_SAY      11u     /* text, bytes: a line in the keeper's output */
#define NATIVE_LOCK     12u     /* kernel alone: guestinfo is constant from now on */
#define NATIVE_TEXT_MAX 1024u   /* bytes of a buffer, but of a key */
#define NATIVE_KEY_MAX  64u

/* tokens (--tokens): pages of RAM, mapped 1:1, and calls of TOKENS_OWNER */
#define TOKENS_GATE    0xa0000u  /* made by the keeper: code that nobody reads or writes */
#define TOKENS_KEPT    0xa1000u  /* a page that the program alone has changed */
#define TOKENS_PROGRAM 0x120000u /* of the image: the program, one page */
#define TOKENS_OWNER   2u
#define TOKENS_TRY     8u  /* text, bytes, 1: the keeper asks for a PUT: somebody tries this now */
#define TOKENS_TRIED   9u  /* and was refused: FAILED if not */
#define TOKENS_ENROL   10u /* by the program -> handle, address of the gate's stub */
#define TOKENS_SEAL    11u /* kernel alone: nobody else enrols */
#define TOKENS_PUT     12u /* offset, word: with a token */
#define TOKENS_ROTATE  13u /* with a token -> address of the gate's stub */
#define TOKENS_STEAL   14u /* 0, 1: one lent to vCPU 1 -> handle, tag: as if it had leaked */

/*
 * DMA (--dma): pages of RAM, mapped 1:1, that are held encrypted, and two devices in the host with
 * functions and I/O addresses of their own. A device is told where its list is, and reads it.
 */
#define DMA_MEMORY     0xa0000u
#define DMA_PAGES      7u
#define DMA_BLOCK_DATA 0xa0000u /* three pages: the block device's DMA_IOVA */
#define DMA_BLOCK_LIST 0xa3000u /* its DMA_IOVA_LIST, which it may only read */
#define DMA_NET_DATA   0xa4000u /* two pages: the net device's DMA_IOVA */
#define DMA_NET_LIST   0xa6000u
#define DMA_IOVA       0x10000u
#define DMA_IOVA_LIST  0x20000u
#define DEV_BLOCK      0x530u /* 4-byte OUT: the list's address; 4-byte IN: what came of it */
#define DEV_NET        0x534u /* the same; OUT of 0: forget everything */
#define DEV_DMA        0x538u /* 4-byte OUT, to the keeper */
#define DMA_RENEW      1u     /* the net device gets a fresh key, its pages are empty */
#define DMA_NOTE       2u     /* somebody on the bus copies DMA_NET_DATA, as it is held */
#define DMA_PUT_BACK   3u     /* and puts the copy back */
#define DMA_REPAIR     4u     /* as if he had not */

/* what a list says, and what comes of it */
#define DMA_OUT         1u /* from memory: to the disk, or a frame to send */
#define DMA_IN          2u /* to memory: from the disk, or the frame received last */
#define DMA_LIST_PIECES 4u
#define DMA_SECTOR      512u
#define DMA_DISK_BYTES  16384u
#define DMA_FRAME_BYTES 256u
#define DMA_DONE        1u /* in bits 31:8 the bytes */
#define DMA_FAILED      2u
/* plaintext that is searched where it must not be: at the start of sectors and frames */
#define DMA_CANARY_LOW  0x4f205952414e4143ull
#define DMA_CANARY_HIGH 0x4d56204548542046ull

/*
 * A sealed disk (--protect disk): DEV_BLOCK is the keeper's then, a list's addresses are those of
 * RAM, its sectors have DISK_SECTOR bytes, and what came of it each processor reads for itself.
 */
#define DMA_FLUSH      3u /* no pieces: what was written stays */
#define DISK_SECTOR    4096u
#define DISK_EACH      32u /* sectors that a processor has */
#define DISK_SECTORS   (DISK_EACH * BOOT_CPUS_MAX)
#define DISK_BYTES_MAX 0x10000u /* of a list */

/* memory budget: in pages that the guest fills first and reads last */
#define BUDGET_CANARY_LOW  0x4f595241d441ca11ull
#define BUDGET_CANARY_HIGH 0x77656b6e6f626f64ull

/*
 * RAX at HLT: the guest's verdict, read by the keeper itself. Below 0x1000: the failed check. With
 * VERDICT_IDLE the processor only rests, and runs on at once.
 */
#define VERDICT_PASS  0x53534150u /* "PASS" */
#define VERDICT_IDLE  0x454c4449u /* "IDLE" */
#define VERDICT_FAULT 0xe0000000u /* + vector: an exception */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct boot_info {
    uint32_t magic;
    uint32_t version;
    uint64_t flags;
    uint64_t secret[2];
    uint64_t noise; /* guest-physical: BOOT_NOISE_BYTES of it */
    uint64_t cpus;  /* processors, all entered at the first byte, each with its number in RDI */
};

struct dma_list {
    uint32_t op;
    uint32_t sector; /* of the disk */
    uint32_t pieces;
    uint32_t reserved;
    struct {
        uint64_t iova, bytes;
    } piece[DMA_LIST_PIECES];
};
#endif

#endif
