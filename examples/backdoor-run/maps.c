/* SPDX-License-Identifier: MIT */
#include "maps.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTIONS_MOST 4096u /* of a file; it is not to be believed */
#define ENTRIES_MOST  256u

FILE *maps_open(pid_t pid)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    return fopen(path, "re");
}

bool maps_next(FILE *maps, struct mapping *out)
{
    char line[PATH_MAX + 128], perms[5];
    int path_at = 0;

    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64 " %n", &out->start,
                   &out->end, perms, &out->offset, &out->inode, &path_at) != 5)
            continue;
        line[strcspn(line, "\n")] = 0;
        out->write = perms[1] == 'w';
        out->execute = perms[2] == 'x';
        snprintf(out->path, sizeof out->path, "%s", out->inode != 0 ? line + path_at : "");
        return true;
    }
    return false;
}

bool maps_writable(pid_t pid, uint64_t at)
{
    FILE *maps = maps_open(pid);
    struct mapping m;
    bool found = false;

    while (maps && !found && maps_next(maps, &m))
        found = m.write && at >= m.start && at < m.end;
    if (maps)
        fclose(maps);
    return found;
}

bool start_read(pid_t pid, struct start *out)
{
    char path[32];
    uint8_t ident[EI_NIDENT] = { 0 };
    Elf64_auxv_t list[ENTRIES_MOST];
    ssize_t got;
    int fd;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, ident, sizeof ident);
    if (fd >= 0)
        close(fd);
    /* an execute-only program cannot be read: taken for one of 64 bits */
    out->is_64 = got != EI_NIDENT || ident[EI_CLASS] == ELFCLASS64;
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, list, sizeof list);
    if (fd >= 0)
        close(fd);
    if (out->is_64 && got > 0)
        start_take(out, list, (size_t)got);
    return out->entry != 0;
}

void start_take(struct start *out, const void *auxv, size_t bytes)
{
    Elf64_auxv_t one;

    for (size_t at = 0; at + sizeof one <= bytes; at += sizeof one) {
        memcpy(&one, (const uint8_t *)auxv + at, sizeof one);
        if (one.a_type == AT_ENTRY)
            out->entry = one.a_un.a_val;
        else if (one.a_type == AT_PHDR)
            out->headers = one.a_un.a_val;
        else if (one.a_type == AT_PHNUM)
            out->count = one.a_un.a_val;
    }
}

bool start_debug(const struct memory *memory, const struct start *start, struct r_debug *out,
                 uint64_t *bias)
{
    uint64_t dynamic = 0;
    Elf64_Phdr header;
    Elf64_Dyn entry;

    *bias = 0;
    for (uint64_t i = 0; i < start->count && i < ENTRIES_MOST; i++) {
        if (!memory->read(memory->ctx, start->headers + i * sizeof header, &header, sizeof header))
            return false;
        if (header.p_type == PT_PHDR)
            *bias = start->headers - header.p_vaddr;
        else if (header.p_type == PT_DYNAMIC)
            dynamic = header.p_vaddr;
    }
    for (uint64_t i = 0; dynamic != 0 && i < ENTRIES_MOST; i++) {
        uint64_t at = *bias + dynamic + i * sizeof entry;

        if (!memory->read(memory->ctx, at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
            return false;
        if (entry.d_tag == DT_DEBUG)
            return memory->read(memory->ctx, entry.d_un.d_ptr, out, sizeof *out);
    }
    return false;
}

/* The file that is mapped, unless another has taken its name. */
static int open_mapped(pid_t pid, const struct mapping *m)
{
    char path[PATH_MAX + 32];
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/root%s", (int)pid, m->path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_ino == m->inode)
        return fd;
    close(fd);
    return -1;
}

size_t code_sections(pid_t pid, const struct mapping *m, struct code *list, size_t most)
{
    int fd = open_mapped(pid, m);
    size_t count = 0;
    Elf64_Ehdr head;
    Elf64_Shdr section;

    if (fd < 0)
        return 0;
    if (pread(fd, &head, sizeof head, 0) != sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_shentsize != sizeof section)
        head.e_shnum = 0;
    for (uint64_t i = 0; i < head.e_shnum && i < SECTIONS_MOST && count < most; i++) {
        off_t at = (off_t)(head.e_shoff + i * sizeof section);

        if (pread(fd, &section, sizeof section, at) != sizeof section)
            break;
        if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0)
            list[count++] = (struct code){ section.sh_offset, section.sh_size };
    }
    close(fd);
    return count;
}
