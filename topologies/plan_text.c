/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan in words, for 80 columns. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "topologies/plan_priv.h"

#define SP_NUMBER_STRLEN 32
#define SP_NAMED_HOSTS   3U
#define SP_PLAN_WIDTH    80U
#define SP_COST_COLUMN   16U /* where the words of each part start */
#define SP_SHARE_COLUMN  22U
#define SP_SKIP_COLUMN   31U
#define SP_PORTS_COLUMN  19U

/* Columns of len bytes of UTF-8. */
static size_t columns_of(const char *bytes, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i++) {
        columns += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return columns;
}

/* Writes the line to out and empties it. Breaks at spaces, and in lists after commas; what follows
 * a break starts at indent, and a longer word stays whole. */
void sp_plan_end_line(struct sp_buf *out, struct sp_buf *line, size_t indent, bool is_list)
{
    const char *rest = sp_buf_text(line);
    size_t column = 0;
    while (*rest) {
        size_t spaces = strspn(rest, " ");
        size_t len = strcspn(rest + spaces, is_list ? " ," : " ");
        len += strspn(rest + spaces + len, ",");
        size_t columns = columns_of(rest + spaces, len);
        if (column > indent && column + spaces + columns > SP_PLAN_WIDTH) {
            sp_buf_fmt(out, "\n%*s", (int)indent, "");
            column = indent;
            rest += spaces;
            spaces = 0;
        }
        sp_buf_add(out, rest, spaces + len);
        rest += spaces + len;
        column += spaces + columns;
    }
    sp_buf_char(out, '\n');
    if (line->rc != SP_OK && out->rc == SP_OK) {
        out->rc = line->rc;
    }
    sp_buf_clear(line);
}

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

/* Lanes that are swept, and the share of their ports that this run asks. */
static void print_sweeps(const struct sp_plan *plan, struct sp_buf *out)
{
    char n[SP_NUMBER_STRLEN];
    uint64_t ports = 0;
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    for (size_t i = 0; i < plan->nsweeps; i++) {
        ports += (uint64_t)plan->sweeps[i].denied + plan->sweeps[i].allowed;
    }
    sp_buf_fmt(&line, "  sweeps        %s", number(plan->nsweeps, n));
    sp_buf_fmt(&line, " of %s ports in all, each a test: ", number(ports, n));
    if (plan->slice.of > 0) {
        sp_buf_fmt(&line, "slice %u of %u of the denied ports, and all allowed ones",
                   (unsigned)plan->slice.at + 1U, (unsigned)plan->slice.of);
    } else {
        sp_buf_str(&line, "every denied and every allowed port");
    }
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    sp_buf_release(&line);
}

/* Tests that ask denied ports in other ways, and in how many. */
static void print_bypasses(const struct sp_plan *plan, struct sp_buf *out)
{
    char n[SP_NUMBER_STRLEN];
    bool used[UINT8_MAX + 1] = {false};
    uint64_t tests = 0;
    unsigned techniques = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        if (test->why == SP_WHY_BYPASS) {
            techniques += !used[test->technique];
            used[test->technique] = true;
            tests++;
        }
    }
    if (tests == 0) {
        return;
    }
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_fmt(&line, "  bypass        %s of the tests ask denied ports in another way, with %u ",
               number(tests, n), techniques);
    sp_buf_fmt(&line, "technique%s", techniques == 1 ? ":" : "s:");
    for (size_t t = 0; t < SP_ARRAY_LEN(used); t++) {
        if (used[t]) {
            sp_buf_fmt(&line, " %s%s", sp_technique_at(t)->name, --techniques > 0 ? "," : "");
        }
    }
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    sp_buf_release(&line);
}

static void print_cost(const struct sp_plan *plan, const struct sp_model *model, struct sp_buf *out)
{
    char n[SP_NUMBER_STRLEN];
    uint64_t count[3] = {0};
    for (size_t i = 0; i < plan->ntests; i++) {
        count[plan->tests[i].expect % 3]++;
    }
    for (size_t i = 0; i < plan->nsweeps; i++) {
        count[SP_EXPECT_DENY] += plan->sweeps[i].denied;
        count[SP_EXPECT_ALLOW] += plan->sweeps[i].allowed;
    }
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_fmt(&line, "Plan for %s: depth %s, seed %llu", model->name, sp_depth_str(plan->depth),
               (unsigned long long)plan->seed);
    sp_plan_end_line(out, &line, 2, false);
    sp_buf_fmt(&line, "  tests         %s", number(plan->cost.tests, n));
    sp_buf_fmt(&line, " (%s must be denied", number(count[SP_EXPECT_DENY], n));
    sp_buf_fmt(&line, ", %s must work", number(count[SP_EXPECT_ALLOW], n));
    sp_buf_fmt(&line, ", %s may work)", number(count[SP_EXPECT_PERMIT], n));
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    if (plan->nsweeps > 0) {
        print_sweeps(plan, out);
    }
    print_bypasses(plan, out);
    sp_buf_fmt(&line,
               "  packets       %s (%u attempts per denied test, %u per other, and controls)",
               number(plan->cost.packets, n), SP_PLAN_DENY_ATTEMPTS, SP_PLAN_ALLOW_ATTEMPTS);
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    sp_buf_str(&line, "  time          ");
    print_time(plan->cost.seconds, &line);
    sp_buf_str(&line, " at the allowed rates");
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    sp_buf_fmt(&line, "  source ports  %u-%u are kept for the run and %s", (unsigned)plan->sport_lo,
               (unsigned)plan->sport_hi,
               plan->nsweeps > 0 ? "tested by sweeps only" : "never tested");
    sp_plan_end_line(out, &line, SP_COST_COLUMN, false);
    sp_buf_release(&line);
}

const char *sp_percent_str(double share, char out[static SP_PERCENT_STRLEN])
{
    double most = share < 1.0 ? share : 1.0;
    unsigned parts = most > 0.0 ? (unsigned)(most * 1000000.0) : 0;
    (void)snprintf(out, SP_PERCENT_STRLEN, "%u.%04u", parts / 10000U, parts % 10000U);
    return out;
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
    char percent[SP_PERCENT_STRLEN];
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_fmt(&line, "  %-19s %s %% of the denied tcp and udp ports have a test of their own",
               "denied ports", sp_percent_str(c->denied_ports_swept, percent));
    sp_plan_end_line(out, &line, SP_SHARE_COLUMN, false);
    sp_buf_release(&line);
}

static void skip_unit(const struct sp_skip *skip, uint64_t points, char *out, size_t size)
{
    const char *many = points == 1 ? "" : "s";
    if (skip->is_ports && skip->proto == SP_PROTO_IP) {
        (void)snprintf(out, size, "ip protocol%s", many);
    } else if (skip->is_ports) {
        (void)snprintf(out, size, "denied %s port%s", sp_proto_str(skip->proto), many);
    } else if (skip->is_tests) {
        (void)snprintf(out, size, "test%s", many);
    } else if (skip->proto < SP_PROTO_COUNT) {
        (void)snprintf(out, size, "%s interval%s", sp_proto_str(skip->proto), many);
    } else if (skip->family != 0) {
        (void)snprintf(out, size, "%s address pair%s", sp_family_str(skip->family), many);
    } else {
        (void)snprintf(out, size, "pair%s", many);
    }
}

/* What a row puts together: skips that differ in their hosts, or verbose those of one host. The
 * family of intervals is not shown, and not told apart. */
static bool same_row(const struct sp_skip *a, const struct sp_skip *b, bool verbose)
{
    bool same_family = a->family == b->family || a->proto < SP_PROTO_COUNT;
    bool same_hosts = !verbose || (a->from == b->from && a->to == b->to);
    return a->reason == b->reason && a->proto == b->proto && same_family && same_hosts;
}

static const char *skip_name(const struct sp_skip *skip, const struct sp_model *model)
{
    uint32_t who = skip->from != SP_NONE ? skip->from : skip->to;
    return who != SP_NONE ? sp_model_target_name(model, who) : NULL;
}

/* The first few hosts are named. */
static void add_names(const struct sp_plan *plan, const struct sp_model *model, size_t first,
                      bool verbose, struct sp_buf *line)
{
    const struct sp_skip *row = &plan->skips[first];
    char n[SP_NUMBER_STRLEN];
    uint64_t hosts = 0;
    for (size_t i = first; i < plan->nskips; i++) {
        const char *name = skip_name(&plan->skips[i], model);
        if (!name || !same_row(row, &plan->skips[i], verbose)) {
            continue;
        }
        if (verbose) { /* all of them are this one */
            sp_buf_fmt(line, ": %s", name);
            return;
        }
        if (++hosts <= SP_NAMED_HOSTS) {
            sp_buf_fmt(line, "%s%s", hosts == 1 ? ": " : ", ", name);
        }
    }
    if (hosts > SP_NAMED_HOSTS) {
        sp_buf_fmt(line, " and %s more", number(hosts - SP_NAMED_HOSTS, n));
    }
}

static void print_row(const struct sp_plan *plan, const struct sp_model *model, size_t first,
                      bool verbose, struct sp_buf *out)
{
    const struct sp_skip *row = &plan->skips[first];
    char n[SP_NUMBER_STRLEN], unit[40];
    uint64_t points = 0;
    struct sp_buf line;
    for (size_t i = first; i < plan->nskips; i++) {
        points += same_row(row, &plan->skips[i], verbose) ? plan->skips[i].points : 0;
    }
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    skip_unit(row, points, unit, sizeof(unit));
    sp_buf_fmt(&line, "  %7s  %-18s  %s", number(points, n), unit, row->reason);
    add_names(plan, model, first, verbose, &line);
    sp_plan_end_line(out, &line, SP_SKIP_COLUMN, false);
    sp_buf_release(&line);
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
        bool first = true;
        for (size_t k = 0; k < i && first; k++) {
            first = !same_row(&plan->skips[k], &plan->skips[i], verbose);
        }
        if (first) {
            print_row(plan, model, i, verbose, out);
        }
    }
}

/* The ports of the tests from..end that share protocol and expectation (and bypass technique), as
 * "22,441-444". Returns where the next group starts. */
static bool same_list(const struct sp_test *a, const struct sp_test *b)
{
    bool a_bypass = a->why == SP_WHY_BYPASS;
    return a->proto == b->proto && a->expect == b->expect &&
           a_bypass == (b->why == SP_WHY_BYPASS) && (!a_bypass || a->technique == b->technique);
}

static size_t print_ports(const struct sp_plan *plan, size_t from, size_t end, struct sp_buf *out)
{
    const struct sp_test *head = &plan->tests[from];
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_fmt(&line, "    %-6s %-6s  ", sp_proto_str(head->proto), sp_expect_str(head->expect));
    if (head->why == SP_WHY_BYPASS) {
        sp_buf_fmt(&line, "%s: ", sp_technique_at(head->technique)->name);
    }
    size_t i = from;
    while (i < end && same_list(head, &plan->tests[i])) {
        size_t last = i;
        while (last + 1 < end && same_list(head, &plan->tests[last + 1]) &&
               plan->tests[last + 1].port == plan->tests[last].port + 1) {
            last++;
        }
        char a[SP_PORTSPEC_STRLEN];
        sp_buf_fmt(&line, "%s%s", i == from ? "" : ",",
                   sp_proto_port_str(head->proto, plan->tests[i].port, a));
        if (plan->tests[i].sport > 0) {
            sp_buf_fmt(&line, " from %u", (unsigned)plan->tests[i].sport);
        }
        if (last > i) {
            sp_buf_fmt(&line, "-%s", sp_proto_port_str(head->proto, plan->tests[last].port, a));
        }
        i = last + 1;
    }
    sp_plan_end_line(out, &line, SP_PORTS_COLUMN, true);
    sp_buf_release(&line);
    return i;
}

static void print_tests(const struct sp_plan *plan, const struct sp_model *model,
                        struct sp_buf *out)
{
    char a[SP_ADDR_STRLEN], b[SP_ADDR_STRLEN];
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_str(out, "Tests\n");
    for (size_t i = 0; i < plan->ntests;) {
        uint32_t index = plan->tests[i].pair;
        const struct sp_pair *pair = &plan->pairs[index];
        sp_buf_fmt(&line, "  %s -> %s  %s -> %s%s", sp_model_target_name(model, pair->from),
                   sp_model_target_name(model, pair->to), sp_addr_str(&pair->src, a),
                   sp_addr_str(&pair->dst, b), pair->one_sided ? "  (target without a probe)" : "");
        sp_plan_end_line(out, &line, 6, false);
        size_t end = i;
        while (end < plan->ntests && plan->tests[end].pair == index) {
            end++;
        }
        while (i < end) {
            i = print_ports(plan, i, end, out);
        }
    }
    sp_buf_release(&line);
}

void sp_plan_print(const struct sp_plan *plan, const struct sp_model *model, bool verbose,
                   struct sp_buf *out)
{
    print_cost(plan, model, out);
    print_coverage(&plan->coverage, out);
    sp_plan_print_balancers(plan, model, out);
    print_skips(plan, model, verbose, out);
    if (verbose) {
        print_tests(plan, model, out);
    }
}

const char *sp_depth_str(enum sp_depth depth)
{
    static const char *const names[] = {"quick", "standard", "exhaustive"};
    return depth < SP_ARRAY_LEN(names) ? names[depth] : "?";
}

const char *sp_expect_str(uint8_t expect)
{
    static const char *const names[] = {"deny", "allow", "permit"};
    return expect < SP_ARRAY_LEN(names) ? names[expect] : "?";
}

const char *sp_why_str(uint8_t why)
{
    static const char *const names[] = {"representative", "edge",  "risk",
                                        "mutation",       "swept", "bypass"};
    return why < SP_ARRAY_LEN(names) ? names[why] : "?";
}
