/* SPDX-License-Identifier: Apache-2.0
 *
 * What never came to the receiver: where it was last seen, who refused it, who sent it elsewhere. A
 * router answers an expired packet before it filters, so the hop that answers last is the likely
 * one to have dropped it, and the one behind it is where it did not come. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/trace_priv.h"

/* The place in front of a hop: the hop before it, or the sender. */
const char *sp_trace_before_str(const struct sp_trace *t, size_t hop, char *out)
{
    if (hop == 0) {
        (void)snprintf(out, SP_TRACE_NAME_MAX, "%.300s", sp_trace_name(t, t->pair->from));
        return out;
    }
    return sp_trace_hop_str(t, hop - 1, out);
}

/* ------------------------------------------------------------------ where it was lost */

bool sp_trace_passed(const struct sp_trace *t, uint32_t host, bool is_out, bool is_answer,
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
size_t sp_trace_reached(const struct sp_trace *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nhops; i++) {
        if (t->hops[i].asked > 0 ||
            (t->hops[i].is_watched && sp_trace_passed(t, t->hops[i].host, false, false, NULL))) {
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

bool sp_trace_is_loop(const struct sp_trace *t)
{
    size_t first;
    size_t again;
    return find_loop(t, &first, &again);
}

void sp_trace_explain_loop(struct sp_trace *t)
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
    sp_trace_conclude(t, SP_TRACE_LOOP, SP_TRACE_AT_HOP, turn);
    SP_SENTENCE(t, "routers send it in a circle: %s and %s pass it to each other",
                sp_trace_hop_str(t, first, a), sp_trace_hop_str(t, turn, b));
    SP_REMEDY(t, "correct the route to %s on the two", sp_trace_name(t, t->pair->to));
}

static void explain_lost(struct sp_trace *t)
{
    char a[SP_TRACE_NAME_MAX];
    char b[SP_TRACE_NAME_MAX];
    const struct sp_trace_pass *in = NULL;
    size_t next = sp_trace_reached(t);
    const char *declared = sp_trace_is_denied(t) ? ", as declared" : "";
    const struct sp_trace_hop *last = next > 0 ? &t->hops[next - 1] : NULL;
    if (last && last->is_watched && sp_trace_passed(t, last->host, false, false, &in) &&
        !sp_trace_passed(t, last->host, true, false, NULL)) {
        sp_trace_conclude(t, SP_TRACE_DROPPED_INSIDE, SP_TRACE_AT_HOP, next - 1);
        SP_SENTENCE(t, "dropped inside %s: it came in on %s and never left%s",
                    sp_trace_hop_str(t, next - 1, a), in->iface, declared);
        SP_REMEDY(t, "%s the forward rules and the routes of %s",
                  sp_trace_is_denied(t) ? "nothing; what drops it are" : "look at",
                  sp_trace_hop_str(t, next - 1, a));
        return;
    }
    sp_trace_conclude(t, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, next);
    bool last_lets_go =
        last && last->is_watched && sp_trace_passed(t, last->host, true, false, NULL);
    if (t->nhops == 0 && !t->is_distance_known) {
        SP_SENTENCE(t, "lost between %s and %s, and no router on the way answers%s",
                    sp_trace_before_str(t, 0, a), sp_trace_hop_str(t, 0, b), declared);
    } else if (is_next_sure(t, next)) {
        SP_SENTENCE(t, "dropped between %s and %s: a device there drops it%s",
                    sp_trace_before_str(t, next, a), sp_trace_hop_str(t, next, b), declared);
    } else {
        SP_SENTENCE(t, "lost behind %s%s; nothing beyond it answers%s",
                    sp_trace_before_str(t, next, a), declared,
                    t->reference_is_flow ? ", and no other flow is known to get through" : "");
    }
    if (sp_trace_is_denied(t)) {
        SP_REMEDY(t, "nothing: it is denied, and it is dropped");
    } else if (next == 0) {
        SP_REMEDY(t,
                  "look at what filters between %s and its first router, then at the router's "
                  "rules for what comes in",
                  sp_trace_name(t, t->pair->from));
    } else if (last_lets_go) {
        SP_REMEDY(t, "it left %s: add the declared rule on what stands behind it, %s",
                  sp_trace_hop_str(t, next - 1, a), sp_trace_hop_str(t, next, b));
    } else {
        SP_REMEDY(t,
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
    const char *to = sp_trace_name(t, t->pair->to);
    (void)answerer_str(t, who);
    hop = hop < t->nhops ? hop : sp_trace_reached(t);
    if (refusal == REFUSAL_ROUTE) {
        sp_trace_conclude(t, SP_TRACE_NO_ROUTE, place, hop);
        SP_SENTENCE(t, "%s has no route to %s: it says so (ICMP network unreachable)", who, to);
        SP_REMEDY(t, "add a route to the network of %s on %s", to, who);
    } else if (refusal == REFUSAL_NEIGHBOUR) {
        sp_trace_conclude(t, SP_TRACE_NO_NEIGHBOUR, place, hop);
        SP_SENTENCE(
            t, "%s gets no answer from %s on the link: it is down, or has another address (%s)",
            who, to,
            t->pair->family == SP_FAMILY_IPV6 ? "no neighbour advertisement" : "no answer to ARP");
        SP_REMEDY(t, "check that %s is up, its address, and the segment it is plugged into", to);
    } else {
        sp_trace_conclude(t, SP_TRACE_REJECTED, place, hop);
        SP_SENTENCE(t, "rejected by %s: it says so (ICMP %s, code %u)%s", who,
                    refusal == REFUSAL_PORT ? "port unreachable" : "administratively prohibited",
                    t->answer_code, sp_trace_is_denied(t) ? ", as declared" : "");
        if (sp_trace_is_denied(t)) {
            SP_REMEDY(t, "nothing: it is denied, and it is rejected");
        } else {
            SP_REMEDY(t, "add the declared rule on %s", who);
        }
    }
}

/* A RST in the receiver's name that the receiver never sent: how far away its TTL was set. */
static void explain_reset(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    uint8_t set = t->answer_ttl > 128 ? 255 : t->answer_ttl > 64 ? 128 : 64;
    size_t hop = (size_t)(set - t->answer_ttl); /* 0 = the first router set it */
    size_t next = sp_trace_reached(t);
    bool placed = hop < t->nhops;
    if (hop == t->nhops && t->is_distance_known) {
        sp_trace_conclude(t, SP_TRACE_ELSEWHERE, SP_TRACE_BEFORE_HOP, next);
        SP_SENTENCE(t,
                    "a host as far away as %s answers in its name, and %s never got it: address "
                    "translation or routing behind %s sends it there",
                    sp_trace_name(t, t->pair->to), sp_trace_name(t, t->pair->to),
                    sp_trace_before_str(t, next, who));
        SP_REMEDY(t, "look for a translation or route that matches this destination on %s", who);
        return;
    }
    hop = placed ? hop : next > 0 ? next - 1 : 0;
    sp_trace_conclude(t, SP_TRACE_REJECTED, t->nhops > 0 ? SP_TRACE_AT_HOP : SP_TRACE_BEFORE_HOP,
                      hop);
    (void)sp_trace_hop_str(t, hop, who);
    SP_SENTENCE(t, "rejected by %s: it resets the connection in the name of %s%s%s", who,
                sp_trace_name(t, t->pair->to), placed ? " (by the TTL of the RST)" : "",
                sp_trace_is_denied(t) ? ", as declared" : "");
    if (sp_trace_is_denied(t)) {
        SP_REMEDY(t, "nothing: it is denied, and it is rejected");
    } else {
        SP_REMEDY(t, "add the declared rule on %s", who);
    }
}

/* ------------------------------------------------------------------ delivered otherwise */

/* Where a translation took place: the hop that first saw another packet, or whose probe did. */
static size_t translated_at(const struct sp_trace *t)
{
    for (size_t i = 0; i < t->nhops; i++) {
        const struct sp_trace_pass *in = NULL;
        const struct sp_trace_pass *out = NULL;
        if (t->hops[i].is_watched && sp_trace_passed(t, t->hops[i].host, false, false, &in) &&
            sp_trace_passed(t, t->hops[i].host, true, false, &out) &&
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
    size_t last = sp_trace_reached(t);
    const char *got = sp_trace_name(t, t->elsewhere);
    bool has_dst = t->captured.dst.family != SP_FAMILY_NONE;
    sp_trace_conclude(t, SP_TRACE_ELSEWHERE, at < t->nhops ? SP_TRACE_AT_HOP : SP_TRACE_BEFORE_HOP,
                      at < t->nhops ? at : last);
    (void)end_str(&t->captured.dst, t->captured.dport, ports, dst);
    SP_SENTENCE(t, "%s gets it%s%s: address translation or routing %s %s sends it there", got,
                has_dst ? ", as " : "", has_dst ? dst : "", at < t->nhops ? "at" : "behind",
                at < t->nhops ? sp_trace_hop_str(t, at, who) : sp_trace_before_str(t, last, who));
    SP_REMEDY(t, "look for a translation or route that matches this destination on %s", who);
}

void sp_trace_explain_rewritten(struct sp_trace *t)
{
    char who[SP_TRACE_NAME_MAX];
    char now[SP_ADDR_STRLEN + 10];
    bool ports = t->test->proto == SP_PROTO_TCP || t->test->proto == SP_PROTO_UDP;
    size_t at = translated_at(t);
    bool by_source = !sp_addr_eq(&t->captured.src, &t->pair->src_seen);
    /* What stands in the place of the source is an address of whoever translates. */
    size_t owner = hop_of(t, &t->captured.src);
    at = at < t->nhops ? at : owner;
    sp_trace_conclude(t, SP_TRACE_REWRITTEN, at < t->nhops ? SP_TRACE_AT_HOP : SP_TRACE_NOWHERE,
                      at < t->nhops ? at : 0);
    (void)end_str(by_source ? &t->captured.src : &t->captured.dst,
                  by_source ? t->captured.sport : t->captured.dport, ports, now);
    (void)sp_trace_hop_str(t,
                           at < t->nhops             ? at
                           : sp_trace_reached(t) > 0 ? sp_trace_reached(t) - 1
                                                     : 0,
                           who);
    SP_SENTENCE(t, "%s rewrites its %s to %s, which nobody declared",
                at < t->nhops || t->nhops == 1 ? who : "a device on the path",
                by_source ? "source" : "destination", now);
    SP_REMEDY(t, "remove the translation, or declare it with nat: or seen_as:");
}

/* ------------------------------------------------------------------ which of them */

void sp_trace_explain_stopped(struct sp_trace *t)
{
    if (t->send_err == EPERM || t->outcome->seen.sender_policy) {
        const char *from = sp_trace_name(t, t->pair->from);
        sp_trace_conclude(t, SP_TRACE_SENDER_POLICY, SP_TRACE_AT_SENDER, 0);
        SP_SENTENCE(t, "%s's own firewall refuses to send it", from);
        SP_REMEDY(t,
                  sp_trace_is_denied(t) ? "nothing: it is denied, and %s does not send it"
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
        sp_trace_conclude(t, SP_TRACE_PROXY, SP_TRACE_BEFORE_HOP, sp_trace_reached(t));
        SP_SENTENCE(t, "something on the path answers in place of %s",
                    sp_trace_name(t, t->pair->to));
        SP_REMEDY(t, "find the proxy that answers and close the flow there, or declare it");
    } else if (sp_trace_is_loop(t)) {
        sp_trace_explain_loop(t);
    } else {
        explain_lost(t);
    }
}
