/* SPDX-License-Identifier: Apache-2.0
 *
 * Drift: facts that differ fail, facts that somebody does not tell whole are unknown, and only
 * facts that all tell alike hold. */
#include <string.h>

#include "controller/inspect/nodes.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/loader.h"

static struct sp_model *declare(const char *drift)
{
    struct sp_model *model = NULL;
    struct sp_problems problems = {0};
    struct sp_buf text;
    sp_buf_init(&text, 4096);
    sp_buf_fmt(&text,
               "segproof: 1\nname: t\nnetworks: { w: { cidr: 10.1.0.0/24 } }\nhosts:\n"
               "  a: { network: w, address: 10.1.0.1, role: node, probe: { via: local } }\n"
               "  b: { network: w, address: 10.1.0.2, role: node, probe: { via: local } }\n"
               "  c: { network: w, address: 10.1.0.3, probe: { via: local } }\n"
               "nodes: { node: { drift: %s } }\n",
               drift);
    assert_int_equal(sp_topology_load_text("t", sp_buf_text(&text), text.len, &model, &problems),
                     SP_OK);
    sp_buf_release(&text);
    sp_problems_release(&problems);
    return model;
}

/* What a and b tell; c tells something else and does not count. NULL: its probe is not there. */
static enum sp_rc judge(const char *drift, const char *a, const char *b, struct sp_claims *ret)
{
    static const char other[] = "fact=kernel\nsource=/x\nvalue=another\n";
    const char *texts[] = {a, b, other};
    struct sp_node_told hosts[3] = {
        {.is_wanted = true}, {.is_wanted = b != NULL}, {.is_wanted = true}};
    struct sp_model *model = declare(drift);
    struct sp_result result = {.model = model};
    struct sp_nodes nodes = {.model = model, .result = &result, .hosts = hosts};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        if (texts[i]) {
            assert_int_equal(sp_told_read(texts[i], strlen(texts[i]), &hosts[i].told), SP_OK);
        }
    }
    enum sp_rc rc = sp_nodes_judge_drift(&nodes);
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        sp_told_release(&hosts[i].told);
    }
    sp_model_free(model);
    *ret = result.claims;
    return rc;
}

#define K(value) "fact=kernel\nsource=/x\nvalue=" value "\n"

static void test_verdicts(void **state)
{
    static const struct {
        const char *fact, *a, *b;
        unsigned verdict;
        const char *observed;
    } cases[] = {
        {"kernel", K("6.1"), K("6.1"), SP_CLAIM_HOLDS, "kernel 6.1 on a, b"},
        {"kernel", K("6.1"), K("6.5"), SP_CLAIM_FAILS, "kernel 6.1 on a; 6.5 on b"},
        {"kernel", K("6.1"), "", SP_CLAIM_UNKNOWN, "kernel 6.1 on a"},
        {"kernel", "", "", SP_CLAIM_UNKNOWN, NULL},
        {"kernel", K("6.1"), NULL, SP_CLAIM_NOTE, "kernel 6.1 on a"},
        {"forwarding",
         "fact=forwarding\nof=ipv4\nsource=/x\nvalue=none\n"
         "fact=forwarding\nof=ipv6\nsource=/x\nunknown=why\n",
         "fact=forwarding\nof=ipv4\nsource=/x\nvalue=none\n"
         "fact=forwarding\nof=ipv6\nsource=/x\nunknown=why\n",
         SP_CLAIM_UNKNOWN, NULL},
        {"mitigations", "fact=mitigations\nsource=/x\nvalue=l1tf \n",
         "fact=mitigations\nsource=/x\nvalue=l1tf \n", SP_CLAIM_UNKNOWN, NULL},
        {"modules", "fact=modules\nsource=/x\nvalue=a\ncut=1\n",
         "fact=modules\nsource=/x\nvalue=a\ncut=1\n", SP_CLAIM_UNKNOWN, NULL},
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_claims claims = {0};
        assert_int_equal(judge(cases[i].fact, cases[i].a, cases[i].b, &claims), SP_OK);
        assert_int_equal(claims.n, 1);
        assert_int_equal(claims.at[0].verdict, cases[i].verdict);
        assert_string_equal(claims.at[0].subject, "node");
        if (cases[i].observed) {
            assert_string_equal(claims.at[0].observed, cases[i].observed);
        } else {
            assert_null(claims.at[0].observed);
        }
        sp_claims_release(&claims);
    }
}

static void test_usual_facts(void **state)
{
    struct sp_claims claims = {0};
    (void)state;
    assert_int_equal(judge("none", K("6.1"), K("6.1"), &claims), SP_OK);
    assert_int_equal(claims.n, 6);
    assert_int_equal(claims.at[0].verdict, SP_CLAIM_HOLDS);
    for (size_t i = 1; i < claims.n; i++) {
        assert_int_equal(claims.at[i].verdict, SP_CLAIM_UNKNOWN);
    }
    sp_claims_release(&claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_usual_facts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
