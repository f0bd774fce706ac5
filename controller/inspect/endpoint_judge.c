/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/endpoint_judge.h"

#include <stdio.h>
#include <string.h>

#define NXDOMAIN   3U
#define NOBODY     "nothing shows that this host could have reached anybody just then"
#define SHOWN_ADDR 4U

void sp_judging_say(struct sp_judging *j, const char *check, enum sp_claim_verdict verdict,
                    enum sp_severity severity, const char *remedy)
{
    const struct sp_claim claim = {.kind = SP_CLAIM_ENDPOINT,
                                   .verdict = (uint8_t)verdict,
                                   .severity = (uint8_t)severity,
                                   .host = j->what->host,
                                   .target = SP_NONE,
                                   .check = check,
                                   .subject = j->subject,
                                   .expected = j->expected[0] ? j->expected : NULL,
                                   .observed = j->observed[0] ? j->observed : NULL,
                                   .source = j->source[0] ? j->source : NULL,
                                   .cause = j->cause[0] ? j->cause : NULL,
                                   .remedy = remedy,
                                   .pos = j->what->endpoint->pos};
    if (j->rc == SP_OK) {
        j->rc = sp_claims_add(j->claims, &claim);
    }
    j->expected[0] = j->observed[0] = j->cause[0] = '\0';
}

static unsigned step_s(const struct sp_judging *j)
{
    return (unsigned)((j->what->endpoint->step_ms + 999) / 1000);
}

void sp_judging_stop(const struct sp_judging *j, const struct sp_seen_talk *talk, char *out,
                     size_t size)
{
    char from[SP_ADDR_STRLEN];
    const char *why = talk->reason;
    bool is_refused = talk->reached == SP_SEEN_REACHED_NOTHING;
    switch (talk->stop) { /* an enum sp_seen_stop */
    case SP_SEEN_RST:
        (void)snprintf(out, size, is_refused ? "refused (RST)" : "reset (RST)");
        break;
    case SP_SEEN_ICMP:
        (void)snprintf(out, size, "ICMP %u/%u from %s%s%s", talk->icmp_type, talk->icmp_code,
                       sp_addr_str(&talk->icmp_from, from), why[0] ? ", " : "", why);
        break;
    case SP_SEEN_SILENT:
        (void)snprintf(out, size, "silence for %u s%s%s%s", step_s(j), why[0] ? " (" : "", why,
                       why[0] ? ")" : "");
        break;
    case SP_SEEN_SLOW:
        (void)snprintf(out, size, "it answers, but not to the end within %u s", step_s(j));
        break;
    case SP_SEEN_NO_ROUTE:
        (void)snprintf(out, size, "this host has no route there");
        break;
    case SP_SEEN_LOCAL:
        (void)snprintf(out, size, "this host could not send: %s", why[0] ? why : "no reason told");
        break;
    case SP_SEEN_CLOSED:
        (void)snprintf(out, size, "it closed the connection without a word");
        break;
    case SP_SEEN_ALERT:
    case SP_SEEN_BROKEN:
        (void)snprintf(out, size, "%s: %s",
                       talk->stop == SP_SEEN_ALERT ? "it ended TLS with an alert"
                                                   : "what it sent makes no sense",
                       why[0] ? why : "no reason told");
        break;
    case SP_SEEN_SPECIAL:
        (void)snprintf(out, size, "an address that no endpoint can have");
        break;
    default:
        (void)snprintf(out, size, "done");
        break;
    }
}

const struct sp_seen_talk *sp_judging_talk(const struct sp_judging *j, const struct sp_addr *addr,
                                           uint8_t mode)
{
    for (size_t i = 0; i < j->seen->ntalks; i++) {
        const struct sp_seen_talk *talk = &j->seen->talks[i];
        if (talk->mode == mode && sp_addr_eq(&talk->addr, addr)) {
            return talk;
        }
    }
    return NULL;
}

/* ---- names ---- */

static bool is_useless(const struct sp_seen_lookup *lookup)
{
    return lookup->state != SP_SEEN_ANSWERED || (lookup->rcode != 0 && lookup->rcode != NXDOMAIN);
}

static const char *lookup_words(const struct sp_seen_lookup *lookup)
{
    static const char *const words[SP_SEEN_LOOKUP_STATES] = {
        [SP_SEEN_NO_ANSWER] = "no answer in time",
        [SP_SEEN_TURNED_AWAY] = "the name server refuses packets",
        [SP_SEEN_NONSENSE] = "what came was no answer",
        [SP_SEEN_NOT_SENT] = "no name server is known, or none can be sent to",
    };
    static const char *const rcodes[] = {NULL,
                                         "the question was not understood (FORMERR)",
                                         "the name server failed (SERVFAIL)",
                                         "there is no such name (NXDOMAIN)",
                                         "the name server cannot do that (NOTIMP)",
                                         "the name server will not answer (REFUSED)"};
    if (lookup->state != SP_SEEN_ANSWERED) {
        return words[lookup->state];
    }
    return lookup->rcode < SP_ARRAY_LEN(rcodes) ? rcodes[lookup->rcode]
                                                : "the name server answers with an error";
}

static size_t add_text(char *out, size_t size, size_t at, const char *text)
{
    int n = at < size ? snprintf(out + at, size - at, "%s", text) : 0;
    return n > 0 ? at + (size_t)n : at;
}

/* "A: 10.0.0.1, 10.0.0.2 and 3 more; AAAA: none" */
static size_t describe(const struct sp_seen_lookup *lookup, char *out, size_t size, size_t at)
{
    char text[SP_ADDR_STRLEN];
    char more[64];
    at = add_text(out, size, at, at > 0 ? "; " : "");
    at = add_text(out, size, at, lookup->is_v6 ? "AAAA: " : "A: ");
    const char *words = lookup_words(lookup);
    if (words) {
        return add_text(out, size, at, words);
    }
    if (lookup->naddrs == 0) {
        return add_text(out, size, at, "none");
    }
    for (size_t i = 0; i < lookup->naddrs && i < SHOWN_ADDR; i++) {
        at = add_text(out, size, at, i > 0 ? ", " : "");
        at = add_text(out, size, at, sp_addr_str(&lookup->addrs[i], text));
    }
    if (lookup->total > SHOWN_ADDR) {
        (void)snprintf(more, sizeof(more), " and %u more", (unsigned)(lookup->total - SHOWN_ADDR));
        at = add_text(out, size, at, more);
    }
    return at;
}

/* The name over one transport. */
static void judge_name(struct sp_judging *j, bool by_tcp)
{
    const char *check = by_tcp ? "dns_tcp" : "dns";
    const struct sp_seen_lookup *bad = NULL;
    const struct sp_seen_lookup *gone = NULL;
    size_t first = 0;
    size_t naddrs = 0;
    size_t at = 0;
    size_t n = j->seen->nlookups;
    for (size_t i = 0; i < 2 * n; i++) { /* IPv4, then IPv6 */
        const struct sp_seen_lookup *lookup = &j->seen->lookups[i < n ? i : i - n];
        if (lookup->by_tcp != by_tcp || lookup->is_v6 != (i >= n)) {
            continue;
        }
        if (lookup->is_again) {
            gone = lookup_words(lookup) && !gone ? lookup : gone;
            continue;
        }
        first++;
        naddrs += lookup->naddrs;
        bad = lookup_words(lookup) && !bad ? lookup : bad;
        at = describe(lookup, j->observed, sizeof(j->observed), at);
        (void)sp_addr_str(&lookup->server, j->source);
        if (lookup->server.family == SP_FAMILY_NONE) {
            j->source[0] = '\0';
        }
    }
    (void)snprintf(j->expected, sizeof(j->expected), "the name resolves%s",
                   by_tcp ? " over TCP" : "");
    enum sp_claim_verdict verdict = SP_CLAIM_HOLDS;
    const char *cause = "";
    if (first < 2 || (bad && bad->state == SP_SEEN_NOT_SENT)) {
        verdict = SP_CLAIM_UNKNOWN;
        cause = first < 2 ? "the name was not looked up" : lookup_words(bad);
    } else if (bad || naddrs == 0) {
        verdict = SP_CLAIM_FAILS;
        cause = bad ? lookup_words(bad) : "the name has no address";
    } else if (gone) {
        verdict = SP_CLAIM_UNKNOWN;
        cause = "a moment later the same question had another end";
    }
    if (j->what->endpoint->is_closed) {
        verdict = SP_CLAIM_NOTE; /* it may resolve or not */
        j->expected[0] = '\0';
        cause = "";
    }
    (void)snprintf(j->cause, sizeof(j->cause), "%s%s%s", cause,
                   gone && !bad && cause[0] ? ": " : "",
                   gone && !bad && cause[0] ? lookup_words(gone) : "");
    sp_judging_say(j, check, verdict, SP_SEVERITY_MEDIUM,
                   verdict == SP_CLAIM_FAILS
                       ? "let the host reach its name server, and the server know the name"
                   : verdict == SP_CLAIM_UNKNOWN
                       ? "name a server in the endpoint's dns, and see that it answers"
                       : NULL);
    j->source[0] = '\0';
}

/* ---- connections ---- */

static bool declares_family(const struct sp_judging *j, uint8_t family)
{
    const struct sp_host *host = &j->what->model->hosts[j->what->host];
    for (size_t i = 0; i < host->naddrs; i++) {
        if (host->addrs[i].family == family) {
            return true;
        }
    }
    return false;
}

static bool reached_any(const struct sp_endpoint_seen *seen)
{
    for (size_t i = 0; i < seen->ntalks; i++) {
        if (seen->talks[i].reached > SP_SEEN_REACHED_NOTHING) {
            return true;
        }
    }
    return false;
}

static const char *open_remedy(const struct sp_seen_talk *talk)
{
    switch (talk->stop) { /* an enum sp_seen_stop */
    case SP_SEEN_RST:
        return "see whether something listens there; if it does, a firewall resets";
    case SP_SEEN_ICMP:
        return "allow it at the firewall or router that the ICMP error comes from";
    case SP_SEEN_NO_ROUTE:
        return "give the host a route, or the name no address of that family";
    case SP_SEEN_SPECIAL:
        return "see who answers for the name: a filter that sinks names does so";
    default:
        return "allow it on the way: security groups, firewalls and the routes back";
    }
}

static void judge_open(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    (void)sp_addr_str(&talk->addr, j->source);
    (void)snprintf(j->expected, sizeof(j->expected), "open");
    if (talk->reached > SP_SEEN_REACHED_NOTHING) {
        (void)snprintf(j->observed, sizeof(j->observed), "connected (SYN/ACK after %u ms)",
                       (unsigned)talk->ms);
        sp_judging_say(j, "tcp", SP_CLAIM_HOLDS, SP_SEVERITY_LOW, NULL);
        return;
    }
    sp_judging_stop(j, talk, j->observed, sizeof(j->observed));
    if (talk->stop == SP_SEEN_NO_ROUTE && !declares_family(j, talk->addr.family) &&
        reached_any(j->seen)) {
        (void)snprintf(j->cause, sizeof(j->cause), "the host has no address of that family");
        j->expected[0] = '\0';
        sp_judging_say(j, "tcp", SP_CLAIM_NOTE, SP_SEVERITY_LOW, NULL);
        return;
    }
    bool is_local = talk->stop == SP_SEEN_LOCAL;
    (void)snprintf(j->cause, sizeof(j->cause), "%s",
                   is_local                         ? "the host itself could not send"
                   : talk->stop == SP_SEEN_RST      ? "somebody answers for the address, and "
                                                      "refuses"
                   : talk->stop == SP_SEEN_ICMP     ? "a device on the way, or the host, refuses"
                   : talk->stop == SP_SEEN_SPECIAL  ? "the name leads to an address of this kind"
                   : talk->stop == SP_SEEN_NO_ROUTE ? "the host has no way to that address"
                                                    : "packets or their answers are dropped");
    sp_judging_say(j, "tcp", is_local ? SP_CLAIM_UNKNOWN : SP_CLAIM_FAILS, SP_SEVERITY_MEDIUM,
                   open_remedy(talk));
    if (j->what->endpoint->is_tls) {
        (void)snprintf(j->expected, sizeof(j->expected), "TLS");
        (void)snprintf(j->cause, sizeof(j->cause), "there is no connection");
        sp_judging_say(j, "tls", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW, NULL);
    }
}

/* What was not looked at, though it was declared. */
static void judge_rest(struct sp_judging *j, size_t talked)
{
    const struct sp_endpoint_seen *seen = j->seen;
    j->source[0] = '\0';
    if (talked > 0 && seen->left == 0 && seen->is_whole) {
        return;
    }
    (void)snprintf(j->expected, sizeof(j->expected), "open");
    if (talked == 0) {
        (void)snprintf(j->cause, sizeof(j->cause), "there was no address to connect to");
    } else if (seen->left > 0) {
        (void)snprintf(j->observed, sizeof(j->observed), "%u more addresses", (unsigned)seen->left);
        (void)snprintf(j->cause, sizeof(j->cause),
                       "the name has too many addresses; %zu of them were tried", talked);
    } else {
        (void)snprintf(j->cause, sizeof(j->cause), "time ran out before all was looked at");
    }
    sp_judging_say(j, "tcp", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW,
                   talked == 0 ? "let the name resolve, or declare its address"
                               : "give it a longer timeout, or a name with fewer addresses");
}

/* ---- closed ---- */

/* Why an address that did not connect does not show that it is closed; NULL: it does. */
static const char *doubt(const struct sp_judging *j, const struct sp_seen_talk *talk)
{
    bool is_own = talk->stop == SP_SEEN_ICMP && talk->reason[0];
    switch (talk->stop) { /* an enum sp_seen_stop */
    case SP_SEEN_SILENT:
        return NULL;
    case SP_SEEN_ICMP:
        return is_own ? "the host itself refuses, so the network was not tested"
               : sp_addr_eq(&talk->icmp_from, &talk->addr)
                   ? "the refusal bears the endpoint's own address: it may have been reached"
                   : NULL;
    case SP_SEEN_NO_ROUTE:
        return declares_family(j, talk->addr.family)
                   ? "this host has no route there, so the network was not tested"
                   : NULL;
    case SP_SEEN_RST:
        return "the refusal bears the endpoint's own address: it may have been reached";
    case SP_SEEN_SPECIAL:
        return "its name leads to an address that no endpoint can have; its real addresses were "
               "not tried";
    default:
        return "the attempt failed on this host, so the network was not tested";
    }
}

/* Why the name does not show all addresses; NULL: it does. */
static const char *doubt_name(const struct sp_judging *j)
{
    size_t first = 0;
    size_t again = 0;
    if (j->what->endpoint->addr.family != SP_FAMILY_NONE) {
        return NULL;
    }
    for (size_t i = 0; i < j->seen->nlookups; i++) {
        const struct sp_seen_lookup *lookup = &j->seen->lookups[i];
        if (is_useless(lookup)) {
            /* With addresses of its own an endpoint can do without its name. */
            return j->what->endpoint->naddrs > 0 ? NULL : "its name could not be looked up here";
        }
        first += !lookup->is_again;
        again += lookup->is_again;
    }
    return first >= 2 && again >= 2 ? NULL : "its name was not looked up";
}

static void judge_closed(struct sp_judging *j)
{
    const struct sp_endpoint_seen *seen = j->seen;
    const char *why = doubt_name(j);
    size_t tried = 0;
    (void)snprintf(j->expected, sizeof(j->expected), "closed: no connection comes about");
    for (size_t i = 0; i < seen->ntalks; i++) {
        const struct sp_seen_talk *talk = &seen->talks[i];
        if (talk->reached > SP_SEEN_REACHED_NOTHING) {
            (void)sp_addr_str(&talk->addr, j->source);
            (void)snprintf(j->observed, sizeof(j->observed), "connected (SYN/ACK after %u ms)",
                           (unsigned)talk->ms);
            (void)snprintf(j->cause, sizeof(j->cause), "something lets it out");
            sp_judging_say(
                j, "closed", SP_CLAIM_FAILS, SP_SEVERITY_HIGH,
                "close it where this segment ends: firewall, security group, proxy, NAT");
            j->source[0] = '\0';
            return;
        }
        tried++;
        if (!why) {
            why = doubt(j, talk);
            (void)sp_addr_str(&talk->addr, j->source);
        }
        char how[200];
        sp_judging_stop(j, talk, how, sizeof(how));
        if (tried <= SHOWN_ADDR) {
            char addr[SP_ADDR_STRLEN];
            size_t at = strlen(j->observed);
            (void)snprintf(j->observed + at, sizeof(j->observed) - at, "%s%s: %s", at ? "; " : "",
                           sp_addr_str(&talk->addr, addr), how);
        }
    }
    if (!why) {
        why = tried == 0          ? "its name has no address here, so nothing was tried"
              : seen->left > 0    ? "its name has more addresses than were tried"
              : !seen->is_whole   ? "time ran out before all was tried"
              : !j->what->control ? NOBODY
                                  : NULL;
        j->source[0] = '\0';
    }
    if (why) {
        (void)snprintf(j->cause, sizeof(j->cause), "%s", why);
    } else {
        size_t at = strlen(j->observed);
        (void)snprintf(j->observed + at, sizeof(j->observed) - at, "; this host reached %s",
                       j->what->control);
    }
    sp_judging_say(j, "closed", why ? SP_CLAIM_UNKNOWN : SP_CLAIM_HOLDS, SP_SEVERITY_LOW,
                   !why ? NULL
                        : "declare its addresses, drop its packets in the network, and let the "
                          "host reach a name server or another endpoint");
    j->source[0] = '\0';
}

/* ---- the whole ---- */

/* Nobody looked, or what he told was lost. */
static void judge_unseen(struct sp_judging *j)
{
    const struct sp_endpoint *e = j->what->endpoint;
    const char *why = j->what->trouble ? j->what->trouble : j->seen->error;
    enum sp_claim_verdict verdict =
        j->what->is_unprobed ? SP_CLAIM_NOT_OBSERVABLE : SP_CLAIM_UNKNOWN;
    const struct {
        const char *check, *expected;
        bool is_declared;
    } all[] = {{"closed", "closed", e->is_closed},
               {"dns", "the name resolves",
                !e->is_closed && j->what->is_first && e->addr.family == SP_FAMILY_NONE},
               {"tcp", "open", !e->is_closed},
               {"tls", "TLS", e->is_tls},
               {"http_status", "an answer", e->path != NULL}};
    for (size_t i = 0; i < SP_ARRAY_LEN(all); i++) {
        if (all[i].is_declared) {
            (void)snprintf(j->expected, sizeof(j->expected), "%s", all[i].expected);
            (void)snprintf(j->cause, sizeof(j->cause), "%s", why);
            sp_judging_say(j, all[i].check, verdict, SP_SEVERITY_LOW,
                           j->what->is_unprobed
                               ? "give the host a probe, or leave it out of the endpoint's from"
                               : NULL);
        }
    }
}

enum sp_rc sp_endpoint_judge(const struct sp_endpoint_case *what,
                             const struct sp_endpoint_seen *seen, struct sp_claims *claims)
{
    const struct sp_endpoint *e = what->endpoint;
    struct sp_judging j = {.what = what, .seen = seen, .claims = claims, .rc = SP_OK};
    bool is_v6 = e->addr.family == SP_FAMILY_IPV6;
    (void)snprintf(j.subject, sizeof(j.subject), "%s%s%s:%u", is_v6 ? "[" : "", e->host,
                   is_v6 ? "]" : "", (unsigned)what->port);
    if (what->trouble || !seen->is_read) {
        judge_unseen(&j);
        return j.rc;
    }
    if (what->is_first && e->addr.family == SP_FAMILY_NONE) {
        if (e->by_udp) {
            judge_name(&j, false);
        }
        if (e->by_tcp) {
            judge_name(&j, true);
        }
    }
    if (e->is_closed) {
        judge_closed(&j);
        return j.rc;
    }
    size_t talked = 0;
    for (size_t i = 0; i < seen->ntalks; i++) {
        const struct sp_seen_talk *talk = &seen->talks[i];
        if (talk->mode != (e->is_tls ? SP_SEEN_TLS : SP_SEEN_TCP)) {
            continue;
        }
        talked++;
        judge_open(&j, talk);
        if (talk->reached > SP_SEEN_REACHED_NOTHING && e->is_tls) {
            sp_judging_tls(&j, talk);
        }
        if (talk->reached > SP_SEEN_REACHED_NOTHING && e->is_tls && !e->is_clear_allowed) {
            sp_judging_clear(&j, talk);
        }
        if (talk->reached > SP_SEEN_REACHED_NOTHING && e->path) {
            sp_judging_http(&j, talk);
        }
    }
    judge_rest(&j, talked);
    return j.rc;
}

bool sp_seen_is_reached(const struct sp_seen_talk *talk)
{
    return talk->reached > SP_SEEN_REACHED_NOTHING && !talk->is_own;
}

bool sp_endpoint_control(const struct sp_endpoint_seen *seen, char *out, size_t size)
{
    char text[SP_ADDR_STRLEN];
    const struct sp_seen_lookup *before = NULL;
    const struct sp_seen_lookup *after = NULL;
    for (size_t i = 0; i < seen->ntalks; i++) {
        if (sp_seen_is_reached(&seen->talks[i])) {
            (void)snprintf(out, size, "%s", sp_addr_str(&seen->talks[i].addr, text));
            return true;
        }
    }
    for (size_t i = 0; i < seen->nlookups; i++) {
        const struct sp_seen_lookup *lookup = &seen->lookups[i];
        if (lookup->state == SP_SEEN_ANSWERED && !lookup->is_own &&
            lookup->server.family != SP_FAMILY_NONE && !sp_addr_is_special(&lookup->server)) {
            before = lookup->is_again ? before : lookup;
            after = lookup->is_again ? lookup : after;
        }
    }
    if (!before || !after) {
        return false;
    }
    (void)snprintf(out, size, "the name server %s", sp_addr_str(&after->server, text));
    return true;
}
