/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/sample_result.h"

#define V4  SP_FAMILY_IPV4
#define V6  SP_FAMILY_IPV6
#define TCP SP_PROTO_TCP
#define UDP SP_PROTO_UDP

static void must_ok(enum sp_rc rc)
{
    if (rc != SP_OK) {
        abort();
    }
}

static struct sp_intervals list_of(struct sp_sample *s, size_t sweep)
{
    const struct sp_plan_sweep *of = &s->plan.sweeps[sweep];
    const struct sp_pair *pair = &s->plan.pairs[of->pair];
    return sp_policy_pair(s->policy, pair->from, pair->to, of->proto);
}

size_t sp_sample_sweep(struct sp_sample *s, uint32_t from, uint32_t to, uint8_t family,
                       uint8_t proto)
{
    struct sp_plan *plan = &s->plan;
    if (sp_grow((void **)&plan->sweeps, plan->nsweeps, &s->sweeps_cap, sizeof(*plan->sweeps)) !=
        0) {
        abort();
    }
    struct sp_plan_sweep *sweep = &plan->sweeps[plan->nsweeps];
    *sweep = (struct sp_plan_sweep){
        .pair = sp_sample_pair(s, from, to, family),
        .proto = proto,
        .technique = (uint8_t)sp_technique_index(sp_technique_for(proto, family))};
    struct sp_intervals list = list_of(s, plan->nsweeps);
    for (size_t i = 0; i < list.n; i++) {
        uint32_t ports = list.at[i].hi - list.at[i].lo + 1U;
        sweep->denied += list.at[i].expect == SP_EXPECT_DENY ? ports : 0;
        sweep->allowed += list.at[i].expect == SP_EXPECT_ALLOW ? ports : 0;
    }
    return plan->nsweeps++;
}

struct sp_seen sp_seen_swept_works(void)
{
    struct sp_seen seen = sp_seen_works();
    seen.attempts = seen.nic = seen.host = seen.answer_left = seen.answered = 2;
    seen.answer = SP_ANSWER_RST;
    return seen;
}

static void add_range(struct sp_sample *s, size_t sweep, uint8_t grade,
                      const struct sp_interval *iv, uint16_t lo, uint16_t hi, struct sp_seen seen)
{
    const struct sp_plan_sweep *of = &s->plan.sweeps[sweep];
    const struct sp_pair *pair = &s->plan.pairs[of->pair];
    struct sp_case what = {.expect = iv->expect, .layer = pair->layer};
    struct sp_test test = {.pair = of->pair,
                           .rule = iv->rule,
                           .port = lo,
                           .port_hi = hi,
                           .proto = of->proto,
                           .expect = iv->expect,
                           .technique = of->technique,
                           .why = SP_WHY_SWEPT};
    struct sp_outcome outcome = {
        .seen = seen, .judged = sp_judge(&what, &seen), .grade = grade, .injected_link = true};
    must_ok(sp_result_add(s->result, &test, &outcome));
}

void sp_sample_found(struct sp_sample *s, size_t sweep, uint8_t grade,
                     const struct sp_sample_patch *patches, size_t n)
{
    struct sp_intervals list = list_of(s, sweep);
    for (size_t i = 0; i < list.n; i++) {
        const struct sp_interval *iv = &list.at[i];
        struct sp_seen plain =
            iv->expect == SP_EXPECT_DENY ? sp_seen_silence() : sp_seen_swept_works();
        for (uint32_t lo = iv->lo, hi = 0; lo <= iv->hi && iv->expect != SP_EXPECT_PERMIT;
             lo = hi + 1) {
            size_t k = 0;
            while (k < n && patches[k].hi < lo) {
                k++;
            }
            bool inside = k < n && patches[k].lo <= lo;
            hi = k == n ? iv->hi : inside ? patches[k].hi : patches[k].lo - 1U;
            hi = hi < iv->hi ? hi : iv->hi;
            add_range(s, sweep, grade, iv, (uint16_t)lo, (uint16_t)hi,
                      inside ? patches[k].seen : plain);
        }
    }
    const struct sp_plan_sweep *of = &s->plan.sweeps[sweep];
    uint32_t ports = of->denied + of->allowed;
    s->result->sweeps[sweep] = (struct sp_sweep_status){.is_run = true,
                                                        .injected_link = true,
                                                        .grade = grade,
                                                        .passes = 2,
                                                        .volleys = 32,
                                                        .pps_lowest = 18400,
                                                        .pps_highest = 300000,
                                                        .packets = 2 * (uint64_t)ports,
                                                        .beats = 512,
                                                        .pilot_sent = 256,
                                                        .sent_us = 450000};
}

static void as_exhaustive(struct sp_sample *s)
{
    struct sp_coverage *c = &s->plan.coverage;
    s->plan.depth = SP_DEPTH_EXHAUSTIVE;
    c->intervals_tested = c->edges_tested = 0;
    for (size_t i = 0; i < s->plan.nsweeps; i++) {
        struct sp_intervals list = list_of(s, i);
        c->denied_tested += s->plan.sweeps[i].denied;
        c->intervals_tested += list.n;
        for (size_t k = 0; k < list.n; k++) {
            c->edges_tested += list.at[k].expect == SP_EXPECT_DENY ? 2 : 0;
        }
    }
    c->edges_tested += s->plan.ntests; /* of allowed intervals */
    c->intervals_of = c->intervals_tested;
    c->edges_of = c->edges_tested;
    c->denied_of = c->denied_tested;
    c->denied_ports_swept = 1.0;
}

static size_t add_works(struct sp_sample *s, uint16_t port)
{
    return sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, SP_EXPECT_ALLOW,
                         SAMPLE_RULE_WEB_TO_DB, sp_seen_works());
}

struct sp_sample *sp_sample_swept_clean(void)
{
    struct sp_sample *s = sp_sample_new();
    (void)add_works(s, 5432);
    size_t tcp = sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
    size_t udp = sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP);
    size_t dev = sp_sample_sweep(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP);
    sp_sample_judge(s);
    as_exhaustive(s);
    sp_sample_found(s, tcp, SP_GRADE_PAIR, NULL, 0);
    sp_sample_found(s, udp, SP_GRADE_PAIR, NULL, 0);
    sp_sample_found(s, dev, SP_GRADE_SPLIT, NULL, 0);
    s->result->sweeps[tcp].repeats = s->result->sweeps[udp].repeats = 3;
    return s;
}

static struct sp_seen rewritten(void)
{
    struct sp_seen seen = sp_seen_leak();
    seen.rewritten = 2;
    seen.captured = (struct sp_tuple){.sport = 40001, .dport = 8443};
    must_ok(sp_addr_parse("10.10.2.1", &seen.captured.src));
    must_ok(sp_addr_parse("10.10.1.11", &seen.captured.dst));
    return seen;
}

static void find_in_shop(struct sp_sample *s)
{
    struct sp_seen once = sp_seen_silence();
    once.attempts = 1;
    const struct sp_sample_patch wide[] = {{8050, 8050, sp_seen_silence()},
                                           {8101, 8103, sp_seen_leak()}};
    const struct sp_sample_patch open[] = {{1, 65535, sp_seen_leak()}};
    const struct sp_sample_patch full[] = {{100, 4195, sp_seen_unsound(SP_UNSOUND_STATE_FULL)},
                                           {9000, 13095, sp_seen_unsound(SP_UNSOUND_STATE_FULL)}};
    const struct sp_sample_patch moved[] = {{2000, 2999, rewritten()}};
    const struct sp_sample_patch single[] = {{1, 65535, once}};
    sp_sample_found(s, 0, SP_GRADE_PAIR, wide, SP_ARRAY_LEN(wide));
    sp_sample_found(s, 1, SP_GRADE_PAIR, NULL, 0);
    sp_sample_found(s, 2, SP_GRADE_PAIR, NULL, 0);
    sp_sample_found(s, 3, SP_GRADE_PAIR, open, SP_ARRAY_LEN(open));
    sp_sample_found(s, 4, SP_GRADE_SPLIT, full, SP_ARRAY_LEN(full));
    sp_sample_found(s, 5, SP_GRADE_PAIR, moved, SP_ARRAY_LEN(moved));
    sp_sample_found(s, 6, SP_GRADE_SELF, single, SP_ARRAY_LEN(single));
    must_ok(sp_result_add_unswept(s->result, s->policy, SP_UNSOUND_NOT_SWEPT));
}

struct sp_sample *sp_sample_swept(void)
{
    struct sp_sample *s = sp_sample_new();
    (void)add_works(s, 5432);
    (void)add_works(s, 8000);
    (void)sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
    (void)sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP);
    (void)sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V6, UDP);
    (void)sp_sample_sweep(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP);
    (void)sp_sample_sweep(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, UDP);
    (void)sp_sample_sweep(s, SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP);
    (void)sp_sample_sweep(s, SAMPLE_DB_1, SAMPLE_WEB_1, V4, UDP);
    (void)sp_sample_sweep(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, UDP);
    sp_sample_judge(s);
    as_exhaustive(s);
    find_in_shop(s);
    s->result->sweeps[3].repeats = s->result->sweeps[4].repeats = 3;
    s->result->sweeps[4].beats_lost = 7;
    s->result->sweeps[6].is_run = false;
    s->result->sweeps[6].is_resumed = true;
    s->result->sweeps[5].pilot_refused = 2;
    return s;
}
