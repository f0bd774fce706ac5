/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/group.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

static void check_word(const char *word, const char *want)
{
    struct sp_buf out;
    sp_buf_init(&out, 1000);
    sp_shell_word(&out, word);
    assert_string_equal(sp_buf_text(&out), want);
    sp_buf_release(&out);
}

static void test_shell(void **state)
{
    (void)state;
    check_word("web-1", "web-1");
    check_word("label:app=web", "label:app=web");
    check_word("../a/b.yaml", "../a/b.yaml");
    check_word("", "''");
    check_word("a b", "'a b'");
    check_word("a'b", "'a'\\''b'");
    check_word("$(id)", "'$(id)'");
    check_word("a\nb", "'a\nb'");
    check_word("~", "'~'");
}

static void test_names(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    assert_string_equal(sp_technique_name(0), sp_technique_at(0)->name);
    assert_string_equal(sp_technique_name(200), "unknown");
    assert_string_equal(sp_rule_name(s->model, SAMPLE_RULE_PING, SP_EXPECT_ALLOW), "ping");
    assert_string_equal(sp_rule_name(s->model, SP_NONE, SP_EXPECT_DENY), "default deny");
    assert_string_equal(sp_rule_name(s->model, SP_NONE, SP_EXPECT_PERMIT), "within: open");
    char *line = sp_rule_line(s->model, SAMPLE_RULE_PING);
    assert_string_equal(line, "shop.yaml:25");
    sp_free(line);
    line = sp_rule_line(s->model, SP_NONE);
    assert_string_equal(line, "shop.yaml");
    sp_free(line);
    s->model->rules[SAMPLE_RULE_PING].pos.line = 0;
    line = sp_rule_line(s->model, SAMPLE_RULE_PING);
    assert_string_equal(line, "shop.yaml");
    sp_free(line);
    sp_sample_free(s);
}

/* Every part of the identity counts, and parts cannot run into each other. */
static void test_id(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_finding base = {.from = SAMPLE_WEB_1,
                              .to = SAMPLE_DB_1,
                              .family = SP_FAMILY_IPV4,
                              .proto = SP_PROTO_TCP,
                              .technique = 1,
                              .policy = "default deny"};
    struct sp_finding others[7];
    for (size_t i = 0; i < SP_ARRAY_LEN(others); i++) {
        others[i] = base;
    }
    others[0].from = SAMPLE_WEB_2;
    others[1].to = SAMPLE_OLD;
    others[2].family = SP_FAMILY_IPV6;
    others[3].proto = SP_PROTO_UDP;
    others[4].technique = 2;
    others[5].expect = SP_EXPECT_ALLOW;
    others[6].policy = "x";
    char id[17], other[17], again[17];
    assert_int_equal(sp_finding_id(s->model, &base, NULL, id), SP_OK);
    assert_int_equal(strlen(id), 16);
    assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    assert_int_equal(sp_finding_id(s->model, &base, NULL, again), SP_OK);
    assert_string_equal(id, again);
    for (size_t i = 0; i < SP_ARRAY_LEN(others); i++) {
        assert_int_equal(sp_finding_id(s->model, &others[i], NULL, other), SP_OK);
        assert_string_not_equal(id, other);
    }
    assert_int_equal(sp_finding_id(s->model, &base, "leak", other), SP_OK);
    assert_string_not_equal(id, other);
    s->model->name[0] = 'S';
    assert_int_equal(sp_finding_id(s->model, &base, NULL, other), SP_OK);
    assert_string_not_equal(id, other);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shell),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
