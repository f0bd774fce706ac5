/* SPDX-License-Identifier: Apache-2.0
 *
 * What a path does to flows as such, and the causes that follow: the first packet of each is lost,
 * parallel paths differ, a rate is limited, silent conversations are forgotten. */
#include <stdio.h>
#include <string.h>

#include "reports/trace_priv.h"

/* Of a rate: fewer lost ones than this share are chance. */
#define SP_TRACE_LOSS_SHARE 0.03
/* Fewer packets say nothing. */
#define SP_TRACE_RATE_LEAST 8U

bool sp_trace_turns_at_sender(const struct sp_trace *t)
{
    return t->left_by[0] && t->answer_by[0] && strcmp(t->left_by, t->answer_by) != 0;
}

bool sp_trace_turns_at_receiver(const struct sp_trace *t)
{
    return t->arrived_by[0] && t->reply_by[0] && strcmp(t->arrived_by, t->reply_by) != 0;
}

bool sp_trace_is_parted(const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    return f->lost > 0 && f->passed > 0 && f->mixed <= f->n / 8;
}

bool sp_trace_is_first_lost(const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    /* All but a few: their repetition may be lost, too. */
    return f->firsts >= 4 && f->first_lost == f->firsts &&
           f->again_passed + f->firsts / 8 >= f->firsts;
}

/* ------------------------------------------------------------------ rates */

static bool is_lossy(const struct sp_trace_rate *rate)
{
    return rate->sent - rate->arrived > SP_TRACE_LOSS_SHARE * rate->sent + 1;
}

bool sp_trace_knee(const struct sp_trace *trace, uint32_t *ret_good, uint32_t *ret_bad,
                   uint32_t *ret_through)
{
    size_t first = trace->nrates;
    const struct sp_trace_rate *top = NULL;
    if (trace->nrates == 0) {
        return false;
    }
    while (first > 0 && is_lossy(&trace->rates[first - 1])) {
        first--;
    }
    for (size_t i = 0; i < first; i++) {
        if (is_lossy(&trace->rates[i])) {
            return false; /* loss at some rate, and none at a higher one: no limit */
        }
    }
    top = &trace->rates[trace->nrates - 1];
    *ret_good = first > 0 ? trace->rates[first - 1].pps : 0;
    *ret_bad = first < trace->nrates ? trace->rates[first].pps : 0;
    *ret_through = top->sent > 0 ? (uint32_t)((uint64_t)top->pps * top->arrived / top->sent) : 0;
    return true;
}

/* ------------------------------------------------------------------ silence */

bool sp_trace_silences(const struct sp_trace *trace, uint32_t *ret_good, uint32_t *ret_bad,
                       bool *ret_is_reset)
{
    uint32_t good = 0;
    uint32_t bad = 0;
    bool is_reset = false;
    if (trace->nidle == 0 || trace->idle[0].survived == 0) {
        return false;
    }
    for (size_t i = 0; i < trace->nidle; i++) {
        if (trace->idle[i].survived > 0) {
            good = trace->idle[i].silent_ms;
        }
    }
    for (size_t i = trace->nidle; i-- > 0;) {
        const struct sp_trace_idle *idle = &trace->idle[i];
        /* One of a few may be lost by chance: all of them, and all that were silent for longer. */
        if (idle->silent_ms > good && idle->opened > 0 && idle->survived == 0) {
            bad = idle->silent_ms;
            is_reset = idle->reset > 0;
        }
    }
    *ret_good = good;
    *ret_bad = bad;
    *ret_is_reset = is_reset;
    return true;
}

/* ------------------------------------------------------------------ the causes */

/* Packets of a denied flow that arrived where its layer decides. */
static bool is_some_through(const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    uint8_t seen = t->pair->layer == SP_LAYER_HOST ? t->host : t->nic;
    return seen > 0 || f->passed + f->mixed > 0;
}

static const char *what_is_sent(const struct sp_trace *t)
{
    return t->test->proto == SP_PROTO_TCP ? "SYN" : "packet";
}

static void explain_first_lost(struct sp_trace *t)
{
    char a[SP_TRACE_NAME_MAX];
    char b[SP_TRACE_NAME_MAX];
    size_t next = sp_trace_reached(t);
    const char *what = what_is_sent(t);
    sp_trace_conclude(t, SP_TRACE_FIRST_LOST, SP_TRACE_BEFORE_HOP, next);
    SP_SENTENCE(t,
                "the first %s of every flow is dropped between %s and %s, and the same %s passes a "
                "second later%s: state that is set up late, a SYN check, or a reverse path filter",
                what, sp_trace_before_str(t, next, a), sp_trace_hop_str(t, next, b), what,
                sp_trace_is_denied(t) ? ", though it is denied" : "");
    if (sp_trace_is_denied(t)) {
        SP_REMEDY(t, "drop repetitions, too: look at what %s remembers of flows that it dropped",
                  sp_trace_before_str(t, next, a));
    } else {
        SP_REMEDY(t,
                  "look at SYN checks (first-packet drop, rate lists) and at rp_filter and routes "
                  "back to %s on %s: every connection waits a second until then",
                  sp_trace_name(t, t->pair->from), sp_trace_before_str(t, next, a));
    }
}

static const char *addr_or_hop(const struct sp_trace *t, size_t hop, const struct sp_addr *addr,
                               char *out)
{
    if (hop < t->nhops && sp_addr_eq(&t->hops[hop].addr, addr)) {
        return sp_trace_hop_str(t, hop, out);
    }
    char text[SP_ADDR_STRLEN];
    (void)snprintf(out, SP_TRACE_NAME_MAX, "%s", sp_addr_str(addr, text));
    return out;
}

/* Of n flows from different source ports, always the same ones are lost. */
static void explain_parted(struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    char who[SP_TRACE_NAME_MAX];
    char other[SP_TRACE_NAME_MAX];
    char there[64 + SP_TRACE_NAME_MAX] = "";
    size_t beyond = f->hop == SIZE_MAX ? 0 : f->hop + 1;
    bool is_known = f->is_located && f->hop != SIZE_MAX && f->last.family != SP_FAMILY_NONE;
    const char *last = is_known ? addr_or_hop(t, f->hop, &f->last, who)
                                : sp_trace_before_str(t, f->hop == SIZE_MAX ? 0 : beyond, who);
    if (f->other.family != SP_FAMILY_NONE) {
        (void)snprintf(there, sizeof(there), ", where the others go %s %s",
                       f->is_member ? "through" : "on to",
                       addr_or_hop(t, f->is_member ? f->hop : beyond, &f->other, other));
    }
    bool denied = sp_trace_is_denied(t);
    size_t at = f->hop != SIZE_MAX ? f->hop : 0;
    if (is_known && f->is_member) {
        sp_trace_conclude(t, SP_TRACE_PARALLEL, SP_TRACE_AT_HOP, at);
    } else {
        sp_trace_conclude(t, SP_TRACE_PARALLEL, SP_TRACE_BEFORE_HOP, is_known ? beyond : 0);
    }
    if (denied) {
        SP_SENTENCE(t,
                    "%u of %u flows pass, though it is denied, and always the same ones: one of "
                    "several parallel paths lets it through; it is dropped %s %s%s",
                    f->passed, f->n, f->is_member ? "by or behind" : "behind", last, there);
        SP_REMEDY(t, "make the rules of the parallel paths behind %s alike",
                  f->is_member ? sp_trace_before_str(t, at, other) : last);
        return;
    }
    SP_SENTENCE(t,
                "%u of %u flows are lost, and always the same ones: one of several parallel paths "
                "drops them, %s %s%s",
                f->lost, f->n, f->is_member ? "by or behind" : "behind", last, there);
    SP_REMEDY(t, "look at the next hops of %s one by one: a dead one, or one with other rules",
              f->is_member ? sp_trace_before_str(t, at, other) : last);
}

bool sp_trace_explain_flows(struct sp_trace *t)
{
    bool is_open = sp_trace_is_denied(t) && t->outcome->judged.verdict != SP_VERDICT_LEAK &&
                   is_some_through(t);
    bool at_network = t->pair->layer != SP_LAYER_HOST;
    if (sp_trace_is_parted(t) && (at_network || !sp_trace_is_denied(t))) {
        explain_parted(t);
        return true;
    }
    if (sp_trace_is_first_lost(t) && t->nic == 0 && (at_network || !sp_trace_is_denied(t))) {
        explain_first_lost(t);
        return true;
    }
    if (is_open && (at_network || t->host > 0)) {
        const struct sp_trace_flows *f = &t->flows;
        sp_trace_conclude(t, SP_TRACE_PASSES, SP_TRACE_NOWHERE, 0);
        SP_SENTENCE(t,
                    "now and then it reaches %s, though it is denied: %u of %u packets, and %u of "
                    "%u flows",
                    sp_trace_name(t, t->pair->to), t->nic, t->tries, (unsigned)f->passed + f->mixed,
                    f->n);
        SP_REMEDY(t, "look for what decides by rate, time or path, and close it for all of them");
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ what works, and how far */

bool sp_trace_explain_rate(struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    uint32_t through;
    if (!sp_trace_knee(t, &good, &bad, &through) || bad == 0) {
        return false;
    }
    sp_trace_conclude(t, SP_TRACE_POLICED, SP_TRACE_NOWHERE, 0);
    if (good > 0) {
        SP_SENTENCE(t,
                    "it passes, but something limits its rate: %u packets a second arrive, at %u "
                    "some are lost, and %u a second come through at most",
                    good, bad, through);
    } else {
        SP_SENTENCE(t,
                    "it passes, but something limits its rate to less than %u packets a second: %u "
                    "a second come through",
                    bad, through);
    }
    SP_REMEDY(t, "look for policers, `limit` and hashlimit rules and SYN protection on the path; "
                 "where the limit is wanted, declare it (enforcement: max_rate)");
    return true;
}

bool sp_trace_explain_silence(struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    bool is_reset;
    if (!sp_trace_silences(t, &good, &bad, &is_reset) || bad == 0) {
        return false;
    }
    sp_trace_conclude(t, SP_TRACE_IDLE_CUT, SP_TRACE_NOWHERE, 0);
    SP_SENTENCE(t,
                "it works, but something on the path forgets silent conversations: %u.%u s of "
                "silence survive, %u.%u s do not, %s",
                good / 1000, good / 100 % 10, bad / 1000, bad / 100 % 10,
                is_reset ? "and a RST says so" : "and nobody says so");
    SP_REMEDY(t,
              "raise the idle timeout of the state on the path, or send keepalives more often than "
              "every %u s",
              good / 1000 > 0 ? good / 1000 : 1);
    return true;
}
