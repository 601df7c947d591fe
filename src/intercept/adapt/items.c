/* SPDX-License-Identifier: MIT */
/** What can stand in a place of a foreign form, out of a request and back: AP-3. */
#include "adapt_private.h"

/* AMD APM vol. 2, 15.10.2: EXITINFO1 of IOIO. Bit 0 IN, 2 string, 3 REP, 6:4 size, 9:7 address
 * size, 12:10 segment, 31:16 port */
#define IOIO_IN      0x1u
#define IOIO_STRING  0x4u
#define IOIO_REP     0x8u
#define IOIO_SIZE    0x70u
#define IOIO_ADDRESS 0x380u
#define IOIO_64      0x200u
#define IOIO_SEGMENT 0x1c00u
#define IOIO_DS      0xc00u

/* Arm ARM D17.2.37, ISS of a data abort: ISV 24, SAS 23:22, SF 15, WnR 6, DFSC 5:0 */
#define ESR_ABORT     (0x24u << 26) /* data abort from a lower exception level */
#define ESR_ISV       (1u << 24)
#define ESR_SAS_SHIFT 22
#define ESR_SF        (1u << 15)
#define ESR_WNR       (1u << 6)
#define ESR_FAULT     0x04u /* translation fault; bits 1:0 are the level */
#define ESR_LEVEL     0x03u
#define HPFAR_BITS    48u /* FIPA is bits 47:4, address bits 55:12 */
#define ADDRESS_BITS  56u

#define ABORT_CLASS 0xfc000000u
#define ABORT_SHOWN 0xfc001e3fu /* EC, SET, FnV, EA, FSC: what is shown of other aborts */

/* GHCB 2.0, 4.1.6: cur_entry, end_entry, reserved */
#define LIST_ENTRY 8u
#define LIST_END   16
#define LIST_MOST  253u

#define CC_SHIFT 44 /* z/Architecture PSW, bits 18 and 19 */

#define MSR_FILTER 4u /* KVM_MSR_EXIT_REASON_FILTER */

static bool is_port_in(uint16_t kind)
{
    return kind == SVMC_KIND_IN || kind == SVMC_KIND_INS;
}

static bool is_port_string(uint16_t kind)
{
    return kind == SVMC_KIND_INS || kind == SVMC_KIND_OUTS;
}

static bool is_write(const struct svmc_request *r)
{
    return r->kind == SVMC_KIND_MMIO_WRITE;
}

static bool is_size(uint32_t legal, uint32_t size)
{
    return size < 32 && (legal >> size & 1) != 0;
}

/* A string's first element, as a number. */
static uint64_t element_get(const struct svmc_request *r, const uint8_t *data)
{
    uint64_t value = 0;

    for (uint32_t i = 0; data && i < r->size && i < CORE_WORD; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

static void element_set(const struct svmc_request *r, uint64_t value, uint8_t *data)
{
    for (uint32_t i = 0; data && i < r->size && i < CORE_WORD; i++)
        data[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t slot_get(const struct svmc_request *r, uint32_t n)
{
    return n < SVMC_PAGE_SLOTS && r->in_valid >> n & 1 ? r->in[n] : 0;
}

static void slot_set(struct svmc_request *r, uint32_t n, uint64_t value)
{
    if (n >= SVMC_PAGE_SLOTS)
        return;
    r->in[n] = value;
    r->in_valid |= (uint64_t)1 << n;
}

static uint64_t ioio_get(const struct svmc_request *r)
{
    bool in = is_port_in(r->kind), string = is_port_string(r->kind);

    return (in ? IOIO_IN : 0) | (string ? IOIO_STRING | IOIO_REP : 0) |
           (string && !in ? IOIO_DS : 0) | r->size << 4 | IOIO_64 | r->address << 16;
}

static bool ioio_set(uint64_t word, struct svmc_request *r)
{
    uint64_t known = IOIO_IN | IOIO_STRING | IOIO_REP | IOIO_SIZE | IOIO_ADDRESS | IOIO_SEGMENT;

    r->size = (uint32_t)(word & IOIO_SIZE) >> 4;
    r->address = word >> 16 & 0xffff;
    return (word & ~(known | 0xffff0000u)) == 0 && !(word & IOIO_IN) == !is_port_in(r->kind) &&
           !(word & IOIO_STRING) == !is_port_string(r->kind) && is_size(SIZES_PORT, r->size);
}

static uint64_t run_io_get(const struct svmc_request *r)
{
    return (is_port_in(r->kind) ? 0 : 1) | r->size << 8 | r->address << 16 |
           (uint64_t)r->count << 32;
}

static bool run_io_set(uint64_t word, struct svmc_request *r)
{
    uint32_t size = word >> 8 & 0xff;

    r->size = size;
    r->address = word >> 16 & 0xffff;
    r->count = (uint32_t)(word >> 32);
    return (word & 0xff) == (is_port_in(r->kind) ? 0 : 1) && is_size(SIZES_PORT, size) &&
           is_port_string(r->kind) == (r->count > 1) && r->count > 0;
}

/* RmiRecRun shows of ESR_EL2 what an emulatable abort needs, and no register. */
static uint64_t esr_get(const struct svmc_request *r)
{
    uint32_t log = r->size == 1 ? 0 : r->size == 2 ? 1 : r->size == 4 ? 2 : 3;

    return ESR_ABORT | ESR_ISV | log << ESR_SAS_SHIFT | (log == 3 ? ESR_SF : 0) |
           (is_write(r) ? ESR_WNR : 0) | ESR_FAULT | ESR_LEVEL;
}

static bool esr_set(uint64_t word, struct svmc_request *r)
{
    r->size = 1u << (word >> ESR_SAS_SHIFT & 3);
    return ((word ^ esr_get(r)) & ~(uint64_t)(ESR_SF | ESR_LEVEL)) == 0;
}

/* AP-43: an abort that is not emulated says its page, and on which side of `gpa` it lies. */
static bool is_side(uint32_t side, uint64_t address, uint64_t gpa)
{
    return side == 0 || ((address & 0xfff) == 0 && (address >= gpa) == (side == 1));
}

/* Items that one form alone has, and the constants. */
static bool packed_get(const struct move *m, const struct svmc_request *r, uint64_t gpa,
                       uint64_t *word)
{
    bool port = r->address <= 0xffff && is_size(SIZES_PORT, r->size);

    switch ((enum item)m->item) {
    case ITEM_SCRATCH:
        *word = gpa + m->value;
        return true;
    case ITEM_IOIO:
        *word = ioio_get(r);
        return port;
    case ITEM_RUN_IO:
        *word = run_io_get(r);
        return port;
    case ITEM_RUN_LEN:
        *word = r->size | (uint64_t)is_write(r) << 32;
        return is_size(SIZES_ANY, r->size);
    case ITEM_RUN_MSR:
        *word = MSR_FILTER | r->address << 32;
        return r->address <= 0xffffffffu;
    case ITEM_LENGTH:
        *word = slot_get(r, 0) - r->address;
        return slot_get(r, 0) > r->address;
    case ITEM_LIST:
        *word = (uint64_t)(r->count - 1) << LIST_END;
        return r->size == LIST_ENTRY && r->count <= LIST_MOST;
    case ITEM_HPFAR:
        *word = r->address >> 12 << 4;
        return r->address >> ADDRESS_BITS == 0 && is_side(m->n, r->address, gpa);
    case ITEM_ESR_CLASS:
        *word = slot_get(r, 0);
        return (*word & ~(uint64_t)ABORT_SHOWN) == 0 && (*word & ABORT_CLASS) == m->value;
    case ITEM_FAR:
        *word = r->address & 0xfff;
        return true;
    case ITEM_ESR:
        *word = esr_get(r);
        return is_size(SIZES_WORD, r->size);
    case ITEM_ICPT:
        *word = (uint64_t)(m->value >> 16) << 56 | (m->value & 0xffff);
        return true;
    case ITEM_HIGH:
        *word = (uint64_t)m->value << 32;
        return true;
    default: /* CONST, CONST32, FIXED */
        *word = m->value;
        return true;
    }
}

bool svmc_adapt_item_get(const struct move *m, const struct svmc_request *r, const uint8_t *data,
                         uint64_t gpa, uint64_t *word)
{
    uint64_t at = r->address;

    switch ((enum item)m->item) {
    case ITEM_ADDRESS:
    case ITEM_ADDRESS16:
    case ITEM_ADDRESS32:
    case ITEM_NUMBER:
        *word = at;
        return m->item == ITEM_ADDRESS16   ? at <= 0xffff
               : m->item == ITEM_ADDRESS32 ? at <= 0xffffffffu
                                           : m->item == ITEM_ADDRESS || at != 0;
    case ITEM_SIZE:
        *word = r->size;
        return is_size(m->value, r->size);
    case ITEM_COUNT:
        *word = r->count;
        return true;
    case ITEM_IN:
        *word = slot_get(r, m->n);
        return true;
    case ITEM_IN32:
        *word = slot_get(r, m->n) & 0xffffffffu;
        return true;
    case ITEM_IN_HIGH:
        *word = slot_get(r, m->n) >> 32;
        return true;
    case ITEM_ELEMENT:
        *word = element_get(r, data);
        return true;
    default:
        return packed_get(m, r, gpa, word);
    }
}

static bool packed_set(const struct move *m, uint64_t word, uint64_t gpa, struct svmc_request *r)
{
    switch ((enum item)m->item) {
    case ITEM_CONST:
        return word == m->value;
    case ITEM_CONST32:
        return (uint32_t)word == m->value;
    case ITEM_SCRATCH: /* AP-13 */
        return word == gpa + m->value;
    case ITEM_IOIO:
        return ioio_set(word, r);
    case ITEM_RUN_IO:
        return run_io_set(word, r);
    case ITEM_RUN_LEN:
        r->size = (uint32_t)word;
        return is_size(SIZES_ANY, r->size) && (word >> 32 & 0xff) == is_write(r);
    case ITEM_RUN_MSR:
        r->address = word >> 32;
        return true;
    case ITEM_LENGTH:
        slot_set(r, 0, r->address + word);
        return word != 0 && r->address + word > r->address;
    case ITEM_LIST: /* from its beginning */
        r->size = LIST_ENTRY;
        r->count = (uint32_t)(word >> LIST_END & 0xffff) + 1;
        return (word & 0xffff) == 0 && word >> 32 == 0 && r->count <= LIST_MOST;
    case ITEM_HPFAR:
        r->address |= word >> 4 << 12;
        return word >> HPFAR_BITS == 0 && (word & 0xf) == 0 && is_side(m->n, r->address, gpa);
    case ITEM_ESR_CLASS:
        slot_set(r, 0, word);
        return (word & ~(uint64_t)ABORT_SHOWN) == 0 && (word & ABORT_CLASS) == m->value;
    case ITEM_FAR:
        r->address |= word & 0xfff;
        return word <= 0xfff;
    case ITEM_ESR:
        return esr_set(word, r);
    case ITEM_ICPT:
        return word >> 56 == m->value >> 16 && (word & 0xffff) == (m->value & 0xffff);
    case ITEM_HIGH:
        return word >> 32 == m->value;
    default: /* FIXED; ELEMENT: the row of a single access has taken it */
        return true;
    }
}

bool svmc_adapt_item_set(const struct move *m, uint64_t word, uint64_t gpa, struct svmc_request *r)
{
    switch ((enum item)m->item) {
    case ITEM_ADDRESS:
    case ITEM_ADDRESS16:
    case ITEM_NUMBER:
        r->address = word;
        return m->item == ITEM_ADDRESS16 ? word <= 0xffff : m->item == ITEM_ADDRESS || word != 0;
    case ITEM_ADDRESS32:
        r->address = word & 0xffffffffu;
        return true;
    case ITEM_SIZE:
        r->size = (uint32_t)word;
        return word <= UINT32_MAX && is_size(m->value, r->size);
    case ITEM_COUNT:
        r->count = (uint32_t)word;
        return word > 0 && word <= SVMC_PAGE_DATA_BYTES;
    case ITEM_IN:
        slot_set(r, m->n, r->size != 0 ? word & core_mask(r->size) : word);
        return true;
    case ITEM_IN32:
        slot_set(r, m->n, word & 0xffffffffu);
        return true;
    case ITEM_IN_HIGH:
        slot_set(r, m->n, slot_get(r, m->n) | word << 32);
        return true;
    default:
        return packed_set(m, word, gpa, r);
    }
}

bool svmc_adapt_out_has(const struct move *m, const struct svmc_request *r)
{
    return m->item != ITEM_OUT_HCALL || m->n < svmc_intercept_hcall_results(r->address);
}

void svmc_adapt_out_get(const struct move *m, const struct svmc_request *r, uint64_t word,
                        struct svmc_reply *reply, uint8_t *data)
{
    uint32_t n = core_clamp(m->n, SVMC_PAGE_SLOTS);

    if (!svmc_adapt_out_has(m, r))
        return;
    switch ((enum item)m->item) {
    case ITEM_OUT_ELEMENT:
        element_set(r, word, data);
        return;
    case ITEM_OUT_CC:
        reply->out[0] = word >> CC_SHIFT & 3;
        reply->out_valid |= 1;
        return;
    case ITEM_OUT_LIST:
        reply->done = (uint32_t)(word & 0xffff); /* the verdict has looked at the rest */
        return;
    case ITEM_OUT_REACHED:
        reply->out_valid |= 1;
        return;
    case ITEM_OUT_PAIR:
        reply->out[0] = word & 0xffffffffu;
        reply->out[1] = word >> 32;
        reply->out_valid |= 3;
        return;
    default: /* OUT, OUT_HCALL, OUT_DATA */
        reply->out[n] = m->item == ITEM_OUT_DATA ? word & core_mask(r->size) : word;
        reply->out_valid |= (uint64_t)1 << n;
        return;
    }
}

uint64_t svmc_adapt_out_set(const struct move *m, const struct svmc_request *r,
                            const struct svmc_reply *reply, const uint8_t *data)
{
    switch ((enum item)m->item) {
    case ITEM_OUT_ELEMENT:
        return element_get(r, data);
    case ITEM_OUT_CC:
        return (reply->out[0] & 3) << CC_SHIFT;
    case ITEM_OUT_LIST:
        return reply->done | (uint64_t)(r->count - 1) << LIST_END;
    case ITEM_OUT_PAIR:
        return (reply->out[0] & 0xffffffffu) | reply->out[1] << 32;
    default:
        return reply->out[core_clamp(m->n, SVMC_PAGE_SLOTS)];
    }
}
