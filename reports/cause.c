/* SPDX-License-Identifier: Apache-2.0
 *
 * The likely cause of a finding, guessed from the witnesses and from what the other tests of the
 * run show. It is told as likely: the evidence stands in the finding itself. */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

/* ------------------------------------------------------------------ looking tests up */

static int cmp_flow(const struct sp_entry *a, const struct sp_entry *b)
{
    int order = sp_entry_cmp_flow(a, b);
    if (order == 0) {
        SP_CMP(a->port, b->port);
    }
    return order;
}

/* The first entry that is not below the flow and port of key. */
static size_t lower_bound(const struct sp_lookup *lookup, const struct sp_entry *key)
{
    size_t lo = 0;
    size_t hi = lookup->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_flow(&lookup->entries[mid], key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* How the checks of a whole flow turned out. */
struct tally {
    uint64_t denied_holds, denied_leaks, allowed_holds, allowed_fails;
    uint64_t rule_holds;        /* of denied_holds, those that the test's own rule decides */
    bool low_leaks, high_leaks; /* the lowest and the highest denied port */
};

/* What bypass techniques found is left out. */
static struct tally whole_flow(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct tally tally = {0};
    struct sp_entry key = *test;
    key.port = 0;
    for (size_t i = lower_bound(lookup, &key); i < lookup->n; i++) {
        const struct sp_entry *e = &lookup->entries[i];
        uint64_t n = sp_entry_checks(e);
        key.port = e->port;
        if (cmp_flow(e, &key) != 0) {
            break;
        }
        if (e->is_bypass) {
            continue;
        }
        if (e->expect == SP_EXPECT_DENY) {
            bool is_first = tally.denied_holds + tally.denied_leaks == 0;
            tally.high_leaks = e->verdict == SP_VERDICT_LEAK;
            tally.low_leaks = is_first ? tally.high_leaks : tally.low_leaks;
            tally.rule_holds += e->verdict == SP_VERDICT_HOLDS && e->rule == test->rule ? n : 0;
            tally.denied_holds += e->verdict == SP_VERDICT_HOLDS ? n : 0;
            tally.denied_leaks += e->verdict == SP_VERDICT_LEAK ? n : 0;
        } else {
            tally.allowed_holds += e->verdict == SP_VERDICT_HOLDS && !e->is_note ? n : 0;
            tally.allowed_fails += sp_verdict_is_finding(e->verdict) || e->is_note ? n : 0;
        }
    }
    return tally;
}

/* The same flow in the other family; ICMP changes its protocol and echo its number. */
static struct sp_entry twin_of(const struct sp_entry *test)
{
    struct sp_entry twin = *test;
    bool is_v4 = test->family == SP_FAMILY_IPV4;
    twin.family = is_v4 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
    if (test->proto == SP_PROTO_ICMP || test->proto == SP_PROTO_ICMP6) {
        twin.proto = is_v4 ? SP_PROTO_ICMP6 : SP_PROTO_ICMP;
        twin.port = twin.port_hi = is_v4 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO;
    }
    return twin;
}

/* ------------------------------------------------------------------ hints
 *
 * Of a test with many ports each hint asks for what it would of every port alone. */

typedef bool (*hint_fn)(const struct sp_lookup *lookup, const struct sp_entry *test);

/* A hint counts when every test of the finding gives it. */
static bool all_give(const struct sp_lookup *lookup, const struct sp_entry *tests, size_t n,
                     hint_fn hint)
{
    for (size_t i = 0; i < n; i++) {
        if (!hint(lookup, &tests[i])) {
            return false;
        }
    }
    return true;
}

static bool twin_holds(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry twin = twin_of(test);
    bool deny = test->expect == SP_EXPECT_DENY;
    uint8_t holds = deny ? SP_FACT_DENIED_HOLDS : SP_FACT_ALLOWED_HOLDS;
    uint8_t fails = deny ? SP_FACT_DENIED_LEAKS : SP_FACT_ALLOWED_FAILS;
    return sp_spans_all(&lookup->flows, &twin, holds) &&
           !sp_spans_any(&lookup->flows, &twin, fails);
}

/* Is any of these facts known of a port next to this one? */
static bool port_has_neighbour(const struct sp_lookup *lookup, const struct sp_entry *test,
                               uint32_t port, uint8_t facts)
{
    for (int step = -1; step <= 1; step += 2) {
        struct sp_entry next = *test;
        next.port = next.port_hi = (uint16_t)((int)port + step);
        if (sp_spans_any(&lookup->flows, &next, facts)) {
            return true;
        }
    }
    return false;
}

/* Every port of the test has a denied neighbour (an opened one). Ports of one expectation fill the
 * inside of a range, so this ends at its second port, unless both expectations overlap. */
static bool has_neighbour(const struct sp_lookup *lookup, const struct sp_entry *test, bool opened)
{
    uint8_t facts = opened ? SP_FACT_OPENED : SP_FACT_DENIED_HOLDS | SP_FACT_DENIED_LEAKS;
    for (uint32_t port = test->port; port <= test->port_hi; port++) {
        if (!port_has_neighbour(lookup, test, port, facts)) {
            return false;
        }
    }
    return true;
}

static bool beside_opened(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    return has_neighbour(lookup, test, true);
}

/* Every run of neighbouring ports of the finding has an opened port before or behind it. */
static bool runs_on(const struct sp_lookup *lookup, const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        uint32_t hi = tests[i].port_hi;
        for (end = i + 1; end < n && tests[end].port <= hi + 1; end++) {
            hi = tests[end].port_hi > hi ? tests[end].port_hi : hi;
        }
        struct sp_entry before = tests[i], behind = tests[i];
        before.port = before.port_hi = (uint16_t)(tests[i].port - 1);
        behind.port = behind.port_hi = (uint16_t)(hi + 1);
        if (!sp_spans_any(&lookup->flows, &before, SP_FACT_OPENED) &&
            !sp_spans_any(&lookup->flows, &behind, SP_FACT_OPENED)) {
            return false;
        }
    }
    return true;
}

static bool is_delivered(const struct sp_entry *e, const struct sp_entry *test)
{
    return e->rule == test->rule && e->test != test->test && e->expect != SP_EXPECT_DENY &&
           e->verdict == SP_VERDICT_HOLDS && !e->is_note;
}

/* At an end of an opened range of which another port works: nothing denied lies between the two. */
static bool rest_works(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    if (!has_neighbour(lookup, test, false)) {
        return false;
    }
    size_t at = lower_bound(lookup, test);
    struct sp_entry key = *test;
    bool works = false;
    for (size_t i = at; i < lookup->n && !works; i++) {
        key.port = lookup->entries[i].port;
        if (cmp_flow(&lookup->entries[i], &key) != 0 ||
            lookup->entries[i].expect == SP_EXPECT_DENY) {
            break;
        }
        works = is_delivered(&lookup->entries[i], test);
    }
    for (size_t i = at; i > 0 && !works; i--) {
        key.port = lookup->entries[i - 1].port;
        if (cmp_flow(&lookup->entries[i - 1], &key) != 0 ||
            lookup->entries[i - 1].expect == SP_EXPECT_DENY) {
            break;
        }
        works = is_delivered(&lookup->entries[i - 1], test);
    }
    return works;
}

static bool other_protocol_opened(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry other = *test;
    if (test->proto != SP_PROTO_TCP && test->proto != SP_PROTO_UDP) {
        return false;
    }
    other.proto = test->proto == SP_PROTO_TCP ? SP_PROTO_UDP : SP_PROTO_TCP;
    return sp_spans_all(&lookup->flows, &other, SP_FACT_OPENED);
}

static bool reverse_opened(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry back = *test;
    back.from = test->to;
    back.to = test->from;
    return sp_spans_all(&lookup->flows, &back, SP_FACT_OPENED);
}

static bool others_may(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry key = *test;
    key.from = SP_NONE; /* anybody */
    return sp_spans_all(&lookup->targets, &key, SP_FACT_OPENED);
}

/* ------------------------------------------------------------------ no filter at all */

/* Of so many denied ports that leak one may hold. */
#define SP_OPEN_LEAKS_PER_HOLD 4U

/* A firewall may drop some ports by name and let the rest through: what the declaration denies by
 * name says little, and where both ends of the ports are open, single ones that hold do neither. */
static bool is_open(const struct tally *flow, const struct sp_entry *test)
{
    bool by_default = test->rule == SP_NONE && flow->rule_holds == 0;
    bool but_few = flow->low_leaks && flow->high_leaks &&
                   flow->denied_leaks / SP_OPEN_LEAKS_PER_HOLD >= flow->denied_holds;
    return flow->denied_leaks > 1 && (flow->denied_holds == 0 || by_default || but_few);
}

bool sp_cause_unfiltered(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct tally flow = whole_flow(lookup, test);
    if (is_open(&flow, test)) {
        return true;
    }
    if (flow.denied_holds > 0) {
        return false;
    }
    /* Of a protocol with a single test, another one between the two tells. */
    struct sp_entry other = *test;
    for (other.proto = 0; other.proto < SP_PROTO_COUNT; other.proto++) {
        flow = whole_flow(lookup, &other);
        if (flow.denied_leaks > 1 && flow.denied_holds == 0) {
            return true;
        }
    }
    return false;
}

/* Does IPv4 hold where this IPv6 flow is not filtered? */
static bool ipv4_is_filtered(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry twin = twin_of(test);
    struct tally flow = whole_flow(lookup, &twin);
    return test->family == SP_FAMILY_IPV6 && flow.denied_holds > 0 && flow.denied_leaks == 0;
}

/* ------------------------------------------------------------------ the guess */

/* Whether all of them were answered by such a one. */
static bool is_behind(const struct sp_result *result, const struct sp_entry *tests, size_t n,
                      enum sp_proxy proxy)
{
    for (size_t i = 0; i < n; i++) {
        if (result->outcomes[tests[i].test].seen.proxy != proxy) {
            return false;
        }
    }
    return true;
}

/* A plain packet gets through as well: then how it was asked explains nothing. */
static bool plain_leaks(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    return sp_spans_any(&lookup->flows, test, SP_FACT_DENIED_LEAKS);
}

static enum sp_cause guess_leak(const struct sp_lookup *lookup, const struct sp_result *result,
                                const struct sp_entry *tests, size_t n)
{
    const struct sp_pair *pair = &result->plan->pairs[result->tests[tests[0].test].pair];
    enum sp_cause shown = sp_cause_technique(tests[0].technique, tests[0].is_bypass);
    bool unfiltered = sp_cause_unfiltered(lookup, tests);
    if (unfiltered && ipv4_is_filtered(lookup, tests)) {
        return SP_CAUSE_NO_IPV6;
    }
    if (shown != SP_CAUSE_COUNT && !unfiltered &&
        !(tests[0].is_bypass && all_give(lookup, tests, n, plain_leaks))) {
        return shown;
    }
    if (!unfiltered && all_give(lookup, tests, n, twin_holds)) {
        return tests[0].family == SP_FAMILY_IPV6 ? SP_CAUSE_TWIN_IPV6 : SP_CAUSE_TWIN_IPV4;
    }
    if (is_behind(result, tests, n, SP_PROXY_SYN)) {
        return SP_CAUSE_PROXY_PASSES;
    }
    if (is_behind(result, tests, n, SP_PROXY_OTHER)) {
        return SP_CAUSE_RELAY;
    }
    if (unfiltered) {
        return SP_CAUSE_NO_FILTER;
    }
    if (sp_cause_around(result, tests, n)) {
        return SP_CAUSE_AROUND;
    }
    if (all_give(lookup, tests, n, beside_opened)) {
        return SP_CAUSE_TOO_WIDE;
    }
    if (all_give(lookup, tests, n, other_protocol_opened)) {
        return SP_CAUSE_OTHER_PROTOCOL;
    }
    if (all_give(lookup, tests, n, reverse_opened)) {
        return SP_CAUSE_BOTH_WAYS;
    }
    if (all_give(lookup, tests, n, others_may)) {
        return SP_CAUSE_ANY_SOURCE;
    }
    if (runs_on(lookup, tests, n)) {
        return SP_CAUSE_TOO_FAR;
    }
    return pair->layer == SP_LAYER_HOST ? SP_CAUSE_HOST_OPEN : SP_CAUSE_LET_THROUGH;
}

static bool is_refused(const struct sp_outcome *outcome)
{
    uint8_t answer = outcome->seen.answer;
    return outcome->judged.by == SP_BY_ANSWERER ||
           (outcome->seen.answered > 0 &&
            (answer == SP_ANSWER_RST || answer == SP_ANSWER_UNREACHABLE));
}

static enum sp_cause guess_blocked(const struct sp_lookup *lookup, const struct sp_result *result,
                                   const struct sp_entry *tests, size_t n)
{
    const struct sp_outcome *outcome = &result->outcomes[tests[0].test];
    struct tally flow = whole_flow(lookup, tests);
    if (outcome->judged.by == SP_BY_SENDER) {
        return SP_CAUSE_SENDER_POLICY;
    }
    if (is_refused(outcome)) { /* said aloud, so nothing needs to be guessed */
        return sp_cause_nobody_there(tests, &outcome->seen) ? SP_CAUSE_NO_ADDRESS
                                                            : SP_CAUSE_REJECTED;
    }
    if (all_give(lookup, tests, n, rest_works)) {
        return SP_CAUSE_TOO_NARROW;
    }
    if (all_give(lookup, tests, n, twin_holds)) {
        return tests[0].family == SP_FAMILY_IPV6 ? SP_CAUSE_TWIN_IPV6 : SP_CAUSE_TWIN_IPV4;
    }
    enum sp_cause where = sp_cause_where(lookup, result, tests, n);
    if (where != SP_CAUSE_COUNT) {
        return where;
    }
    return flow.allowed_fails > 1 && flow.allowed_holds == 0 ? SP_CAUSE_NO_WAY : SP_CAUSE_DROPPED;
}

/* What a target without a probe got is not known. */
static enum sp_cause guess_proxied(const struct sp_result *result, const struct sp_entry *tests,
                                   size_t n)
{
    bool blind = result->plan->pairs[result->tests[tests[0].test].pair].one_sided;
    if (!is_behind(result, tests, n, SP_PROXY_SYN)) {
        return SP_CAUSE_PROXY;
    }
    return blind ? SP_CAUSE_PROXY_BLIND : SP_CAUSE_PROXY_ENDS;
}

bool sp_cause_is_opening(enum sp_cause cause)
{
    switch ((int)cause) {
    case SP_CAUSE_TWIN_IPV6:
    case SP_CAUSE_TWIN_IPV4:
    case SP_CAUSE_TOO_WIDE:
    case SP_CAUSE_TOO_FAR:
    case SP_CAUSE_OTHER_PROTOCOL:
    case SP_CAUSE_BOTH_WAYS:
    case SP_CAUSE_ANY_SOURCE:
    case SP_CAUSE_HOST_OPEN:
    case SP_CAUSE_LET_THROUGH:
    case SP_CAUSE_AROUND:
        return true;
    default:
        return false;
    }
}

enum sp_cause sp_cause_guess(const struct sp_lookup *lookup, const struct sp_result *result,
                             const struct sp_entry *tests, size_t n)
{
    const struct sp_outcome *outcome = &result->outcomes[tests[0].test];
    bool stray = outcome->seen.elsewhere > 0 && outcome->seen.host == 0 && outcome->seen.nic == 0;
    enum sp_cause balanced = sp_cause_balanced(result, tests, n);
    if (balanced == SP_CAUSE_BALANCER_SILENT && sp_cause_one_address(lookup, tests, n)) {
        return SP_CAUSE_BALANCER_ADDRESS;
    }
    if (balanced != SP_CAUSE_COUNT) {
        return balanced;
    }
    if (tests[0].expect == SP_EXPECT_DENY && sp_cause_known_address(result, tests, n)) {
        return SP_CAUSE_KNOWN_ADDRESS; /* whoever answers there: providers do so in the path */
    }
    switch ((enum sp_verdict)tests[0].verdict) {
    case SP_VERDICT_LEAK:
        return stray ? SP_CAUSE_ELSEWHERE : guess_leak(lookup, result, tests, n);
    case SP_VERDICT_MISDELIVERED:
        if (outcome->seen.elsewhere > 0) {
            return SP_CAUSE_ELSEWHERE;
        }
        return sp_cause_masqueraded(result, tests, n) ? SP_CAUSE_MASQUERADED : SP_CAUSE_REWRITTEN;
    case SP_VERDICT_BLOCKED:
        return guess_blocked(lookup, result, tests, n);
    case SP_VERDICT_HOST_FILTERED:
        return sp_cause_reverse_path(result, tests) ? SP_CAUSE_REVERSE_PATH : SP_CAUSE_HOST_FILTER;
    case SP_VERDICT_RETURN_BLOCKED:
        return outcome->judged.by == SP_BY_RECEIVER ? SP_CAUSE_NO_ANSWER : SP_CAUSE_WAY_BACK;
    case SP_VERDICT_PARTIAL:
        return sp_cause_loss(lookup, result, tests, n);
    case SP_VERDICT_PROXIED:
        return guess_proxied(result, tests, n);
    case SP_VERDICT_HOLDS:
    case SP_VERDICT_INCONCLUSIVE:
    case SP_VERDICT_NOT_OBSERVABLE:
    case SP_VERDICT_NOT_TESTED:
    case SP_VERDICT_COUNT:
        break;
    }
    return SP_CAUSE_PROXY;
}
