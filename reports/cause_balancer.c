/* SPDX-License-Identifier: Apache-2.0
 *
 * Likely causes of findings at the address of a load balancer, or around it. Their words name a
 * host or a balancer, because one repair is about that one. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"

#define SP_CAUSE_MAX_NAMES 3U

static const struct sp_pair *pair_of(const struct sp_result *result, const struct sp_entry *test)
{
    return &result->plan->pairs[result->tests[test->test].pair];
}

/* The first balancer that passes flows on to this host and port. */
static const struct sp_balancer *balancer_before(const struct sp_model *model,
                                                 const struct sp_entry *test, uint32_t port)
{
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            const struct sp_listener *listener = &balancer->listeners[i];
            if (listener->port.proto == test->proto && listener->backend_port == port &&
                sp_listener_has(listener, test->to)) {
                return balancer;
            }
        }
    }
    return NULL;
}

bool sp_cause_around(const struct sp_result *result, const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Ends with the first port that is no backend's. */
        for (uint32_t port = tests[i].port; port <= tests[i].port_hi; port++) {
            if (!balancer_before(result->model, &tests[i], port)) {
                return false;
            }
        }
    }
    return n > 0;
}

static enum sp_cause guess_balanced_leak(const struct sp_result *result,
                                         const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!sp_model_listener(result->model, tests[i].to, tests[i].proto, tests[i].port)) {
            return SP_CAUSE_BALANCER_PORT;
        }
    }
    return SP_CAUSE_BALANCER_CLIENT;
}

static enum sp_cause guess_misdelivered(const struct sp_result *result, const struct sp_seen *seen,
                                        const struct sp_entry *test)
{
    if (seen->elsewhere > 0) {
        return SP_CAUSE_BACKEND_FOREIGN;
    }
    if (seen->rewritten == 0) {
        return SP_CAUSE_BACKEND_UNKNOWN;
    }
    const struct sp_listener *listener =
        sp_model_listener(result->model, test->to, test->proto, test->port);
    bool preserved = listener && listener->source && strcmp(listener->source, "preserved") == 0;
    bool client = sp_addr_eq(&seen->captured.src, &pair_of(result, test)->src_seen);
    return preserved && !client ? SP_CAUSE_SOURCE_REWRITTEN : SP_CAUSE_SOURCE_OTHER;
}

static enum sp_cause guess_partial(const struct sp_result *result, const struct sp_entry *test)
{
    struct sp_buf none;
    sp_buf_init(&none, SP_PORTS_MAX_BYTES);
    bool missed = sp_served_missed(result, test->test, 0, &none);
    sp_buf_release(&none);
    return missed ? SP_CAUSE_BACKEND_MISSED : SP_CAUSE_COUNT;
}

enum sp_cause sp_cause_balanced(const struct sp_result *result, const struct sp_entry *tests,
                                size_t n)
{
    const struct sp_outcome *outcome = &result->outcomes[tests[0].test];
    const struct sp_pair *pair = pair_of(result, &tests[0]);
    if (!pair->is_balanced) {
        return SP_CAUSE_COUNT;
    }
    enum sp_verdict verdict = (enum sp_verdict)tests[0].verdict;
    if (verdict == SP_VERDICT_LEAK) {
        bool stray =
            outcome->seen.elsewhere > 0 && outcome->seen.host == 0 && outcome->seen.nic == 0;
        return stray ? SP_CAUSE_COUNT : guess_balanced_leak(result, tests, n);
    }
    if (pair->one_sided) {
        return SP_CAUSE_COUNT;
    }
    if (verdict == SP_VERDICT_MISDELIVERED) {
        return guess_misdelivered(result, &outcome->seen, &tests[0]);
    }
    if (verdict == SP_VERDICT_PARTIAL) {
        return guess_partial(result, &tests[0]);
    }
    if (verdict != SP_VERDICT_BLOCKED || outcome->judged.by == SP_BY_SENDER) {
        return SP_CAUSE_COUNT;
    }
    if (outcome->judged.by == SP_BY_PATH) {
        return SP_CAUSE_BALANCER_SILENT;
    }
    /* A refusal from before the address is a firewall's. */
    if (outcome->seen.answerer == SP_ANSWERER_BEFORE) {
        return SP_CAUSE_COUNT;
    }
    return outcome->seen.answer == SP_ANSWER_RST ? SP_CAUSE_BALANCER_REFUSES
                                                 : SP_CAUSE_BACKENDS_DEAD;
}

char *sp_cause_subject(enum sp_cause cause, const struct sp_result *result,
                       const struct sp_entry *test)
{
    const struct sp_model *model = result->model;
    if (cause == SP_CAUSE_MASQUERADED) {
        char text[SP_ADDR_STRLEN];
        return sp_strdup(sp_addr_str(&result->outcomes[test->test].seen.captured.src, text));
    }
    if (cause == SP_CAUSE_KNOWN_ADDRESS || cause == SP_CAUSE_ONE_ADDRESS ||
        cause == SP_CAUSE_BALANCER_ADDRESS) {
        char text[SP_ADDR_STRLEN];
        return sp_strdup(sp_addr_str(&pair_of(result, test)->dst, text));
    }
    if (cause < SP_CAUSE_AROUND) {
        return sp_strdup("");
    }
    if (cause == SP_CAUSE_AROUND) {
        const struct sp_balancer *balancer = balancer_before(model, test, test->port);
        return sp_strdup(balancer ? balancer->name : "");
    }
    if (cause == SP_CAUSE_BACKEND_FOREIGN) {
        uint32_t host = result->outcomes[test->test].seen.elsewhere_host;
        return sp_strdup(host < model->nhosts ? model->hosts[host].name : "another probe");
    }
    if (cause == SP_CAUSE_BACKEND_MISSED) {
        struct sp_buf names;
        sp_buf_init(&names, SP_PORTS_MAX_BYTES);
        (void)sp_served_missed(result, test->test, SP_CAUSE_MAX_NAMES, &names);
        char *text = sp_buf_take(&names);
        sp_buf_release(&names);
        return text;
    }
    return sp_strdup(sp_model_target_name(model, test->to));
}

char *sp_cause_words(const char *text, const char *subject)
{
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    for (; *text; text++) {
        if (*text == '@') {
            sp_buf_str(&buf, subject);
        } else {
            sp_buf_char(&buf, *text);
        }
    }
    char *words = sp_buf_take(&buf);
    sp_buf_release(&buf);
    return words;
}
