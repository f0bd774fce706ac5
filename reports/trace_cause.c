/* SPDX-License-Identifier: Apache-2.0
 *
 * From what the vantage points saw of one flow to the place where it ended and the most likely
 * cause. It is told as likely: the facts stand beside it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/trace_priv.h"

static const char *const names[SP_TRACE_CAUSES] = {
    [SP_TRACE_WORKS] = "works",
    [SP_TRACE_PASSES] = "passes",
    [SP_TRACE_SENDER_POLICY] = "sender_policy",
    [SP_TRACE_SENDER_STACK] = "sender_stack",
    [SP_TRACE_SENDER_ROUTE] = "sender_route",
    [SP_TRACE_DROPPED] = "dropped",
    [SP_TRACE_DROPPED_INSIDE] = "dropped_inside",
    [SP_TRACE_REJECTED] = "rejected",
    [SP_TRACE_NO_ROUTE] = "no_route",
    [SP_TRACE_NO_NEIGHBOUR] = "no_neighbour",
    [SP_TRACE_ELSEWHERE] = "elsewhere",
    [SP_TRACE_REWRITTEN] = "rewritten",
    [SP_TRACE_LOOP] = "loop",
    [SP_TRACE_RECEIVER_POLICY] = "receiver_policy",
    [SP_TRACE_RECEIVER_DOWN] = "receiver_down",
    [SP_TRACE_RECEIVER_OUT] = "receiver_out",
    [SP_TRACE_RECEIVER_SILENT] = "receiver_silent",
    [SP_TRACE_WAY_BACK] = "way_back",
    [SP_TRACE_LOSS] = "loss",
    [SP_TRACE_BLACK_HOLE] = "black_hole",
    [SP_TRACE_PROXY] = "proxy",
    [SP_TRACE_UNKNOWN] = "unknown",
};

const char *sp_trace_cause_str(enum sp_trace_cause cause)
{
    return cause < SP_TRACE_CAUSES ? names[cause] : "unknown";
}

int sp_trace_exit(const struct sp_trace *trace)
{
    if (!trace->is_tested) {
        return 3;
    }
    const struct sp_judgement *judged = &trace->outcome->judged;
    if (trace->cause == SP_TRACE_BLACK_HOLE) {
        return trace->test->expect == SP_EXPECT_DENY ? 0 : 1;
    }
    if (sp_verdict_is_finding(judged->verdict)) {
        return 1;
    }
    return judged->verdict == SP_VERDICT_HOLDS ? 0 : 3;
}

const char *sp_trace_name(const struct sp_trace *t, uint32_t target)
{
    return target < sp_model_ntargets(t->model) ? sp_model_target_name(t->model, target) : "?";
}

const char *sp_trace_hop_str(const struct sp_trace *trace, size_t hop, char *out)
{
    char addr[SP_ADDR_STRLEN];
    if (hop >= trace->nhops) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%.300s", sp_trace_name(trace, trace->pair->to));
    } else if (trace->hops[hop].addr.family == SP_FAMILY_NONE) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "hop %zu (which does not answer)", hop + 1);
    } else if (trace->hops[hop].host != SP_NONE) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%s (%.250s)",
                       sp_addr_str(&trace->hops[hop].addr, addr),
                       sp_trace_name(trace, trace->hops[hop].host));
    } else {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%s", sp_addr_str(&trace->hops[hop].addr, addr));
    }
    return out;
}

void sp_trace_say(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(out, size, fmt, ap);
    va_end(ap);
}
/* ------------------------------------------------------------------ at the ends */

static void explain_way_back(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    const char *from = sp_trace_name(t, t->pair->from);
    const char *to = sp_trace_name(t, t->pair->to);
    sp_trace_conclude(t, SP_TRACE_WAY_BACK, SP_TRACE_ON_WAY_BACK, 0);
    for (size_t i = t->nhops; i-- > 0;) {
        const struct sp_trace_pass *in = NULL;
        const struct sp_trace_hop *hop = &t->hops[i];
        if (!hop->is_watched) {
            continue;
        }
        t->hop = i;
        (void)sp_trace_hop_str(t, i, who);
        if (sp_trace_passed(t, hop->host, false, true, &in) &&
            !sp_trace_passed(t, hop->host, true, true, NULL)) {
            SP_SENTENCE(t, "the answer is dropped inside %s: it came in on %s and never left", who,
                        in->iface);
            SP_REMEDY(t, "let established flows back on %s", who);
            return;
        }
        if (!sp_trace_passed(t, hop->host, false, true, NULL)) {
            SP_SENTENCE(
                t, "the answer left %s and never came to %s: the way back is blocked before it", to,
                who);
            SP_REMEDY(t, "let established flows back, and check that both ways use one stateful "
                         "firewall");
            return;
        }
    }
    (void)sp_trace_hop_str(t, 0, who);
    SP_SENTENCE(t, "the answer leaves %s and is lost on the way back to %s", to, from);
    if (t->nhops == 1) {
        SP_SENTENCE(t, "the answer leaves %s and is lost on the way back to %s, through %s", to,
                    from, who);
    }
    SP_REMEDY(t, "let established flows back, and check that both ways use one stateful firewall");
}

static void explain_receiver(struct sp_trace *t)
{
    const char *to = sp_trace_name(t, t->pair->to);
    if (t->outcome->judged.verdict == SP_VERDICT_HOST_FILTERED || t->host == 0) {
        sp_trace_conclude(t, SP_TRACE_RECEIVER_POLICY, SP_TRACE_AT_RECEIVER, 0);
        SP_SENTENCE(t, "%s's own firewall drops it: it reached the interface, not the host%s", to,
                    sp_trace_is_denied(t) ? ", as declared" : "");
        SP_REMEDY(t,
                  sp_trace_is_denied(t) ? "nothing: it is denied, and %s drops it"
                                        : "open it in the inbound rules of %s",
                  to);
        return;
    }
    if (t->answer_left > 0 || t->egress != SP_ANSWER_NONE) {
        explain_way_back(t);
        return;
    }
    bool refused = t->egress_err == EPERM;
    sp_trace_conclude(t, refused ? SP_TRACE_RECEIVER_OUT : SP_TRACE_RECEIVER_SILENT,
                      SP_TRACE_AT_RECEIVER, 0);
    if (refused) {
        SP_SENTENCE(t, "%s gets it, and its own outbound rules keep the answer from leaving", to);
        SP_REMEDY(t, "let answers out in the outbound rules of %s", to);
    } else {
        SP_SENTENCE(t, "%s gets it and sends no answer", to);
        SP_REMEDY(t, "look for an outbound rule on %s, or for a service that stays silent", to);
    }
}

/* ------------------------------------------------------------------ sizes and loss */

/* The smallest size that vanished without a word, while a smaller one, or the flow itself, came. */
static const struct sp_trace_size *black_hole(const struct sp_trace *t, uint16_t *ret_largest)
{
    const struct sp_trace_size *hole = NULL;
    bool told = false;
    *ret_largest = 0;
    for (size_t i = 0; i < t->nsizes; i++) {
        const struct sp_trace_size *size = &t->sizes[i];
        told = told || size->mtu > 0 || size->refused > 0;
        if (size->arrived > 0) {
            *ret_largest = size->bytes > *ret_largest ? size->bytes : *ret_largest;
        } else if (size->tries > 0 && size->mtu == 0 && size->refused == 0 &&
                   (!hole || size->bytes < hole->bytes)) {
            hole = size;
        }
    }
    bool known = *ret_largest > 0 && hole && hole->bytes > *ret_largest;
    return known && !told ? hole : NULL;
}

static bool explain_sizes(struct sp_trace *t)
{
    uint16_t largest = 0;
    const struct sp_trace_size *hole = black_hole(t, &largest);
    if (!hole) {
        return false;
    }
    sp_trace_conclude(t, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0);
    bool mismatch =
        t->mtu_to > 0 && t->mtu_to < t->mtu_from && hole->bytes > t->mtu_to && largest <= t->mtu_to;
    if (mismatch) {
        const char *to = sp_trace_name(t, t->pair->to);
        SP_SENTENCE(t,
                    "the MTUs do not match: %s's link takes %u bytes and %s's %u, so small packets "
                    "pass, large ones vanish, and nobody says that they are too big",
                    to, t->mtu_to, sp_trace_name(t, t->pair->from), t->mtu_from);
        SP_REMEDY(t, "give every link to %s the same MTU, or clamp the MSS to the smallest", to);
        return true;
    }
    SP_SENTENCE(t,
                "small packets pass and large ones vanish: %u bytes arrive, %u bytes do not, and "
                "nobody says that they are too big (a path MTU black hole)",
                largest, hole->bytes);
    SP_REMEDY(t, "let ICMP %s through on the path, or clamp the MSS to the smallest link",
              t->pair->family == SP_FAMILY_IPV6 ? "packet too big (type 2)"
                                                : "fragmentation needed (type 3, code 4)");
    return true;
}

static void explain_works(struct sp_trace *t)
{
    const char *to = sp_trace_name(t, t->pair->to);
    if (sp_trace_is_denied(t)) {
        sp_trace_conclude(t, SP_TRACE_PASSES, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t, "nothing on the path stops it: it reaches %s, though it is denied", to);
        SP_REMEDY(t, "look for the rule that matches this flow on the path, and narrow it");
    } else if (!explain_sizes(t)) {
        sp_trace_conclude(t, SP_TRACE_WORKS, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t, "it works: delivered to %s, and answered", to);
        SP_REMEDY(t, "nothing");
    }
}

static void explain_loss(struct sp_trace *t)
{
    const struct sp_seen *seen = &t->outcome->seen;
    sp_trace_conclude(t, SP_TRACE_LOSS, SP_TRACE_NOWHERE, 0);
    if (t->outcome->judged.verdict == SP_VERDICT_INCONCLUSIVE && t->nic == t->tries) {
        SP_SENTENCE(t,
                    "packets a second apart arrive (%u of %u), packets in a row are lost: a rate "
                    "limit on the path",
                    t->nic, t->tries);
        SP_REMEDY(t,
                  "look for policers, hashlimit and SYN protection on the path, and for what else "
                  "uses up their budget");
        return;
    }
    SP_SENTENCE(t,
                "the path loses packets: %u of %u arrived. Overload, a rate limit, or parallel "
                "paths with different rules",
                seen->nic, seen->attempts);
    SP_REMEDY(t, "look for rate limits (policers, hashlimit, SYN protection) on the path, then "
                 "compare the rules of parallel paths");
}

/* ------------------------------------------------------------------ the whole */

static void explain_unsound(struct sp_trace *t)
{
    const char *from = sp_trace_name(t, t->pair->from);
    const char *to = sp_trace_name(t, t->pair->to);
    enum sp_unsound reason = t->outcome->judged.reason;
    if (t->host_reason[0]) {
        sp_trace_conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t, "nothing was shown: %.300s", t->host_reason);
        SP_REMEDY(t, "make the probe work there, then trace again");
    } else if (sp_trace_is_loop(t)) {
        sp_trace_explain_loop(t);
    } else if (t->sender_refused || reason == SP_UNSOUND_NO_ROUTE ||
               reason == SP_UNSOUND_SENDER_ARM) {
        sp_trace_conclude(t, SP_TRACE_SENDER_ROUTE, SP_TRACE_AT_SENDER, 0);
        SP_SENTENCE(t, "%s cannot send it: %s", from,
                    t->sender_refused ? sp_refusal_str(t->sender_refused) : sp_unsound_str(reason));
        SP_REMEDY(t, "check the routes, addresses and interfaces of %s", from);
    } else if (t->receiver_refused || reason == SP_UNSOUND_RECEIVER_ARM ||
               reason == SP_UNSOUND_INTERFACE) {
        sp_trace_conclude(t, SP_TRACE_RECEIVER_DOWN, SP_TRACE_AT_RECEIVER, 0);
        SP_SENTENCE(t, "%s cannot get it: %s", to,
                    t->receiver_refused ? sp_refusal_str(t->receiver_refused)
                                        : sp_unsound_str(reason));
        SP_REMEDY(t, "check the interfaces and addresses of %s", to);
    } else if (reason == SP_UNSOUND_NOT_SENT) {
        sp_trace_conclude(t, SP_TRACE_SENDER_STACK, SP_TRACE_AT_SENDER, 0);
        SP_SENTENCE(t,
                    "%s's kernel takes it, and it never appears on the wire: dropped between its "
                    "outbound rules and its interface",
                    from);
        SP_REMEDY(t, "look at the egress hooks, traffic control and XDP of %s", from);
    } else {
        sp_trace_conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t, "nothing was shown: %s", sp_unsound_str(reason));
        SP_REMEDY(t, "remove that, then trace again");
    }
}

void sp_trace_explain(struct sp_trace *t)
{
    const struct sp_judgement *judged = &t->outcome->judged;
    if (!t->is_tested) {
        sp_trace_conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t, "it was not tested: %s",
                    t->outcome->not_tested ? t->outcome->not_tested : "the run was interrupted");
        t->remedy[0] = '\0';
        return;
    }
    bool arrived = t->nic > 0 || t->host > 0;
    bool rewritten = t->captured.src.family != SP_FAMILY_NONE && t->elsewhere == SP_NONE;
    bool is_end = t->sender_refused || t->receiver_refused;
    if (judged->verdict == SP_VERDICT_INCONCLUSIVE && t->send_err != EPERM && !arrived &&
        (is_end || t->answer == SP_ANSWER_NONE)) {
        explain_unsound(t);
    } else if (judged->verdict == SP_VERDICT_PARTIAL || judged->lossy ||
               (judged->verdict == SP_VERDICT_INCONCLUSIVE && t->nic > 0)) {
        explain_loss(t);
    } else if (arrived && rewritten && !sp_trace_is_denied(t)) {
        sp_trace_explain_rewritten(t);
    } else if (!arrived) {
        sp_trace_explain_stopped(t);
    } else if (judged->verdict == SP_VERDICT_HOLDS || judged->verdict == SP_VERDICT_LEAK) {
        if (sp_trace_is_denied(t) && judged->verdict == SP_VERDICT_HOLDS) {
            explain_receiver(t);
        } else {
            explain_works(t);
        }
    } else {
        explain_receiver(t);
    }
}
