/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of design section 9, their types, and numbers that a double would spoil. */
#include <cjson/cJSON.h>
#include <string.h>

#include "reports/formats/json_out.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

static cJSON *render_parsed(struct sp_sample *sample)
{
    struct sp_buf out;
    sp_render_sample(sample, "json", NULL, &out);
    cJSON *root = cJSON_ParseWithOpts(sp_buf_text(&out), NULL, 1);
    assert_non_null(root);
    sp_buf_release(&out);
    sp_sample_free(sample);
    return root;
}

/* Types: s string, n number, b bool, a array, o object, S string or null. */
static void check_key(const cJSON *object, const char *key, char type)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    bool ok =
        item && ((type == 's' && cJSON_IsString(item)) || (type == 'n' && cJSON_IsNumber(item)) ||
                 (type == 'b' && cJSON_IsBool(item)) || (type == 'a' && cJSON_IsArray(item)) ||
                 (type == 'o' && cJSON_IsObject(item)) ||
                 (type == 'S' && (cJSON_IsString(item) || cJSON_IsNull(item))));
    if (!ok) {
        fail_msg("%s is missing or not of type %c", key, type);
    }
}

struct key {
    const char *name;
    char type;
};

static void check_keys(const cJSON *object, const struct key *keys, size_t n)
{
    assert_true(cJSON_IsObject(object));
    for (size_t i = 0; i < n; i++) {
        check_key(object, keys[i].name, keys[i].type);
    }
}
#define KEYS(object, ...)                                                                          \
    check_keys(object, (const struct key[]){__VA_ARGS__},                                          \
               sizeof((const struct key[]){__VA_ARGS__}) / sizeof(struct key))

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Exactly the nesting of design section 9; more keys may stand beside them. */
static void check_contract(const cJSON *root, bool has_rows)
{
    const cJSON *item;
    KEYS(root, {"format", 's'}, {"run", 'o'}, {"summary", 'o'}, {"coverage", 'o'},
         {"findings", 'a'}, {"pairs", 'a'}, {"causes", 'a'}, {"nodes", 'a'},
         {"load_balancers", 'a'}, {"endpoints", 'a'});
    assert_string_equal(get(root, "format")->valuestring, "segproof-report/1");
    KEYS(get(root, "run"), {"id", 's'}, {"topology", 's'}, {"topology_sha256", 's'}, {"depth", 's'},
         {"started", 's'}, {"finished", 's'}, {"version", 's'}, {"seed", 's'});
    KEYS(get(root, "summary"), {"verdict", 's'}, {"checks", 'n'}, {"holds", 'n'}, {"findings", 'n'},
         {"inconclusive", 'n'}, {"packets_sent", 'n'}, {"packets_captured", 'n'},
         {"capture_drops", 'n'});
    const cJSON *coverage = get(root, "coverage");
    KEYS(coverage, {"pairs", 'o'}, {"intervals", 'o'}, {"rules", 'o'}, {"denied_ports_swept", 'n'});
    KEYS(get(coverage, "pairs"), {"tested", 'n'}, {"of", 'n'});
    KEYS(get(coverage, "intervals"), {"tested", 'n'}, {"of", 'n'});
    KEYS(get(coverage, "rules"), {"tested", 'n'}, {"of", 'n'});
    assert_int_equal(cJSON_GetArraySize(get(root, "findings")),
                     get(get(root, "summary"), "findings")->valueint);
    assert_true(!has_rows || cJSON_GetArraySize(get(root, "findings")) > 0);
    cJSON_ArrayForEach(item, get(root, "findings")) {
        KEYS(item, {"id", 's'}, {"verdict", 's'}, {"severity", 's'}, {"from", 's'}, {"to", 's'},
             {"family", 's'}, {"protocol", 's'}, {"ports", 's'}, {"technique", 's'},
             {"expected", 's'}, {"policy", 's'}, {"line", 's'}, {"observed", 'o'}, {"control", 's'},
             {"attempts", 'n'}, {"delivered", 'n'}, {"where", 'S'}, {"evidence", 'S'});
        KEYS(get(item, "observed"), {"sender", 's'}, {"receiver", 's'}, {"egress", 's'},
             {"path", 'S'});
        assert_int_equal(strlen(get(item, "id")->valuestring), 16);
    }
    assert_true(!has_rows || cJSON_GetArraySize(get(root, "pairs")) > 0);
    cJSON_ArrayForEach(item, get(root, "pairs")) {
        KEYS(item, {"from", 's'}, {"to", 's'}, {"family", 's'}, {"protocol", 's'}, {"allowed", 's'},
             {"denied", 's'}, {"tested", 's'}, {"delivered", 's'}, {"control", 's'},
             {"verdict", 's'}, {"syn_proxy", 's'});
    }
    assert_true(!has_rows || cJSON_GetArraySize(get(root, "causes")) > 0);
    cJSON_ArrayForEach(item, get(root, "causes")) {
        KEYS(item, {"cause", 's'}, {"remedy", 's'}, {"severity", 's'}, {"findings", 'a'});
        assert_true(cJSON_GetArraySize(get(item, "findings")) > 0);
    }
}

static void test_contract(void **state)
{
    (void)state;
    cJSON *root = render_parsed(sp_sample_shop());
    check_contract(root, true);
    /* Planned tests that were left out, and what was never planned, are different numbers. */
    KEYS(get(root, "summary"), {"not_tested", 'n'}, {"not_tested_intervals", 'n'},
         {"not_tested_pairs", 'n'});
    assert_int_equal(get(get(root, "summary"), "not_tested")->valueint, 1);
    assert_int_equal(get(get(root, "summary"), "not_tested_intervals")->valueint, 40);
    assert_int_equal(get(get(root, "summary"), "not_tested_pairs")->valueint, 2);
    /* Every finding has a cause, and every cause names findings that exist. */
    size_t named = 0;
    const cJSON *cause, *id, *finding;
    cJSON_ArrayForEach(cause, get(root, "causes")) {
        cJSON_ArrayForEach(id, get(cause, "findings")) {
            bool found = false;
            cJSON_ArrayForEach(finding, get(root, "findings")) {
                found = found || strcmp(get(finding, "id")->valuestring, id->valuestring) == 0;
            }
            assert_true(found);
            named++;
        }
    }
    assert_int_equal(named, cJSON_GetArraySize(get(root, "findings")));
    cJSON_Delete(root);
    root = render_parsed(sp_sample_empty());
    check_contract(root, false);
    assert_string_equal(get(get(root, "summary"), "verdict")->valuestring, "incomplete");
    cJSON_Delete(root);
    root = render_parsed(sp_sample_clean());
    check_contract(root, false);
    assert_string_equal(get(get(root, "summary"), "verdict")->valuestring, "holds");
    cJSON_Delete(root);
    root = render_parsed(sp_sample_hostile());
    check_contract(root, true);
    cJSON_Delete(root);
}

static void test_golden(void **state)
{
    (void)state;
    sp_check_golden(sp_sample_shop(), "json", NULL, "shop.json");
    sp_check_golden(sp_sample_empty(), "json", NULL, "empty.json");
    sp_check_golden(sp_sample_swept(), "json", NULL, "swept.json");
    sp_check_golden(sp_sample_balanced(), "json", NULL, "balanced.json");
    sp_check_golden(sp_sample_hostile(), "json", NULL, "hostile.json");
}

static void test_large_numbers(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_clean();
    s->result->packets_sent = UINT64_MAX;
    s->result->packets_captured = 9007199254740993U;
    s->plan.seed = UINT64_MAX;
    s->plan.coverage.denied_of = 0;
    struct sp_buf out;
    sp_render_sample(s, "json", NULL, &out);
    assert_non_null(strstr(sp_buf_text(&out), "\"packets_sent\":18446744073709551615,"));
    assert_non_null(strstr(sp_buf_text(&out), "\"packets_captured\":9007199254740993,"));
    assert_non_null(strstr(sp_buf_text(&out), "\"seed\":\"18446744073709551615\""));
    assert_non_null(strstr(sp_buf_text(&out), "\"denied_ports_swept\":0.000000"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static void test_share(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.0, "{\"x\":0.000000}"},   {1.0, "{\"x\":1.000000}"},
                 {7.0, "{\"x\":1.000000}"},   {-1.0, "{\"x\":0.000000}"},
                 {0.25, "{\"x\":0.250000}"},  {1e-6, "{\"x\":0.000001}"},
                 {1e-300, "{\"x\":0.000000}"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sp_buf out;
        struct sp_json json = sp_json_begin();
        sp_buf_init(&out, 100);
        sp_json_share(&json, "x", cases[i].value);
        sp_json_print(&json, &out);
        assert_string_equal(sp_buf_text(&out), cases[i].text);
        sp_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
