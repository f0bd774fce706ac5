/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/wire/record.h"

#include <assert.h>
#include <string.h>

#include "probe/base/cursor.h"

enum kind { KIND_U8, KIND_U16, KIND_U32, KIND_U64, KIND_ADDR, KIND_TEXT, KIND_BYTES };

struct field {
    uint8_t kind;
    uint16_t offset; /* in struct sp_record */
    uint16_t len;
};

#define SP_KIND_u8     KIND_U8
#define SP_KIND_u16    KIND_U16
#define SP_KIND_u32    KIND_U32
#define SP_KIND_u64    KIND_U64
#define SP_KIND_addr   KIND_ADDR
#define SP_KIND_text16 KIND_TEXT
#define SP_KIND_text24 KIND_TEXT
#define SP_KIND_text48 KIND_TEXT
#define SP_KIND_text80 KIND_TEXT
#define SP_KIND_key32  KIND_BYTES
#define SP_KIND_raw64  KIND_BYTES

/* One table per record, made from the same list as its struct. */
#define SP_RECORD_TABLE(TYPE, name)                                                                \
    static const struct field fields_##name[] = {SP_FIELDS_##name(SP_FIELD_##name)};
#define SP_FIELD_OF(name, kind, member)                                                            \
    {SP_KIND_##kind, offsetof(struct sp_record, u) + offsetof(struct sp_rec_##name, member),       \
     sizeof(((struct sp_rec_##name *)0)->member)},
#define SP_FIELD_error(kind, m)     SP_FIELD_OF(error, kind, m)
#define SP_FIELD_hello(kind, m)     SP_FIELD_OF(hello, kind, m)
#define SP_FIELD_iface(kind, m)     SP_FIELD_OF(iface, kind, m)
#define SP_FIELD_own(kind, m)       SP_FIELD_OF(own, kind, m)
#define SP_FIELD_listener(kind, m)  SP_FIELD_OF(listener, kind, m)
#define SP_FIELD_ready(kind, m)     SP_FIELD_OF(ready, kind, m)
#define SP_FIELD_batch(kind, m)     SP_FIELD_OF(batch, kind, m)
#define SP_FIELD_block(kind, m)     SP_FIELD_OF(block, kind, m)
#define SP_FIELD_standin(kind, m)   SP_FIELD_OF(standin, kind, m)
#define SP_FIELD_path(kind, m)      SP_FIELD_OF(path, kind, m)
#define SP_FIELD_arm(kind, m)       SP_FIELD_OF(arm, kind, m)
#define SP_FIELD_shot(kind, m)      SP_FIELD_OF(shot, kind, m)
#define SP_FIELD_fire(kind, m)      SP_FIELD_OF(fire, kind, m)
#define SP_FIELD_collect(kind, m)   SP_FIELD_OF(collect, kind, m)
#define SP_FIELD_stop(kind, m)      SP_FIELD_OF(stop, kind, m)
#define SP_FIELD_refused(kind, m)   SP_FIELD_OF(refused, kind, m)
#define SP_FIELD_unstood(kind, m)   SP_FIELD_OF(unstood, kind, m)
#define SP_FIELD_armed(kind, m)     SP_FIELD_OF(armed, kind, m)
#define SP_FIELD_seen(kind, m)      SP_FIELD_OF(seen, kind, m)
#define SP_FIELD_alive(kind, m)     SP_FIELD_OF(alive, kind, m)
#define SP_FIELD_done(kind, m)      SP_FIELD_OF(done, kind, m)
#define SP_FIELD_collected(kind, m) SP_FIELD_OF(collected, kind, m)
#define SP_FIELD_want(kind, m)      SP_FIELD_OF(want, kind, m)
#define SP_FIELD_packet(kind, m)    SP_FIELD_OF(packet, kind, m)
#define SP_FIELD_wanted(kind, m)    SP_FIELD_OF(wanted, kind, m)
#define SP_FIELD_sweep(kind, m)     SP_FIELD_OF(sweep, kind, m)
#define SP_FIELD_mask(kind, m)      SP_FIELD_OF(mask, kind, m)
#define SP_FIELD_guard(kind, m)     SP_FIELD_OF(guard, kind, m)
#define SP_FIELD_volley(kind, m)    SP_FIELD_OF(volley, kind, m)
#define SP_FIELD_volleyed(kind, m)  SP_FIELD_OF(volleyed, kind, m)
#define SP_FIELD_heard(kind, m)     SP_FIELD_OF(heard, kind, m)
#define SP_FIELD_health(kind, m)    SP_FIELD_OF(health, kind, m)
#define SP_FIELD_answerer(kind, m)  SP_FIELD_OF(answerer, kind, m)
#define SP_FIELD_swept(kind, m)     SP_FIELD_OF(swept, kind, m)
#define SP_FIELD_query(kind, m)     SP_FIELD_OF(query, kind, m)
#define SP_FIELD_told(kind, m)      SP_FIELD_OF(told, kind, m)
#define SP_FIELD_outer(kind, m)     SP_FIELD_OF(outer, kind, m)
SP_RECORD_KINDS(SP_RECORD_TABLE)

static const struct shape {
    const char *name;
    const struct field *fields;
    size_t n;
} shapes[SP_REC_TYPE_END] = {
#define SP_RECORD_SHAPE(TYPE, name)                                                                \
    [SP_REC_##TYPE] = {#name, fields_##name, SP_ARRAY_LEN(fields_##name)},
    SP_RECORD_KINDS(SP_RECORD_SHAPE)};

#define SP_HEADER_BYTES 4U

static char printable(char c)
{
    return c >= 0x20 && c < 0x7f ? c : '?';
}

static void encode_text(struct sp_wr *wr, const char *text, size_t len)
{
    char out[SP_RECORD_BYTES] = {0};
    for (size_t i = 0; i + 1 < len && text[i]; i++) {
        out[i] = printable(text[i]);
    }
    sp_wr_bytes(wr, out, len);
}

static void encode_field(struct sp_wr *wr, const struct field *field, const void *at)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch ((enum kind)field->kind) {
    case KIND_U8:
        sp_wr_u8(wr, *(const uint8_t *)at);
        break;
    case KIND_U16:
        memcpy(&v16, at, sizeof(v16));
        sp_wr_u16(wr, v16);
        break;
    case KIND_U32:
        memcpy(&v32, at, sizeof(v32));
        sp_wr_u32(wr, v32);
        break;
    case KIND_U64:
        memcpy(&v64, at, sizeof(v64));
        sp_wr_u64(wr, v64);
        break;
    case KIND_ADDR:
        sp_wr_u8(wr, ((const struct sp_addr *)at)->family);
        sp_wr_bytes(wr, ((const struct sp_addr *)at)->bytes, 16);
        break;
    case KIND_TEXT:
        encode_text(wr, at, field->len);
        break;
    case KIND_BYTES:
        sp_wr_bytes(wr, at, field->len);
        break;
    }
}

void sp_record_encode(const struct sp_record *record, uint8_t out[static SP_RECORD_BYTES])
{
    assert(record->type > 0 && record->type < SP_REC_TYPE_END);
    const struct shape *shape = &shapes[record->type];
    struct sp_wr wr;
    memset(out, 0, SP_RECORD_BYTES);
    sp_wr_init(&wr, out, SP_RECORD_BYTES);
    sp_wr_u8(&wr, record->type);
    sp_wr_bytes(&wr, "\0\0\0", 3);
    for (size_t i = 0; i < shape->n; i++) {
        encode_field(&wr, &shape->fields[i], (const char *)record + shape->fields[i].offset);
    }
    assert(!wr.bad);
}

static bool decode_addr(struct sp_rd *rd, struct sp_addr *addr)
{
    static const uint8_t zero[16] = {0};
    addr->family = sp_rd_u8(rd);
    sp_rd_bytes(rd, addr->bytes, 16);
    switch (addr->family) {
    case SP_FAMILY_NONE:
        return memcmp(addr->bytes, zero, 16) == 0;
    case SP_FAMILY_IPV4:
        return memcmp(addr->bytes + 4, zero, 12) == 0;
    default:
        return addr->family == SP_FAMILY_IPV6;
    }
}

static bool decode_text(struct sp_rd *rd, char *text, size_t len)
{
    sp_rd_bytes(rd, text, len);
    size_t n = strnlen(text, len);
    if (n == len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (i < n ? printable(text[i]) != text[i] : text[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool decode_field(struct sp_rd *rd, const struct field *field, void *at)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch ((enum kind)field->kind) {
    case KIND_U8:
        *(uint8_t *)at = sp_rd_u8(rd);
        return true;
    case KIND_U16:
        v16 = sp_rd_u16(rd);
        memcpy(at, &v16, sizeof(v16));
        return true;
    case KIND_U32:
        v32 = sp_rd_u32(rd);
        memcpy(at, &v32, sizeof(v32));
        return true;
    case KIND_U64:
        v64 = sp_rd_u64(rd);
        memcpy(at, &v64, sizeof(v64));
        return true;
    case KIND_ADDR:
        return decode_addr(rd, at);
    case KIND_TEXT:
        return decode_text(rd, at, field->len);
    case KIND_BYTES:
        sp_rd_bytes(rd, at, field->len);
        return true;
    }
    return false;
}

enum sp_rc sp_record_decode(const uint8_t in[static SP_RECORD_BYTES], struct sp_record *ret_record,
                            struct sp_diag *diag)
{
    struct sp_record record = {0};
    struct sp_rd rd;
    sp_rd_init(&rd, in, SP_RECORD_BYTES);
    record.type = sp_rd_u8(&rd);
    uint32_t reserved = (uint32_t)sp_rd_u8(&rd) << 16 | sp_rd_u16(&rd);
    if (record.type == 0 || record.type >= SP_REC_TYPE_END || reserved != 0) {
        return sp_fail(diag, SP_E_PROTOCOL, "record", "unknown record type %u",
                       (unsigned)record.type);
    }
    const struct shape *shape = &shapes[record.type];
    for (size_t i = 0; i < shape->n; i++) {
        if (!decode_field(&rd, &shape->fields[i], (char *)&record + shape->fields[i].offset)) {
            return sp_fail(diag, SP_E_PROTOCOL, shape->name, "field %zu is malformed", i + 1);
        }
    }
    while (sp_rd_left(&rd) > 0) {
        if (sp_rd_u8(&rd) != 0) {
            return sp_fail(diag, SP_E_PROTOCOL, shape->name, "bytes set after the last field");
        }
    }
    *ret_record = record;
    return SP_OK;
}

const char *sp_record_type_str(uint8_t type)
{
    return type > 0 && type < SP_REC_TYPE_END ? shapes[type].name : "unknown";
}

const char *sp_refusal_str(uint8_t reason)
{
    static const char *const words[SP_REFUSED_END] = {
        [SP_REFUSED_NONE] = "not refused",
        [SP_REFUSED_NOT_OWN] = "the declared address is not on any of the host's interfaces",
        [SP_REFUSED_IFACE_DOWN] = "the interface that has the address is down",
        [SP_REFUSED_XDP] = "the interface has an XDP program, which may eat packets unseen",
        [SP_REFUSED_NO_ROUTE] = "the host has no route to the target",
        [SP_REFUSED_NO_GATEWAY] = "the host has no next hop to exchange an echo with",
        [SP_REFUSED_TARGET] = "the target is not in the probe's allow list",
        [SP_REFUSED_TECHNIQUE] =
            "the probe does not know the technique, or may not run its hazard class",
        [SP_REFUSED_CAPTURE] = "the capture did not prove itself",
        [SP_REFUSED_LINK] = "link injection is not possible on this interface",
        [SP_REFUSED_LIMIT] = "a limit of the probe was reached",
        [SP_REFUSED_OTHER] = "a forged source or a source route is not permitted here",
    };
    return reason < SP_REFUSED_END ? words[reason] : "unknown reason";
}
