/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: the foreign forms from both sides. A hostile host: an area of any bytes is
 * absorbed as the answer to a request that the input chooses. A hostile guest: the same area is
 * decoded, and what was understood must say the same once it is emitted again. Shape of the input:
 * form and the size's upper bits, kind, size, slots, count and in its last two bits direction,
 * address (of a block, which has none, the first bytes: an SCCB says there how long it is), then
 * (place, eight bytes) over what was emitted, in the area or in the SIDA.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/adapt.h>

#include "input.h"

#define AREA  8192u
#define FORMS (SVMC_FOREIGN_FORMATS + 1u) /* and one that is none */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t kinds[] = {
    SVMC_KIND_CPUID,      SVMC_KIND_RDMSR,         SVMC_KIND_WRMSR,
    SVMC_KIND_IN,         SVMC_KIND_OUT,           SVMC_KIND_INS,
    SVMC_KIND_OUTS,       SVMC_KIND_MMIO_READ,     SVMC_KIND_MMIO_WRITE,
    SVMC_KIND_HYPERCALL,  SVMC_KIND_HLT,           SVMC_KIND_WFI,
    SVMC_KIND_WFE,        SVMC_KIND_SHUTDOWN,      SVMC_KIND_UNKNOWN,
    SVMC_KIND_DIAG_500,   SVMC_KIND_CSCH,          SVMC_KIND_SSCH,
    SVMC_KIND_TSCH,       SVMC_KIND_HCALL,         SVMC_KIND_PAGE_STATE,
    SVMC_KIND_MAP_GPA,    SVMC_KIND_GUEST_REQUEST, SVMC_KIND_GUEST_REQUEST_EXT,
    SVMC_KIND_AP_CREATE,  SVMC_KIND_DATA_ABORT,    SVMC_KIND_PROTECTED_ABORT,
    SVMC_KIND_INSN_ABORT, SVMC_KIND_RIPAS,         SVMC_KIND_IRQ,
    SVMC_KIND_SERROR,     SVMC_KIND_SERVC,         SVMC_KIND_HOST_CALL,
    SVMC_KIND_MSCH,       SVMC_KIND_STSCH,         SVMC_KIND_DIAG_288,
    SVMC_KIND_FIQ,
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* the words that some form reads */
static const uint16_t places[] = { 0x000, 0x008, 0x020, 0x028, 0x030,  0x038, 0x040, 0x048,
                                   0x050, 0x058, 0x060, 0x068, 0x070,  0x078, 0x0c8, 0x1f8,
                                   0x200, 0x308, 0x310, 0x318, 0x330,  0x388, 0x390, 0x398,
                                   0x3a0, 0x3a8, 0x3e8, 0x3f0, 0x3f8,  0x800, 0x900, 0x908,
                                   0x910, 0xa00, 0xe00, 0xff8, 0x1000, 0xd00, 0xd08, 0xd10 };
#define PLACES (sizeof places / sizeof places[0])
/* and of the SIDA: an SCCB's header, an ORB, a SCHIB, an IRB, the end */
static const uint16_t sida_places[] = { 0x000, 0x008, 0x018, 0x030, 0x038, 0xdf8, 0xe00, 0xff8 };
#define SIDA_PLACES (sizeof sida_places / sizeof sida_places[0])

static _Alignas(8) uint8_t area[AREA], other[AREA];
static _Alignas(8) uint8_t sida[4096], other_sida[4096];
static uint8_t bytes[SVMC_PAGE_DATA_BYTES], again_bytes[SVMC_PAGE_DATA_BYTES];

static int is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return 0;
    return 1;
}

/* Kinds whose data is one block of guest memory, and those that nobody answers. */
static int is_block(uint16_t kind)
{
    return kind == SVMC_KIND_SSCH || kind == SVMC_KIND_MSCH || kind == SVMC_KIND_STSCH ||
           kind == SVMC_KIND_TSCH || kind == SVMC_KIND_SERVC || kind == SVMC_KIND_HOST_CALL;
}

static int is_notice(uint16_t kind)
{
    return kind == SVMC_KIND_HLT || kind == SVMC_KIND_WFI || kind == SVMC_KIND_WFE ||
           kind == SVMC_KIND_SHUTDOWN || (kind >= SVMC_KIND_IRQ && kind <= SVMC_KIND_SERROR);
}

static void absorb(const struct svmc_foreign *f, const struct svmc_request *request)
{
    struct svmc_reply reply;
    uint32_t rule;
    enum svmc_status st = svmc_adapt_absorb(f, request, &reply, bytes, &rule);

    require((st == SVMC_ERR_HOST_REPLY) == (rule != 0));
    if (st != SVMC_OK) {
        require(is_zero(&reply, sizeof reply));
        return;
    }
    require(reply.seq == request->seq && reply.status <= SVMC_REPLY_RETRY);
    require(reply.fault <= SVMC_FAULT_OPERAND && reply.data_bytes <= SVMC_PAGE_DATA_BYTES);
    require((reply.status == SVMC_REPLY_FAULT) == (reply.fault != SVMC_FAULT_NONE));
    require(reply.done <= request->count || reply.done <= 1);
    if (reply.status == SVMC_REPLY_PARTIAL)
        require(reply.done > 0 && reply.done < request->count);
    if (reply.status == SVMC_REPLY_FAULT || reply.status == SVMC_REPLY_RETRY)
        require(reply.done == 0 && reply.out_valid == 0 && reply.data_bytes == 0);
}

/* What was decoded can be emitted, and is decoded as the same. */
static void decode(const struct svmc_foreign *f)
{
    struct svmc_foreign second = *f;
    struct svmc_request request, again;
    struct svmc_reply reply = { .status = SVMC_REPLY_DONE };
    enum svmc_status st = svmc_adapt_decode(f, &request, bytes);

    if (st != SVMC_OK) {
        require(is_zero(&request, sizeof request));
        return;
    }
    require(strcmp(svmc_kind_name(request.kind), "unknown") != 0);
    require((uint64_t)request.size * request.count <= SVMC_PAGE_DATA_BYTES);
    memset(other, 0, sizeof other);
    memset(other_sida, 0, sizeof other_sida);
    second.area = other;
    second.sida = other_sida;
    require(svmc_adapt_emit(&second, &request, bytes) == SVMC_OK);
    require(svmc_adapt_decode(&second, &again, again_bytes) == SVMC_OK);
    require(memcmp(&request, &again, sizeof again) == 0);
    if (request.completion == SVMC_COMPLETION_CHUNK && request.direction == SVMC_DIRECTION_OUT)
        require(memcmp(bytes, again_bytes, (size_t)request.size * request.count) == 0);
    reply.done = request.count;
    if (svmc_adapt_answer(&second, &request, &reply, NULL) == SVMC_OK)
        absorb(&second, &request);
}

static void request_of(const uint8_t data[14], struct svmc_request *request)
{
    uint64_t word;

    memcpy(&word, data + 6, sizeof word);
    request->kind = kinds[data[1] % KINDS];
    request->size = data[2] | (uint32_t)(data[0] / FORMS) << 8;
    request->in_valid = data[3];
    request->count = (uint32_t)data[4] | (uint32_t)(data[5] & 0x3f) << 8;
    request->direction = data[5] >> 6;
    request->address = word;
    if (is_notice(request->kind))
        request->completion = SVMC_COMPLETION_NONE;
    if (is_block(request->kind)) {
        request->completion = SVMC_COMPLETION_CHUNK;
        request->address = 0;
        memcpy(bytes, data + 6, sizeof word);
    }
    for (unsigned i = 0; i < SVMC_PAGE_SLOTS; i++)
        request->in[i] = word * (i + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_foreign f = {
        .area_bytes = AREA, .area = area, .gpa = 0x7000, .sida = sida, .sida_bytes = sizeof sida
    };
    struct svmc_request request = { .seq = 0x70000deadbeef, .completion = SVMC_COMPLETION_SINGLE };

    if (size < 14)
        return 0;
    memset(area, 0, sizeof area); /* an input is all that counts */
    memset(sida, 0, sizeof sida);
    memset(bytes, 0, sizeof bytes);
    f.format = data[0] % FORMS;
    request_of(data, &request);
    if (svmc_adapt_emit(&f, &request, bytes) != SVMC_OK)
        require(is_zero(area, sizeof area) && is_zero(sida, sizeof sida));
    data += 14;
    size -= 14;
    for (; size >= 9; data += 9, size -= 9) {
        unsigned place = data[0] % (PLACES + SIDA_PLACES);

        memcpy(place < PLACES ? area + places[place] : sida + sida_places[place - PLACES], data + 1,
               8);
    }
    decode(&f);
    absorb(&f, &request);
    return 0;
}
