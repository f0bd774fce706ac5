/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: what is cut comes together again, whatever is out of order or too much is refused, and
 * fields keep every byte. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/wire/message.h"
#include "tests/support/sp_cmocka.h"

struct parts {
    struct sp_record at[SP_MESSAGE_MAX / 64 + 1];
    size_t n;
};

static void put(void *arg, const struct sp_record *record)
{
    struct parts *parts = arg;
    uint8_t wire[SP_RECORD_BYTES];
    struct sp_diag diag;
    sp_record_encode(record, wire);
    assert_int_equal(sp_record_decode(wire, &parts->at[parts->n], &diag), SP_OK);
    parts->n++;
}

static void test_there_and_back(void **state)
{
    static const size_t lens[] = {0, 1, 63, 64, 65, 128, 4000, SP_MESSAGE_MAX};
    char *text = sp_calloc(1, SP_MESSAGE_MAX);
    struct parts *parts = sp_calloc(1, sizeof(*parts));
    struct sp_messages messages = {0};
    (void)state;
    assert_non_null(text);
    assert_non_null(parts);
    for (size_t i = 0; i < SP_MESSAGE_MAX; i++) {
        text[i] = (char)(i * 7U);
    }
    for (size_t k = 0; k < SP_ARRAY_LEN(lens); k++) {
        struct sp_message *whole = NULL;
        parts->n = 0;
        sp_message_split(SP_REC_TOLD, 7, SP_TOPIC_CALL, text, lens[k], put, parts);
        assert_int_equal(parts->n, lens[k] == 0 ? 1 : (lens[k] + 63) / 64);
        for (size_t i = 0; i < parts->n; i++) {
            assert_null(whole);
            assert_int_equal(sp_messages_add(&messages, SP_REC_TOLD, &parts->at[i], &whole), SP_OK);
        }
        assert_non_null(whole);
        assert_int_equal(whole->id, 7);
        assert_int_equal(whole->topic, SP_TOPIC_CALL);
        assert_int_equal(whole->text.len, lens[k]);
        assert_memory_equal(sp_buf_text(&whole->text), text, lens[k]);
        sp_message_done(whole);
    }
    sp_messages_release(&messages);
    sp_free(parts);
    sp_free(text);
}

static struct sp_record part(uint32_t id, uint32_t offset, uint16_t len, bool last)
{
    struct sp_record record = {.type = SP_REC_QUERY};
    record.u.query = (struct sp_rec_query){.id = id, .offset = offset, .len = len, .is_last = last};
    return record;
}

static enum sp_rc add(struct sp_messages *messages, struct sp_record record)
{
    struct sp_message *whole = NULL;
    enum sp_rc rc = sp_messages_add(messages, SP_REC_QUERY, &record, &whole);
    if (whole) {
        sp_message_done(whole);
    }
    return rc;
}

static void test_what_is_refused(void **state)
{
    struct sp_messages messages = {0};
    struct sp_record bad = part(1, 0, 64, false);
    (void)state;
    assert_int_equal(add(&messages, part(1, 64, 64, false)), SP_E_INVALID); /* no beginning */
    assert_int_equal(add(&messages, part(1, 0, 63, false)), SP_E_INVALID);  /* not full */
    assert_int_equal(add(&messages, part(1, 0, 65, false)), SP_E_INVALID);
    assert_int_equal(add(&messages, part(1, 0, 64, false)), SP_OK);
    assert_int_equal(add(&messages, part(1, 0, 64, false)), SP_E_INVALID); /* twice */
    assert_int_equal(add(&messages, part(1, 64, 1, true)), SP_E_INVALID);  /* was forgotten */
    bad.u.query.topic = SP_TOPIC_COUNT;
    assert_int_equal(add(&messages, bad), SP_E_INVALID);
    bad = part(1, 0, 1, true);
    bad.type = SP_REC_TOLD;
    assert_int_equal(add(&messages, bad), SP_E_INVALID);
    for (uint32_t i = 0; i < SP_MESSAGES_OPEN; i++) {
        assert_int_equal(add(&messages, part(i + 10, 0, 64, false)), SP_OK);
    }
    assert_int_equal(add(&messages, part(9, 0, 64, false)), SP_E_INVALID); /* no room */
    assert_int_equal(add(&messages, part(10, 64, 3, true)), SP_OK);
    assert_int_equal(add(&messages, part(9, 0, 64, false)), SP_OK);
    uint32_t at = 64;
    while (at < SP_MESSAGE_MAX) {
        assert_int_equal(add(&messages, part(9, at, 64, false)), SP_OK);
        at += 64;
    }
    assert_int_equal(add(&messages, part(9, at, 1, true)), SP_E_INVALID); /* too much */
    sp_messages_release(&messages);
}

static void test_fields(void **state)
{
    static const char odd[] = "a=b\n%\x01\x7f\0\xc3\xbc end";
    struct sp_buf text;
    struct sp_fields fields;
    (void)state;
    sp_buf_init(&text, 10000);
    sp_fields_add(&text, "plain", "value");
    sp_fields_add_bytes(&text, "odd.1", odd, sizeof(odd) - 1);
    sp_fields_add(&text, "empty", "");
    sp_fields_add_u64(&text, "number", UINT64_MAX);
    sp_fields_init(&fields, sp_buf_text(&text), text.len);
    assert_true(sp_fields_next(&fields));
    assert_string_equal(fields.key, "plain");
    assert_string_equal(sp_buf_text(&fields.value), "value");
    assert_true(sp_fields_next(&fields));
    assert_string_equal(fields.key, "odd.1");
    assert_int_equal(fields.value.len, sizeof(odd) - 1);
    assert_memory_equal(fields.value.data, odd, sizeof(odd) - 1);
    assert_true(sp_fields_next(&fields));
    assert_string_equal(fields.key, "empty");
    assert_int_equal(fields.value.len, 0);
    assert_true(sp_fields_next(&fields));
    assert_string_equal(sp_buf_text(&fields.value), "18446744073709551615");
    assert_false(sp_fields_next(&fields));
    assert_false(fields.is_bad);
    sp_fields_release(&fields);
    sp_buf_release(&text);
}

static void test_bad_fields(void **state)
{
    static const char *const bad[] = {
        "a",        "a=1",    "=1\n",    "A=1\n",
        "a b=1\n",  "a=%4\n", "a=%zz\n", "a=%4g\n",
        "a=\x01\n", "a=\t\n", "\n",      "abcdefghijklmnopqrstuvwxyzabcdefgh=1\n"};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        struct sp_fields fields;
        sp_fields_init(&fields, bad[i], strlen(bad[i]));
        assert_false(sp_fields_next(&fields));
        assert_true(fields.is_bad);
        assert_false(sp_fields_next(&fields));
        sp_fields_release(&fields);
    }
}

static void test_no_memory(void **state)
{
    struct sp_messages messages = {0};
    (void)state;
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(add(&messages, part(1, 0, 64, false)), SP_E_NOMEM);
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(add(&messages, part(1, 0, 64, false)), SP_OK);
    sp_messages_release(&messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
