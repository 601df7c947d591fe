/* SPDX-License-Identifier: MIT */
/*
 * Extended mnemonics: what assemblers print instead of the base mnemonic of an opcode when its mask
 * has a certain value. For differential.c.
 */
#ifndef TESTS_S390_NAMES_H
#define TESTS_S390_NAMES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "decode/s390/s390_names.h"

#define NAMES (sizeof s390_name_id / sizeof s390_name_id[0])

/* Condition of a branch, load or store on condition, and its mask (PoP appendix J.1). */
struct condition {
    char name[4];
    uint8_t mask;
};

static const struct condition conditions[] = {
    { "", 15 },   { "o", 1 },   { "h", 2 },   { "p", 2 },   { "nle", 3 }, { "l", 4 },
    { "m", 4 },   { "nhe", 5 }, { "lh", 6 },  { "ne", 7 },  { "nz", 7 },  { "e", 8 },
    { "z", 8 },   { "nlh", 9 }, { "he", 10 }, { "nl", 11 }, { "nm", 11 }, { "le", 12 },
    { "nh", 13 }, { "np", 13 }, { "no", 14 },
};

/* The condition stands between head and tail; imm is its mask. */
static const struct {
    char base[8], head[8], tail[2], never[8]; /* never: the name under mask 0 */
} conditional[] = {
    { "bcr", "b", "r", "nopr" },   { "bc", "b", "", "nop" },       { "brc", "j", "", "jnop" },
    { "brcl", "jg", "", "jgnop" }, { "bic", "bi", "", "" },        { "loc", "loc", "", "" },
    { "locg", "locg", "", "" },    { "locfh", "locfh", "", "" },   { "stoc", "stoc", "", "" },
    { "stocg", "stocg", "", "" },  { "stocfh", "stocfh", "", "" }, { "locr", "locr", "", "" },
    { "locgr", "locgr", "", "" },  { "locfhr", "locfhr", "", "" }, { "selr", "selr", "", "" },
    { "selgr", "selgr", "", "" },  { "selfhr", "selfhr", "", "" },
};

/* The same with another meaning of the mask, or with a mask that is not in imm. */
static const char with_condition[] =
    " crj cgrj clrj clgrj cij cgij clij clgij crb cgrb clrb clgrb cib "
    "cgib clib clgib crt cgrt clrt clgrt cit cgit clfit clgit clt "
    "clgt lochi locghi lochhi ";

/* Binary floating point and decimal: the form with a mask has an "a" behind (PoP 19, 20). */
static const char with_a[] =
    " ledbr ldxbr lexbr fixbr fiebr fidbr cefbr cdfbr cxfbr cegbr cdgbr cxgbr "
    "cfebr cfdbr cfxbr cgebr cgdbr cgxbr mdtr ddtr adtr sdtr mxtr dxtr axtr "
    "sxtr cgdtr cgxtr cdgtr cxgtr ";

/* Older and shorter names of the same opcode (PoP 7, 21 to 24: programming notes). */
static const struct {
    char shown[8], base[8];
} synonyms[] = {
    { "cuutf", "cu21" },     { "cutfu", "cu12" },     { "ppno", "prno" },
    { "vclgd", "vclfp" },    { "vcdlg", "vcfpl" },    { "vcgd", "vcsfp" },
    { "vcdg", "vcfps" },     { "vlde", "vfll" },      { "vled", "vflr" },
    { "vcef", "vcfps" },     { "vcelf", "vcfpl" },    { "vcfe", "vcsfp" },
    { "vclfe", "vclfp" },    { "vfmsb", "vfm" },      { "wfmsb", "vfm" },
    { "vzero", "vgbm" },     { "vone", "vgbm" },      { "lerv", "vllebrz" },
    { "ldrv", "vllebrz" },   { "sterv", "vstebrf" },  { "stdrv", "vstebrg" },
    { "vnot", "vno" },       { "notr", "nork" },      { "notgr", "nogrk" },
    { "vuplhw", "vupl" },    { "vmalhw", "vmal" },    { "vmlhw", "vml" },
    { "vschsp", "vschp" },   { "vschdp", "vschp" },   { "vschxp", "vschp" },
    { "wfmaxb", "vfma" },    { "vflc", "vfpso" },     { "vfln", "vfpso" },
    { "vflp", "vfpso" },     { "vfke", "vfce" },      { "vfkhe", "vfche" },
    { "vfkh", "vfch" },      { "risbgz", "risbg" },   { "risbgnz", "risbgn" },
    { "risbhgz", "risbhg" }, { "risblgz", "risblg" },
};

static inline const char *base_name(uint16_t id)
{
    static const char *by_id[0x10000];

    for (size_t i = 0; i < NAMES && !by_id[id]; i++)
        if (s390_name_id[i] == id)
            by_id[id] = s390_names[i];
    return by_id[id] ? by_id[id] : "";
}

static inline bool is_base_name(const char *name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(s390_names[i], name) == 0)
            return true;
    return false;
}

static inline bool in_list(const char *list, const char *name)
{
    char word[20];

    snprintf(word, sizeof word, " %s ", name);
    return strstr(list, word) != NULL;
}

static inline bool is_condition(const char *text, int mask)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        if (strcmp(conditions[i].name, text) == 0 && (mask < 0 || conditions[i].mask == mask))
            return true;
    return false;
}

static inline bool is_conditional(const char *base, const char *shown, uint64_t imm)
{
    char text[16];

    for (size_t i = 0; i < sizeof conditional / sizeof conditional[0]; i++) {
        size_t head = strlen(conditional[i].head), tail = strlen(conditional[i].tail);
        size_t n = strlen(shown);

        if (strcmp(conditional[i].base, base) != 0)
            continue;
        if (strcmp(conditional[i].never, shown) == 0)
            return imm == 0;
        if (n < head + tail || strncmp(shown, conditional[i].head, head) != 0 ||
            strcmp(shown + n - tail, conditional[i].tail) != 0)
            return false;
        snprintf(text, sizeof text, "%.*s", (int)(n - head - tail), shown + head);
        return is_condition(text, (int)imm);
    }
    return false;
}

/* Vector names end in the element and more (vceqbs, vfeezb); the longest base name counts. */
static inline bool is_vector_form(const char *base, const char *shown)
{
    char name[16];
    const char *best = "";
    size_t longest = 0;

    /* wfadb is a form of vfa, wfcdb one of wfc */
    snprintf(name, sizeof name, "%c%s", strncmp(shown, base, 3) == 0 ? shown[0] : 'v', shown + 1);
    for (size_t i = 0; i < NAMES + sizeof synonyms / sizeof synonyms[0]; i++) {
        bool old = i >= NAMES;
        const char *with = old ? synonyms[i - NAMES].shown : s390_names[i];
        size_t n = strlen(with);

        if (n > longest && strncmp(name, with, n) == 0) {
            longest = n;
            best = old ? synonyms[i - NAMES].base : with;
        }
    }
    return strcmp(best, base) == 0 &&
           strspn(name + longest, "bhfgqsdxzle") == strlen(name + longest);
}

/* Whether an assembler may print `shown` for our id; *plain: it is the base mnemonic. */
static inline bool name_fits(uint16_t id, const char *shown, uint64_t imm, bool *plain)
{
    const char *base = base_name(id);
    size_t n = strlen(base);

    *plain = strcmp(base, shown) == 0;
    if (*plain)
        return true;
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        if (strcmp(shown, synonyms[i].shown) == 0)
            return strcmp(base, synonyms[i].base) == 0;
    if (is_base_name(shown))
        return false;
    if (is_conditional(base, shown, imm))
        return true;
    if (strncmp(shown, base, n) == 0 && in_list(with_condition, base))
        return is_condition(shown + n, -1);
    if (strncmp(shown, base, n) == 0 && in_list(with_a, base))
        return strcmp(shown + n, "a") == 0;
    return (base[0] == 'v' || base[0] == 'w') && (shown[0] == 'v' || shown[0] == 'w') &&
           is_vector_form(base, shown);
}

/* Forms that do not show the last register: it is 0 or the same as another. */
static inline bool name_hides_register(const char *shown)
{
    return in_list(" nopr vnot notr notgr ipte ", shown);
}
#endif
