/* SPDX-License-Identifier: MIT */
/* See parts.h. */
#include "parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <svmcore/insn.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

bool word_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* A register name s[n]. */
static bool read_register(const char *s, size_t n, struct part *p)
{
    static const char banks[] = "bhsdq";
    const char *bank;
    unsigned number = 0;

    if (n < 2 || n > 3)
        return false;
    p->kind = 'r';
    p->bank = s[0];
    p->bytes = s[0] == 'w' ? 4 : 8;
    if (word_is(s, n, "xzr") || word_is(s, n, "wzr")) {
        p->reg = SVMC_REG_XZR;
        return true;
    }
    if (word_is(s, n, "sp") || word_is(s, n, "wsp")) {
        p->bank = n == 2 ? 'x' : 'w';
        p->reg = SVMC_REG_SP;
        p->bytes = n == 2 ? 8 : 4;
        return true;
    }
    for (size_t i = 1; i < n; i++) {
        if (!isdigit((unsigned char)s[i]))
            return false;
        number = number * 10 + (unsigned)(s[i] - '0');
    }
    if (s[0] == 'w' || s[0] == 'x') {
        p->reg = (uint8_t)(SVMC_REG_X0 + number);
        return number < 31;
    }
    bank = strchr(banks, s[0]);
    p->reg = (uint8_t)number;
    p->bytes = (uint8_t)(bank ? 1 << (bank - banks) : 0);
    return bank != NULL && number < 32;
}

/* A number, after its #. */
static bool read_number(const char **at, int64_t *value)
{
    const char *s = *at;
    bool minus = *s == '-', hex;
    uint64_t n = 0;

    s += minus;
    hex = s[0] == '0' && s[1] == 'x';
    s += hex ? 2 : 0;
    if (!isxdigit((unsigned char)*s))
        return false;
    for (; isxdigit((unsigned char)*s); s++) {
        unsigned digit = *s <= '9' ? (unsigned)(*s - '0') : (unsigned)((*s | 32) - 'a' + 10);

        if (!hex && digit > 9)
            return false;
        n = n * (hex ? 16 : 10) + digit;
    }
    *value = (int64_t)(minus ? 0 - n : n);
    *at = s;
    return true;
}

void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        ++*at;
}

static bool skip(const char **at, char c)
{
    skip_blanks(at);
    if (**at != c)
        return false;
    ++*at;
    skip_blanks(at);
    return true;
}

size_t word_length(const char *s)
{
    size_t n = 0;

    while (is_word(s[n]))
        n++;
    return n;
}

/* What follows the index register: lsl #3, uxtw, sxtx #2. */
static bool read_extend(const char **at, struct part *p)
{
    static const char names[4][8] = { "lsl", "uxtw", "sxtw", "sxtx" };
    int64_t shift = 0;
    size_t n = word_length(*at);

    for (unsigned i = 0; i < 4; i++)
        if (word_is(*at, n, names[i])) {
            p->extend = (uint8_t)i; /* enum svmc_index_extend */
            *at += n;
            skip_blanks(at);
            if (**at == '#') {
                ++*at;
                if (!read_number(at, &shift))
                    return false;
            }
            p->shift = (uint8_t)shift;
            return true;
        }
    return false;
}

/* [base, #disp] or [base, index, extend #shift]; *at is behind the bracket. */
static bool read_memory(const char **at, struct part *p)
{
    struct part reg = { 0 };
    size_t n = word_length(*at);

    p->kind = 'm';
    p->index = SVMC_REG_NONE;
    if (!read_register(*at, n, &reg) || reg.bank != 'x')
        return false;
    p->base = reg.reg;
    *at += n;
    if (skip(at, ',')) {
        if (skip(at, '#')) {
            if (!read_number(at, &p->value))
                return false;
        } else {
            n = word_length(*at);
            if (!read_register(*at, n, &reg))
                return false;
            p->index = reg.reg;
            *at += n;
            if (skip(at, ',') && !read_extend(at, p))
                return false;
            if ((reg.bank == 'w') != (p->extend == SVMC_INDEX_UXTW || p->extend == SVMC_INDEX_SXTW))
                return false;
        }
    }
    if (!skip(at, ']'))
        return false;
    p->bang = skip(at, '!');
    return true;
}

/* v3.16b or v3.d; false if it is none. */
static bool read_vector(const char **at, struct part *p, unsigned *number)
{
    static const char sizes[] = "bhsd";
    unsigned lanes = 0;
    const char *s = *at, *size;

    if (*s++ != 'v')
        return false;
    for (*number = 0; isdigit((unsigned char)*s); s++)
        *number = *number * 10 + (unsigned)(*s - '0');
    if (*s++ != '.')
        return false;
    for (; isdigit((unsigned char)*s); s++)
        lanes = lanes * 10 + (unsigned)(*s - '0');
    size = strchr(sizes, *s);
    if (!*s || !size)
        return false;
    p->bytes = (uint8_t)(1 << (size - sizes));
    p->total = (uint8_t)(lanes * p->bytes);
    *at = s + 1;
    return true;
}

/* { v0.8b, v1.8b } or {v0.8b-v3.8b}, and a lane; *at is behind the brace. */
static bool read_list(const char **at, struct part *p)
{
    unsigned number, last;
    int64_t lane;

    skip_blanks(at);
    p->kind = 'l';
    p->lane = -1;
    p->count = 1;
    if (!read_vector(at, p, &number))
        return false;
    p->reg = (uint8_t)number;
    for (last = number; !skip(at, '}'); last = number) {
        bool range = skip(at, '-');

        if ((!range && !skip(at, ',')) || !read_vector(at, p, &number))
            return false;
        if (!range && number != ((last + 1) & 31))
            return false;
        p->count = (uint8_t)(p->count + ((number - last) & 31));
    }
    if (skip(at, '[')) {
        if (!read_number(at, &lane) || !skip(at, ']'))
            return false;
        p->lane = (int8_t)lane;
    }
    return true;
}

static bool read_part(const char **at, struct part *p)
{
    const char *s = *at;

    p->text = s;
    if (*s == '#' || *s == '@') {
        p->kind = *s == '#' ? 'i' : '@';
        ++*at;
        return read_number(at, &p->value);
    }
    if (*s == '[' || *s == '{') {
        ++*at;
        skip_blanks(at);
        return *s == '[' ? read_memory(at, p) : read_list(at, p);
    }
    p->length = word_length(s);
    if (p->length == 0)
        return false;
    if (!read_register(s, p->length, p))
        p->kind = 'n';
    *at += p->length;
    p->bang = skip(at, '!');
    return true;
}

int parts_read(const char *s, struct part parts[PARTS])
{
    int n = 0;

    skip_blanks(&s);
    while (*s && *s != ';' && !(s[0] == '/' && s[1] == '/')) {
        if (n == PARTS || !read_part(&s, &parts[n]))
            return -1;
        n++;
        if (!skip(&s, ',')) {
            skip_blanks(&s);
            if (*s && *s != ';' && !(s[0] == '/' && s[1] == '/'))
                return -1;
        }
    }
    return n;
}
