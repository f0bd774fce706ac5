/* SPDX-License-Identifier: Apache-2.0
 *
 * What TLS and HTTP show of an endpoint. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/endpoint_judge.h"
#include "probe/base/clock.h"
#include "probe/base/str.h"

#define DAY_S          86400U
#define STATUS_REFUSED 400U /* what servers of TLS say to a request in clear */

/* ---- TLS ---- */

static void judge_alpn(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    bool is_offered = false;
    size_t at = 0;
    for (size_t i = 0; i < e->nalpn; i++) {
        is_offered = is_offered || strcmp(e->alpn[i], talk->alpn) == 0;
        int n = snprintf(j->expected + at, sizeof(j->expected) - at, "%s%s", i > 0 ? " or " : "",
                         e->alpn[i]);
        at += n > 0 && at + (size_t)n < sizeof(j->expected) ? (size_t)n : 0;
    }
    (void)snprintf(j->observed, sizeof(j->observed), "%s",
                   talk->alpn[0] ? talk->alpn : "no protocol was chosen");
    if (!is_offered) {
        (void)snprintf(j->cause, sizeof(j->cause),
                       "the server does not speak it, or something on the way takes ALPN out");
    }
    sp_judging_say(j, "alpn", is_offered ? SP_CLAIM_HOLDS : SP_CLAIM_FAILS, SP_SEVERITY_MEDIUM,
                   is_offered ? NULL
                              : "let TLS pass untouched on the way, or offer what is spoken there");
}

static void judge_chain(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    bool is_known = talk->has_good && strcmp(talk->store, "none") != 0;
    if (e->ca) {
        (void)snprintf(j->expected, sizeof(j->expected), "issued by a CA of %.300s", e->ca);
    } else {
        (void)snprintf(j->expected, sizeof(j->expected), "issued by a CA that the host trusts");
    }
    (void)snprintf(j->observed, sizeof(j->observed), "issued by '%s', the chain ends with '%s'",
                   talk->issuer, talk->top_issuer[0] ? talk->top_issuer : talk->top);
    if (!is_known) {
        (void)snprintf(j->cause, sizeof(j->cause), "%s",
                       strcmp(talk->store, "none") != 0 ? "the chain could not be looked at"
                       : e->ca ? "the file of the CA holds no certificate in PEM"
                               : "this host has no trust store where it is looked for");
        sp_judging_say(j, "tls_chain", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW,
                       "give the endpoint's tls a ca: a file of certificates in PEM");
    } else if (talk->is_good) {
        sp_judging_say(j, "tls_chain", SP_CLAIM_HOLDS, SP_SEVERITY_LOW, NULL);
    } else {
        (void)snprintf(j->cause, sizeof(j->cause),
                       "%s: another server answers, something on the way intercepts TLS, or the "
                       "server leaves certificates out",
                       talk->why);
        sp_judging_say(j, "tls_chain", SP_CLAIM_FAILS, SP_SEVERITY_HIGH,
                       "see who that issuer is, and let TLS pass untouched on the way");
    }
}

static void judge_name(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    (void)snprintf(j->expected, sizeof(j->expected), "made out to %s", e->sni ? e->sni : e->host);
    (void)snprintf(j->observed, sizeof(j->observed), "made out to %s",
                   talk->names[0] ? talk->names : "no name");
    if (!talk->has_fits) {
        (void)snprintf(j->cause, sizeof(j->cause), "the server sent no certificate");
        sp_judging_say(j, "tls_name", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW, NULL);
        return;
    }
    if (!talk->fits) {
        (void)snprintf(j->cause, sizeof(j->cause),
                       "another server answers, or the certificate was made out wrongly");
    }
    sp_judging_say(j, "tls_name", talk->fits ? SP_CLAIM_HOLDS : SP_CLAIM_FAILS, SP_SEVERITY_HIGH,
                   talk->fits ? NULL : "give the server a certificate with that name in it");
}

static void judge_expiry(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    char from_text[24];
    char until_text[24];
    uint64_t now = j->what->now_s;
    uint64_t from = talk->from;
    uint64_t until = talk->until;
    if (talk->has_chain_dates) {
        from = talk->chain_from > now ? talk->chain_from : from;
        until = talk->chain_until < until ? talk->chain_until : until;
    }
    (void)snprintf(j->expected, sizeof(j->expected), "valid");
    if (e->min_days > 0) {
        (void)snprintf(j->expected, sizeof(j->expected), "valid for at least %u more days",
                       (unsigned)e->min_days);
    }
    if (!talk->has_dates) {
        (void)snprintf(j->cause, sizeof(j->cause), "the dates could not be read");
        sp_judging_say(j, "tls_expiry", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW, NULL);
        return;
    }
    sp_wall_str(from, from_text);
    sp_wall_str(until, until_text);
    (void)snprintf(j->observed, sizeof(j->observed), "valid from %s to %s",
                   from_text[0] ? from_text : "a date beyond 9999",
                   until_text[0] ? until_text : "a date beyond 9999");
    bool is_expired = until < now;
    bool is_early = from > now;
    bool is_soon = !is_expired && until - now < (uint64_t)e->min_days * DAY_S;
    if (is_expired || is_early || is_soon) {
        (void)snprintf(j->cause, sizeof(j->cause), "%s",
                       is_expired ? "it has expired"
                       : is_early ? "it is not valid yet"
                                  : "it ends too soon");
        sp_judging_say(j, "tls_expiry", SP_CLAIM_FAILS,
                       is_soon ? SP_SEVERITY_MEDIUM : SP_SEVERITY_HIGH, "renew the certificate");
    } else {
        sp_judging_say(j, "tls_expiry", SP_CLAIM_HOLDS, SP_SEVERITY_LOW, NULL);
    }
}

static void judge_issuer(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    (void)snprintf(j->observed, sizeof(j->observed), "issued by '%s'", talk->issuer);
    if (!talk->issuer[0]) {
        (void)snprintf(j->cause, sizeof(j->cause), "the server sent no certificate");
    }
    if (!e->issuer) {
        sp_judging_say(j, "tls_issuer", SP_CLAIM_NOTE, SP_SEVERITY_LOW, NULL);
        return;
    }
    (void)snprintf(j->expected, sizeof(j->expected), "issued by '%.380s'", e->issuer);
    bool is_it = strstr(talk->issuer, e->issuer) != NULL;
    if (talk->issuer[0] && !is_it) {
        (void)snprintf(j->cause, sizeof(j->cause),
                       "another CA issued it: something on the way may intercept TLS");
    }
    sp_judging_say(j, "tls_issuer",
                   !talk->issuer[0] ? SP_CLAIM_UNKNOWN
                   : is_it          ? SP_CLAIM_HOLDS
                                    : SP_CLAIM_FAILS,
                   SP_SEVERITY_HIGH,
                   is_it ? NULL : "see who that issuer is, and let TLS pass untouched on the way");
}

void sp_judging_tls(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    (void)snprintf(j->expected, sizeof(j->expected), "TLS 1.2 or newer");
    if (talk->reached < SP_SEEN_REACHED_TLS) {
        bool is_local = talk->stop == SP_SEEN_LOCAL || talk->stop == SP_SEEN_DONE;
        char how[300];
        sp_judging_stop(j, talk, how, sizeof(how));
        (void)snprintf(j->observed, sizeof(j->observed), "connected, but no TLS: %s", how);
        (void)snprintf(j->cause, sizeof(j->cause), "%s",
                       is_local                      ? "the host itself could not go on"
                       : talk->stop == SP_SEEN_ALERT ? "the server will not agree on what was asked"
                       : talk->stop == SP_SEEN_BROKEN
                           ? "it does not speak TLS, or not as it must be spoken"
                       : talk->stop == SP_SEEN_SLOW || talk->stop == SP_SEEN_SILENT
                           ? "nothing behind the connection answers in time"
                           : "something ends the connection when TLS begins");
        sp_judging_say(j, "tls", is_local ? SP_CLAIM_UNKNOWN : SP_CLAIM_FAILS, SP_SEVERITY_MEDIUM,
                       "see what listens there, and what stands between");
        return;
    }
    (void)snprintf(j->observed, sizeof(j->observed), "%s with %s", talk->version, talk->cipher);
    sp_judging_say(j, "tls", SP_CLAIM_HOLDS, SP_SEVERITY_LOW, NULL);
    if (j->what->endpoint->nalpn > 0) {
        judge_alpn(j, talk);
    }
    judge_chain(j, talk);
    judge_name(j, talk);
    judge_expiry(j, talk);
    judge_issuer(j, talk);
}

/* ---- in clear ---- */

/* One attempt in clear. The words go to out. A status 400 is how many servers of TLS refuse a
 * request in clear; it counts as a refusal only where the same request through TLS got another
 * status. */
static enum sp_claim_verdict judge_attempt(const struct sp_judging *j,
                                           const struct sp_seen_talk *clear,
                                           const struct sp_seen_talk *twin, char *out, size_t size)
{
    bool is_h2 = clear->mode == SP_SEEN_H2;
    const char *what = is_h2 ? "the preface of HTTP/2" : "an HTTP/1.1 request";
    char how[300];
    sp_judging_stop(j, clear, how, sizeof(how));
    bool is_refusal = clear->status == STATUS_REFUSED && twin && twin->status > 0 &&
                      twin->status != STATUS_REFUSED;
    switch (clear->bytes) { /* an enum sp_seen_bytes */
    case SP_SEEN_HTTP_HEAD:
        (void)snprintf(out, size, "%s is answered in clear with status %u", what, clear->status);
        return is_refusal                        ? SP_CLAIM_HOLDS
               : clear->status == STATUS_REFUSED ? SP_CLAIM_UNKNOWN
                                                 : SP_CLAIM_FAILS;
    case SP_SEEN_H2_FRAMES:
        (void)snprintf(out, size, "%s is answered in clear with HTTP/2", what);
        return SP_CLAIM_FAILS;
    case SP_SEEN_H2_AWAY:
    case SP_SEEN_TLS_BYTES:
        (void)snprintf(out, size, "%s is refused", what);
        return SP_CLAIM_HOLDS;
    case SP_SEEN_OTHER_BYTES:
        (void)snprintf(out, size, "%s is answered in clear with other bytes", what);
        return clear->stop == SP_SEEN_SLOW ? SP_CLAIM_UNKNOWN : SP_CLAIM_FAILS;
    default:
        break;
    }
    bool is_ended = clear->reached > SP_SEEN_REACHED_NOTHING &&
                    (clear->stop == SP_SEEN_RST || clear->stop == SP_SEEN_CLOSED);
    (void)snprintf(out, size, "%s: %s", what, is_ended ? "refused" : how);
    return is_ended ? SP_CLAIM_HOLDS : SP_CLAIM_UNKNOWN;
}

void sp_judging_clear(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    static const uint8_t modes[] = {SP_SEEN_CLEAR, SP_SEEN_H2};
    const struct sp_seen_talk *twin = sp_judging_talk(j, &talk->addr, SP_SEEN_HTTPS);
    enum sp_claim_verdict verdict = SP_CLAIM_HOLDS;
    size_t at = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(modes); i++) {
        const struct sp_seen_talk *clear = sp_judging_talk(j, &talk->addr, modes[i]);
        char words[420] = "an attempt was not made";
        enum sp_claim_verdict one =
            clear ? judge_attempt(j, clear, twin, words, sizeof(words)) : SP_CLAIM_UNKNOWN;
        verdict = verdict == SP_CLAIM_FAILS || one == SP_CLAIM_FAILS       ? SP_CLAIM_FAILS
                  : verdict == SP_CLAIM_UNKNOWN || one == SP_CLAIM_UNKNOWN ? SP_CLAIM_UNKNOWN
                                                                           : SP_CLAIM_HOLDS;
        int n =
            snprintf(j->observed + at, sizeof(j->observed) - at, "%s%s", i > 0 ? "; " : "", words);
        at += n > 0 && at + (size_t)n < sizeof(j->observed) ? (size_t)n : 0;
    }
    (void)snprintf(j->expected, sizeof(j->expected), "clear text is refused");
    if (verdict == SP_CLAIM_HOLDS && talk->reached < SP_SEEN_REACHED_TLS) {
        verdict = SP_CLAIM_UNKNOWN;
        (void)snprintf(j->cause, sizeof(j->cause),
                       "nothing was answered there through TLS either, so it is not clear text "
                       "that is refused");
    } else if (verdict == SP_CLAIM_UNKNOWN) {
        (void)snprintf(j->cause, sizeof(j->cause), "a refusal cannot be told from an answer here");
    } else if (verdict == SP_CLAIM_FAILS) {
        (void)snprintf(j->cause, sizeof(j->cause), "the server talks to whoever leaves TLS out");
    }
    sp_judging_say(j, "cleartext", verdict, SP_SEVERITY_HIGH,
                   verdict == SP_CLAIM_FAILS ? "let the server require TLS on that port" : NULL);
}

/* ---- HTTP ---- */

bool sp_redirect_parse(const char *location, struct sp_redirect *ret_redirect)
{
    struct sp_redirect r = {.port = 80};
    char host[SP_HOSTNAME_STRLEN];
    uint64_t port = 0;
    if (strncmp(location, "https://", 8) == 0) {
        r.is_tls = true;
        r.port = 443;
        location += 8;
    } else if (strncmp(location, "http://", 7) == 0) {
        location += 7;
    } else {
        return false;
    }
    size_t len = strcspn(location, ":/?#");
    if (len >= sizeof(host)) {
        return false;
    }
    memcpy(host, location, len);
    host[len] = '\0';
    location += len;
    if (!sp_hostname_normal(host, r.host)) {
        return false;
    }
    if (*location == ':') {
        char digits[6] = "";
        len = strspn(location + 1, "0123456789");
        if (len == 0 || len >= sizeof(digits)) {
            return false;
        }
        memcpy(digits, location + 1, len);
        digits[len] = '\0';
        if (sp_parse_uint(digits, UINT16_MAX, &port) != SP_OK || port == 0) {
            return false;
        }
        r.port = (uint16_t)port;
        location += len + 1;
    }
    if (*location != '/' && *location != '\0' && *location != '?' && *location != '#') {
        return false;
    }
    len = strcspn(location, "#");
    int n =
        snprintf(r.path, sizeof(r.path), "%s%.*s", *location == '/' ? "" : "/", (int)len, location);
    if (n < 0 || (size_t)n >= sizeof(r.path)) {
        return false;
    }
    *ret_redirect = r;
    return true;
}

static void judge_redirect(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    struct sp_redirect to;
    bool is_declared = false;
    if (talk->status < 300 || talk->status > 399 || !talk->location[0]) {
        return;
    }
    bool is_known = sp_redirect_parse(talk->location, &to);
    if (!is_known && talk->location[0] == '/' && talk->location[1] != '/') {
        return; /* the same host */
    }
    for (size_t i = 0; is_known && i < e->nredirects; i++) {
        is_declared = is_declared || strcmp(e->redirects[i], to.host) == 0;
    }
    (void)snprintf(j->observed, sizeof(j->observed), "status %u leads to %.500s", talk->status,
                   talk->location);
    if (e->nredirects == 0) {
        sp_judging_say(j, "redirect", SP_CLAIM_NOTE, SP_SEVERITY_LOW, NULL);
        return;
    }
    (void)snprintf(j->expected, sizeof(j->expected), "it leads to declared hosts only");
    bool is_clear = is_known && e->is_tls && !to.is_tls;
    if (is_declared && !is_clear) {
        sp_judging_say(j, "redirect", SP_CLAIM_HOLDS, SP_SEVERITY_LOW, NULL);
    } else if (!is_known) {
        (void)snprintf(j->cause, sizeof(j->cause), "where it leads cannot be understood");
        sp_judging_say(j, "redirect", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW, NULL);
    } else {
        (void)snprintf(j->cause, sizeof(j->cause), "%s",
                       is_clear ? "it leads out of TLS" : "that host is not declared");
        sp_judging_say(j, "redirect", SP_CLAIM_FAILS, SP_SEVERITY_MEDIUM,
                       "declare the host among the redirects, or find out who sends clients there");
    }
}

void sp_judging_http(struct sp_judging *j, const struct sp_seen_talk *talk)
{
    const struct sp_endpoint *e = j->what->endpoint;
    const struct sp_seen_talk *http =
        sp_judging_talk(j, &talk->addr, e->is_tls ? SP_SEEN_HTTPS : SP_SEEN_HTTP);
    bool is_it = false;
    size_t at = 0;
    for (size_t i = 0; i < e->nstatus; i++) {
        is_it = is_it || (http && http->status == e->status[i]);
        int n = snprintf(j->expected + at, sizeof(j->expected) - at, "%s%u",
                         i > 0 ? " or " : "status ", (unsigned)e->status[i]);
        at += n > 0 && at + (size_t)n < sizeof(j->expected) ? (size_t)n : 0;
    }
    if (!http) {
        (void)snprintf(j->cause, sizeof(j->cause), "no request could be made");
        sp_judging_say(j, "http_status", SP_CLAIM_UNKNOWN, SP_SEVERITY_LOW, NULL);
        return;
    }
    if (http->bytes == SP_SEEN_HTTP_HEAD && http->status > 0) {
        (void)snprintf(j->observed, sizeof(j->observed), "status %u", http->status);
        if (!is_it && e->nstatus > 0) {
            (void)snprintf(j->cause, sizeof(j->cause), "the application answers otherwise");
        }
        sp_judging_say(j, "http_status",
                       e->nstatus == 0 ? SP_CLAIM_NOTE
                       : is_it         ? SP_CLAIM_HOLDS
                                       : SP_CLAIM_FAILS,
                       SP_SEVERITY_MEDIUM,
                       is_it ? NULL : "see what answers there, and for that path");
        judge_redirect(j, http);
        return;
    }
    bool needs_other = http->stop == SP_SEEN_ALERT || http->stop == SP_SEEN_LOCAL;
    char how[300];
    sp_judging_stop(j, http, how, sizeof(how));
    (void)snprintf(j->observed, sizeof(j->observed), "%s, no answer to the request: %s",
                   http->reached >= SP_SEEN_REACHED_TLS   ? "TLS stands"
                   : http->reached == SP_SEEN_REACHED_TCP ? "connected"
                                                          : "no second connection",
                   http->bytes == SP_SEEN_NO_BYTES ? how : "what came is no HTTP/1.1");
    (void)snprintf(j->cause, sizeof(j->cause), "%s",
                   needs_other
                       ? "the server does not speak HTTP/1.1 through TLS, or the host could "
                         "not send"
                       : "nothing behind the connection answers");
    sp_judging_say(j, "http_status", needs_other ? SP_CLAIM_UNKNOWN : SP_CLAIM_FAILS,
                   SP_SEVERITY_MEDIUM, "see what answers there, and for that path");
}
