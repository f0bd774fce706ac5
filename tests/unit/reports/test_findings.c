/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <string.h>

#include "probe/base/str.h"
#include "reports/group.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4  SP_FAMILY_IPV4
#define TCP SP_PROTO_TCP

static struct sp_summary *summarize(struct sp_sample *s)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    return summary;
}

static void done(struct sp_summary *summary, struct sp_sample *s)
{
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void deny(struct sp_sample *s, uint32_t from, uint16_t port, uint32_t rule,
                 struct sp_seen seen)
{
    sp_sample_add(s, from, SAMPLE_DB_1, V4, TCP, port, SP_EXPECT_DENY, rule, seen);
}

static void test_grouping(void **state)
{
    (void)state;
    static const uint16_t ports[] = {8002, 22, 8000, 8001, 9000};
    struct sp_sample *s = sp_sample_new();
    for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
        deny(s, SAMPLE_DEV_1, ports[i], SAMPLE_RULE_ISOLATION, sp_seen_leak());
    }
    deny(s, SAMPLE_DEV_1, 23, SAMPLE_RULE_ISOLATION, sp_seen_silence()); /* holds */
    deny(s, SAMPLE_DEV_1, 65000, SAMPLE_RULE_ISOLATION, sp_seen_silence());
    deny(s, SAMPLE_DEV_1, 24, SP_NONE, sp_seen_leak());               /* another rule */
    deny(s, SAMPLE_WEB_1, 25, SAMPLE_RULE_ISOLATION, sp_seen_leak()); /* another sender */
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, SP_PROTO_UDP, 53, SP_EXPECT_DENY,
                  SAMPLE_RULE_ISOLATION, sp_seen_leak()); /* another protocol */
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, SP_FAMILY_IPV6, TCP, 22, SP_EXPECT_DENY,
                  SAMPLE_RULE_ISOLATION, sp_seen_leak()); /* another family */
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 6);
    const struct sp_finding *f = NULL;
    const struct sp_finding *parted = NULL; /* by what holds between them */
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *one = &summary->findings[i];
        f = one->tests == 4 ? one : f;
        bool same = one->from == SAMPLE_DEV_1 && one->family == V4 && one->proto == TCP &&
                    one->rule == SAMPLE_RULE_ISOLATION && one->tests == 1;
        parted = same ? one : parted;
    }
    assert_non_null(f);
    assert_string_equal(f->ports, "8000-8002,9000");
    assert_non_null(parted);
    assert_string_equal(parted->ports, "22");
    assert_string_not_equal(parted->id, f->id);
    assert_string_equal(f->policy, "isolation:prod-dev");
    assert_string_equal(f->line, "shop.yaml:28");
    assert_int_equal(f->verdict, SP_VERDICT_LEAK);
    assert_int_equal(f->severity, SP_SEVERITY_HIGH);
    assert_string_equal(f->repeat, "segproof verify shop.yaml --from dev-1 --to db-1 "
                                   "--only tcp_syn --seed 42");
    done(summary, s);
}

/* What decides which ports are tested, and how, is in the command; a seed of 0 no command takes. */
static void test_repeat(void **state)
{
    (void)state;
    static const char plain[] = "segproof verify shop.yaml --from dev-1 --to db-1 --only tcp_syn";
    struct sp_sample *s = sp_sample_new();
    deny(s, SAMPLE_DEV_1, 22, SAMPLE_RULE_ISOLATION, sp_seen_leak());
    s->plan.seed = UINT64_MAX;
    s->plan.depth = SP_DEPTH_QUICK;
    sp_sample_judge(s);
    s->result->outcomes[0].injected_link = true;
    s->result->ssh_config = "my ssh.conf";
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_memory_equal(summary->findings[0].repeat, plain, sizeof(plain) - 1);
    assert_string_equal(summary->findings[0].repeat + sizeof(plain) - 1,
                        " --depth quick --inject link --ssh-config 'my ssh.conf' "
                        "--seed 18446744073709551615");
    sp_summary_free(summary);
    s->result->ssh_config = NULL;
    s->plan.seed = 0;
    s->plan.depth = SP_DEPTH_STANDARD;
    s->result->outcomes[0].injected_link = false;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_string_equal(summary->findings[0].repeat, plain);
    done(summary, s);
}

static void test_identity(void **state)
{
    (void)state;
    static const char parts[] = "shop-preprod\ndev-1\ndb-1\nipv4\ntcp\ntcp_syn\ndeny\n"
                                "isolation:prod-dev\n";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[17];
    struct sp_sample *s = sp_sample_new();
    deny(s, SAMPLE_DEV_1, 22, SAMPLE_RULE_ISOLATION, sp_seen_leak());
    struct sp_seen proxied = sp_seen_silence();
    proxied.answer = SP_ANSWER_SYN_ACK;
    deny(s, SAMPLE_DEV_1, 443, SAMPLE_RULE_ISOLATION, proxied);
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 2);
    (void)SHA256((const unsigned char *)parts, sizeof(parts) - 1, digest);
    sp_hex(digest, 8, hex);
    assert_string_equal(summary->findings[0].id, hex);
    assert_int_equal(summary->findings[0].verdict, SP_VERDICT_LEAK);
    /* The same flow with another verdict: an id of its own. */
    char second[sizeof(parts) + 8];
    memcpy(second, parts, sizeof(parts));
    memcpy(second + sizeof(parts) - 1, "proxied\n", 8);
    (void)SHA256((const unsigned char *)second, sizeof(parts) - 1 + 8, digest);
    sp_hex(digest, 8, hex);
    assert_string_equal(summary->findings[1].id, hex);
    done(summary, s);
}

static void test_severity(void **state)
{
    (void)state;
    static const struct {
        enum sp_verdict verdict;
        enum sp_severity severity;
    } expected[] = {
        {SP_VERDICT_LEAK, SP_SEVERITY_HIGH},
        {SP_VERDICT_BLOCKED, SP_SEVERITY_MEDIUM},
        {SP_VERDICT_RETURN_BLOCKED, SP_SEVERITY_MEDIUM},
        {SP_VERDICT_HOST_FILTERED, SP_SEVERITY_MEDIUM},
        {SP_VERDICT_MISDELIVERED, SP_SEVERITY_MEDIUM},
        {SP_VERDICT_PARTIAL, SP_SEVERITY_LOW},
        {SP_VERDICT_PROXIED, SP_SEVERITY_LOW},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(expected); i++) {
        struct sp_sample *s = sp_sample_new();
        deny(s, SAMPLE_WEB_1, 22, SP_NONE, sp_seen_silence());
        sp_sample_judge(s);
        s->result->outcomes[0].judged.verdict = expected[i].verdict;
        struct sp_summary *summary = NULL;
        assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
        assert_int_equal(summary->findings[0].severity, expected[i].severity);
        done(summary, s);
    }
    /* From an external network, also from one inside it, a leak is critical. */
    for (int nested = 0; nested <= 1; nested++) {
        struct sp_sample *s = sp_sample_new();
        s->model->networks[3].parent = nested ? 4 : SP_NONE;
        deny(s, nested ? SAMPLE_DEV_1 : SAMPLE_OUT_1, 22, SP_NONE, sp_seen_leak());
        struct sp_summary *summary = summarize(s);
        assert_int_equal(summary->findings[0].severity, SP_SEVERITY_CRITICAL);
        done(summary, s);
    }
}

/* The test that shows the finding best speaks for it. */
static void test_sample(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_seen once = sp_seen_leak();
    once.nic = once.host = 1;
    deny(s, SAMPLE_DEV_1, 22, SP_NONE, once);
    deny(s, SAMPLE_DEV_1, 23, SP_NONE, sp_seen_leak());
    s->grades[0] = SP_GRADE_SPLIT;
    struct sp_seen part = sp_seen_works();
    part.attempts = 42;
    part.loss_confirmed = true;
    struct sp_seen worse = part;
    worse.host = worse.answered = 10;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 8000, SP_EXPECT_ALLOW, 0, part);
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 8001, SP_EXPECT_ALLOW, 0, worse);
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 2);
    assert_int_equal(summary->findings[0].sample, 1);
    assert_int_equal(summary->findings[0].delivered, 2);
    assert_int_equal(summary->findings[0].attempts, 2);
    assert_int_equal(summary->findings[0].grade, SP_GRADE_SPLIT);
    assert_string_equal(summary->findings[0].sender, "none");
    assert_string_equal(summary->findings[0].receiver, "intact");
    assert_string_equal(summary->findings[0].egress, "rst");
    assert_int_equal(summary->findings[1].sample, 3);
    assert_int_equal(summary->findings[1].delivered, 10);
    done(summary, s);
}

static void check_observed(struct sp_seen seen, uint32_t to, const char *receiver,
                           const char *where, uint16_t delivered)
{
    struct sp_sample *s = sp_sample_new();
    sp_sample_add(s, SAMPLE_DEV_1, to, V4, TCP, 22, SP_EXPECT_DENY, SP_NONE, seen);
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 1);
    assert_string_equal(summary->findings[0].receiver, receiver);
    assert_int_equal(summary->findings[0].delivered, delivered);
    if (where) {
        assert_string_equal(summary->findings[0].where, where);
    } else {
        assert_null(summary->findings[0].where);
    }
    done(summary, s);
}

static void test_observed(void **state)
{
    (void)state;
    struct sp_seen seen = sp_seen_leak();
    check_observed(seen, SAMPLE_DB_1, "intact", NULL, 2);
    seen.host = 0;
    check_observed(seen, SAMPLE_DB_1, "nic_only", NULL, 2);
    seen.rewritten = 1;
    check_observed(seen, SAMPLE_DB_1, "rewritten", NULL, 2);
    seen = sp_seen_silence();
    seen.elsewhere = 2;
    seen.elsewhere_host = SAMPLE_WEB_2;
    check_observed(seen, SAMPLE_DB_1, "elsewhere", "web-2", 2);
    seen.elsewhere_host = SP_NONE;
    check_observed(seen, SAMPLE_DB_1, "elsewhere", NULL, 2);
    seen = sp_seen_silence();
    seen.answer = SP_ANSWER_SYN_ACK;
    seen.answered = 1;
    assert_int_equal(sp_addr_parse("10.0.0.1", &seen.answerer_addr), SP_OK);
    check_observed(seen, SAMPLE_DB_1, "none", "10.0.0.1", 0);
    seen.answerer = SP_ANSWERER_DESTINATION;
    check_observed(seen, SAMPLE_OLD, "no_probe", NULL, 1);
}

static void test_notes(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    sp_sample_add(s, SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 9100, SP_EXPECT_PERMIT, SAMPLE_RULE_MONITOR,
                  sp_seen_silence());
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 0);
    assert_int_equal(summary->nnotes, 1);
    assert_int_equal(summary->notes[0].verdict, SP_VERDICT_BLOCKED);
    assert_string_equal(summary->notes[0].ports, "9100");
    assert_int_equal(summary->exit_code, 0);
    assert_int_equal(summary->ncauses, 0);
    done(summary, s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouping), cmocka_unit_test(test_identity),
        cmocka_unit_test(test_severity), cmocka_unit_test(test_sample),
        cmocka_unit_test(test_observed), cmocka_unit_test(test_notes),
        cmocka_unit_test(test_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
