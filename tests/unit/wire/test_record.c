/* SPDX-License-Identifier: Apache-2.0
 *
 * The records: every type with boundary values goes there and back unchanged, whatever is not
 * canonical is refused, and the bytes of HELLO and ERROR stay what they are for ever. */
#include <stdio.h>
#include <string.h>

#include "probe/wire/record.h"
#include "tests/support/sp_cmocka.h"

/* ---- an independent description of the fields, from the published list ---- */

enum what { U8, U16, U32, U64, ADDR, TEXT, KEY };

struct place {
    enum what what;
    size_t offset, len;
};

#define WHAT_u8     U8
#define WHAT_u16    U16
#define WHAT_u32    U32
#define WHAT_u64    U64
#define WHAT_addr   ADDR
#define WHAT_text16 TEXT
#define WHAT_text24 TEXT
#define WHAT_text48 TEXT
#define WHAT_text80 TEXT
#define WHAT_key32  KEY
#define WHAT_raw64  KEY

static struct place places[20];
static size_t nplaces;
static size_t base_offset;

static void add_place(enum what what, size_t offset, size_t len)
{
    places[nplaces++] = (struct place){what, offset, len};
}

static void list_places(uint8_t type)
{
    struct sp_record r;
    nplaces = 0;
#define ADD(kind, m) add_place(WHAT_##kind, (size_t)((char *)&at->m - (char *)&r), sizeof(at->m));
#define LIST(TYPE, name)                                                                           \
    if (type == SP_REC_##TYPE) {                                                                   \
        struct sp_rec_##name *at = &r.u.name;                                                      \
        SP_FIELDS_##name(ADD)                                                                      \
    }
    SP_RECORD_KINDS(LIST)
#undef LIST
#undef ADD
    base_offset = offsetof(struct sp_record, u);
    assert_true(nplaces > 0);
    assert_true(places[0].offset >= base_offset);
}

static size_t wire_len(const struct place *p)
{
    return p->what == ADDR ? 17 : p->len;
}

static size_t wire_offset(size_t field)
{
    size_t at = 4;
    for (size_t i = 0; i < field; i++) {
        at += wire_len(&places[i]);
    }
    return at;
}

/* fill: 0 = smallest, 1 = largest, 2 = every byte different. */
static void fill(struct sp_record *r, int how)
{
    for (size_t i = 0; i < nplaces; i++) {
        uint8_t *at = (uint8_t *)r + places[i].offset;
        size_t len = places[i].len;
        if (how == 0) {
            continue;
        }
        switch (places[i].what) {
        case ADDR:
            at[0] = how == 1 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
            memset(at + 1, 0xff, how == 1 ? 16 : 4);
            break;
        case TEXT:
            memset(at, how == 1 ? '~' : ' ', len - 1);
            break;
        case U8:
        case U16:
        case U32:
        case U64:
        case KEY:
            for (size_t k = 0; k < len; k++) {
                at[k] = how == 1 ? 0xff : (uint8_t)(17 * (i + 1) + 3 * k + 1);
            }
            break;
        }
    }
}

static void every_type_there_and_back(void **state)
{
    (void)state;
    for (uint8_t type = 1; type < SP_REC_TYPE_END; type++) {
        list_places(type);
        assert_true(wire_offset(nplaces) <= SP_RECORD_BYTES);
        for (int how = 0; how < 3; how++) {
            struct sp_record in = {.type = type};
            struct sp_record out;
            uint8_t bytes[SP_RECORD_BYTES];
            uint8_t again[SP_RECORD_BYTES];
            memset(&out, 0xa5, sizeof(out));
            fill(&in, how);
            memset(bytes, 0xee, sizeof(bytes));
            sp_record_encode(&in, bytes);
            assert_int_equal(bytes[0], type);
            assert_int_equal(sp_record_decode(bytes, &out, NULL), SP_OK);
            assert_int_equal(out.type, type);
            for (size_t i = 0; i < nplaces; i++) {
                assert_memory_equal((char *)&in + places[i].offset, (char *)&out + places[i].offset,
                                    places[i].len);
            }
            sp_record_encode(&out, again);
            assert_memory_equal(bytes, again, sizeof(bytes));
        }
    }
}

/* Every number stands big-endian at its place in the list. */
static void numbers_are_big_endian(void **state)
{
    (void)state;
    for (uint8_t type = 1; type < SP_REC_TYPE_END; type++) {
        list_places(type);
        struct sp_record in = {.type = type};
        uint8_t bytes[SP_RECORD_BYTES];
        fill(&in, 2);
        sp_record_encode(&in, bytes);
        for (size_t i = 0; i < nplaces; i++) {
            const uint8_t *have = bytes + wire_offset(i);
            const uint8_t *want = (const uint8_t *)&in + places[i].offset;
            bool number = places[i].what <= U64;
            for (size_t k = 0; k < places[i].len; k++) { /* the machines we build for are little */
                assert_int_equal(have[k], want[number ? places[i].len - 1 - k : k]);
            }
        }
    }
}

static void refuse(const uint8_t *bytes, const char *where)
{
    struct sp_record out;
    struct sp_record before;
    struct sp_diag diag = {0};
    memset(&out, 0x5a, sizeof(out));
    before = out;
    assert_int_equal(sp_record_decode(bytes, &out, &diag), SP_E_PROTOCOL);
    assert_memory_equal(&out, &before, sizeof(out));
    assert_string_equal(diag.where, where);
    assert_true(diag.text[0] != '\0');
}

static void unknown_types_and_reserved_bytes(void **state)
{
    (void)state;
    uint8_t bytes[SP_RECORD_BYTES] = {0};
    refuse(bytes, "record");
    for (int type = SP_REC_TYPE_END; type < 256; type++) {
        bytes[0] = (uint8_t)type;
        refuse(bytes, "record");
    }
    bytes[0] = SP_REC_ARM;
    for (int i = 1; i < 4; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (uint8_t)(1 << bit);
            refuse(bytes, "record");
            bytes[i] = 0;
        }
    }
}

static void bytes_after_the_last_field(void **state)
{
    (void)state;
    for (uint8_t type = 1; type < SP_REC_TYPE_END; type++) {
        struct sp_record in = {.type = type};
        uint8_t bytes[SP_RECORD_BYTES];
        list_places(type);
        fill(&in, 1);
        for (size_t at = wire_offset(nplaces); at < SP_RECORD_BYTES; at++) {
            sp_record_encode(&in, bytes);
            assert_int_equal(bytes[at], 0);
            bytes[at] = 1;
            refuse(bytes, sp_record_type_str(type));
        }
    }
}

static void text_is_terminated_printable_and_canonical(void **state)
{
    (void)state;
    size_t seen = 0;
    for (uint8_t type = 1; type < SP_REC_TYPE_END; type++) {
        list_places(type);
        for (size_t i = 0; i < nplaces; i++) {
            if (places[i].what != TEXT) {
                continue;
            }
            static const uint8_t bad[] = {1, '\t', '\n', 0x1b, 0x1f, 0x7f, 0x80, 0xff};
            struct sp_record in = {.type = type};
            uint8_t bytes[SP_RECORD_BYTES];
            size_t at = wire_offset(i);
            seen++;
            fill(&in, 1);
            sp_record_encode(&in, bytes);
            assert_int_equal(bytes[at + places[i].len - 1], 0);
            bytes[at + places[i].len - 1] = 'x'; /* no end */
            refuse(bytes, sp_record_type_str(type));
            for (size_t k = 0; k < sizeof(bad); k++) {
                sp_record_encode(&in, bytes);
                bytes[at] = bad[k];
                refuse(bytes, sp_record_type_str(type));
            }
            sp_record_encode(&in, bytes);
            bytes[at + 1] = 0; /* something hides behind the end */
            refuse(bytes, sp_record_type_str(type));
        }
    }
    assert_int_equal(seen, 8);
}

static void addresses_are_canonical(void **state)
{
    (void)state;
    size_t seen = 0;
    for (uint8_t type = 1; type < SP_REC_TYPE_END; type++) {
        list_places(type);
        for (size_t i = 0; i < nplaces; i++) {
            if (places[i].what != ADDR) {
                continue;
            }
            struct sp_record in = {.type = type};
            uint8_t bytes[SP_RECORD_BYTES];
            size_t at = wire_offset(i);
            seen++;
            sp_record_encode(&in, bytes);
            for (int family = 0; family < 256; family++) {
                struct sp_record out;
                bool known = family == 0 || family == 4 || family == 6;
                bytes[at] = (uint8_t)family;
                memset(bytes + at + 1, 0, 16);
                if (!known) {
                    refuse(bytes, sp_record_type_str(type));
                    continue;
                }
                assert_int_equal(sp_record_decode(bytes, &out, NULL), SP_OK);
                bytes[at + 16] = 1; /* past the end of an IPv4 address, and of none */
                if (family == 6) {
                    assert_int_equal(sp_record_decode(bytes, &out, NULL), SP_OK);
                } else {
                    refuse(bytes, sp_record_type_str(type));
                }
                bytes[at + 16] = 0;
                bytes[at + 5] = 1;
                if (family != 6) {
                    refuse(bytes, sp_record_type_str(type));
                }
            }
        }
    }
    assert_int_equal(seen, 16);
}

/* The writer makes any text fit and printable. */
static void text_is_made_safe(void **state)
{
    (void)state;
    struct sp_record in = {.type = SP_REC_IFACE};
    struct sp_record out;
    uint8_t bytes[SP_RECORD_BYTES];
    memset(in.u.iface.name, 'n', sizeof(in.u.iface.name)); /* not terminated */
    in.u.iface.name[1] = '\x1b';
    in.u.iface.name[2] = (char)0xc3;
    in.u.iface.name[3] = '\n';
    sp_record_encode(&in, bytes);
    assert_int_equal(sp_record_decode(bytes, &out, NULL), SP_OK);
    assert_string_equal(out.u.iface.name, "n???nnnnnnnnnnn");
}

/* Never change these: an old and a new program must be able to say who they are and what is
 * wrong. */
static void golden_hello(void **state)
{
    (void)state;
    struct sp_record hello = {.type = SP_REC_HELLO};
    struct sp_record out;
    hello.u.hello = (struct sp_rec_hello){.protocol = 0x0102,
                                          .generation = 0x03040506,
                                          .pid = 0x0708090a,
                                          .is_restart = 1,
                                          .version = "0.1.0",
                                          .hostname = "db-1"};
    uint8_t want[96] = {0x02, 0,    0,    0,    0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
                        0x07, 0x08, 0x09, 0x0a, 0x01, '0',  '.',  '1',  '.',  '0'};
    memcpy(want + 39, "db-1", 4);
    uint8_t bytes[SP_RECORD_BYTES];
    assert_int_equal(SP_RECORD_BYTES, 96);
    sp_record_encode(&hello, bytes);
    assert_memory_equal(bytes, want, 96);
    assert_int_equal(sp_record_decode(want, &out, NULL), SP_OK);
    assert_string_equal(out.u.hello.hostname, "db-1");
    assert_int_equal(out.u.hello.pid, 0x0708090a);
}

static void golden_error(void **state)
{
    (void)state;
    struct sp_record error = {.type = SP_REC_ERROR};
    struct sp_record out;
    error.u.error =
        (struct sp_rec_error){.code = 4, .generation = 0x01020304, .text = "not an order"};
    uint8_t want[96] = {0x01, 0, 0, 0, 0x00, 0x04, 0x01, 0x02, 0x03, 0x04};
    memcpy(want + 10, "not an order", 12);
    uint8_t bytes[SP_RECORD_BYTES];
    sp_record_encode(&error, bytes);
    assert_memory_equal(bytes, want, 96);
    assert_int_equal(sp_record_decode(want, &out, NULL), SP_OK);
    assert_string_equal(out.u.error.text, "not an order");
}

/* Numbers on the wire are part of the contract too. */
static void numbers_stay(void **state)
{
    (void)state;
    assert_int_equal(SP_REC_ERROR, 1);
    assert_int_equal(SP_REC_HELLO, 2);
    assert_int_equal(SP_REC_READY, 6);
    assert_int_equal(SP_REC_BATCH, 7);
    assert_int_equal(SP_REC_STOP, 13);
    assert_int_equal(SP_REC_COLLECTED, 18);
    assert_int_equal(SP_REC_STANDIN, 19);
    assert_int_equal(SP_REC_WANT, 21);
    assert_int_equal(SP_REC_WANTED, 23);
    assert_int_equal(SP_REC_ALIVE, 24);
    assert_int_equal(SP_REC_SWEEP, 25);
    assert_int_equal(SP_REC_VOLLEY, 28);
    assert_int_equal(SP_REC_SWEPT, 33);
    assert_int_equal(SP_REC_QUERY, 34);
    assert_int_equal(SP_REC_TOLD, 35);
    assert_int_equal(SP_REC_OUTER, 36);
    assert_int_equal(SP_REC_PATH, 37);
    assert_int_equal(SP_REC_TYPE_END, 38);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(sp_record_type_str(SP_REC_SEEN), "seen");
    assert_string_equal(sp_record_type_str(0), "unknown");
    assert_string_equal(sp_record_type_str(SP_REC_TYPE_END), "unknown");
    assert_string_equal(sp_record_type_str(255), "unknown");
    for (uint8_t i = 0; i < SP_REFUSED_END; i++) {
        assert_non_null(sp_refusal_str(i));
        assert_string_not_equal(sp_refusal_str(i), "unknown reason");
        for (uint8_t k = 0; k < i; k++) {
            assert_string_not_equal(sp_refusal_str(i), sp_refusal_str(k));
        }
    }
    assert_string_equal(sp_refusal_str(SP_REFUSED_END), "unknown reason");
    for (uint8_t i = 0; i < SP_ANSWER_END; i++) {
        assert_non_null(sp_answer_str(i));
        for (uint8_t k = 0; k < i; k++) {
            assert_string_not_equal(sp_answer_str(i), sp_answer_str(k));
        }
    }
    assert_string_equal(sp_answer_str(SP_ANSWER_END), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_there_and_back),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(unknown_types_and_reserved_bytes),
        cmocka_unit_test(bytes_after_the_last_field),
        cmocka_unit_test(text_is_terminated_printable_and_canonical),
        cmocka_unit_test(addresses_are_canonical),
        cmocka_unit_test(text_is_made_safe),
        cmocka_unit_test(golden_hello),
        cmocka_unit_test(golden_error),
        cmocka_unit_test(numbers_stay),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
