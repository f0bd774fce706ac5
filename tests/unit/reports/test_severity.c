/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of severities: examples, and promises over every combination of its input. */
#include "reports/group.h"
#include "reports/severity.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define LEAK SP_VERDICT_LEAK

static void test_examples(void **state)
{
    (void)state;
    static const struct {
        struct sp_risk risk;
        enum sp_severity severity;
    } rows[] = {
        /* a database from the internet; an unknown port from there */
        {{LEAK, SP_DIRECTION_INWARD, SP_EXPOSED_RISKY, .ports = 1}, SP_SEVERITY_CRITICAL},
        {{LEAK, SP_DIRECTION_INWARD, SP_EXPOSED_ORDINARY, .ports = 1}, SP_SEVERITY_HIGH},
        /* between isolated VPCs */
        {{LEAK, SP_DIRECTION_ACROSS, SP_EXPOSED_RISKY, true, .ports = 1}, SP_SEVERITY_CRITICAL},
        {{LEAK, SP_DIRECTION_ACROSS, SP_EXPOSED_RISKY, false, .ports = 1}, SP_SEVERITY_HIGH},
        {{LEAK, SP_DIRECTION_ACROSS, SP_EXPOSED_ECHO, true, .ports = 1}, SP_SEVERITY_MEDIUM},
        /* from one subnet to the next: ssh, something, everything, ping */
        {{LEAK, SP_DIRECTION_LATERAL, SP_EXPOSED_RISKY, .ports = 1}, SP_SEVERITY_HIGH},
        {{LEAK, SP_DIRECTION_LATERAL, SP_EXPOSED_ORDINARY, .ports = 1}, SP_SEVERITY_MEDIUM},
        {{LEAK, SP_DIRECTION_LATERAL, SP_EXPOSED_RISKY, .ports = 65535}, SP_SEVERITY_HIGH},
        {{LEAK, SP_DIRECTION_LATERAL, SP_EXPOSED_ECHO, .ports = 1}, SP_SEVERITY_LOW},
        /* to the internet */
        {{LEAK, SP_DIRECTION_OUTWARD, SP_EXPOSED_ORDINARY, .ports = 1}, SP_SEVERITY_MEDIUM},
        /* what does not work */
        {{SP_VERDICT_BLOCKED, .ports = 1}, SP_SEVERITY_MEDIUM},
        {{SP_VERDICT_BLOCKED, .is_service = true, .ports = 1}, SP_SEVERITY_HIGH},
        {{SP_VERDICT_MISDELIVERED, .is_service = true, .ports = 1}, SP_SEVERITY_MEDIUM},
        {{SP_VERDICT_MISDELIVERED, .is_stranger = true, .ports = 1}, SP_SEVERITY_HIGH},
        {{SP_VERDICT_PARTIAL, .ports = 1}, SP_SEVERITY_LOW},
        {{SP_VERDICT_PARTIAL, .is_missed = true, .ports = 1}, SP_SEVERITY_MEDIUM},
        {{SP_VERDICT_PROXIED, .is_service = true, .ports = 1}, SP_SEVERITY_LOW},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        if (sp_risk_severity(&rows[i].risk) != rows[i].severity) {
            fail_msg("row %zu: %s", i, sp_severity_str(sp_risk_severity(&rows[i].risk)));
        }
    }
}

/* Of two risks that differ in one thing, the worse is never rated lower. */
static void check_order(struct sp_risk risk)
{
    enum sp_severity here = sp_risk_severity(&risk);
    struct sp_risk worse = risk;
    assert_in_range(here, SP_SEVERITY_LOW, SP_SEVERITY_CRITICAL);
    worse.direction++;
    assert_true(worse.direction > SP_DIRECTION_INWARD || sp_risk_severity(&worse) >= here);
    worse = risk;
    worse.exposed++;
    assert_true(worse.exposed > SP_EXPOSED_RISKY || sp_risk_severity(&worse) >= here);
    worse = risk;
    worse.is_isolated = true;
    assert_true(sp_risk_severity(&worse) >= here);
    worse = risk;
    worse.ports = SP_RISK_MANY_PORTS + 1;
    assert_true(sp_risk_severity(&worse) >= here);
    worse = risk;
    worse.is_service = true;
    assert_true(sp_risk_severity(&worse) >= here);
    /* A bypass is never worse than the plain packet, and as bad where that holds. */
    struct sp_risk bypass = risk;
    bypass.is_bypass = true;
    bypass.plain_holds = true;
    struct sp_risk plain = risk;
    plain.is_bypass = false;
    assert_int_equal(sp_risk_severity(&bypass), sp_risk_severity(&plain));
    bypass.plain_holds = false;
    enum sp_severity lower = sp_risk_severity(&plain);
    lower -= risk.verdict == LEAK && lower > SP_SEVERITY_LOW ? 1U : 0U;
    assert_int_equal(sp_risk_severity(&bypass), lower);
}

static void test_promises(void **state)
{
    (void)state;
    static const uint32_t ports[] = {1, SP_RISK_MANY_PORTS, SP_RISK_MANY_PORTS + 1, UINT32_MAX};
    for (unsigned mask = 0; mask < 8U * 4 * 3 * 64 * 4; mask++) {
        unsigned rest = mask;
        struct sp_risk risk = {0};
        risk.verdict = (uint8_t)(rest % 8);
        rest /= 8;
        risk.direction = (uint8_t)(rest % 4);
        rest /= 4;
        risk.exposed = (uint8_t)(rest % 3);
        rest /= 3;
        risk.is_isolated = rest & 1;
        risk.is_bypass = rest >> 1 & 1;
        risk.plain_holds = rest >> 2 & 1;
        risk.is_service = rest >> 3 & 1;
        risk.is_stranger = rest >> 4 & 1;
        risk.is_missed = rest >> 5 & 1;
        risk.ports = ports[rest / 64 % 4];
        check_order(risk);
    }
    for (enum sp_severity worst = SP_SEVERITY_LOW; worst <= SP_SEVERITY_CRITICAL; worst++) {
        assert_int_equal(sp_risk_scope(worst, SP_RISK_MANY_HOSTS), worst);
        assert_int_equal(sp_risk_scope(worst, SP_RISK_MANY_HOSTS + 1),
                         worst < SP_SEVERITY_CRITICAL ? worst + 1 : worst);
    }
}

static void test_directions(void **state)
{
    (void)state;
    static const struct {
        uint32_t from, to;
        enum sp_direction direction;
    } rows[] = {
        {SAMPLE_OUT_1, SAMPLE_WEB_1, SP_DIRECTION_INWARD},
        {SAMPLE_OUT_1, SAMPLE_SHOP, SP_DIRECTION_INWARD},
        {SAMPLE_WEB_1, SAMPLE_OUT_1, SP_DIRECTION_OUTWARD},
        {SAMPLE_WEB_1, SAMPLE_DB_1, SP_DIRECTION_LATERAL},
        {SAMPLE_JUMP, SAMPLE_DB_1, SP_DIRECTION_LATERAL}, /* from the VPC into its subnet */
        {SAMPLE_DEV_1, SAMPLE_SHOP, SP_DIRECTION_LATERAL},
        {SAMPLE_DEV_1, SAMPLE_DB_1, SP_DIRECTION_ACROSS},
        {SAMPLE_OUT_1, SAMPLE_OUT_1, SP_DIRECTION_OUTWARD},
    };
    struct sp_sample *s = sp_sample_new();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        assert_int_equal(sp_risk_direction(s->model, rows[i].from, rows[i].to), rows[i].direction);
    }
    /* Without a VPC every network is a subnet beside the others. */
    s->model->networks[0].kind = s->model->networks[3].kind = SP_NET_SUBNET;
    assert_int_equal(sp_risk_direction(s->model, SAMPLE_DEV_1, SAMPLE_DB_1), SP_DIRECTION_LATERAL);
    sp_sample_free(s);
    assert_true(sp_risk_has_port(SP_PROTO_TCP, 22, 22));
    assert_true(sp_risk_has_port(SP_PROTO_TCP, 1, 65535));
    assert_false(sp_risk_has_port(SP_PROTO_UDP, 22, 22));
    assert_false(sp_risk_has_port(SP_PROTO_TCP, 24, 24));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
