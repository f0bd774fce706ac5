/* SPDX-License-Identifier: Apache-2.0
 *
 * From what the vantage points saw of one flow to the place where it ended and the most likely
 * cause. It is told as likely: the facts stand beside it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/trace.h"

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

static const char *name_of(const struct sp_trace *t, uint32_t target)
{
    return target < sp_model_ntargets(t->model) ? sp_model_target_name(t->model, target) : "?";
}

const char *sp_trace_hop_str(const struct sp_trace *trace, size_t hop, char *out)
{
    char addr[SP_ADDR_STRLEN];
    if (hop >= trace->nhops) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%.300s", name_of(trace, trace->pair->to));
    } else if (trace->hops[hop].addr.family == SP_FAMILY_NONE) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "hop %zu (which does not answer)", hop + 1);
    } else if (trace->hops[hop].host != SP_NONE) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%s (%.250s)",
                       sp_addr_str(&trace->hops[hop].addr, addr),
                       name_of(trace, trace->hops[hop].host));
    } else {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%s", sp_addr_str(&trace->hops[hop].addr, addr));
    }
    return out;
}

/* The place in front of a hop: the hop before it, or the sender. */
static const char *before_str(const struct sp_trace *t, size_t hop, char *out)
{
    if (hop == 0) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%.300s", name_of(t, t->pair->from));
        return out;
    }
    return sp_trace_hop_str(t, hop - 1, out);
}

static void say(char *out, size_t size, const char *fmt, ...) SP_PRINTF(3, 4);
static void say(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(out, size, fmt, ap);
    va_end(ap);
}
#define SENTENCE(t, ...) say((t)->sentence, sizeof((t)->sentence), __VA_ARGS__)
#define REMEDY(t, ...)   say((t)->remedy, sizeof((t)->remedy), __VA_ARGS__)

static void conclude(struct sp_trace *t, enum sp_trace_cause cause, enum sp_trace_place place,
                     size_t hop)
{
    t->cause = cause;
    t->place = place;
    t->hop = hop;
}

static bool is_denied(const struct sp_trace *t)
{
    return t->test->expect == SP_EXPECT_DENY;
}

/* ------------------------------------------------------------------ where it was lost */

static bool passed(const struct sp_trace *t, uint32_t host, bool is_out, bool is_answer,
                   const struct sp_trace_pass **ret_pass)
{
    for (size_t i = 0; i < t->npasses; i++) {
        const struct sp_trace_pass *pass = &t->passes[i];
        if (pass->host == host && pass->is_out == is_out &&
            (pass->answer != SP_ANSWER_NONE) == is_answer) {
            if (ret_pass) {
                *ret_pass = pass;
            }
            return true;
        }
    }
    return false;
}

/* The hop with this address or of this host; nhops when there is none. */
static size_t hop_of(const struct sp_trace *t, const struct sp_addr *addr)
{
    for (size_t i = 0; i < t->nhops; i++) {
        if (sp_addr_eq(&t->hops[i].addr, addr)) {
            return i;
        }
    }
    return t->nhops;
}

/* How many hops the flow has been shown to reach. */
static size_t reached(const struct sp_trace *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nhops; i++) {
        if (t->hops[i].asked > 0 ||
            (t->hops[i].is_watched && passed(t, t->hops[i].host, false, false, NULL))) {
            n = i + 1;
        }
    }
    return n;
}

/* Would the next place have been heard of, had the flow come there? */
static bool is_next_sure(const struct sp_trace *t, size_t next)
{
    if (next >= t->nhops) {
        return true; /* the receiver's own capture */
    }
    return t->hops[next].reference > 0 || t->hops[next].is_watched;
}

/* A router answers with the address of the interface that the packet came in by. */
static bool is_same_router(const struct sp_trace_hop *a, const struct sp_trace_hop *b)
{
    return sp_addr_eq(&a->addr, &b->addr) || (a->host != SP_NONE && a->host == b->host);
}

/* Two hops that are one router, with others between them: routers in a circle. False: none. */
static bool find_loop(const struct sp_trace *t, size_t *ret_first, size_t *ret_again)
{
    for (size_t i = 0; i < t->nhops; i++) {
        for (size_t k = i + 2; k < t->nhops; k++) {
            if (t->hops[i].addr.family != SP_FAMILY_NONE &&
                is_same_router(&t->hops[i], &t->hops[k])) {
                *ret_first = i;
                *ret_again = k;
                return true;
            }
        }
    }
    return false;
}

static bool is_loop(const struct sp_trace *t)
{
    size_t first;
    size_t again;
    return find_loop(t, &first, &again);
}

static void explain_loop(struct sp_trace *t)
{
    char a[SP_TRACE_NAME_MAX];
    char b[SP_TRACE_NAME_MAX];
    size_t first = 0;
    size_t again = 0;
    (void)find_loop(t, &first, &again);
    size_t turn = first > 0 ? first - 1 : first; /* who sends it back */
    for (size_t i = again - 1; i > first; i--) {
        turn = t->hops[i].addr.family != SP_FAMILY_NONE ? i : turn;
    }
    conclude(t, SP_TRACE_LOOP, SP_TRACE_AT_HOP, turn);
    SENTENCE(t, "routers send it in a circle: %s and %s pass it to each other",
             sp_trace_hop_str(t, first, a), sp_trace_hop_str(t, turn, b));
    REMEDY(t, "correct the route to %s on the two", name_of(t, t->pair->to));
}

static void explain_lost(struct sp_trace *t)
{
    char a[SP_TRACE_NAME_MAX];
    char b[SP_TRACE_NAME_MAX];
    const struct sp_trace_pass *in = NULL;
    size_t next = reached(t);
    const char *declared = is_denied(t) ? ", as declared" : "";
    const struct sp_trace_hop *last = next > 0 ? &t->hops[next - 1] : NULL;
    if (last && last->is_watched && passed(t, last->host, false, false, &in) &&
        !passed(t, last->host, true, false, NULL)) {
        conclude(t, SP_TRACE_DROPPED_INSIDE, SP_TRACE_AT_HOP, next - 1);
        SENTENCE(t, "dropped inside %s: it came in on %s and never left%s",
                 sp_trace_hop_str(t, next - 1, a), in->iface, declared);
        REMEDY(t, "%s the forward rules and the routes of %s",
               is_denied(t) ? "nothing; what drops it are" : "look at",
               sp_trace_hop_str(t, next - 1, a));
        return;
    }
    conclude(t, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, next);
    bool last_lets_go = last && last->is_watched && passed(t, last->host, true, false, NULL);
    if (t->nhops == 0 && !t->is_distance_known) {
        SENTENCE(t, "lost between %s and %s, and no router on the way answers%s",
                 before_str(t, 0, a), sp_trace_hop_str(t, 0, b), declared);
    } else if (is_next_sure(t, next)) {
        SENTENCE(t, "dropped between %s and %s: a device there drops it%s", before_str(t, next, a),
                 sp_trace_hop_str(t, next, b), declared);
    } else {
        SENTENCE(t, "lost behind %s%s; nothing beyond it answers%s", before_str(t, next, a),
                 declared,
                 t->reference_is_flow ? ", and no other flow is known to get through" : "");
    }
    if (is_denied(t)) {
        REMEDY(t, "nothing: it is denied, and it is dropped");
    } else if (next == 0) {
        REMEDY(t,
               "look at what filters between %s and its first router, then at the router's "
               "rules for what comes in",
               name_of(t, t->pair->from));
    } else if (last_lets_go) {
        REMEDY(t, "it left %s: add the declared rule on what stands behind it, %s",
               sp_trace_hop_str(t, next - 1, a), sp_trace_hop_str(t, next, b));
    } else {
        REMEDY(t,
               "add the declared rule on the firewall %s (a router answers expired packets "
               "before it filters, so it is the likely one), or between it and %s",
               sp_trace_hop_str(t, next - 1, a), sp_trace_hop_str(t, next, b));
    }
}

/* ------------------------------------------------------------------ who refused it */

enum refusal { REFUSAL_PROHIBITED, REFUSAL_ROUTE, REFUSAL_NEIGHBOUR, REFUSAL_PORT };

/* RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1. */
static enum refusal refusal_of(const struct sp_trace *t)
{
    if (t->pair->family == SP_FAMILY_IPV6) {
        switch (t->answer_code) {
        case 0:
            return REFUSAL_ROUTE;
        case 3:
            return REFUSAL_NEIGHBOUR;
        case 4:
            return REFUSAL_PORT;
        default:
            return REFUSAL_PROHIBITED;
        }
    }
    switch (t->answer_code) {
    case 0:
    case 6:
    case 11:
        return REFUSAL_ROUTE;
    case 1:
    case 7:
        return REFUSAL_NEIGHBOUR;
    case 2:
    case 3:
        return REFUSAL_PORT;
    default:
        return REFUSAL_PROHIBITED;
    }
}

/* "10.1.0.1 (fw-1)" of whoever answered, hop or not. */
static const char *answerer_str(const struct sp_trace *t, char *out)
{
    char addr[SP_ADDR_STRLEN];
    size_t hop = hop_of(t, &t->answerer);
    if (hop < t->nhops) {
        return sp_trace_hop_str(t, hop, out);
    }
    (void)snprintf(out, SP_TRACE_NAME_MAX, "%s", sp_addr_str(&t->answerer, addr));
    return out;
}

static void explain_refused(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    enum refusal refusal = refusal_of(t);
    size_t hop = hop_of(t, &t->answerer);
    enum sp_trace_place place = hop < t->nhops ? SP_TRACE_AT_HOP : SP_TRACE_BEFORE_HOP;
    const char *to = name_of(t, t->pair->to);
    (void)answerer_str(t, who);
    hop = hop < t->nhops ? hop : reached(t);
    if (refusal == REFUSAL_ROUTE) {
        conclude(t, SP_TRACE_NO_ROUTE, place, hop);
        SENTENCE(t, "%s has no route to %s: it says so (ICMP network unreachable)", who, to);
        REMEDY(t, "add a route to the network of %s on %s", to, who);
    } else if (refusal == REFUSAL_NEIGHBOUR) {
        conclude(t, SP_TRACE_NO_NEIGHBOUR, place, hop);
        SENTENCE(
            t, "%s gets no answer from %s on the link: it is down, or has another address (%s)",
            who, to,
            t->pair->family == SP_FAMILY_IPV6 ? "no neighbour advertisement" : "no answer to ARP");
        REMEDY(t, "check that %s is up, its address, and the segment it is plugged into", to);
    } else {
        conclude(t, SP_TRACE_REJECTED, place, hop);
        SENTENCE(t, "rejected by %s: it says so (ICMP %s, code %u)%s", who,
                 refusal == REFUSAL_PORT ? "port unreachable" : "administratively prohibited",
                 t->answer_code, is_denied(t) ? ", as declared" : "");
        if (is_denied(t)) {
            REMEDY(t, "nothing: it is denied, and it is rejected");
        } else {
            REMEDY(t, "add the declared rule on %s", who);
        }
    }
}

/* A RST in the receiver's name that the receiver never sent: how far away its TTL was set. */
static void explain_reset(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    uint8_t set = t->answer_ttl > 128 ? 255 : t->answer_ttl > 64 ? 128 : 64;
    size_t hop = (size_t)(set - t->answer_ttl); /* 0 = the first router set it */
    size_t next = reached(t);
    bool placed = hop < t->nhops;
    if (hop == t->nhops && t->is_distance_known) {
        conclude(t, SP_TRACE_ELSEWHERE, SP_TRACE_BEFORE_HOP, next);
        SENTENCE(t,
                 "a host as far away as %s answers in its name, and %s never got it: address "
                 "translation or routing behind %s sends it there",
                 name_of(t, t->pair->to), name_of(t, t->pair->to), before_str(t, next, who));
        REMEDY(t, "look for a translation or route that matches this destination on %s", who);
        return;
    }
    hop = placed ? hop : next > 0 ? next - 1 : 0;
    conclude(t, SP_TRACE_REJECTED, t->nhops > 0 ? SP_TRACE_AT_HOP : SP_TRACE_BEFORE_HOP, hop);
    (void)sp_trace_hop_str(t, hop, who);
    SENTENCE(t, "rejected by %s: it resets the connection in the name of %s%s%s", who,
             name_of(t, t->pair->to), placed ? " (by the TTL of the RST)" : "",
             is_denied(t) ? ", as declared" : "");
    if (is_denied(t)) {
        REMEDY(t, "nothing: it is denied, and it is rejected");
    } else {
        REMEDY(t, "add the declared rule on %s", who);
    }
}

/* ------------------------------------------------------------------ delivered otherwise */

/* Where a translation took place: the hop that first saw another packet, or whose probe did. */
static size_t translated_at(const struct sp_trace *t)
{
    for (size_t i = 0; i < t->nhops; i++) {
        const struct sp_trace_pass *in = NULL;
        const struct sp_trace_pass *out = NULL;
        if (t->hops[i].is_watched && passed(t, t->hops[i].host, false, false, &in) &&
            passed(t, t->hops[i].host, true, false, &out) &&
            (!sp_addr_eq(&in->tuple.src, &out->tuple.src) ||
             !sp_addr_eq(&in->tuple.dst, &out->tuple.dst) || in->tuple.dport != out->tuple.dport)) {
            return i;
        }
    }
    /* It quotes what came to it: the translation was before it. */
    for (size_t i = 0; i < t->nhops; i++) {
        if (t->hops[i].is_translated) {
            return i > 0 ? i - 1 : 0;
        }
    }
    return t->nhops;
}

static const char *end_str(const struct sp_addr *addr, uint16_t port, bool has_port,
                           char out[static SP_ADDR_STRLEN + 10])
{
    char text[SP_ADDR_STRLEN];
    (void)sp_addr_str(addr, text);
    (void)snprintf(out, SP_ADDR_STRLEN + 10,
                   !has_port                        ? "%s"
                   : addr->family == SP_FAMILY_IPV6 ? "[%s]:%u"
                                                    : "%s:%u",
                   text, (unsigned)port);
    return out;
}

static void explain_elsewhere(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    char dst[SP_ADDR_STRLEN + 10];
    bool ports = t->test->proto == SP_PROTO_TCP || t->test->proto == SP_PROTO_UDP;
    size_t at = translated_at(t);
    size_t last = reached(t);
    const char *got = name_of(t, t->elsewhere);
    bool has_dst = t->captured.dst.family != SP_FAMILY_NONE;
    conclude(t, SP_TRACE_ELSEWHERE, at < t->nhops ? SP_TRACE_AT_HOP : SP_TRACE_BEFORE_HOP,
             at < t->nhops ? at : last);
    (void)end_str(&t->captured.dst, t->captured.dport, ports, dst);
    SENTENCE(t, "%s gets it%s%s: address translation or routing %s %s sends it there", got,
             has_dst ? ", as " : "", has_dst ? dst : "", at < t->nhops ? "at" : "behind",
             at < t->nhops ? sp_trace_hop_str(t, at, who) : before_str(t, last, who));
    REMEDY(t, "look for a translation or route that matches this destination on %s", who);
}

static void explain_rewritten(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    char now[SP_ADDR_STRLEN + 10];
    bool ports = t->test->proto == SP_PROTO_TCP || t->test->proto == SP_PROTO_UDP;
    size_t at = translated_at(t);
    bool by_source = !sp_addr_eq(&t->captured.src, &t->pair->src_seen);
    /* What stands in the place of the source is an address of whoever translates. */
    size_t owner = hop_of(t, &t->captured.src);
    at = at < t->nhops ? at : owner;
    conclude(t, SP_TRACE_REWRITTEN, at < t->nhops ? SP_TRACE_AT_HOP : SP_TRACE_NOWHERE,
             at < t->nhops ? at : 0);
    (void)end_str(by_source ? &t->captured.src : &t->captured.dst,
                  by_source ? t->captured.sport : t->captured.dport, ports, now);
    (void)sp_trace_hop_str(t, at < t->nhops ? at : reached(t) > 0 ? reached(t) - 1 : 0, who);
    SENTENCE(t, "%s rewrites its %s to %s, which nobody declared",
             at < t->nhops || t->nhops == 1 ? who : "a device on the path",
             by_source ? "source" : "destination", now);
    REMEDY(t, "remove the translation, or declare it with nat: or seen_as:");
}

/* ------------------------------------------------------------------ at the ends */

static void explain_way_back(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    const char *from = name_of(t, t->pair->from);
    const char *to = name_of(t, t->pair->to);
    conclude(t, SP_TRACE_WAY_BACK, SP_TRACE_ON_WAY_BACK, 0);
    for (size_t i = t->nhops; i-- > 0;) {
        const struct sp_trace_pass *in = NULL;
        const struct sp_trace_hop *hop = &t->hops[i];
        if (!hop->is_watched) {
            continue;
        }
        t->hop = i;
        (void)sp_trace_hop_str(t, i, who);
        if (passed(t, hop->host, false, true, &in) && !passed(t, hop->host, true, true, NULL)) {
            SENTENCE(t, "the answer is dropped inside %s: it came in on %s and never left", who,
                     in->iface);
            REMEDY(t, "let established flows back on %s", who);
            return;
        }
        if (!passed(t, hop->host, false, true, NULL)) {
            SENTENCE(t,
                     "the answer left %s and never came to %s: the way back is blocked before it",
                     to, who);
            REMEDY(t, "let established flows back, and check that both ways use one stateful "
                      "firewall");
            return;
        }
    }
    (void)sp_trace_hop_str(t, 0, who);
    SENTENCE(t, "the answer leaves %s and is lost on the way back to %s", to, from);
    if (t->nhops == 1) {
        SENTENCE(t, "the answer leaves %s and is lost on the way back to %s, through %s", to, from,
                 who);
    }
    REMEDY(t, "let established flows back, and check that both ways use one stateful firewall");
}

static void explain_receiver(struct sp_trace *t)
{
    const char *to = name_of(t, t->pair->to);
    if (t->outcome->judged.verdict == SP_VERDICT_HOST_FILTERED || t->host == 0) {
        conclude(t, SP_TRACE_RECEIVER_POLICY, SP_TRACE_AT_RECEIVER, 0);
        SENTENCE(t, "%s's own firewall drops it: it reached the interface, not the host%s", to,
                 is_denied(t) ? ", as declared" : "");
        REMEDY(t,
               is_denied(t) ? "nothing: it is denied, and %s drops it"
                            : "open it in the inbound rules of %s",
               to);
        return;
    }
    if (t->answer_left > 0 || t->egress != SP_ANSWER_NONE) {
        explain_way_back(t);
        return;
    }
    bool refused = t->egress_err == EPERM;
    conclude(t, refused ? SP_TRACE_RECEIVER_OUT : SP_TRACE_RECEIVER_SILENT, SP_TRACE_AT_RECEIVER,
             0);
    if (refused) {
        SENTENCE(t, "%s gets it, and its own outbound rules keep the answer from leaving", to);
        REMEDY(t, "let answers out in the outbound rules of %s", to);
    } else {
        SENTENCE(t, "%s gets it and sends no answer", to);
        REMEDY(t, "look for an outbound rule on %s, or for a service that stays silent", to);
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
    conclude(t, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0);
    SENTENCE(t,
             "small packets pass and large ones vanish: %u bytes arrive, %u bytes do not, and "
             "nobody says that they are too big (a path MTU black hole)",
             largest, hole->bytes);
    REMEDY(t, "let ICMP %s through on the path, or clamp the MSS to the smallest link",
           t->pair->family == SP_FAMILY_IPV6 ? "packet too big (type 2)"
                                             : "fragmentation needed (type 3, code 4)");
    return true;
}

static void explain_works(struct sp_trace *t)
{
    const char *to = name_of(t, t->pair->to);
    if (is_denied(t)) {
        conclude(t, SP_TRACE_PASSES, SP_TRACE_NOWHERE, 0);
        SENTENCE(t, "nothing on the path stops it: it reaches %s, though it is denied", to);
        REMEDY(t, "look for the rule that matches this flow on the path, and narrow it");
    } else if (!explain_sizes(t)) {
        conclude(t, SP_TRACE_WORKS, SP_TRACE_NOWHERE, 0);
        SENTENCE(t, "it works: delivered to %s, and answered", to);
        REMEDY(t, "nothing");
    }
}

static void explain_loss(struct sp_trace *t)
{
    const struct sp_seen *seen = &t->outcome->seen;
    conclude(t, SP_TRACE_LOSS, SP_TRACE_NOWHERE, 0);
    if (t->outcome->judged.verdict == SP_VERDICT_INCONCLUSIVE && t->nic == t->tries) {
        SENTENCE(t,
                 "packets a second apart arrive (%u of %u), packets in a row are lost: a rate "
                 "limit on the path",
                 t->nic, t->tries);
        REMEDY(t, "look for policers, hashlimit and SYN protection on the path, and for what else "
                  "uses up their budget");
        return;
    }
    SENTENCE(t,
             "the path loses packets: %u of %u arrived. Overload, a rate limit, or parallel "
             "paths with different rules",
             seen->nic, seen->attempts);
    REMEDY(t, "look for rate limits (policers, hashlimit, SYN protection) on the path, then "
              "compare the rules of parallel paths");
}

/* ------------------------------------------------------------------ the whole */

static void explain_unsound(struct sp_trace *t)
{
    const char *from = name_of(t, t->pair->from);
    const char *to = name_of(t, t->pair->to);
    enum sp_unsound reason = t->outcome->judged.reason;
    if (t->host_reason[0]) {
        conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SENTENCE(t, "nothing was shown: %.300s", t->host_reason);
        REMEDY(t, "make the probe work there, then trace again");
    } else if (is_loop(t)) {
        explain_loop(t);
    } else if (t->sender_refused || reason == SP_UNSOUND_NO_ROUTE ||
               reason == SP_UNSOUND_SENDER_ARM) {
        conclude(t, SP_TRACE_SENDER_ROUTE, SP_TRACE_AT_SENDER, 0);
        SENTENCE(t, "%s cannot send it: %s", from,
                 t->sender_refused ? sp_refusal_str(t->sender_refused) : sp_unsound_str(reason));
        REMEDY(t, "check the routes, addresses and interfaces of %s", from);
    } else if (t->receiver_refused || reason == SP_UNSOUND_RECEIVER_ARM ||
               reason == SP_UNSOUND_INTERFACE) {
        conclude(t, SP_TRACE_RECEIVER_DOWN, SP_TRACE_AT_RECEIVER, 0);
        SENTENCE(t, "%s cannot get it: %s", to,
                 t->receiver_refused ? sp_refusal_str(t->receiver_refused)
                                     : sp_unsound_str(reason));
        REMEDY(t, "check the interfaces and addresses of %s", to);
    } else if (reason == SP_UNSOUND_NOT_SENT) {
        conclude(t, SP_TRACE_SENDER_STACK, SP_TRACE_AT_SENDER, 0);
        SENTENCE(t,
                 "%s's kernel takes it, and it never appears on the wire: dropped between its "
                 "outbound rules and its interface",
                 from);
        REMEDY(t, "look at the egress hooks, traffic control and XDP of %s", from);
    } else {
        conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SENTENCE(t, "nothing was shown: %s", sp_unsound_str(reason));
        REMEDY(t, "remove that, then trace again");
    }
}

static void explain_stopped(struct sp_trace *t)
{
    if (t->send_err == EPERM || t->outcome->seen.sender_policy) {
        const char *from = name_of(t, t->pair->from);
        conclude(t, SP_TRACE_SENDER_POLICY, SP_TRACE_AT_SENDER, 0);
        SENTENCE(t, "%s's own firewall refuses to send it", from);
        REMEDY(t,
               is_denied(t) ? "nothing: it is denied, and %s does not send it"
                            : "open it in the outbound rules of %s",
               from);
    } else if (t->elsewhere != SP_NONE) {
        explain_elsewhere(t);
    } else if (t->answer == SP_ANSWER_UNREACHABLE) {
        explain_refused(t);
    } else if (t->answer == SP_ANSWER_RST) {
        explain_reset(t);
    } else if (t->answer == SP_ANSWER_SYN_ACK || t->answer == SP_ANSWER_DATA ||
               t->answer == SP_ANSWER_ECHO) {
        conclude(t, SP_TRACE_PROXY, SP_TRACE_BEFORE_HOP, reached(t));
        SENTENCE(t, "something on the path answers in place of %s", name_of(t, t->pair->to));
        REMEDY(t, "find the proxy that answers and close the flow there, or declare it");
    } else if (is_loop(t)) {
        explain_loop(t);
    } else {
        explain_lost(t);
    }
}

void sp_trace_explain(struct sp_trace *t)
{
    const struct sp_judgement *judged = &t->outcome->judged;
    if (!t->is_tested) {
        conclude(t, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0);
        SENTENCE(t, "it was not tested: %s",
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
    } else if (arrived && rewritten && !is_denied(t)) {
        explain_rewritten(t);
    } else if (!arrived) {
        explain_stopped(t);
    } else if (judged->verdict == SP_VERDICT_HOLDS || judged->verdict == SP_VERDICT_LEAK) {
        if (is_denied(t) && judged->verdict == SP_VERDICT_HOLDS) {
            explain_receiver(t);
        } else {
            explain_works(t);
        }
    } else {
        explain_receiver(t);
    }
}
