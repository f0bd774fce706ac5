/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan in words. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "topologies/plan_priv.h"

#define SP_NUMBER_STRLEN 32
#define SP_NAMED_HOSTS   3U

/* 1234567 as "1,234,567". */
static const char *number(uint64_t n, char out[static SP_NUMBER_STRLEN])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void print_time(uint64_t s, struct sp_buf *out)
{
    unsigned long long h = s / 3600, m = s / 60 % 60;
    if (h > 0) {
        sp_buf_fmt(out, "%llu h %llu min", h, m);
    } else if (m > 0) {
        sp_buf_fmt(out, "%llu min %llu s", m, (unsigned long long)s % 60);
    } else {
        sp_buf_fmt(out, "%llu s", (unsigned long long)s);
    }
}

static void print_cost(const struct sp_plan *plan, const struct sp_model *model, struct sp_buf *out)
{
    char n[SP_NUMBER_STRLEN];
    uint64_t count[3] = {0};
    for (size_t i = 0; i < plan->ntests; i++) {
        count[plan->tests[i].expect % 3]++;
    }
    sp_buf_fmt(out, "Plan for %s: depth %s, seed %llu\n", model->name, sp_depth_str(plan->depth),
               (unsigned long long)plan->seed);
    sp_buf_fmt(out, "  tests         %s", number(plan->cost.tests, n));
    sp_buf_fmt(out, " (%s must be denied", number(count[SP_EXPECT_DENY], n));
    sp_buf_fmt(out, ", %s must work", number(count[SP_EXPECT_ALLOW], n));
    sp_buf_fmt(out, ", %s may work)\n", number(count[SP_EXPECT_PERMIT], n));
    sp_buf_fmt(out,
               "  packets       %s (%u attempts per denied test, %u per other, and controls)\n",
               number(plan->cost.packets, n), SP_PLAN_DENY_ATTEMPTS, SP_PLAN_ALLOW_ATTEMPTS);
    sp_buf_str(out, "  time          ");
    print_time(plan->cost.seconds, out);
    sp_buf_fmt(out,
               " at the allowed rates\n  source ports  %u-%u are kept for the run and never "
               "tested\n",
               (unsigned)plan->sport_lo, (unsigned)plan->sport_hi);
}

static void print_share(struct sp_buf *out, const char *what, uint64_t tested, uint64_t of)
{
    char a[SP_NUMBER_STRLEN], b[SP_NUMBER_STRLEN];
    sp_buf_fmt(out, "  %-19s %s of %s", what, number(tested, a), number(of, b));
    if (of > 0) {
        sp_buf_fmt(out, " (%u %%)", (unsigned)(tested * 100 / of)); /* 100 only when all are */
    }
    sp_buf_char(out, '\n');
}

static void print_coverage(const struct sp_coverage *c, struct sp_buf *out)
{
    sp_buf_str(out, "Coverage\n");
    print_share(out, "pairs", c->pairs_tested, c->pairs_of);
    print_share(out, "intervals", c->intervals_tested, c->intervals_of);
    print_share(out, "edges", c->edges_tested, c->edges_of);
    print_share(out, "rules", c->rules_tested, c->rules_of);
    print_share(out, "enforcement points", c->enforcements_tested, c->enforcements_of);
    sp_buf_fmt(out, "  %-19s %.4f %% of the denied tcp and udp ports have a test of their own\n",
               "denied ports", 100.0 * c->denied_ports_swept);
}

static void skip_unit(const struct sp_skip *skip, char *out, size_t size)
{
    if (skip->proto < SP_PROTO_COUNT) {
        (void)snprintf(out, size, "%s intervals", sp_proto_str(skip->proto));
    } else if (skip->family != 0) {
        (void)snprintf(out, size, "%s address pairs", sp_family_str(skip->family));
    } else {
        (void)snprintf(out, size, "pairs");
    }
}

static bool same_row(const struct sp_skip *a, const struct sp_skip *b)
{
    bool same_family = a->family == b->family || a->proto < SP_PROTO_COUNT;
    return a->reason == b->reason && a->proto == b->proto && same_family;
}

static const char *skip_name(const struct sp_skip *skip, const struct sp_model *model)
{
    uint32_t who = skip->from != SP_NONE ? skip->from : skip->to;
    return who != SP_NONE ? sp_model_target_name(model, who) : NULL;
}

/* One row for all skips that differ in their hosts only; the first few hosts are named. */
static void print_row(const struct sp_plan *plan, const struct sp_model *model, size_t first,
                      struct sp_buf *out)
{
    const struct sp_skip *row = &plan->skips[first];
    char n[SP_NUMBER_STRLEN], unit[40];
    uint64_t points = 0, hosts = 0;
    for (size_t i = first; i < plan->nskips; i++) {
        points += same_row(row, &plan->skips[i]) ? plan->skips[i].points : 0;
    }
    skip_unit(row, unit, sizeof(unit));
    sp_buf_fmt(out, "  %12s  %-18s  %s", number(points, n), unit, row->reason);
    for (size_t i = first; i < plan->nskips; i++) {
        const char *name = skip_name(&plan->skips[i], model);
        if (!same_row(row, &plan->skips[i]) || !name) {
            continue;
        }
        if (++hosts <= SP_NAMED_HOSTS) {
            sp_buf_fmt(out, "%s%s", hosts == 1 ? ": " : ", ", name);
        }
    }
    if (hosts > SP_NAMED_HOSTS) {
        sp_buf_fmt(out, " and %s more", number(hosts - SP_NAMED_HOSTS, n));
    }
    sp_buf_char(out, '\n');
}

static void print_skips(const struct sp_plan *plan, const struct sp_model *model, bool verbose,
                        struct sp_buf *out)
{
    if (plan->nskips == 0) {
        sp_buf_str(out, "Everything that is declared will be tested.\n");
        return;
    }
    sp_buf_str(out, "Not tested\n");
    for (size_t i = 0; i < plan->nskips; i++) {
        const struct sp_skip *skip = &plan->skips[i];
        bool first = true;
        for (size_t k = 0; k < i && first && !verbose; k++) {
            first = !same_row(&plan->skips[k], skip);
        }
        if (verbose) {
            char n[SP_NUMBER_STRLEN], unit[40];
            const char *name = skip_name(skip, model);
            skip_unit(skip, unit, sizeof(unit));
            sp_buf_fmt(out, "  %12s  %-18s  %s%s%s\n", number(skip->points, n), unit, skip->reason,
                       name ? ": " : "", name ? name : "");
        } else if (first) {
            print_row(plan, model, i, out);
        }
    }
}

/* The ports of the tests from..end that share protocol and expectation, as "22,441-444". Returns
 * where the next group starts. */
static size_t print_ports(const struct sp_plan *plan, size_t from, size_t end, struct sp_buf *out)
{
    const struct sp_test *head = &plan->tests[from];
    sp_buf_fmt(out, "    %-6s %-6s  ", sp_proto_str(head->proto), sp_expect_str(head->expect));
    size_t i = from;
    while (i < end && plan->tests[i].proto == head->proto &&
           plan->tests[i].expect == head->expect) {
        size_t last = i;
        while (last + 1 < end && plan->tests[last + 1].proto == head->proto &&
               plan->tests[last + 1].expect == head->expect &&
               plan->tests[last + 1].port == plan->tests[last].port + 1) {
            last++;
        }
        char a[SP_PORTSPEC_STRLEN];
        sp_buf_fmt(out, "%s%s", i == from ? "" : ",",
                   sp_proto_port_str(head->proto, plan->tests[i].port, a));
        if (last > i) {
            sp_buf_fmt(out, "-%s", sp_proto_port_str(head->proto, plan->tests[last].port, a));
        }
        i = last + 1;
    }
    sp_buf_char(out, '\n');
    return i;
}

static void print_tests(const struct sp_plan *plan, const struct sp_model *model,
                        struct sp_buf *out)
{
    char a[SP_ADDR_STRLEN], b[SP_ADDR_STRLEN];
    sp_buf_str(out, "Tests\n");
    for (size_t i = 0; i < plan->ntests;) {
        uint32_t index = plan->tests[i].pair;
        const struct sp_pair *pair = &plan->pairs[index];
        sp_buf_fmt(out, "  %s -> %s  %s -> %s%s\n", sp_model_target_name(model, pair->from),
                   sp_model_target_name(model, pair->to), sp_addr_str(&pair->src, a),
                   sp_addr_str(&pair->dst, b), pair->one_sided ? "  (target without a probe)" : "");
        size_t end = i;
        while (end < plan->ntests && plan->tests[end].pair == index) {
            end++;
        }
        while (i < end) {
            i = print_ports(plan, i, end, out);
        }
    }
}

void sp_plan_print(const struct sp_plan *plan, const struct sp_model *model, bool verbose,
                   struct sp_buf *out)
{
    print_cost(plan, model, out);
    print_coverage(&plan->coverage, out);
    print_skips(plan, model, verbose, out);
    if (verbose) {
        print_tests(plan, model, out);
    }
}
