/* SPDX-License-Identifier: Apache-2.0
 *
 * A small declared shop and made-up runs against it, for tests of reports: no packet, no clock.
 *
 * networks: prod > web, data; dev; internet (external). Hosts: web-1, web-2 (web), db-1, old
 * without a probe (data), jump (prod), dev-1 (dev), out-1 (internet). Balancer: shop, with tcp/443
 * (l4, preserved) to web-1 and web-2, and tcp/80 (l7, rewritten) to web-1 and old. Rules by
 * index: see SAMPLE_RULE_*. Failed allocations end the test program. */
#ifndef SP_SUPPORT_SAMPLE_RESULT_H
#define SP_SUPPORT_SAMPLE_RESULT_H

#include "reports/result.h"

enum {
    SAMPLE_WEB_1,
    SAMPLE_WEB_2,
    SAMPLE_DB_1,
    SAMPLE_OLD,
    SAMPLE_JUMP,
    SAMPLE_DEV_1,
    SAMPLE_OUT_1,
    SAMPLE_SHOP, /* the balancer: the first target behind the hosts */
};

enum {
    SAMPLE_RULE_WEB_TO_DB, /* web -> data: allow tcp/5432, tcp/8000-8100 */
    SAMPLE_RULE_PING,      /* jump -> web, data: allow icmp/echo, icmp6/echo */
    SAMPLE_RULE_NO_SSH,    /* internet -> all: deny tcp/22 */
    SAMPLE_RULE_MONITOR,   /* jump -> data: permit tcp/9100 */
    SAMPLE_RULE_ISOLATION, /* prod | dev */
    SAMPLE_RULE_SHOP,      /* internet -> shop: allow tcp/443 */
};

struct sp_sample {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan plan;
    struct sp_result *result; /* after sp_sample_judge */
    struct sp_seen *seen;     /* by test */
    uint8_t *grades;
    uint16_t (*flows)[2]; /* by test: what the backends of a balancer got */
    size_t pairs_cap, tests_cap, seen_cap, grades_cap, flows_cap, sweeps_cap;
};

struct sp_sample *sp_sample_new(void);
void sp_sample_free(struct sp_sample *sample);

/* Adds a test with what was seen of it and gives its number. The pair is made when it is new; rule
 * and expectation are as given, the technique is the protocol's own. */
size_t sp_sample_add(struct sp_sample *sample, uint32_t from, uint32_t to, uint8_t family,
                     uint8_t proto, uint16_t port, uint8_t expect, uint32_t rule,
                     struct sp_seen seen);
/* An allowed test of the balancer: the flows that its two backends got. */
void sp_sample_flows(struct sp_sample *sample, size_t test, uint16_t first, uint16_t second);
/* Judges what was added; coverage counts every test as planned. Once. */
void sp_sample_judge(struct sp_sample *sample);
/* The pair of two targets, made when it is new. */
uint32_t sp_sample_pair(struct sp_sample *sample, uint32_t from, uint32_t to, uint8_t family);

/* What may be seen, with a sound control and a lossless capture. */
struct sp_seen sp_seen_silence(void);                /* 2 attempts, nothing anywhere */
struct sp_seen sp_seen_leak(void);                   /* 2 of 2 at NIC and host, an RST leaves */
struct sp_seen sp_seen_works(void);                  /* 21 of 21, answered by SYN/ACK */
struct sp_seen sp_seen_unsound(enum sp_unsound why); /* silence that proves nothing */

/* A run with every kind of verdict. */
struct sp_sample *sp_sample_shop(void);
/* A run in which everything that was tested holds. */
struct sp_sample *sp_sample_clean(void);
/* A run without a test. */
struct sp_sample *sp_sample_empty(void);
/* A run with everything that a load balancer can do wrong. */
struct sp_sample *sp_sample_balanced(void);
/* Sweeps in which everything holds, and sweeps with everything that they can find (sample_swept.c):
 * a range that leaks, a lane that is open, an allowed port that is lost, a rewritten range, windows
 * without a conclusion, holds on one attempt, and a sweep that was never reached. */
struct sp_sample *sp_sample_swept_clean(void);
struct sp_sample *sp_sample_swept(void);

/* Before sp_sample_judge: a sweep of every port that the policy denies or allows. Gives its number.
 */
size_t sp_sample_sweep(struct sp_sample *sample, uint32_t from, uint32_t to, uint8_t family,
                       uint8_t proto);
/* Ports of a sweep of which something else was seen. */
struct sp_sample_patch {
    uint16_t lo, hi;
    struct sp_seen seen;
};
/* After sp_sample_judge: what a sweep found, n patches by port, and silence or delivery elsewhere.
 */
void sp_sample_found(struct sp_sample *sample, size_t sweep, uint8_t grade,
                     const struct sp_sample_patch *patches, size_t n);
/* A lane of the result: 2 of 2, as sweeps see it. */
struct sp_seen sp_seen_swept_works(void);
/* Names that try to break out of every format. */
struct sp_sample *sp_sample_hostile(void);
/* ntests tests between all hosts with probes, in a mixture of verdicts. */
struct sp_sample *sp_sample_big(size_t ntests);

#endif
