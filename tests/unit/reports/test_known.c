/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of known ports, and what it adds to causes. */
#include <string.h>

#include "reports/group.h"
#include "reports/known.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4    SP_FAMILY_IPV4
#define TCP   SP_PROTO_TCP
#define DENY  SP_EXPECT_DENY
#define ALLOW SP_EXPECT_ALLOW

static const struct sp_known lines[] = {
#define SP_KNOWN_PORT(protocol, port, word, name, closed, opened)                                  \
    {SP_PROTO_##protocol, port, NULL, word, name, closed, opened},
#define SP_KNOWN_ADDRESS(address, name, closed, opened)                                            \
    {SP_PROTO_COUNT, 0, address, "", name, closed, opened},
#include "reports/known_ports.def"
#undef SP_KNOWN_PORT
#undef SP_KNOWN_ADDRESS
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(lines); i++) {
        const struct sp_known *at = &lines[i];
        if (at->address) {
            struct sp_addr addr;
            assert_int_equal(sp_addr_parse(at->address, &addr), SP_OK);
            assert_string_equal(sp_known_address(&addr)->address, at->address);
        } else {
            assert_string_equal(sp_known_port(at->proto, at->port)->name, at->name);
        }
        assert_true(strlen(at->name) > 0 && (at->closed[0] || at->opened[0]));
        if (i > 0 && !at->address) { /* sorted, and none is there twice */
            const struct sp_known *before = &lines[i - 1];
            assert_true(before->proto < at->proto ||
                        (before->proto == at->proto && before->port < at->port));
        }
    }
    struct sp_addr addr;
    assert_int_equal(sp_addr_parse("169.254.169.253", &addr), SP_OK);
    assert_null(sp_known_address(&addr));
    assert_null(sp_known_port(SP_PROTO_TCP, 15016));
    assert_null(sp_known_port(SP_PROTO_UDP, 15017));
    assert_null(sp_known_port(SP_PROTO_COUNT, 0));
}

static void test_words(void **state)
{
    (void)state;
    assert_true(sp_known_says("Validation Webhook of x", "webhook"));
    assert_true(sp_known_says("webhook", "webhook"));
    assert_false(sp_known_says("webhoo", "webhook"));
    assert_false(sp_known_says("", "webhook"));
    assert_false(sp_known_says(NULL, "webhook"));
    assert_true(sp_known_says("x", ""));
}

/* The cause of the only finding of one or two flows from web-1 to db-1 says all that, or nothing
 * of known ports. */
static void check(struct sp_sample *s, const char *const *told, size_t n)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nfindings, 1);
    const char *cause = summary->findings[0].cause;
    for (size_t i = 0; i < n; i++) {
        if (!strstr(cause, told[i])) {
            fail_msg("'%s' lacks '%s'", cause, told[i]);
        }
    }
    if (n == 0) {
        assert_null(strchr(cause, ';'));
    }
    assert_string_equal(summary->causes[0].cause, cause);
    sp_summary_free(summary);
    sp_sample_free(s);
}

static size_t add(struct sp_sample *s, uint16_t port, uint8_t expect, uint32_t rule,
                  struct sp_seen seen)
{
    return sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, expect, rule, seen);
}

static void test_told(void **state)
{
    (void)state;
    struct sp_seen silent = sp_seen_silence();
    struct sp_sample *s = sp_sample_new();
    add(s, 15012, ALLOW, SP_NONE, silent);
    add(s, 15016, ALLOW, SP_NONE, silent);
    add(s, 15017, ALLOW, SP_NONE, silent);
    check(s,
          (const char *[]){"; so web does not reach tcp/15012 of data, istiod's xDS",
                           "; nor tcp/15017 of data, istiod's webhook: "},
          2);
    s = sp_sample_new();
    add(s, 15010, DENY, SP_NONE, sp_seen_leak());
    check(s, (const char *[]){"; tcp/15010 is istiod's plaintext xDS: "}, 1);
    s = sp_sample_new(); /* nothing stops while it is closed, and nobody minds that it is open */
    add(s, 15010, ALLOW, SP_NONE, silent);
    check(s, NULL, 0);
    s = sp_sample_new();
    add(s, 15017, DENY, SP_NONE, sp_seen_leak());
    check(s, NULL, 0);
    s = sp_sample_new();
    struct sp_seen lossy = sp_seen_works();
    lossy.attempts = 42;
    lossy.loss_confirmed = true;
    add(s, 15017, ALLOW, SP_NONE, lossy);
    check(s, (const char *[]){"; so web does not always reach tcp/15017"}, 1);
}

/* A number that says little is told only where the policy says what it is. */
static void test_word_of_the_policy(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    add(s, 8443, ALLOW, SAMPLE_RULE_WEB_TO_DB, sp_seen_silence());
    check(s, NULL, 0);
    s = sp_sample_new();
    char why[] = "Webhook of the gateway";
    char *before = s->model->rules[SAMPLE_RULE_WEB_TO_DB].why;
    s->model->rules[SAMPLE_RULE_WEB_TO_DB].why = why;
    add(s, 8443, ALLOW, SAMPLE_RULE_WEB_TO_DB, sp_seen_silence());
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_non_null(strstr(summary->findings[0].cause, "tcp/8443 of data, an admission webhook"));
    sp_summary_free(summary);
    s->model->rules[SAMPLE_RULE_WEB_TO_DB].why = before;
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_word_of_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
