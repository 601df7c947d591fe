/* SPDX-License-Identifier: MIT */
#include "sites.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode.h"
#include "grow.h"
#include "memory.h"

#define SECTIONS_MOST 64u
#define CODE_MOST     (256u << 20) /* bytes of one section */

static const uint8_t ud2[2] = { 0x0f, 0x0b };

static bool is_wanted(const struct mapping *m, const char *program, const struct names *wanted)
{
    const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path;

    if (strcmp(m->path, program) == 0)
        return true;
    for (size_t i = 0; i < wanted->count; i++)
        if (fnmatch(wanted->list[i], name, 0) == 0)
            return true;
    return false;
}

static bool rewrite(struct sites *s, pid_t pid, uint64_t at, const struct svmc_insn *insn)
{
    struct site *site = grow((void **)&s->list, &s->count, &s->cap, sizeof *site);

    if (!site)
        return false;
    *site = (struct site){ .at = at, .id = insn->id, .length = insn->length };
    if (memory_poke(pid, at, ud2, sizeof ud2))
        return true;
    s->count--;
    return false;
}

/* From instruction to instruction, so that what lies inside of one is left alone. Bytes that are
   no instruction are stepped over one by one. */
static bool sweep(struct sites *s, pid_t pid, uint64_t at, const uint8_t *bytes, size_t n)
{
    struct svmc_insn insn;
    bool ok = true;

    for (size_t i = 0; i < n; i += insn.length != 0 ? insn.length : 1) {
        if (!decode(SVMC_ISA_X86_64, bytes + i, n - i, &insn))
            continue;
        if (insn.id == SVMC_X86_CPUID || insn.id == SVMC_X86_VMCALL || insn.id == SVMC_X86_VMMCALL)
            ok &= rewrite(s, pid, at + i, &insn);
    }
    return ok;
}

static bool look_through(struct sites *s, pid_t pid, uint64_t at, uint64_t n)
{
    uint8_t *bytes;
    bool ok;

    if (n == 0 || n > CODE_MOST)
        return n == 0;
    bytes = malloc((size_t)n);
    ok = bytes && memory_read(pid, at, bytes, (size_t)n) && sweep(s, pid, at, bytes, (size_t)n);
    free(bytes);
    return ok;
}

/* Data and padding between the sections are not code; without a table of them all is. */
static bool look_at(struct sites *s, pid_t pid, const struct mapping *m)
{
    struct code list[SECTIONS_MOST];
    size_t count = code_sections(pid, m, list, SECTIONS_MOST);
    uint64_t most = m->end - m->start;
    bool ok = true;

    if (count == 0)
        return look_through(s, pid, m->start, most);
    for (size_t i = 0; i < count; i++) {
        uint64_t from = list[i].offset - m->offset; /* wraps: beyond the end then */

        if (list[i].offset >= m->offset && from < most)
            ok &= look_through(s, pid, m->start + from,
                               list[i].bytes < most - from ? list[i].bytes : most - from);
    }
    return ok;
}

static struct module *find_module(struct sites *s, const struct mapping *m)
{
    for (size_t i = 0; i < s->module_count; i++)
        if (s->modules[i].start == m->start && s->modules[i].end == m->end &&
            s->modules[i].inode == m->inode)
            return &s->modules[i];
    return NULL;
}

/* A site stays as long as any file is mapped there: a change of protection splits a mapping. */
static void forget_unmapped(struct sites *s)
{
    size_t modules = 0, sites = 0;

    for (size_t i = 0; i < s->module_count; i++)
        if (s->modules[i].mapped)
            s->modules[modules++] = s->modules[i];
    s->module_count = modules;
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = 0; j < modules; j++)
            if (s->list[i].at >= s->modules[j].start && s->list[i].at < s->modules[j].end) {
                s->list[sites++] = s->list[i];
                break;
            }
    s->count = sites;
}

bool sites_update(struct sites *s, pid_t pid, const struct names *wanted)
{
    char link[32], program[PATH_MAX];
    struct module *module;
    struct mapping m;
    ssize_t n;
    FILE *maps;
    bool ok = true;

    snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    n = readlink(link, program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    maps = maps_open(pid);
    if (!maps)
        return false;
    for (size_t i = 0; i < s->module_count; i++)
        s->modules[i].mapped = false;
    while (maps_next(maps, &m)) {
        if (!m.execute || m.path[0] != '/' || !is_wanted(&m, program, wanted))
            continue;
        module = find_module(s, &m);
        if (module) {
            module->mapped = true;
            continue;
        }
        module = grow((void **)&s->modules, &s->module_count, &s->module_cap, sizeof *module);
        if (!module) {
            ok = false;
            break;
        }
        *module = (struct module){ m.start, m.end, m.inode, true };
        ok &= look_at(s, pid, &m);
    }
    fclose(maps);
    forget_unmapped(s);
    return ok;
}

const struct site *sites_find(const struct sites *s, uint64_t at)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].at == at)
            return &s->list[i];
    return NULL;
}

bool sites_copy(struct sites *to, const struct sites *from)
{
    memset(to, 0, sizeof *to);
    if (from->count != 0) {
        to->list = malloc(from->count * sizeof *to->list);
        if (!to->list)
            return false;
        memcpy(to->list, from->list, from->count * sizeof *to->list);
        to->count = to->cap = from->count;
    }
    if (from->module_count != 0) {
        to->modules = malloc(from->module_count * sizeof *to->modules);
        if (!to->modules)
            return false;
        memcpy(to->modules, from->modules, from->module_count * sizeof *to->modules);
        to->module_count = to->module_cap = from->module_count;
    }
    return true;
}

void sites_drop(struct sites *s)
{
    free(s->list);
    free(s->modules);
    memset(s, 0, sizeof *s);
}
