/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a manifest that hold verdicts: each is judged anew from what the line says was seen,
 * and its expectation is held against the topology. */
#include <stdio.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "reports/group.h"
#include "reports/manifest_check.h"

static const struct sp_hash_key by_name = {0x736567706e616d65ULL, 0x732d6f662d746172ULL};

/* A line of type test, as it says. */
struct test_line {
    const char *from, *to, *technique, *policy;
    struct sp_addr addrs[4]; /* src, dst, own, src_seen */
    uint8_t proto, why;
    uint16_t port, port_hi;
    uint32_t rule; /* SP_NONE: no rule decides */
    uint32_t finding;
    struct sp_case what;
    struct sp_outcome outcome;
};

static void differ(struct sp_check *check, const char *field, const char *said, const char *is,
                   const char *of)
{
    sp_check_differ(check, SP_MANIFEST_NAME, check->lines, field, "says %s, but by %s it is %s",
                    said, of, is);
}

/* ---- reading ---- */

static void read_addr(struct sp_jline *line, const char *key, bool must, struct sp_addr *ret)
{
    const char *text = must ? sp_jline_str(line, key) : sp_jline_opt_str(line, key);
    if (text && !line->is_bad && sp_addr_parse(text, ret) != SP_OK) {
        sp_jline_refuse(line, key, "'%.60s' is no address", text);
    }
}

static uint8_t read_name(struct sp_jline *line, const char *key, enum sp_naming naming)
{
    unsigned value = 0;
    const char *name = sp_jline_str(line, key);
    if (!line->is_bad && !sp_named_find(naming, name, &value)) {
        sp_jline_refuse(line, key, "'%.40s' is none that this version knows", name);
    }
    return (uint8_t)value;
}

static void read_captured(struct sp_jline *line, struct sp_tuple *captured)
{
    read_addr(line, "captured.src", false, &captured->src);
    read_addr(line, "captured.dst", false, &captured->dst);
    captured->sport = (uint16_t)sp_jline_num(line, "captured.sport", UINT16_MAX);
    captured->dport = (uint16_t)sp_jline_num(line, "captured.dport", UINT16_MAX);
}

static uint32_t read_rule(struct sp_jline *line)
{
    uint32_t rule = (uint32_t)sp_jline_num(line, "rule", SP_NONE - 1);
    return sp_jline_has(line, "rule") ? rule : SP_NONE;
}

static void read_test(struct sp_jline *line, struct test_line *test)
{
    *test = (struct test_line){.outcome.seen.elsewhere_host = SP_NONE};
    test->from = sp_jline_str(line, "from");
    test->to = sp_jline_str(line, "to");
    test->technique = sp_jline_str(line, "technique");
    test->policy = sp_jline_str(line, "policy");
    read_addr(line, "src", true, &test->addrs[0]);
    read_addr(line, "dst", true, &test->addrs[1]);
    read_addr(line, "own", false, &test->addrs[2]);
    read_addr(line, "src_seen", false, &test->addrs[3]);
    test->proto = read_name(line, "protocol", SP_NAMED_PROTO);
    test->why = read_name(line, "why", SP_NAMED_WHY);
    test->port = (uint16_t)sp_jline_num(line, "port", UINT16_MAX);
    test->port_hi = (uint16_t)sp_jline_num(line, "port_hi", UINT16_MAX);
    if (sp_jline_has(line, "port_hi") && test->port_hi <= test->port) {
        sp_jline_refuse(line, "port_hi", "is not above port");
    }
    test->port_hi = test->port_hi > test->port ? test->port_hi : test->port;
    test->rule = read_rule(line);
    sp_set_read(SP_SET_CASE, line, "", &test->what);
    sp_set_read(SP_SET_SEEN, line, "seen", &test->outcome.seen);
    (void)sp_jline_opt_str(line, "seen.elsewhere_host");
    read_addr(line, "seen.answerer_addr", false, &test->outcome.seen.answerer_addr);
    read_captured(line, &test->outcome.seen.captured);
    (void)sp_jline_opt_str(line, "backend_flows");
    test->outcome.grade = read_name(line, "grade", SP_NAMED_GRADE);
    test->outcome.control_sent = (uint16_t)sp_jline_num(line, "controls", UINT16_MAX);
    test->outcome.control_lost = (uint16_t)sp_jline_num(line, "controls_lost", UINT16_MAX);
    (void)sp_jline_str(line, "injected");
    sp_set_read(SP_SET_JUDGED, line, "", &test->outcome.judged);
    test->outcome.not_tested = sp_jline_opt_str(line, "not_tested");
    test->finding = (uint32_t)sp_jline_num(line, "finding", SP_MANIFEST_MAX_LINES);
}

/* ---- the declaration ---- */

static uint32_t find_target(const struct sp_check *check, const char *name)
{
    uint32_t target = sp_table_get(&check->targets, sp_siphash(&by_name, name, strlen(name)));
    return target != SP_NO_ROW && strcmp(sp_model_target_name(check->model, target), name) == 0
               ? target
               : SP_NONE;
}

/* What the topology makes of this flow; the judge is asked the same. */
static struct sp_case declared_case(const struct sp_model *model, const struct test_line *test,
                                    uint32_t from, uint32_t to, const struct sp_interval *iv)
{
    uint32_t a = sp_model_target_network(model, from);
    uint32_t b = sp_model_target_network(model, to);
    const struct sp_enforcement *point =
        a < model->nnetworks && b < model->nnetworks ? sp_model_enforcement(model, a, b) : NULL;
    enum sp_rule_action action =
        iv->rule < model->nrules ? model->rules[iv->rule].action : SP_ACTION_UNSET;
    bool at_point = point && point->action == SP_ACTION_REJECT;
    bool reject = action == SP_ACTION_REJECT || (action == SP_ACTION_UNSET && at_point);
    bool balanced = to >= model->nhosts;
    bool at_balancer = balanced && iv->expect != SP_EXPECT_DENY &&
                       !sp_model_listener(model, to, test->proto, test->port);
    return (struct sp_case){.expect = iv->expect,
                            .layer = point ? (uint8_t)point->layer : (uint8_t)SP_LAYER_NETWORK,
                            .reject_declared = iv->expect == SP_EXPECT_DENY && reject,
                            .one_sided = sp_model_receiver(model, to, 0) == SP_NONE || at_balancer,
                            .balanced = balanced};
}

static void check_declared(struct sp_check *check, const struct test_line *test)
{
    char said[SP_SET_TEXT];
    char is[SP_SET_TEXT];
    const char *key = NULL;
    uint32_t from = find_target(check, test->from);
    uint32_t to = find_target(check, test->to);
    if (from >= check->model->nhosts || to == SP_NONE) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, to == SP_NONE ? "to" : "from",
                        "the topology has nobody of this name");
        return;
    }
    const struct sp_interval *iv =
        sp_policy_decide(check->policy, from, to, test->proto, test->port);
    if (!iv || iv->hi < test->port_hi) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "port",
                        "the topology has no one rule for all of it");
        return;
    }
    const struct sp_case declared = declared_case(check->model, test, from, to, iv);
    if (sp_set_differs(SP_SET_CASE, &test->what, &declared, &key, said, is)) {
        differ(check, key, said, is, SP_MANIFEST_TOPOLOGY);
    }
    uint32_t rule = iv->rule < check->model->nrules ? iv->rule : SP_NONE;
    if (rule != test->rule ||
        strcmp(sp_rule_name(check->model, rule, iv->expect), test->policy) != 0) {
        differ(check, "policy", test->policy, sp_rule_name(check->model, rule, iv->expect),
               SP_MANIFEST_TOPOLOGY);
    }
}

/* ---- verdicts ---- */

/* All that tests of one finding have in common. */
static uint64_t group_key(const struct test_line *test, enum sp_verdict verdict)
{
    static const struct sp_hash_key key = {0x736567702d66696eULL, 0x64696e672d763100ULL};
    struct sp_buf text;
    sp_buf_init(&text, (size_t)4 * SP_JLINE_MAX_BYTES);
    sp_buf_fmt(&text, "%s\n%s\n%u\n%u\n%s\n%u\n%u\n%s\n%u", test->from, test->to,
               (unsigned)test->addrs[0].family, (unsigned)test->proto, test->technique,
               (unsigned)test->what.expect, test->rule, test->policy, (unsigned)verdict);
    uint64_t hash = sp_siphash(&key, sp_buf_text(&text), text.len);
    sp_buf_release(&text);
    return hash;
}

/* The place of a finding, made when it is new; NULL without memory. */
static struct sp_check_finding *finding_at(struct sp_check *check, uint32_t number)
{
    while (check->nfindings < number) {
        if (sp_grow((void **)&check->findings, check->nfindings, &check->cap_findings,
                    sizeof(*check->findings)) != 0) {
            check->rc = SP_E_NOMEM;
            return NULL;
        }
        check->findings[check->nfindings++] = (struct sp_check_finding){0};
    }
    return &check->findings[number - 1];
}

static void add_flow(struct sp_check *check, const struct test_line *test)
{
    const struct sp_proof_flow *last = check->nflows > 0 ? &check->flows[check->nflows - 1] : NULL;
    struct sp_proof_flow flow = {.finding = test->finding - 1};
    memcpy(flow.addrs, test->addrs, sizeof(flow.addrs));
    if (last && last->finding == flow.finding &&
        memcmp(last->addrs, flow.addrs, sizeof(flow.addrs)) == 0) {
        return;
    }
    if (sp_grow((void **)&check->flows, check->nflows, &check->cap_flows, sizeof(*check->flows)) !=
        0) {
        check->rc = SP_E_NOMEM;
        return;
    }
    check->flows[check->nflows++] = flow;
}

static void join_finding(struct sp_check *check, const struct test_line *test)
{
    bool is_finding = sp_verdict_is_finding(test->outcome.judged.verdict);
    if (is_finding != (test->finding > 0) || test->finding > check->all_lines) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "finding",
                        is_finding ? "is missing or wrong, and the verdict is one"
                                   : "is given, and the verdict is none");
        return;
    }
    struct sp_check_finding *finding = is_finding ? finding_at(check, test->finding) : NULL;
    if (!finding) {
        return;
    }
    uint64_t key = group_key(test, test->outcome.judged.verdict);
    if (finding->checks > 0 && finding->key != key) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "finding",
                        "other tests of finding %u are of another flow or verdict",
                        (unsigned)test->finding);
    }
    finding->key = key;
    finding->checks += (uint64_t)test->port_hi - test->port + 1;
    add_flow(check, test);
}

static void judge_again(struct sp_check *check, const struct test_line *test,
                        struct sp_outcome *outcome)
{
    char said[SP_SET_TEXT];
    char is[SP_SET_TEXT];
    const char *key = NULL;
    struct sp_judgement seen = sp_judge(&test->what, &outcome->seen);
    struct sp_judgement judged =
        outcome->not_tested ? (struct sp_judgement){.verdict = SP_VERDICT_NOT_TESTED} : seen;
    if (outcome->not_tested &&
        (sp_verdict_is_finding(seen.verdict) || sp_verdict_is_finding(seen.noted))) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "not_tested",
                        "packets say otherwise: what was seen is a %s", sp_verdict_str(seen.noted));
    } else if (sp_set_differs(SP_SET_JUDGED, &outcome->judged, &judged, &key, said, is)) {
        differ(check, key, said, is, "what was seen");
    }
    outcome->judged = judged; /* sums are of verdicts that follow */
    check->judged++;
}

void sp_check_test(struct sp_check *check, struct sp_jline *line)
{
    struct test_line test;
    read_test(line, &test);
    if (sp_jline_num(line, "test", UINT32_MAX) + 1 != check->of[SP_LINE_TEST]) {
        sp_jline_refuse(line, "test", "is not %llu: a test was removed, added or moved",
                        (unsigned long long)check->of[SP_LINE_TEST] - 1);
    }
    if (!sp_check_fields(check, line)) {
        return;
    }
    if (check->model && check->policy) {
        check_declared(check, &test);
    }
    join_finding(check, &test);
    judge_again(check, &test, &test.outcome);
    check->told += test.why == SP_WHY_SWEPT ? (uint64_t)test.port_hi - test.port + 1 : 0;
    sp_counts_add(&check->counts, &test.outcome, test.what.expect,
                  (uint64_t)test.port_hi - test.port + 1);
}

void sp_check_finding(struct sp_check *check, struct sp_jline *line)
{
    struct test_line like = {0}; /* a test of it */
    uint64_t number = sp_jline_num(line, "finding", SP_MANIFEST_MAX_LINES);
    const char *id = sp_jline_str(line, "id");
    enum sp_verdict verdict = (enum sp_verdict)read_name(line, "verdict", SP_NAMED_VERDICT);
    const char *family = sp_jline_str(line, "family");
    const char *evidence = sp_jline_opt_str(line, "evidence");
    uint64_t checks = sp_jline_num(line, "checks", UINT32_MAX);
    like.from = sp_jline_str(line, "from");
    like.to = sp_jline_str(line, "to");
    like.technique = sp_jline_str(line, "technique");
    like.policy = sp_jline_str(line, "policy");
    like.rule = read_rule(line);
    like.proto = read_name(line, "protocol", SP_NAMED_PROTO);
    like.what.expect = read_name(line, "expect", SP_NAMED_EXPECT);
    like.addrs[0].family = strcmp(family, sp_family_str(SP_FAMILY_IPV4)) == 0
                               ? (uint8_t)SP_FAMILY_IPV4
                               : (uint8_t)SP_FAMILY_IPV6;
    (void)sp_jline_str(line, "severity");
    (void)sp_jline_opt_str(line, "no_evidence");
    if (strlen(id) != 16) {
        sp_jline_refuse(line, "id", "is not 16 hexadecimal digits");
    }
    if (evidence && !sp_evidence_is_name(evidence)) {
        sp_jline_refuse(line, "evidence", "is no name of a file of packets");
    }
    if (number != check->of[SP_LINE_FINDING]) {
        sp_jline_refuse(line, "finding", "is not %llu: a finding was removed, added or moved",
                        (unsigned long long)check->of[SP_LINE_FINDING]);
    }
    if (!sp_check_fields(check, line)) {
        return;
    }
    struct sp_check_finding *finding = finding_at(check, (uint32_t)number);
    if (!finding) {
        return;
    }
    finding->line = check->lines;
    (void)snprintf(finding->id, sizeof(finding->id), "%s", id);
    (void)snprintf(finding->evidence, sizeof(finding->evidence), "%s", evidence ? evidence : "");
    if (check->is_unreadable) {
        return;
    }
    if (finding->checks != checks) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "checks",
                        "is %llu, and its tests stand for %llu", (unsigned long long)checks,
                        (unsigned long long)finding->checks);
    } else if (finding->key != group_key(&like, verdict)) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "",
                        "its tests are of another flow, rule or verdict");
    }
}

/* ---- the summary ---- */

static void check_sum(struct sp_check *check, const char *field, uint64_t said, uint64_t is)
{
    if (said != is) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, field,
                        "is %llu, but by the lines before it is %llu", (unsigned long long)said,
                        (unsigned long long)is);
    }
}

void sp_check_end(struct sp_check *check, struct sp_jline *line)
{
    struct sp_counts said = {0};
    uint64_t lines[SP_LINE_COUNT];
    char said_text[SP_SET_TEXT];
    char is_text[SP_SET_TEXT];
    const char *field = NULL;
    int exit_code = 0;
    const char *verdict = sp_jline_str(line, "verdict");
    uint64_t said_code = sp_jline_num(line, "exit_code", 3);
    sp_set_read(SP_SET_COUNTS, line, "counts", &said);
    for (unsigned i = 0; i < SP_LINE_COUNT; i++) {
        char key[SP_JLINE_KEY_MAX];
        (void)snprintf(key, sizeof(key), "lines.%s", sp_line_str(i));
        lines[i] = sp_jline_num(line, key, UINT32_MAX);
    }
    uint64_t sent = sp_jline_num(line, "packets_sent", UINT64_MAX);
    uint64_t captured = sp_jline_num(line, "packets_captured", UINT64_MAX);
    uint64_t drops = sp_jline_num(line, "capture_drops", UINT64_MAX);
    (void)sp_jline_num(line, "packets_not_kept", UINT64_MAX);
    if (!sp_check_fields(check, line) || check->is_unreadable) {
        return;
    }
    for (unsigned i = 0; i < SP_LINE_COUNT; i++) {
        char key[SP_JLINE_KEY_MAX];
        (void)snprintf(key, sizeof(key), "lines.%s", sp_line_str(i));
        check_sum(check, key, lines[i], check->of[i]);
    }
    /* Ports that no line speaks of. Ranges may overlap, so there can be more of them. */
    uint64_t least = check->asked > check->told ? check->asked - check->told : 0;
    check->counts.unswept = said.unswept > least ? said.unswept : least;
    check->overall = sp_counts_conclude(&check->counts, check->run.interrupted, &exit_code);
    if (sp_set_differs(SP_SET_COUNTS, &said, &check->counts, &field, said_text, is_text)) {
        char key[2 * SP_JLINE_KEY_MAX];
        (void)snprintf(key, sizeof(key), "counts.%s", field);
        differ(check, key, said_text, is_text, "the lines before");
    }
    if (strcmp(verdict, sp_overall_str(check->overall)) != 0) {
        differ(check, "verdict", verdict, sp_overall_str(check->overall), "the lines before");
    }
    check_sum(check, "exit_code", said_code, (uint64_t)exit_code);
    check_sum(check, "packets_sent", sent, check->sent);
    check_sum(check, "packets_captured", captured, check->captured);
    check_sum(check, "capture_drops", drops, check->drops);
}
