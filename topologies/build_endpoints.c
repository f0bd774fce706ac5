/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints: names and addresses outside the tested flows. */
#include "topologies/endpoint.h"

#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/problem.h"

#define MAX_PORTS   64U /* of one endpoint */
#define STEP_MIN_MS 100U
#define STEP_MAX_MS 60000U

void sp_endpoint_release(struct sp_endpoint *e)
{
    for (size_t i = 0; i < e->nalpn; i++) {
        sp_free(e->alpn[i]);
    }
    for (size_t i = 0; i < e->nredirects; i++) {
        sp_free(e->redirects[i]);
    }
    sp_free(e->alpn);
    sp_free(e->redirects);
    sp_free(e->name);
    sp_free(e->host);
    sp_free(e->addrs);
    sp_free(e->ports);
    sp_bits_release(&e->from);
    sp_free(e->why);
    sp_free(e->sni);
    sp_free(e->ca);
    sp_free(e->issuer);
    sp_free(e->path);
    sp_free(e->status);
    sp_free(e->servers);
}

/* A name as DNS compares it, an address as it is printed. */
static char *hostname(struct sp_build *b, const char *text, struct sp_addr *ret_addr)
{
    char name[SP_HOSTNAME_STRLEN];
    char printed[SP_ADDR_STRLEN];
    *ret_addr = (struct sp_addr){0};
    const char *normal = sp_addr_parse(text, ret_addr) == SP_OK ? sp_addr_str(ret_addr, printed)
                         : sp_hostname_normal(text, name)       ? name
                                                                : "";
    char *copy = sp_strdup(normal);
    b->rc = copy ? b->rc : SP_E_NOMEM;
    return copy;
}

static void add_port(struct sp_build *b, const struct sp_node *node, const struct sp_portspec *spec,
                     struct sp_endpoint *e)
{
    char quoted[SP_QUOTE_LEN];
    if (spec->proto != SP_PROTO_TCP || spec->lo != spec->hi || spec->lo == 0) {
        sp_node_error(b->problems, node,
                      "%s is not a single tcp port: an endpoint is looked at with ordinary "
                      "connections, one port at a time",
                      sp_quote(node->text, quoted));
    } else if (e->nports == MAX_PORTS) {
        sp_node_error(b->problems, node, "an endpoint has at most %u ports", MAX_PORTS);
    } else {
        for (size_t i = 0; i < e->nports; i++) {
            if (e->ports[i] == spec->lo) {
                return;
            }
        }
        e->ports[e->nports++] = spec->lo;
    }
}

static void build_ports(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    e->ports = sp_build_array(b, MAX_PORTS, sizeof(*e->ports));
    for (const struct sp_node *i = e->ports ? sp_build_first(node) : NULL; i;
         i = sp_build_next(node, i)) {
        const struct sp_name *name = sp_names_find(&b->services, i->text);
        struct sp_portspec spec;
        char quoted[SP_QUOTE_LEN];
        if (name) {
            const struct sp_service *service = &b->model->services[name->index];
            for (size_t k = 0; k < service->nports; k++) {
                add_port(b, i, &service->ports[k], e);
            }
        } else if (sp_portspec_parse(i->text, &spec, NULL) == SP_OK) {
            add_port(b, i, &spec, e);
        } else {
            sp_node_error(b->problems, i,
                          "%s is neither a service of this topology nor a port: write tcp/443",
                          sp_quote(i->text, quoted));
        }
    }
}

/* Who looks: hosts, and without a word all that have a probe. */
static void build_from(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    if (node) {
        (void)sp_build_select_senders(b, node, &e->from);
        return;
    }
    if (sp_bits_init(&e->from, sp_model_ntargets(b->model)) != SP_OK) {
        b->rc = SP_E_NOMEM;
        return;
    }
    for (size_t h = 0; h < b->model->nhosts; h++) {
        if (b->model->hosts[h].via) {
            sp_bits_set(&e->from, h);
        }
    }
}

static void build_tls(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    const struct sp_node *alpn = sp_node_get(node, "alpn");
    const struct sp_node *clear = sp_node_get(node, "cleartext");
    const struct sp_node *ca = sp_node_get(node, "ca");
    struct sp_addr addr;
    e->is_tls = true;
    e->is_clear_allowed = clear && strcmp(clear->text, "allowed") == 0;
    if (sp_node_get(node, "sni")) {
        const struct sp_node *sni = sp_node_get(node, "sni");
        e->sni = hostname(b, sni->text, &addr);
        if (addr.family != SP_FAMILY_NONE) {
            sp_node_error(b->problems, sni, "an address cannot be asked for by SNI: leave it out");
        }
    }
    if (ca && strcmp(ca->text, "system") != 0) {
        e->ca = sp_build_text(b, ca);
    }
    e->issuer = sp_build_text(b, sp_node_get(node, "issuer"));
    e->min_days = (uint32_t)sp_build_uint(sp_node_get(node, "min_days"), 0);
    e->alpn = sp_build_array(b, sp_build_count(alpn), sizeof(*e->alpn));
    for (const struct sp_node *i = e->alpn ? sp_build_first(alpn) : NULL; i;
         i = sp_build_next(alpn, i)) {
        e->alpn[e->nalpn] = sp_build_text(b, i);
        e->nalpn += e->alpn[e->nalpn] != NULL;
    }
}

static void build_http(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    const struct sp_node *status = sp_node_get(node, "status");
    size_t n = sp_build_count(status);
    e->path = sp_build_text(b, sp_node_get(node, "path"));
    e->status = sp_build_array(b, n + 1, sizeof(*e->status));
    for (const struct sp_node *i = e->status ? sp_build_first(status) : NULL; i;
         i = sp_build_next(status, i)) {
        e->status[e->nstatus++] = (uint16_t)sp_build_uint(i, 0);
    }
    if (e->status && e->nstatus == 0) {
        e->status[e->nstatus++] = SP_ENDPOINT_STATUS_DEFAULT;
    }
}

static void build_redirects(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    struct sp_addr addr;
    char quoted[SP_QUOTE_LEN];
    e->redirects = sp_build_array(b, sp_build_count(node), sizeof(*e->redirects));
    for (const struct sp_node *i = e->redirects ? sp_build_first(node) : NULL; i;
         i = sp_build_next(node, i)) {
        e->redirects[e->nredirects] = hostname(b, i->text, &addr);
        e->nredirects += e->redirects[e->nredirects] != NULL;
        if (addr.family != SP_FAMILY_NONE) {
            sp_node_error(b->problems, i, "%s is an address: redirects lead to names",
                          sp_quote(i->text, quoted));
        }
    }
}

static void build_dns(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    const struct sp_node *transport = node ? sp_node_get(node, "transport") : NULL;
    const struct sp_node *server = node ? sp_node_get(node, "server") : NULL;
    struct sp_pos *pos = NULL;
    if (server) {
        e->servers = sp_build_addrs(b, server, &e->nservers, &pos);
        sp_free(pos);
    }
    for (const struct sp_node *i = sp_build_first(transport); i; i = sp_build_next(transport, i)) {
        e->by_tcp = e->by_tcp || strcmp(i->text, "tcp") == 0;
        e->by_udp = e->by_udp || strcmp(i->text, "udp") == 0;
    }
    e->by_udp = e->by_udp || !e->by_tcp;
}

static void build_one(struct sp_build *b, const struct sp_node *node, struct sp_endpoint *e)
{
    const struct sp_node *host = sp_node_get(node, "host");
    const struct sp_node *expect = sp_node_get(node, "expect");
    const struct sp_node *address = sp_node_get(node, "address");
    const struct sp_node *timeout = sp_node_get(node, "timeout");
    struct sp_pos *pos = NULL;
    e->pos = node->key_pos;
    e->name = sp_strdup(node->key);
    e->host = hostname(b, host ? host->text : "", &e->addr);
    b->rc = e->name ? b->rc : SP_E_NOMEM;
    if (address) {
        e->addrs = sp_build_addrs(b, address, &e->naddrs, &pos);
        sp_free(pos);
    }
    build_ports(b, sp_node_get(node, "ports"), e);
    build_from(b, sp_node_get(node, "from"), e);
    e->is_closed = expect && strcmp(expect->text, "closed") == 0;
    e->why = sp_build_text(b, sp_node_get(node, "why"));
    e->step_ms = sp_build_ms(timeout, SP_ENDPOINT_DEFAULT_STEP_MS);
    if (e->step_ms < STEP_MIN_MS || e->step_ms > STEP_MAX_MS) {
        sp_node_error(b->problems, timeout, "the time-out of a step is 100ms to 60s");
    }
    if (sp_node_get(node, "tls")) {
        build_tls(b, sp_node_get(node, "tls"), e);
    }
    if (sp_node_get(node, "http")) {
        build_http(b, sp_node_get(node, "http"), e);
    }
    build_redirects(b, sp_node_get(node, "redirects"), e);
    build_dns(b, sp_node_get(node, "dns"), e);
}

void sp_build_endpoints(struct sp_build *b)
{
    const struct sp_node *all = sp_node_get(b->root, "endpoints");
    b->model->endpoints = sp_build_array(b, sp_build_count(all), sizeof(*b->model->endpoints));
    for (const struct sp_node *i = b->model->endpoints ? sp_build_first(all) : NULL;
         i && b->rc == SP_OK; i = sp_build_next(all, i)) {
        build_one(b, i, &b->model->endpoints[b->model->nendpoints++]);
    }
}
