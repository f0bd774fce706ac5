/* SPDX-License-Identifier: Apache-2.0
 *
 * What counted conversations say of a balancer. Pure: nothing here asks or sends. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/balancers.h"
#include "controller/inspect/chi.h"
#include "reports/summary.h"

bool sp_lb_is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

void sp_lb_unknown(struct sp_lb_said *said, const char *cause, const char *remedy)
{
    said->verdict = SP_CLAIM_UNKNOWN;
    said->cause = cause;
    said->remedy = remedy;
}

static void holds(struct sp_lb_said *said)
{
    said->verdict = SP_CLAIM_HOLDS;
}

static void fails(struct sp_lb_said *said, enum sp_severity severity, const char *cause,
                  const char *remedy)
{
    said->verdict = SP_CLAIM_FAILS;
    said->severity = (uint8_t)severity;
    said->cause = cause;
    said->remedy = remedy;
}

#define TELL(said, ...) ((void)snprintf((said)->observed, sizeof((said)->observed), __VA_ARGS__))

/* True, with UNKNOWN said, when no data came to a backend. */
static bool is_blind(const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    if (tally->arrived > 0) {
        return false;
    }
    TELL(said, "none of %u conversations came to a backend", tally->sent);
    sp_lb_unknown(said,
                  tally->sent == 0 ? "its client could not send"
                                   : "the balancer passed nothing on: its health checks may not "
                                     "have seen the stand-in listeners, or it is broken",
                  "see the verdict of its listener's flow, and its list of backends");
    return true;
}

void sp_lb_judge_present(const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    if (tally->answered + tally->arrived > 0) {
        TELL(said, "answers (%u of %u)", tally->answered, tally->sent);
        holds(said);
    } else if (tally->sent == 0) {
        sp_lb_unknown(said, "its client could not send", "see what the client's probe says");
    } else if (tally->refused > 0) {
        TELL(said, "refuses connections (%u of %u)", tally->refused, tally->sent);
        fails(said, SP_SEVERITY_HIGH,
              "somebody has the address, but nothing listens there: many balancers open no port "
              "before a route or service is configured, or while no backend is well",
              "configure the listener, and look at the health of its backends");
    } else {
        TELL(said, "no answer to %u connections within 0.7 s", tally->sent);
        fails(said, SP_SEVERITY_HIGH,
              "nobody has the address (this zone of the balancer is gone, or it was never given), "
              "or something before it drops silently, or it answers too slowly",
              "ask the balancer which addresses it has, and take dead ones out of its name");
    }
}

void sp_lb_judge_source(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                        struct sp_lb_said *said)
{
    char text[SP_ADDR_STRLEN];
    if (is_blind(tally, said)) {
        return;
    }
    if (tally->other_source == 0) {
        TELL(said, "as declared in %u of %u conversations", tally->arrived, tally->arrived);
        holds(said);
        return;
    }
    TELL(said, "%s in %u of %u conversations", sp_addr_str(&tally->source, text),
         tally->other_source, tally->arrived);
    if (sp_listener_rewrites(listener)) {
        fails(said, SP_SEVERITY_MEDIUM,
              "backends see another address than one of the balancer's declared sources: filters "
              "behind it and its health checks are written for others",
              "declare the address under `sources`, or correct the balancer's own addresses");
    } else {
        fails(said, SP_SEVERITY_MEDIUM,
              "the balancer (or a translation behind it) puts its own address in the place of the "
              "client's: source ranges and logs at the backends mean nothing",
              "turn on the preservation of client addresses, or declare `source: rewritten`");
    }
}

/* ---- PROXY headers ---- */

static const char *head_word(unsigned head)
{
    static const char *const words[SP_HEAD_END] = {"none", "v1", "v2", "a malformed one"};
    return head < SP_HEAD_END ? words[head] : "another";
}

static enum sp_head declared_head(const struct sp_listener *listener)
{
    return sp_lb_is_word(listener->proxy_protocol, "v1")   ? SP_HEAD_V1
           : sp_lb_is_word(listener->proxy_protocol, "v2") ? SP_HEAD_V2
                                                           : SP_HEAD_NONE;
}

static void fail_proxy(enum sp_head want, const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    if (tally->heads[SP_HEAD_BAD] > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "what begins like a PROXY header breaks the rules of haproxy's proxy-protocol.txt",
              "correct whoever writes the header: backends refuse it, or take another client for "
              "it");
    } else if (want == SP_HEAD_NONE) {
        fails(said, SP_SEVERITY_HIGH,
              "the balancer puts a PROXY header before the data, which backends that do not expect "
              "it take for a broken request",
              "turn the PROXY protocol off at the balancer, or declare it and make the backends "
              "expect it");
    } else if (tally->heads[SP_HEAD_NONE] > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "the balancer sends no PROXY header (always, or now and then): backends that expect "
              "one refuse the connection, or believe a client who writes one himself",
              "turn the PROXY protocol on at the balancer for this listener");
    } else {
        fails(said, SP_SEVERITY_MEDIUM, "the balancer sends the other version of the header",
              "set the declared version at the balancer, or declare the other one");
    }
}

void sp_lb_judge_proxy(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                       struct sp_lb_said *said)
{
    enum sp_head want = declared_head(listener);
    char named[SP_ADDR_STRLEN];
    if (is_blind(tally, said)) {
        return;
    }
    if (tally->heard == 0) {
        sp_lb_unknown(said,
                      "real services took the data, and only a stand-in listener reads a "
                      "connection from its first byte on",
                      "verify while the backends' port is free");
        return;
    }
    size_t n = 0;
    for (unsigned h = 0; h < SP_HEAD_END; h++) {
        if (tally->heads[h] > 0 && n < sizeof(said->observed)) {
            n += (size_t)snprintf(said->observed + n, sizeof(said->observed) - n, "%s%s in %u",
                                  n > 0 ? ", " : "", head_word(h), tally->heads[h]);
        }
    }
    if (n < sizeof(said->observed)) {
        (void)snprintf(said->observed + n, sizeof(said->observed) - n, " of %u conversations",
                       tally->heard);
    }
    if (tally->heads[want] != tally->heard) {
        fail_proxy(want, tally, said);
    } else if (tally->other_client > 0) {
        TELL(said, "%s that names %s as the client in %u of %u conversations", head_word(want),
             sp_addr_str(&tally->named, named), tally->other_client, tally->heard);
        fails(said, SP_SEVERITY_HIGH, "the header names another client than the one who came",
              "look for a second balancer or a translation before this one");
    } else {
        holds(said);
    }
}

/* ---- shares ---- */

static void tell_shares(const struct sp_model *model, const struct sp_listener *listener,
                        const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    struct sp_buf text;
    sp_buf_init(&text, SP_LB_OBSERVED_MAX);
    for (size_t i = 0; i < listener->nbackends && text.len < SP_LB_OBSERVED_MAX / 2; i++) {
        sp_buf_fmt(&text, "%s%s %u", i > 0 ? ", " : "", model->hosts[listener->backends[i]].name,
                   tally->backends[i]);
    }
    TELL(said, "%s", sp_buf_text(&text));
    sp_buf_release(&text);
}

void sp_lb_judge_skew(const struct sp_model *model, const struct sp_listener *listener,
                      const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    double most = listener->max_skew >= 0 ? listener->max_skew : SP_LB_USUAL_SKEW;
    if (is_blind(tally, said)) {
        return;
    }
    struct sp_chi chi = sp_chi_test(tally->backends, listener->weights, listener->nbackends);
    bool is_likely = chi.p >= SP_CHI_SIGNIFICANCE;
    uint32_t need =
        sp_chi_sample(listener->weights, listener->nbackends, most > 0.02 ? most : 0.02);
    tell_shares(model, listener, tally, said);
    size_t n = strlen(said->observed);
    (void)snprintf(said->observed + n, sizeof(said->observed) - n,
                   " of %u conversations: largest deviation %.0f %% (%s), chi-square %.1f, p = "
                   "%.3g (significance %g)",
                   tally->arrived, 100 * chi.worst, model->hosts[listener->backends[chi.at]].name,
                   chi.statistic, chi.p, SP_CHI_SIGNIFICANCE);
    if (chi.worst > most && !is_likely) {
        fails(said, SP_SEVERITY_MEDIUM,
              "the balancer does not spread connections by the declared weights: another weight, "
              "affinity, a backend that is out now and then, or too few connections of one client "
              "per hash",
              "compare its weights and its method with what is declared");
    } else if (chi.worst <= most && (uint64_t)tally->arrived * 10 >= (uint64_t)need * 8 &&
               (is_likely || chi.worst + 2 * chi.error <= most)) {
        holds(said);
    } else {
        sp_lb_unknown(said, "too few conversations came through to tell this skew from chance",
                      "declare a larger max_skew, or allow a higher max_rate");
    }
}

void sp_lb_judge_affinity(const struct sp_model *model, const struct sp_listener *listener,
                          const struct sp_lb_tally *tally, struct sp_lb_said *said)
{
    size_t used = 0;
    if (is_blind(tally, said)) {
        return;
    }
    for (size_t i = 0; i < listener->nbackends; i++) {
        used += tally->backends[i] > 0;
    }
    tell_shares(model, listener, tally, said);
    bool by_source = sp_lb_is_word(listener->affinity, "source");
    if (tally->arrived < 2) {
        sp_lb_unknown(said, "a single conversation came through", "see its listener's flow");
    } else if (by_source && used > 1) {
        fails(
            said, SP_SEVERITY_MEDIUM,
            "one client's connections go to several backends: the balancer spreads by connection, "
            "or hashes the source port too",
            "turn on affinity by source address at the balancer");
    } else if (!by_source && used == 1 && listener->nbackends > 1) {
        fails(said, SP_SEVERITY_LOW,
              "all connections of one client go to one backend: the balancer keeps an affinity, or "
              "the other backends are out",
              "turn affinity off at the balancer, and look at the health of its backends");
    } else {
        holds(said);
    }
}

/* ---- zones ---- */

/* The zone that a network lies in, by its own word or that of what it lies in; NULL: none is
 * declared. */
static const char *network_zone(const struct sp_model *model, uint32_t network)
{
    while (network != SP_NONE && !model->networks[network].zone) {
        network = model->networks[network].parent;
    }
    return network == SP_NONE ? NULL : model->networks[network].zone;
}

/* Of the smallest network that the address lies in. */
static const char *zone_of(const struct sp_model *model, const struct sp_addr *addr)
{
    uint32_t best = SP_NONE;
    unsigned longest = 0;
    for (uint32_t i = 0; i < model->nnetworks; i++) {
        const struct sp_network *network = &model->networks[i];
        for (size_t c = 0; network->kind != SP_NET_EXTERNAL && c < network->ncidrs; c++) {
            if (sp_prefix_has(&network->cidrs[c], addr) &&
                (best == SP_NONE || network->cidrs[c].len > longest)) {
                best = i;
                longest = network->cidrs[c].len;
            }
        }
    }
    return network_zone(model, best);
}

void sp_lb_judge_zones(const struct sp_model *model, const struct sp_listener *listener,
                       const struct sp_addr *addr, const struct sp_lb_tally *tally,
                       struct sp_lb_said *said)
{
    const char *home = zone_of(model, addr);
    uint32_t here = 0;
    uint32_t there = 0;
    const char *missed = NULL; /* a zone of which no backend was reached */
    bool any_other = false;
    if (is_blind(tally, said)) {
        return;
    }
    for (size_t i = 0; i < listener->nbackends; i++) {
        const char *zone = network_zone(model, model->hosts[listener->backends[i]].network);
        if (!zone || !home) {
            sp_lb_unknown(said,
                          home ? "the zone of a backend is not declared"
                               : "the zone of the balancer's address is not declared",
                          "say `zone` at the networks of the backends and of the address");
            return;
        }
        bool is_home = strcmp(zone, home) == 0;
        any_other = any_other || !is_home;
        here += is_home ? tally->backends[i] : 0;
        there += is_home ? 0 : tally->backends[i];
        uint32_t reached = 0;
        for (size_t k = 0; k < listener->nbackends; k++) {
            const char *same = network_zone(model, model->hosts[listener->backends[k]].network);
            reached += same && strcmp(same, zone) == 0 ? tally->backends[k] : 0;
        }
        missed = reached == 0 ? zone : missed;
    }
    bool on = sp_lb_is_word(listener->cross_zone, "on");
    TELL(said, "%u conversations to backends in its own zone %s, %u to others%s%s", here, home,
         there, on && missed ? "; none to zone " : "", on && missed ? missed : "");
    if (!any_other) {
        sp_lb_unknown(said, "all its backends stand in one zone", "declare backends in two zones");
    } else if (on && missed) {
        fails(said, SP_SEVERITY_MEDIUM,
              "the address reaches no backend of that zone: balancing across zones is off (the "
              "default of some providers), or the zone's backends are out",
              "turn on balancing across zones, or look at that zone's backends");
    } else if (!on && there > 0) {
        fails(said, SP_SEVERITY_LOW,
              "the address reaches backends in other zones: traffic crosses zones, with its cost "
              "and its dependence",
              "turn off balancing across zones, or declare `cross_zone: on`");
    } else {
        holds(said);
    }
}

/* ---- TLS ---- */

void sp_lb_judge_tls(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                     struct sp_lb_said *said)
{
    bool passes = sp_lb_is_word(listener->tls, "passthrough");
    TELL(said, "of %u ClientHellos %u came to a backend (%u changed), %u were answered in TLS",
         tally->sent, tally->arrived, tally->changed, tally->tls);
    if (tally->changed > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "the bytes that came to the backend are not those that the client sent",
              "look for an inspecting proxy on the way");
    } else if (passes && tally->arrived > 0 && tally->tls == 0) {
        if (tally->heard > 0) {
            holds(said);
        } else {
            sp_lb_unknown(said, "real services took the data, so that not every byte was seen",
                          "verify while the backends' port is free");
        }
    } else if (passes && tally->tls > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "somebody before the backends ends TLS: their certificates are not those that "
              "clients see, and mutual TLS cannot work",
              "make the listener pass TCP through, without a certificate of its own");
    } else if (!passes && tally->arrived > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "the balancer passes TLS on instead of ending it: backends that expect clear text "
              "or HTTP get a handshake",
              "give the listener its certificate and the protocol TLS or HTTPS");
    } else if (!passes && tally->tls > 0) {
        holds(said);
    } else {
        sp_lb_unknown(said, "nothing came to a backend, and nobody answered in TLS",
                      "see the verdict of its listener's flow");
    }
}

/* ---- a backend as its own client ---- */

void sp_lb_judge_hairpin(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                         struct sp_lb_said *said)
{
    bool works = sp_lb_is_word(listener->hairpin, "works");
    uint32_t lost = tally->sent - (tally->served < tally->sent ? tally->served : tally->sent);
    /* One in twenty is no rate of a mechanism. */
    bool good = works ? lost * 20 <= tally->sent : tally->served == 0;
    TELL(said,
         "%u of %u conversations were served (%.0f %%); of %u that came back to their own "
         "client %u were",
         tally->served, tally->sent, tally->sent ? 100.0 * tally->served / tally->sent : 0,
         tally->own, tally->own_served);
    if (tally->sent == 0) {
        sp_lb_unknown(said, "its backends could not send", "see what their probes say");
    } else if (good) {
        holds(said);
    } else if (!works) {
        fails(said, SP_SEVERITY_LOW, "its backends can use their own balancer",
              "declare `hairpin: works` and let them in, or close it");
    } else if (tally->served > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "it works only when the balancer picks another backend than the client itself: with "
              "the client's address preserved, a host gets a packet from itself and drops it",
              "turn off the preservation of client addresses for these backends, or give clients "
              "that are backends another way");
    } else {
        fails(said, SP_SEVERITY_HIGH,
              "no backend gets through its own balancer: answers go past it straight to the "
              "client, or it does not let them in",
              "translate the source of what comes from backends (hairpin), or turn off the "
              "preservation of client addresses");
    }
}

/* ---- over time ---- */

void sp_lb_judge_drill(const struct sp_listener *listener, const struct sp_lb_drill *drill,
                       struct sp_lb_said *said)
{
    uint32_t window_us = drill->last_lost_us > drill->away_us
                             ? drill->last_lost_us - drill->away_us + drill->step_us
                             : 0;
    TELL(said,
         "%u of %u conversations were lost in the %.1f s that a backend was away, the last %.2f s "
         "after it went; %u later than declared, %u of them sent to it; %u reached it again",
         drill->during_lost, drill->during, (drill->back_us - drill->away_us) / 1e6,
         window_us / 1e6, drill->late_lost, drill->late_there, drill->after_there);
    if (drill->before < 3 || drill->during < 3) {
        sp_lb_unknown(said, "too few conversations could be held", "allow a higher max_rate");
    } else if (drill->before_lost * 10 > drill->before) {
        sp_lb_unknown(said, "conversations were lost before any backend went away",
                      "see the verdict of its listener's flow");
    } else if (drill->during_lost == drill->during) {
        fails(said, SP_SEVERITY_HIGH, "nothing was served while one backend was away",
              "look whether the other backends take part at all");
    } else if (drill->late_lost > 0) {
        fails(said, SP_SEVERITY_HIGH,
              "the balancer went on sending to a backend that was gone: it does not look after its "
              "health, or not often enough",
              "turn on health checks, shorten their interval, or have it try another backend");
    } else if (drill->after_there == 0) {
        sp_lb_unknown(
            said,
            "it was left out in time, but got nothing after it came back, for as long as "
            "was waited",
            "look how many good checks the balancer wants before it takes a backend back");
    } else {
        holds(said);
    }
    (void)listener;
}

static const char *end_word(enum sp_lb_end end)
{
    static const char *const words[] = {"not held", "lasted",    "closed",
                                        "reset",    "forgotten", "dropped silently"};
    return words[end];
}

void sp_lb_judge_idle(const struct sp_listener *listener, const struct sp_lb_idle *idle,
                      struct sp_lb_said *said)
{
    char when[2][48] = {"", ""};
    for (size_t i = 0; i < 2; i++) {
        if (idle->ends[i] == SP_LB_CLOSED || idle->ends[i] == SP_LB_RESET) {
            (void)snprintf(when[i], sizeof(when[i]), " after %.1f s", idle->ended_ms[i] / 1e3);
        }
    }
    TELL(said, "silent for %.1f s: %s%s; silent for %.1f s: %s%s", idle->short_ms / 1e3,
         end_word(idle->ends[0]), when[0], idle->long_ms / 1e3, end_word(idle->ends[1]), when[1]);
    if (idle->ends[0] == SP_LB_NOT_HELD || idle->ends[1] == SP_LB_NOT_HELD) {
        sp_lb_unknown(said, "no conversation came as far as a pause",
                      "see the verdict of its listener's flow");
    } else if (idle->ends[0] == SP_LB_FORGOTTEN) {
        fails(said, SP_SEVERITY_MEDIUM,
              "an idle connection is forgotten sooner than declared, and reset when something is "
              "said again: what a client sends first after a pause fails",
              "raise the idle timeout, or make clients send keepalives more often than that");
    } else if (idle->ends[0] == SP_LB_DROPPED) {
        fails(said, SP_SEVERITY_HIGH,
              "an idle connection is forgotten sooner than declared, and nobody is told: clients "
              "hang until they send and time out",
              "raise the idle timeout, or make clients send keepalives more often than that");
    } else if (idle->ends[0] != SP_LB_LASTED) {
        fails(said, SP_SEVERITY_MEDIUM,
              "an idle connection is ended sooner than declared: clients with a longer keepalive "
              "see resets",
              "raise the idle timeout, or make clients send keepalives more often than that");
    } else if (idle->ends[1] == SP_LB_LASTED) {
        fails(said, SP_SEVERITY_LOW,
              "idle connections are kept longer than declared, and with them what they hold",
              "set the declared idle timeout at the balancer, or declare the real one");
    } else {
        holds(said);
    }
    (void)listener;
}
