/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of load balancers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/check.h"

#define MAX_ENTRIES 2000000U

/* One address and port that clients use; or, with host set, an address of a host. */
struct entry {
    struct sp_addr addr;
    uint8_t proto;
    uint16_t port;
    uint32_t host; /* SP_NONE = a balancer's */
    uint32_t balancer;
    struct sp_pos pos;
};

static int by_entry(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = sp_addr_cmp(&x->addr, &y->addr);
    if (order) {
        return order;
    }
    if ((x->host == SP_NONE) != (y->host == SP_NONE)) {
        return x->host == SP_NONE ? 1 : -1; /* hosts first */
    }
    uint32_t px = (uint32_t)x->proto << 16 | x->port;
    uint32_t py = (uint32_t)y->proto << 16 | y->port;
    if (px != py) {
        return px < py ? -1 : 1;
    }
    if (x->balancer != y->balancer) {
        return x->balancer < y->balancer ? -1 : 1;
    }
    return x->host < y->host ? -1 : x->host > y->host;
}

static size_t count_entries(const struct sp_model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->nbalancers; i++) {
        n += m->balancers[i].naddrs * m->balancers[i].nlisteners;
    }
    for (size_t h = 0; h < m->nhosts; h++) {
        n += m->hosts[h].naddrs;
    }
    return n;
}

/* n: what count_entries() said. */
static struct entry *collect(const struct sp_model *m, size_t n)
{
    struct entry *entries = sp_calloc(n, sizeof(*entries));
    if (!entries) {
        return NULL;
    }
    n = 0;
    for (uint32_t i = 0; i < m->nbalancers; i++) {
        const struct sp_balancer *balancer = &m->balancers[i];
        for (size_t a = 0; a < balancer->naddrs; a++) {
            for (size_t l = 0; l < balancer->nlisteners; l++) {
                entries[n++] = (struct entry){
                    .addr = balancer->addrs[a],
                    .proto = balancer->listeners[l].port.proto,
                    .port = balancer->listeners[l].port.lo,
                    .host = SP_NONE,
                    .balancer = i,
                    .pos = balancer->addr_pos ? balancer->addr_pos[a] : balancer->pos,
                };
            }
        }
    }
    for (uint32_t h = 0; h < m->nhosts; h++) {
        for (size_t a = 0; a < m->hosts[h].naddrs; a++) {
            entries[n++] = (struct entry){.addr = m->hosts[h].addrs[a], .host = h};
        }
    }
    return entries;
}

static void check_shared(const struct sp_model *m, const struct entry *before,
                         const struct entry *at, struct sp_problems *problems)
{
    char addr[SP_ADDR_STRLEN], port[SP_PORTSPEC_STRLEN];
    const struct sp_balancer *balancer = &m->balancers[at->balancer];
    if (before->host != SP_NONE) {
        sp_check_add(problems, false, at->pos, "load_balancers", balancer->name,
                     "%s is also the address of the host '%s': their answers cannot be told apart",
                     sp_addr_str(&at->addr, addr), m->hosts[before->host].name);
    } else if (before->proto == at->proto && before->port == at->port) {
        sp_check_add(problems, true, at->pos, "load_balancers", balancer->name,
                     "%s %s/%s is offered twice, by '%s' and by '%s'", sp_addr_str(&at->addr, addr),
                     sp_proto_str(at->proto), sp_proto_port_str(at->proto, at->port, port),
                     m->balancers[before->balancer].name, balancer->name);
    }
}

static void check_one(const struct sp_balancer *balancer, struct sp_problems *problems)
{
    char addr[SP_ADDR_STRLEN], port[SP_PORTSPEC_STRLEN];
    if (balancer->is_pending) {
        sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                     "'%s' has no address yet%s: nobody can reach it, and 'segproof verify' will "
                     "tell that as a finding",
                     balancer->name, balancer->naddrs > 0 ? " beside those given" : "");
    }
    for (size_t a = 0; balancer->npool && a < balancer->naddrs; a++) {
        size_t p = 0;
        while (p < balancer->npool && !sp_prefix_has(&balancer->pool[p], &balancer->addrs[a])) {
            p++;
        }
        if (p == balancer->npool) {
            sp_check_add(problems, false,
                         balancer->addr_pos ? balancer->addr_pos[a] : balancer->pos,
                         "load_balancers", balancer->name, "%s lies outside the pool of '%s'",
                         sp_addr_str(&balancer->addrs[a], addr), balancer->name);
        }
    }
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        if (balancer->listeners[l].nbackends == 0) {
            sp_check_add(problems, true, balancer->pos, "load_balancers", balancer->name,
                         "the listener %s of '%s' has no backend: its selector matches no host",
                         sp_portspec_str(&balancer->listeners[l].port, port), balancer->name);
        }
    }
}

static bool is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

/* Its own addresses must fit what it offers, and serve a purpose. */
static void check_sources(const struct sp_balancer *balancer, struct sp_problems *problems)
{
    char addr[SP_ADDR_STRLEN];
    bool rewrites = false;
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        rewrites = rewrites || is_word(balancer->listeners[l].source, "rewritten");
    }
    if (balancer->nsources > 0 && !rewrites) {
        sp_check_add(
            problems, false, balancer->pos, "load_balancers", balancer->name,
            "'%s' declares `sources`, but no listener says `source: rewritten`: they explain "
            "its health checks only",
            balancer->name);
    }
    for (size_t i = 0; i < balancer->nsources; i++) {
        bool fits = false;
        for (size_t a = 0; a < balancer->naddrs; a++) {
            fits = fits || balancer->addrs[a].family == balancer->sources[i].family;
        }
        if (!fits) {
            sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                         "%s of `sources` is of another family than every address of '%s': no flow "
                         "will be expected from it",
                         sp_addr_str(&balancer->sources[i], addr), balancer->name);
        }
    }
}

/* Why the allowed flows of a listener will not be tested in full. */
enum gap { GAP_NONE, GAP_ONE_SIDED, GAP_BLIND, GAP_MEEK, GAP_COUNT };

struct gaps {
    const struct sp_listener *first[GAP_COUNT];
    const struct sp_host *host[GAP_COUNT]; /* the backend at which it shows */
    size_t n[GAP_COUNT];
};

static enum gap gap_of(const struct sp_model *m, const struct sp_balancer *balancer,
                       const struct sp_listener *listener, const struct sp_host **ret_host)
{
    uint8_t proto = listener->port.proto;
    enum gap gap = GAP_NONE;
    if (balancer->nreceivers == 0) {
        return listener->nbackends > 0 ? GAP_ONE_SIDED : GAP_NONE;
    }
    if (sp_model_data_ok(m, proto, listener->backend_port) ||
        sp_model_data_ok(m, proto, listener->port.lo)) {
        return GAP_NONE;
    }
    for (size_t i = 0; gap != GAP_BLIND && i < listener->nbackends; i++) {
        const struct sp_host *host = &m->hosts[listener->backends[i]];
        bool meek = proto == SP_PROTO_TCP && sp_model_host_hazard(m, listener->backends[i]) < 'B';
        enum gap here = !host->via ? GAP_BLIND : meek ? GAP_MEEK : GAP_NONE;
        if (here == GAP_BLIND || (here == GAP_MEEK && gap == GAP_NONE)) {
            gap = here;
            *ret_host = host;
        }
    }
    return gap;
}

/* Once for all listeners of a balancer: the next one has the same remedy. */
static void tell_gap(const struct sp_balancer *balancer, const struct gaps *gaps, enum gap gap,
                     struct sp_problems *problems)
{
    char port[SP_PORTSPEC_STRLEN], backend[SP_PORTSPEC_STRLEN], more[48] = "";
    const struct sp_listener *listener = gaps->first[gap];
    if (!listener) {
        return;
    }
    struct sp_portspec at = listener->port;
    at.lo = at.hi = listener->backend_port;
    (void)sp_portspec_str(&listener->port, port);
    (void)sp_portspec_str(&at, backend);
    if (gaps->n[gap] > 1) {
        (void)snprintf(more, sizeof(more), " (and %zu more)", gaps->n[gap] - 1);
    }
    if (gap == GAP_ONE_SIDED) {
        sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                     "no backend of '%s' has a probe: its address will be judged from the client's "
                     "side only",
                     balancer->name);
    } else if (gap == GAP_BLIND) {
        sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                     "allowed flows of the listener %s%s of '%s' will not be tested: the backend "
                     "'%s' has no probe, and they may reach a service there; give it a probe, or "
                     "mark a service on %s with `data: ok`",
                     port, more, balancer->name, gaps->host[gap]->name, backend);
    } else {
        sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                     "allowed flows of the listener %s%s of '%s' will not be tested: they need a "
                     "stand-in listener on '%s' (`hazard: B` for its network), or a service on %s "
                     "with `data: ok`",
                     port, more, balancer->name, gaps->host[gap]->name, backend);
    }
}

/* What of its declared behaviour contradicts the rest. */
static void check_behaviour(const struct sp_model *m, const struct sp_balancer *balancer,
                            const struct sp_listener *listener, struct sp_problems *problems)
{
    char port[SP_PORTSPEC_STRLEN];
    bool by_source = is_word(listener->affinity, "source");
    (void)sp_portspec_str(&listener->port, port);
    if (by_source && (listener->max_skew >= 0 || listener->weights)) {
        sp_check_add(problems, false, listener->pos, "load_balancers", balancer->name,
                     "the listener %s of '%s' has `affinity: source`: one client's connections all "
                     "go to one backend, so `max_skew` and `weights` cannot be measured",
                     port, balancer->name);
    }
    if (listener->port.proto != SP_PROTO_TCP &&
        (listener->weights || listener->max_skew >= 0 || listener->failover_within_ms > 0 ||
         listener->tls || listener->hairpin || listener->idle_timeout_ms > 0 ||
         listener->affinity || listener->cross_zone || listener->has_proxy_protocol)) {
        sp_check_add(problems, false, listener->pos, "load_balancers", balancer->name,
                     "the listener %s of '%s' is not tcp: how it behaves is measured with TCP "
                     "conversations, and will be unknown",
                     port, balancer->name);
    }
    for (size_t i = 0; listener->hairpin && i < listener->nbackends; i++) {
        bool may = sp_bits_get(&balancer->from, listener->backends[i]);
        if (may != is_word(listener->hairpin, "works")) {
            sp_check_add(problems, true, listener->pos, "load_balancers", balancer->name,
                         "the listener %s of '%s' says `hairpin: %s`, but `from` %s its backend "
                         "'%s'",
                         port, balancer->name, listener->hairpin, may ? "lets in" : "leaves out",
                         m->hosts[listener->backends[i]].name);
            break;
        }
    }
}

static void check_listeners(const struct sp_model *m, const struct sp_balancer *balancer,
                            struct sp_problems *problems)
{
    char port[SP_PORTSPEC_STRLEN];
    struct gaps gaps = {0};
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        const struct sp_listener *listener = &balancer->listeners[l];
        const struct sp_host *host = NULL;
        check_behaviour(m, balancer, listener, problems);
        if (is_word(listener->mode, "l7") && listener->proxy_protocol &&
            strcmp(listener->proxy_protocol, "none") != 0) {
            sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                         "the listener %s of '%s' is l7 and sends proxy protocol %s: l7 tells the "
                         "client's address in its own headers; was `mode: l4` meant?",
                         sp_portspec_str(&listener->port, port), balancer->name,
                         listener->proxy_protocol);
        }
        enum gap gap = gap_of(m, balancer, listener, &host);
        if (gaps.n[gap]++ == 0) {
            gaps.first[gap] = listener;
            gaps.host[gap] = host;
        }
    }
    for (int gap = GAP_ONE_SIDED; gap < GAP_COUNT; gap++) {
        tell_gap(balancer, &gaps, (enum gap)gap, problems);
    }
}

void sp_check_balancers(const struct sp_model *m, struct sp_problems *problems)
{
    bool was_clean = problems->nerrors == 0;
    for (size_t i = 0; was_clean && i < m->nbalancers; i++) {
        check_one(&m->balancers[i], problems);
        check_sources(&m->balancers[i], problems);
        check_listeners(m, &m->balancers[i], problems);
    }
    size_t n = count_entries(m);
    if (m->nbalancers == 0) {
        return;
    }
    if (n > MAX_ENTRIES) {
        sp_check_add(problems, false, m->balancers[0].pos, "load_balancers", m->balancers[0].name,
                     "the load balancers offer too many ports to compare them with each other");
        return;
    }
    struct entry *entries = collect(m, n);
    if (!entries) {
        problems->rc = SP_E_NOMEM;
        return;
    }
    qsort(entries, n, sizeof(*entries), by_entry);
    for (size_t i = 1; i < n; i++) {
        if (entries[i].host == SP_NONE && sp_addr_eq(&entries[i - 1].addr, &entries[i].addr)) {
            check_shared(m, &entries[i - 1], &entries[i], problems);
        }
    }
    sp_free(entries);
}
