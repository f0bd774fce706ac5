/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes explanations: per ordered pair the intervals of the policy are cut to the ports asked for,
 * every rule that touches them is listed with why it wins or loses, and pairs with equal answers
 * are put together. */
#include "topologies/explain.h"

#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "topologies/plan_priv.h"
#include "topologies/policy_priv.h"

static void piece_release(struct sp_explain_piece *piece)
{
    sp_free(piece->matches);
}

static void answer_release(struct sp_explain_answer *answer)
{
    for (size_t i = 0; i < answer->npieces; i++) {
        piece_release(&answer->pieces[i]);
    }
    sp_free(answer->pieces);
    sp_free(answer->members);
    sp_free(answer->paths);
    *answer = (struct sp_explain_answer){0};
}

void sp_explanation_free(struct sp_explanation *explanation)
{
    if (!explanation) {
        return;
    }
    for (size_t i = 0; i < explanation->nanswers; i++) {
        answer_release(&explanation->answers[i]);
    }
    sp_free(explanation->answers);
    sp_free(explanation->from);
    sp_free(explanation->to);
    sp_free(explanation->ports);
    sp_free(explanation);
}

/* Why a rule that matches does not decide. */
static const char *loses(const struct sp_model *model, uint8_t winner_acts, uint32_t rule,
                         uint8_t acts)
{
    bool wildcard = acts == SP_RULE_PERMIT && model->rules[rule].kind == SP_RULE_ALLOW;
    if (winner_acts == acts) {
        return "an earlier rule says the same";
    }
    if (winner_acts == SP_RULE_ISOLATION) {
        return "isolation beats everything";
    }
    if (winner_acts == SP_RULE_DENY) {
        return acts == SP_RULE_ALLOW ? "deny beats allow" : "deny beats permit";
    }
    return wildcard ? "a wildcard only permits, and allow beats permit" : "allow beats permit";
}

/* Collects the rules that match a piece. */
struct collector {
    const struct sp_model *model;
    struct sp_explain_piece *piece;
    enum sp_rc rc;
};

static uint8_t kind_of(enum sp_strength strength)
{
    static const uint8_t kinds[] = {
        [SP_STRENGTH_ISOLATION] = SP_RULE_ISOLATION,
        [SP_STRENGTH_DENY] = SP_RULE_DENY,
        [SP_STRENGTH_ALLOW] = SP_RULE_ALLOW,
        [SP_STRENGTH_PERMIT] = SP_RULE_PERMIT,
    };
    return kinds[strength];
}

static bool collect(void *ctx, uint32_t index)
{
    struct collector *c = ctx;
    const struct sp_rule *rule = &c->model->rules[index];
    struct sp_explain_piece *piece = c->piece;
    bool matches = rule->kind == SP_RULE_ISOLATION;
    enum sp_strength best = matches ? SP_STRENGTH_ISOLATION : SP_STRENGTH_PERMIT;
    for (size_t i = 0; i < rule->nports && rule->kind != SP_RULE_ISOLATION; i++) {
        uint32_t lo, hi;
        if (sp_portspec_on(&rule->ports[i], piece->proto, &lo, &hi) && lo <= piece->hi &&
            hi >= piece->lo) {
            enum sp_strength strength = sp_rule_strength(rule, &rule->ports[i]);
            best = strength < best ? strength : best;
            matches = true;
        }
    }
    if (!matches) {
        return true;
    }
    if (sp_grow((void **)&piece->matches, piece->nmatches, &piece->matches_cap,
                sizeof(*piece->matches)) != 0) {
        c->rc = SP_E_NOMEM;
        return false;
    }
    piece->matches[piece->nmatches++] = (struct sp_explain_match){
        .rule = index, .acts_as = kind_of(best), .decides = index == piece->rule};
    return true;
}

/* Puts the deciding rule first and says why the others lose. */
static void rank_matches(const struct sp_model *model, struct sp_explain_piece *piece)
{
    for (size_t i = 0; i < piece->nmatches; i++) {
        if (piece->matches[i].decides) {
            struct sp_explain_match winner = piece->matches[i];
            memmove(piece->matches + 1, piece->matches, i * sizeof(*piece->matches));
            piece->matches[0] = winner;
        }
    }
    for (size_t i = 1; i < piece->nmatches; i++) {
        piece->matches[i].loses = loses(model, piece->matches[0].acts_as, piece->matches[i].rule,
                                        piece->matches[i].acts_as);
    }
}

/* How an allowed port of a balancer's address is tested: see sp_reason_ways and what the run leaves
 * alone. */
static void judge_listener(const struct sp_model *model, const struct sp_pair *pair,
                           struct sp_explain_piece *piece)
{
    struct sp_ways ways;
    enum sp_reason reason = sp_reason_ways(model, NULL, pair, piece->proto, &ways);
    piece->talks =
        reason == SP_REASON_NONE && ways.allow != SP_NO_TECHNIQUE && sp_technique_talks(ways.allow);
    if (reason == SP_REASON_NONE && ways.allow == SP_NO_TECHNIQUE) {
        reason = SP_REASON_HAZARD;
    }
    piece->untested = reason != SP_REASON_NONE ? sp_reason_str(reason)
                      : pair->one_sided        ? NULL
                                               : sp_listener_hindrance(model, piece->listener);
}

/* Whether a plan would test the piece over one of the paths, and its very port. */
static void judge_tested(const struct sp_model *model, const struct sp_explain_answer *answer,
                         struct sp_explain_piece *piece)
{
    const struct sp_explain_member *m = &answer->members[0];
    piece->untested = answer->untested ? answer->untested : sp_reason_str(SP_REASON_FAMILY);
    for (size_t i = 0; i < answer->npaths && piece->untested && !answer->untested; i++) {
        uint8_t family = answer->paths[i].pair.family, technique;
        if ((piece->proto == SP_PROTO_ICMP && family != SP_FAMILY_IPV4) ||
            (piece->proto == SP_PROTO_ICMP6 && family != SP_FAMILY_IPV6)) {
            continue;
        }
        piece->untested = answer->paths[i].untested;
        enum sp_reason reason =
            sp_reason_proto(model, NULL, m->from, m->to, piece->proto, family, &technique);
        if (piece->listener && !piece->untested && reason == SP_REASON_NONE) {
            judge_listener(model, &answer->paths[i].pair, piece);
            continue;
        }
        uint16_t echo = piece->proto == SP_PROTO_ICMP ? SP_PORT_ICMP_ECHO : SP_PORT_ICMP6_ECHO;
        struct sp_ways ways;
        bool icmp = piece->proto == SP_PROTO_ICMP || piece->proto == SP_PROTO_ICMP6;
        if (reason == SP_REASON_NONE && icmp && (echo < piece->lo || echo > piece->hi)) {
            (void)sp_reason_ways(model, NULL, &answer->paths[i].pair, piece->proto, &ways);
            reason = sp_icmp_is_askable(piece->proto, piece->lo) ? (enum sp_reason)ways.types_reason
                                                                 : SP_REASON_ICMP_TYPE;
        }
        if (reason == SP_REASON_NONE && piece->proto == SP_PROTO_IP) {
            const struct sp_interval asked = {
                .lo = piece->lo, .hi = piece->hi, .expect = piece->expect};
            const struct sp_pair *pair = &answer->paths[i].pair;
            reason = sp_reason_ways(model, NULL, pair, piece->proto, &ways);
            reason = reason == SP_REASON_NONE ? sp_portless_hindrance(pair, &asked) : reason;
        }
        if (!piece->untested && reason != SP_REASON_NONE) {
            piece->untested = sp_reason_str(reason);
        }
    }
    if (piece->untested || piece->lo != piece->hi) {
        return;
    }
    const struct sp_interval *iv = &piece->interval;
    bool has_edges = piece->proto == SP_PROTO_TCP || piece->proto == SP_PROTO_UDP ||
                     piece->proto == SP_PROTO_SCTP;
    piece->tested_itself = iv->lo == iv->hi || (has_edges && piece->expect != SP_EXPECT_PERMIT &&
                                                (piece->lo == iv->lo || piece->lo == iv->hi));
    const struct sp_risk *risk;
    for (size_t i = 0; piece->expect == SP_EXPECT_DENY && (risk = sp_risk_at(i)) != NULL; i++) {
        piece->tested_itself =
            piece->tested_itself || (risk->proto == piece->proto && risk->port == piece->lo);
    }
}

static const char *by_default(const struct sp_model *model, uint32_t from, uint8_t expect)
{
    uint32_t network = sp_model_target_network(model, from);
    if (expect == SP_EXPECT_DENY) {
        return "by default: no rule says anything about it";
    }
    return network < model->nnetworks && model->networks[network].within == SP_WITHIN_OPEN
               ? "by default: their network says `within: open`"
               : "by default: in one network presets decide their own ports only";
}

/* Adds the pieces of one protocol that lie in lo..hi. */
static enum sp_rc add_pieces(struct sp_policy *policy, const struct sp_model *model,
                             struct sp_explain_answer *answer, uint8_t proto, uint32_t lo,
                             uint32_t hi)
{
    const struct sp_explain_member m = answer->members[0];
    struct sp_intervals list = sp_policy_pair(policy, m.from, m.to, proto);
    if (list.n == 0) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < list.n; i++) {
        const struct sp_interval *iv = &list.at[i];
        if (iv->hi < lo || iv->lo > hi) {
            continue;
        }
        if (sp_grow((void **)&answer->pieces, answer->npieces, &answer->pieces_cap,
                    sizeof(*answer->pieces)) != 0) {
            return SP_E_NOMEM;
        }
        const struct sp_listener *listener = iv->expect != SP_EXPECT_DENY && iv->lo == iv->hi
                                                 ? sp_model_listener(model, m.to, proto, iv->lo)
                                                 : NULL;
        struct sp_explain_piece *piece = &answer->pieces[answer->npieces++];
        *piece = (struct sp_explain_piece){
            .proto = proto,
            .lo = iv->lo < lo ? (uint16_t)lo : iv->lo,
            .hi = iv->hi > hi ? (uint16_t)hi : iv->hi,
            .expect = iv->expect,
            .rule = iv->rule,
            .listener = listener,
            .flows = listener ? sp_plan_flows_for(listener->nbackends) : 0,
            .interval = *iv};
        if (iv->rule == SP_NONE) {
            piece->by_default = by_default(model, m.from, iv->expect);
        }
        struct collector collector = {.model = model, .piece = piece};
        sp_policy_each_rule(policy, m.from, m.to, collect, &collector);
        if (collector.rc != SP_OK) {
            return collector.rc;
        }
        rank_matches(model, piece);
        judge_tested(model, answer, piece);
    }
    return SP_OK;
}

static enum sp_rc add_paths(struct sp_book *book, const struct sp_model *model,
                            struct sp_explain_answer *answer)
{
    const struct sp_explain_member m = answer->members[0];
    if (m.from >= model->nhosts) {
        return SP_OK;
    }
    for (size_t i = 0; i < sp_target_naddrs(model, m.from); i++) {
        for (size_t j = 0; j < sp_target_naddrs(model, m.to); j++) {
            struct sp_explain_path path = {0};
            enum sp_reason reason;
            if (!sp_book_pair(book, m.from, m.to, i, j, &path.pair, &reason)) {
                continue;
            }
            path.untested = reason == SP_REASON_NONE ? NULL : sp_reason_str(reason);
            if (sp_grow((void **)&answer->paths, answer->npaths, &answer->paths_cap,
                        sizeof(*answer->paths)) != 0) {
                return SP_E_NOMEM;
            }
            answer->paths[answer->npaths++] = path;
        }
    }
    return SP_OK;
}

static enum sp_rc add_member(struct sp_explain_answer *answer, struct sp_explain_member member)
{
    if (sp_grow((void **)&answer->members, answer->nmembers, &answer->members_cap,
                sizeof(*answer->members)) != 0) {
        return SP_E_NOMEM;
    }
    answer->members[answer->nmembers++] = member;
    return SP_OK;
}

static bool same_piece(const struct sp_explain_piece *a, const struct sp_explain_piece *b)
{
    if (a->proto != b->proto || a->lo != b->lo || a->hi != b->hi || a->expect != b->expect ||
        a->rule != b->rule || a->untested != b->untested || a->listener != b->listener ||
        a->talks != b->talks || a->tested_itself != b->tested_itself ||
        a->interval.lo != b->interval.lo || a->interval.hi != b->interval.hi ||
        a->nmatches != b->nmatches) {
        return false;
    }
    for (size_t i = 0; i < a->nmatches; i++) {
        if (a->matches[i].rule != b->matches[i].rule ||
            a->matches[i].acts_as != b->matches[i].acts_as) {
            return false;
        }
    }
    return true;
}

static bool same_answer(const struct sp_explain_answer *a, const struct sp_explain_answer *b)
{
    if (a->untested != b->untested || a->enforcement != b->enforcement ||
        a->npieces != b->npieces || a->npaths != b->npaths) {
        return false;
    }
    for (size_t i = 0; i < a->npaths; i++) {
        if (a->paths[i].untested != b->paths[i].untested ||
            a->paths[i].pair.family != b->paths[i].pair.family ||
            a->paths[i].pair.one_sided != b->paths[i].pair.one_sided) {
            return false;
        }
    }
    for (size_t i = 0; i < a->npieces; i++) {
        if (!same_piece(&a->pieces[i], &b->pieces[i])) {
            return false;
        }
    }
    return true;
}

/* What one call works with. */
struct work {
    struct sp_policy *policy;
    const struct sp_model *model;
    struct sp_book *book;
    struct sp_bits from, to;
    struct sp_portspec single;
    const struct sp_portspec *ports; /* single, or those of a service (borrowed) */
    size_t nports;
    struct sp_explanation *out;
};

static enum sp_rc fill_answer(struct work *w, struct sp_explain_answer *answer,
                              struct sp_explain_member member)
{
    const struct sp_model *model = w->model;
    enum sp_rc rc = add_member(answer, member);
    if (rc != SP_OK) {
        return rc;
    }
    answer->untested = sp_policy_untested(w->policy, member.from, member.to);
    if (!answer->untested) {
        enum sp_reason reason = sp_reason_pair(w->policy, model, member.from, member.to);
        answer->untested = reason == SP_REASON_NONE ? NULL : sp_reason_str(reason);
    }
    answer->enforcement = sp_model_enforcement(model, sp_model_target_network(model, member.from),
                                               sp_model_target_network(model, member.to));
    rc = add_paths(w->book, model, answer);
    for (uint8_t proto = 0; rc == SP_OK && proto < SP_PROTO_COUNT; proto++) {
        for (size_t i = 0; rc == SP_OK && i < w->nports; i++) {
            uint32_t lo, hi;
            if (sp_portspec_on(&w->ports[i], proto, &lo, &hi)) {
                rc = add_pieces(w->policy, model, answer, proto, lo, hi);
            }
        }
    }
    return rc;
}

/* Explains one ordered pair, and puts it to those with the same answer. */
static enum sp_rc explain_pair(struct work *w, struct sp_explain_member member)
{
    struct sp_explanation *out = w->out;
    struct sp_explain_answer answer = {0};
    enum sp_rc rc = fill_answer(w, &answer, member);
    for (size_t i = 0; rc == SP_OK && i < out->nanswers; i++) {
        if (same_answer(&out->answers[i], &answer)) {
            rc = add_member(&out->answers[i], member);
            answer_release(&answer);
            return rc;
        }
    }
    if (rc == SP_OK && sp_grow((void **)&out->answers, out->nanswers, &out->answers_cap,
                               sizeof(*out->answers)) != 0) {
        rc = SP_E_NOMEM;
    }
    if (rc != SP_OK) {
        answer_release(&answer);
        return rc;
    }
    out->answers[out->nanswers++] = answer;
    return SP_OK;
}

static enum sp_rc find_ports(struct work *w, const char *ports, struct sp_diag *diag)
{
    for (size_t i = 0; i < w->model->nservices; i++) {
        if (strcmp(w->model->services[i].name, ports) == 0) {
            w->ports = w->model->services[i].ports;
            w->nports = w->model->services[i].nports;
            return SP_OK;
        }
    }
    w->ports = &w->single;
    w->nports = 1;
    if (!strchr(ports, '/') && sp_portspec_parse(ports, &w->single, NULL) == SP_E_INVALID) {
        return sp_fail(diag, SP_E_INVALID, NULL,
                       "'%s' is neither a port nor the name of a service: write tcp/443, udp/53, "
                       "tcp/8000-8100, icmp/echo, any, or a service of the topology",
                       ports);
    }
    return sp_portspec_parse(ports, &w->single, diag);
}

static enum sp_rc explain_all(struct work *w, struct sp_diag *diag)
{
    size_t nfrom = sp_bits_count(&w->from), nto = sp_bits_count(&w->to);
    if (nfrom == 0 || nto == 0) {
        return sp_fail(diag, SP_E_INVALID, NULL, "'%s' selects no host and no balancer",
                       nfrom == 0 ? w->out->from : w->out->to);
    }
    if (nfrom * nto > SP_EXPLAIN_MAX_PAIRS) {
        return sp_fail(diag, SP_E_LIMIT, NULL,
                       "that would be %zu pairs of hosts, more than %u: name fewer", nfrom * nto,
                       SP_EXPLAIN_MAX_PAIRS);
    }
    for (uint32_t a = 0; a < w->from.nbits; a++) {
        for (uint32_t b = 0; sp_bits_get(&w->from, a) && b < w->to.nbits; b++) {
            if (!sp_bits_get(&w->to, b) || (a == b && nfrom * nto > 1)) {
                continue;
            }
            enum sp_rc rc = explain_pair(w, (struct sp_explain_member){a, b});
            if (rc != SP_OK) {
                return rc;
            }
            w->out->npairs++;
        }
    }
    return SP_OK;
}

enum sp_rc sp_explanation_new(struct sp_policy *policy, const struct sp_model *model,
                              const char *from, const char *to, const char *ports,
                              struct sp_explanation **ret_explanation, struct sp_diag *diag)
{
    struct work w = {.policy = policy, .model = model};
    enum sp_rc rc = find_ports(&w, ports, diag);
    if (rc == SP_OK) {
        rc = sp_select(model, from, &w.from, diag);
    }
    if (rc == SP_OK) {
        rc = sp_select(model, to, &w.to, diag);
    }
    if (rc == SP_OK) {
        rc = sp_book_new(model, &w.book);
    }
    if (rc == SP_OK) {
        w.out = sp_calloc(1, sizeof(*w.out));
        if (w.out) {
            w.out->from = sp_strdup(from);
            w.out->to = sp_strdup(to);
            w.out->ports = sp_strdup(ports);
        }
        rc = w.out && w.out->from && w.out->to && w.out->ports ? explain_all(&w, diag) : SP_E_NOMEM;
    }
    sp_bits_release(&w.from);
    sp_bits_release(&w.to);
    sp_book_free(w.book);
    if (rc != SP_OK) {
        sp_explanation_free(w.out);
        return rc == SP_E_NOMEM ? sp_fail(diag, rc, NULL, "out of memory") : rc;
    }
    *ret_explanation = w.out;
    return SP_OK;
}

enum sp_rc sp_explain(struct sp_policy *policy, const struct sp_model *model, const char *from,
                      const char *to, const char *ports, struct sp_buf *out_text,
                      struct sp_diag *diag)
{
    struct sp_explanation *explanation = NULL;
    enum sp_rc rc = sp_explanation_new(policy, model, from, to, ports, &explanation, diag);
    if (rc != SP_OK) {
        return rc;
    }
    sp_explanation_print(explanation, model, out_text);
    sp_explanation_free(explanation);
    return out_text->rc == SP_OK ? SP_OK : sp_fail(diag, out_text->rc, NULL, "out of memory");
}
