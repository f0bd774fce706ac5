/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/call.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/caller/call_ask.h"
#include "probe/caller/talk.h"
#include "probe/wire/message.h"

#define LOOKUPS 4U   /* two types, two transports */
#define TALKS   128U /* four with each address */
_Static_assert(TALKS == SP_CALL_ADDRS * 4U, "four with each address");

struct sp_call {
    struct sp_call_ask ask;
    struct sp_call_place place;
    void (*done)(struct sp_call *call, struct sp_buf *out, void *arg);
    void *arg;
    char host[SP_HOSTNAME_STRLEN]; /* for the request: the name, or the first address */
    struct sp_tls *tls;
    struct sp_talk_how how;
    struct sp_addr addrs[SP_CALL_ADDRS]; /* that are talked to */
    size_t naddrs, nbegun;
    uint32_t left; /* addresses for which there was no room */
    struct sp_lookup lookups[LOOKUPS];
    size_t nlookups, lookups_open;
    struct sp_talk talks[TALKS];
    size_t ntalks, nstarted, talks_open;
    bool is_again; /* the second look at the name is on */
    bool is_over;
    struct event *turn; /* goes on from the loop, never from within a callback */
    struct event *limit;
    struct sp_buf out;
};

static void on_turn(evutil_socket_t fd, short what, void *arg);

static void wake(struct sp_call *call)
{
    event_active(call->turn, EV_TIMEOUT, 1);
}

/* ---- names ---- */

static void tell_lookup(struct sp_call *call, const struct sp_lookup *lookup)
{
    struct sp_buf *out = &call->out;
    char text[SP_ADDR_STRLEN];
    sp_fields_add(out, "lookup", lookup->type == SP_DNS_A ? "a" : "aaaa");
    sp_fields_add(out, "lookup.transport", lookup->is_tcp ? "tcp" : "udp");
    sp_fields_add(out, "lookup.again", call->is_again ? "1" : "0");
    sp_fields_add(out, "lookup.state", sp_lookup_state_str(lookup->state));
    if (lookup->nservers > 0) {
        sp_fields_add(out, "lookup.server", sp_addr_str(&lookup->servers[lookup->server], text));
        sp_fields_add(out, "lookup.own", lookup->is_own_server ? "1" : "0");
    }
    if (lookup->state == SP_LOOKUP_ANSWERED) {
        sp_fields_add_u64(out, "lookup.rcode", lookup->answer.rcode);
        sp_fields_add_u64(out, "lookup.total", lookup->answer.total);
        sp_fields_add(out, "lookup.over_tcp", lookup->is_over_tcp ? "1" : "0");
        for (size_t i = 0; i < lookup->answer.n; i++) {
            sp_fields_add(out, "lookup.addr", sp_addr_str(&lookup->answer.addrs[i], text));
        }
    }
}

static bool has_addr(const struct sp_call *call, const struct sp_addr *addr)
{
    for (size_t i = 0; i < call->naddrs; i++) {
        if (sp_addr_eq(&call->addrs[i], addr)) {
            return true;
        }
    }
    return false;
}

/* The families share the room: neither can crowd the other out. */
static void take_addrs(struct sp_call *call, const struct sp_dns_answer *answer)
{
    uint32_t taken = 0;
    for (size_t i = 0; i < answer->n; i++) {
        size_t same = 0;
        for (size_t k = 0; k < call->naddrs; k++) {
            same += call->addrs[k].family == answer->addrs[i].family;
        }
        if (has_addr(call, &answer->addrs[i])) {
            taken++;
        } else if (same < SP_CALL_ADDRS / 2 && call->naddrs < SP_CALL_ADDRS) {
            call->addrs[call->naddrs++] = answer->addrs[i];
            taken++;
        }
    }
    uint32_t left = answer->total > taken ? answer->total - taken : 0;
    call->left = left > call->left ? left : call->left;
}

static void on_lookup(struct sp_lookup *lookup, void *arg)
{
    struct sp_call *call = arg;
    tell_lookup(call, lookup);
    if (lookup->state == SP_LOOKUP_ANSWERED && lookup->answer.rcode == 0) {
        take_addrs(call, &lookup->answer);
    }
    call->lookups_open--;
    wake(call);
}

static void look_up(struct sp_call *call)
{
    static const uint16_t types[] = {SP_DNS_A, SP_DNS_AAAA};
    for (size_t i = 0; i < call->nlookups; i++) {
        sp_lookup_release(&call->lookups[i]);
    }
    call->nlookups = 0;
    for (size_t i = 0; i < LOOKUPS; i++) {
        bool is_tcp = i >= 2;
        if (!call->ask.name[0] || !(is_tcp ? call->ask.by_tcp : call->ask.by_udp)) {
            continue;
        }
        struct sp_lookup *lookup = &call->lookups[call->nlookups++];
        *lookup = (struct sp_lookup){.base = call->place.base,
                                     .name = call->ask.name,
                                     .type = types[i % 2],
                                     .is_tcp = is_tcp,
                                     .nservers = call->ask.nservers,
                                     .step_ms = call->ask.step_ms,
                                     .done = on_lookup,
                                     .arg = call};
        memcpy(lookup->servers, call->ask.servers, sizeof(lookup->servers));
    }
    call->lookups_open = call->nlookups;
    for (size_t i = 0; i < call->nlookups; i++) {
        sp_lookup_start(&call->lookups[i]);
    }
}

/* ---- conversations ---- */

static void tell_talk(struct sp_call *call, const struct sp_talk *talk)
{
    struct sp_buf *out = &call->out;
    char text[SP_ADDR_STRLEN];
    sp_fields_add(out, "talk", sp_talk_mode_str(talk->mode));
    sp_fields_add(out, "talk.addr", sp_addr_str(&talk->addr, text));
    sp_fields_add(out, "talk.reached", sp_talk_reached_str(talk->reached));
    sp_fields_add(out, "talk.stop", sp_talk_stop_str(talk->stop));
    if (talk->stop == SP_TALK_ICMP) {
        sp_buf_fmt(out, "talk.icmp=%u/%u\n", (unsigned)talk->icmp.type, (unsigned)talk->icmp.code);
        sp_fields_add(out, "talk.from", sp_addr_str(&talk->icmp.from, text));
    }
    if (talk->reason[0]) {
        sp_fields_add(out, "talk.reason", talk->reason);
    } else if (talk->stop == SP_TALK_LOCAL && talk->error) {
        sp_fields_add(out, "talk.reason", strerrordesc_np(talk->error));
    }
    if (talk->reached > SP_TALK_NOTHING) {
        sp_fields_add_u64(out, "talk.ms", talk->connect_ms);
        sp_fields_add(out, "talk.own", talk->is_own ? "1" : "0");
    }
    if (talk->mode > SP_TALK_TLS) {
        sp_fields_add(out, "talk.kind", sp_talk_kind_str(talk->kind));
        sp_fields_add_u64(out, "talk.status", talk->status);
        if (talk->location[0]) {
            sp_fields_add(out, "talk.location", talk->location);
        }
    }
    if (talk->mode == SP_TALK_TLS) {
        sp_buf_add(out, sp_buf_text(&talk->told), talk->told.len);
    }
}

static void on_talk(struct sp_talk *talk, void *arg);

static void add_talk(struct sp_call *call, const struct sp_addr *addr, enum sp_talk_mode mode)
{
    if (call->ntalks < TALKS) {
        call->talks[call->ntalks++] = (struct sp_talk){.how = &call->how,
                                                       .mode = (uint8_t)mode,
                                                       .addr = *addr,
                                                       .done = on_talk,
                                                       .arg = call,
                                                       .fd = -1};
    }
}

/* What else there is to learn, once it is known that somebody is there. */
static void on_talk(struct sp_talk *talk, void *arg)
{
    struct sp_call *call = arg;
    bool is_first = talk->mode <= SP_TALK_TLS;
    tell_talk(call, talk);
    if (is_first && talk->reached >= SP_TALK_CONNECTED) {
        if (call->ask.is_http && (!call->ask.is_tls || talk->reached >= SP_TALK_SECURED)) {
            add_talk(call, &talk->addr, call->ask.is_tls ? SP_TALK_HTTPS : SP_TALK_HTTP);
        }
        if (call->ask.is_clear) {
            if (!call->ask.is_http && talk->reached >= SP_TALK_SECURED) {
                /* Only against this can a refusal in clear be told from an answer. */
                add_talk(call, &talk->addr, SP_TALK_HTTPS);
            }
            add_talk(call, &talk->addr, SP_TALK_CLEAR);
            add_talk(call, &talk->addr, SP_TALK_H2);
        }
    }
    call->talks_open--;
    wake(call);
}

static void begin_talks(struct sp_call *call)
{
    while (call->nbegun < call->naddrs) {
        add_talk(call, &call->addrs[call->nbegun++], call->ask.is_tls ? SP_TALK_TLS : SP_TALK_TCP);
    }
    while (call->nstarted < call->ntalks && call->talks_open < SP_CALL_AT_ONCE) {
        call->talks_open++;
        sp_talk_start(&call->talks[call->nstarted++]);
    }
}

/* ---- the whole ---- */

static void end(struct sp_call *call, bool is_whole)
{
    call->is_over = true;
    sp_fields_add_u64(&call->out, "left", call->left);
    sp_fields_add(&call->out, "done", is_whole ? "1" : "0");
    if (call->out.rc != SP_OK) {
        sp_buf_clear(&call->out);
        sp_fields_add(&call->out, "error", "the answer is too long");
    }
    call->done(call, &call->out, call->arg);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct sp_call *call = arg;
    (void)fd;
    (void)what;
    if (call->is_over || call->lookups_open > 0) {
        return;
    }
    begin_talks(call);
    if (call->talks_open > 0 || call->nstarted < call->ntalks) {
        return;
    }
    if (!call->is_again && call->ask.name[0]) {
        call->is_again = true;
        look_up(call);
    } else {
        end(call, true);
    }
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    struct sp_call *call = arg;
    (void)fd;
    (void)what;
    if (!call->is_over) {
        end(call, false);
    }
}

/* Of this host, where the question names none. */
static void use_own_servers(struct sp_call *call)
{
    char text[8192];
    int fd = open(call->place.resolv_conf, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    call->ask.nservers = n > 0 ? sp_lookup_servers(text, (size_t)n, call->ask.servers) : 0;
}

static enum sp_rc prepare(struct sp_call *call)
{
    struct sp_call_ask *ask = &call->ask;
    uint64_t ms = (uint64_t)SP_CALL_STEPS * ask->step_ms;
    struct timeval limit = {.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    if (ask->name[0]) {
        memcpy(call->host, ask->name, sizeof(call->host));
    } else {
        (void)sp_addr_str(&ask->addrs[0], call->host);
    }
    if (ask->name[0] && ask->nservers == 0) {
        use_own_servers(call);
    }
    memcpy(call->addrs, ask->addrs, sizeof(call->addrs));
    call->naddrs = ask->naddrs;
    enum sp_rc rc = ask->is_tls ? sp_tls_new(ask->ca, ask->ca_len, &call->tls) : SP_OK;
    call->how = (struct sp_talk_how){.base = call->place.base,
                                     .tls = call->tls,
                                     .sni = ask->sni[0] ? ask->sni : ask->name,
                                     .name = ask->sni[0] ? ask->sni : call->host,
                                     .host = ask->sni[0] ? ask->sni : call->host,
                                     .path = ask->is_http ? ask->path : "/",
                                     .alpn = ask->alpn,
                                     .alpn_len = ask->alpn_len,
                                     .step_ms = ask->step_ms,
                                     .port = ask->port};
    call->turn = event_new(call->place.base, -1, 0, on_turn, call);
    call->limit = event_new(call->place.base, -1, 0, on_limit, call);
    if (rc != SP_OK || !call->turn || !call->limit || event_add(call->limit, &limit) != 0) {
        return SP_E_NOMEM;
    }
    return SP_OK;
}

enum sp_rc sp_call_new(const struct sp_call_place *place, const char *text, size_t len,
                       void (*done)(struct sp_call *call, struct sp_buf *out, void *arg), void *arg,
                       struct sp_call **ret_call, struct sp_diag *diag)
{
    struct sp_call *call = sp_calloc(1, sizeof(*call));
    if (!call) {
        return sp_fail(diag, SP_E_NOMEM, "call", "out of memory");
    }
    call->place = *place;
    call->done = done;
    call->arg = arg;
    sp_buf_init(&call->out, SP_MESSAGE_MAX);
    enum sp_rc rc = sp_call_ask_read(place->bounds, text, len, &call->ask, diag);
    if (rc == SP_OK && prepare(call) != SP_OK) {
        rc = sp_fail(diag, SP_E_NOMEM, "call", "out of memory");
    }
    if (rc != SP_OK) {
        sp_call_free(call);
        return rc;
    }
    look_up(call);
    wake(call);
    *ret_call = call;
    return SP_OK;
}

void sp_call_free(struct sp_call *call)
{
    if (!call) {
        return;
    }
    for (size_t i = 0; i < call->nlookups; i++) {
        sp_lookup_release(&call->lookups[i]);
    }
    for (size_t i = 0; i < call->ntalks; i++) {
        sp_talk_release(&call->talks[i]);
    }
    if (call->turn) {
        event_free(call->turn);
    }
    if (call->limit) {
        event_free(call->limit);
    }
    sp_tls_free(call->tls);
    sp_call_ask_release(&call->ask);
    sp_buf_release(&call->out);
    sp_free(call);
}
