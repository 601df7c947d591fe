/* SPDX-License-Identifier: MIT */
/** A vCPU whose host speaks a foreign form, and a small device behind either. */
#ifndef TESTS_ADAPT_LAB_H
#define TESTS_ADAPT_LAB_H
#include <svmcore/adapt.h>

#include "scenarios.h"

#define ADAPT_GPA   0x12345000u
#define ADAPT_BYTES 8192u

/** Answers by what it was asked before: strings come out alike, however they are cut. */
struct device {
    unsigned given;     /* bytes read from it so far */
    unsigned taken;     /* bytes written to it */
    uint8_t log[64];    /* those */
    uint64_t arguments; /* of hypercalls and CPUID, folded */
};

struct adapt_lab {
    struct lab lab;
    struct device device;
    struct svmc_foreign foreign;
    struct svmc_request request; /* the core's */
    uint8_t data[SVMC_PAGE_DATA_BYTES];
    struct svmc_reply reply;
    uint32_t rule;
    _Alignas(4096) uint8_t area[ADAPT_BYTES];
    _Alignas(4096) uint8_t sida[4096];
};

/** One spoiled answer: what is written into the area, and the rule that refuses it. */
struct adapt_lie {
    char name[48];
    char scenario[32];
    struct {
        uint16_t at;
        uint8_t bytes; /* 0: none */
        uint64_t value;
    } put[3];
    unsigned ap; /* the adapter's rule, or 0 */
    unsigned r;  /* the reply checker's, where the adapter has nothing to say */
};

/** Little-endian, whatever this machine is. */
void adapt_put(uint8_t *at, unsigned bytes, uint64_t value);
uint64_t adapt_get(const uint8_t *at, unsigned bytes);

/** A fresh vCPU with every register `fill`; a hypercall gives a status. */
void adapt_init(struct adapt_lab *a, enum svmc_foreign_format format, uint64_t fill);
/** Take the scenario: false: the vCPU did not ask. */
bool adapt_exit(struct adapt_lab *a, const char *scenario);
/** Write what the page asks for into the area. */
enum svmc_status adapt_emit(struct adapt_lab *a);
/** The host: decode, device, answer. */
enum svmc_status adapt_host(struct adapt_lab *a);
/** Absorb, and give the reply to the vCPU. The status of svmc_vcpu_enter. */
enum svmc_status adapt_enter(struct adapt_lab *a);
/** The device's answer to a request. */
void device_answer(struct device *d, const struct svmc_request *request, const uint8_t *data,
                   struct svmc_reply *reply, uint8_t *out);
/** From the exit to the end in the foreign form; false: something failed. */
bool adapt_serve(struct adapt_lab *a, const char *scenario);
/** The same over the parameter page. */
bool adapt_serve_native(struct adapt_lab *a, const char *scenario);
/** Every lie is refused with its rule, changes nothing, and a right answer is taken afterwards. */
void adapt_refuses(enum svmc_foreign_format format, const struct adapt_lie *lies, unsigned count);

#endif
