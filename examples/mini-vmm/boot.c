/* SPDX-License-Identifier: MIT */
/** Long mode for a flat guest: GDT, page tables, registers. AMD APM vol. 2, chapters 4, 5, 14. */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../guests/bootinfo.h"

#define GDT  (BOOT_TABLES + 0x0000u)
#define PML4 (BOOT_TABLES + 0x1000u)
#define PDPT (BOOT_TABLES + 0x2000u)
#define PD_0 (BOOT_TABLES + 0x3000u) /* 0..1 GiB */
#define PD_3 (BOOT_TABLES + 0x4000u) /* 3..4 GiB */

#define PTE_TABLE 0x23u /* present, writable, accessed */
#define PTE_2M    0xe3u /* and dirty, 2 MiB */
#define MIB_2     0x200000u

#define CR0_LONG 0x80000033u /* PG, NE, ET, MP, PE */
#define CR4_LONG 0x00000620u /* OSXMMEXCPT, OSFXSR, PAE */
#define EFER     0x00000500u /* LMA, LME */

#define IMAGE_BYTES_MAX (BOOT_RAM_BYTES - BOOT_IMAGE)

uint64_t boot_noise(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void put64(uint8_t *memory, uint32_t at, uint64_t value)
{
    memcpy(memory + at, &value, sizeof value);
}

static void put_tables(uint8_t *memory)
{
    memset(memory + BOOT_TABLES, 0, PD_3 + 0x1000u - BOOT_TABLES);
    put64(memory, GDT + 0x08, 0x00af9b000000ffff); /* code, 64 bits, ring 0 */
    put64(memory, GDT + 0x10, 0x00cf93000000ffff); /* data */
    put64(memory, PML4, PDPT | PTE_TABLE);
    put64(memory, PDPT, PD_0 | PTE_TABLE);
    put64(memory, PDPT + 8 * 3, PD_3 | PTE_TABLE);
    put64(memory, PD_0, 0 | PTE_2M);
    put64(memory, PD_0 + 8 * (DEV_MMIO_ALIAS / MIB_2), DEV_MMIO | PTE_2M);
    put64(memory, PD_3 + 8 * (DEV_MMIO / MIB_2 % 512), DEV_MMIO | PTE_2M);
}

void boot_memory(uint8_t *memory, uint64_t noise, uint64_t flags, uint32_t cpus,
                 const uint8_t secret[16], const uint8_t *image, size_t image_bytes)
{
    struct boot_info info = { .magic = BOOT_MAGIC,
                              .version = BOOT_VERSION,
                              .flags = flags,
                              .noise = BOOT_NOISE,
                              .cpus = cpus };

    for (uint32_t at = 0; at < BOOT_RAM_BYTES; at += 8)
        put64(memory, at, boot_noise(&noise));
    put_tables(memory);
    memcpy(info.secret, secret, sizeof info.secret);
    memcpy(memory + BOOT_INFO, &info, sizeof info);
    if (image_bytes > 0)
        memcpy(memory + BOOT_IMAGE, image, image_bytes);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint64_t base, bool code)
{
    return (struct kvm_segment){ .base = base,
                                 .limit = 0xffffffff,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .s = 1,
                                 .g = 1,
                                 .l = code,
                                 .db = !code };
}

void boot_registers(uint32_t id, uint64_t noise, struct kvm_regs *regs, struct kvm_sregs *sregs,
                    struct kvm_fpu *fpu)
{
    uint64_t *word = (uint64_t *)regs;

    noise = ~noise - id;
    for (size_t i = 0; i < sizeof *regs / sizeof *word; i++)
        word[i] = boot_noise(&noise);
    regs->rip = BOOT_IMAGE;
    regs->rsp = BOOT_STACKS + (id + 1) * BOOT_STACK_BYTES - 16;
    regs->rdi = id;
    regs->rflags = 2;
    sregs->cs = segment(0x08, 11, 0, true);
    sregs->ds = sregs->es = sregs->ss = segment(0x10, 3, 0, false);
    sregs->fs = segment(0x10, 3, BOOT_FS_BASE, false);
    sregs->gs = segment(0x10, 3, BOOT_GS_BASE, false);
    sregs->gdt.base = GDT;
    sregs->gdt.limit = 0x17;
    sregs->idt.limit = 0; /* the guest brings its own */
    sregs->cr0 = CR0_LONG;
    sregs->cr3 = PML4;
    sregs->cr4 = CR4_LONG;
    sregs->efer = EFER;
    for (size_t i = 0; i < sizeof fpu->fpr; i++)
        ((uint8_t *)fpu->fpr)[i] = (uint8_t)boot_noise(&noise);
    for (size_t i = 0; i < sizeof fpu->xmm; i++)
        ((uint8_t *)fpu->xmm)[i] = (uint8_t)boot_noise(&noise);
    fpu->fcw = 0x37f;
    fpu->mxcsr = 0x1f80;
}

bool boot_read_image(const char *path, uint8_t **image, size_t *bytes, char *why, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    struct stat about = { 0 };
    FILE *file =
        fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? fdopen(fd, "rb") : NULL;

    if (!file) {
        snprintf(why, cap, "%s: %s", path,
                 fd >= 0 && !S_ISREG(about.st_mode) ? "no regular file" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    *image = malloc(IMAGE_BYTES_MAX + 1);
    *bytes = *image ? fread(*image, 1, IMAGE_BYTES_MAX + 1, file) : 0;
    if (ferror(file) || *bytes == 0 || *bytes > IMAGE_BYTES_MAX) {
        snprintf(why, cap, "%s: %s", path,
                 ferror(file)  ? strerror(errno)
                 : *bytes == 0 ? "empty"
                               : "larger than the guest's memory (1 MiB)");
        fclose(file);
        free(*image);
        *image = NULL;
        *bytes = 0;
        return false;
    }
    fclose(file);
    return true;
}
