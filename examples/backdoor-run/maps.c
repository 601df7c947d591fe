/* SPDX-License-Identifier: MIT */
#include "maps.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

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
    for (ssize_t i = 0; out->is_64 && (i + 1) * (ssize_t)sizeof *list <= got; i++) {
        if (list[i].a_type == AT_ENTRY)
            out->entry = list[i].a_un.a_val;
        else if (list[i].a_type == AT_PHDR)
            out->headers = list[i].a_un.a_val;
        else if (list[i].a_type == AT_PHNUM)
            out->count = list[i].a_un.a_val;
    }
    return out->entry != 0;
}

uint64_t start_brk(pid_t pid, const struct start *start)
{
    uint64_t bias = 0, dynamic = 0;
    struct r_debug debug;
    Elf64_Phdr header;
    Elf64_Dyn entry;

    for (uint64_t i = 0; i < start->count && i < ENTRIES_MOST; i++) {
        if (!memory_read(pid, start->headers + i * sizeof header, &header, sizeof header))
            return 0;
        if (header.p_type == PT_PHDR)
            bias = start->headers - header.p_vaddr;
        else if (header.p_type == PT_DYNAMIC)
            dynamic = header.p_vaddr;
    }
    for (uint64_t i = 0; dynamic != 0 && i < ENTRIES_MOST; i++) {
        if (!memory_read(pid, bias + dynamic + i * sizeof entry, &entry, sizeof entry) ||
            entry.d_tag == DT_NULL)
            return 0;
        if (entry.d_tag == DT_DEBUG)
            return memory_read(pid, entry.d_un.d_ptr, &debug, sizeof debug) ? debug.r_brk : 0;
    }
    return 0;
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
