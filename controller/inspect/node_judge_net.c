/* SPDX-License-Identifier: Apache-2.0
 *
 * What is declared of a host's own side of its connections. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/node_judge.h"
#include "probe/base/str.h"

#define LISTED_MAX 20U /* named in one claim */

/* ---- addresses ---- */

static bool in_any(const struct sp_addr *addr, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_prefix prefix;
        if (sp_prefix_parse(prefixes[i], &prefix) == SP_OK && sp_prefix_has(&prefix, addr)) {
            return true;
        }
    }
    return false;
}

/* The IANA registries of special-purpose addresses: what is not globally reachable. */
static bool is_public(const struct sp_addr *addr)
{
    static const char *const special[] = {
        "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",   "127.0.0.0/8",
        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",    "2001:db8::/32", "3fff::/20",       "2001:2::/48",
    };
    static const char *const global[] = {"2000::/3"};
    if (addr->family == SP_FAMILY_IPV6 && !in_any(addr, global, SP_ARRAY_LEN(global))) {
        return false;
    }
    return addr->family != SP_FAMILY_NONE && !in_any(addr, special, SP_ARRAY_LEN(special));
}

void sp_node_judge_public(struct sp_node_look *look)
{
    bool has = false;
    look->source = "its interfaces";
    for (size_t i = 0; i < look->naddrs; i++) {
        char text[SP_ADDR_STRLEN];
        if (is_public(&look->addrs[i])) {
            sp_node_observe(look, "%s", sp_addr_str(&look->addrs[i], text));
            has = true;
        }
    }
    if (look->naddrs == 0 || (!has && look->naddrs >= SP_NODE_ADDRS_MAX)) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, look->naddrs == 0 ? "its probe told no address at all"
                                                : "it has more addresses than its probe tells");
        return;
    }
    if (!has) {
        sp_node_observe(look, "none");
    }
    if (has != sp_node_wants(look, "true")) {
        sp_node_is(look, SP_CLAIM_FAILS);
        sp_node_because(look, has ? "it can be reached from outside as soon as a route and a rule "
                                    "are there"
                                  : "all its addresses are private");
        look->remedy = has ? "take the address away, or give the host the role edge" : NULL;
    }
}

/* ---- listeners ---- */

struct listener {
    uint8_t proto;
    uint16_t port;
    bool is_local; /* on loopback only */
    char name[16]; /* of its process; "" = not known */
};

/* "tcp/22 0.0.0.0 0 sshd" */
static bool parse_listener(const char *text, struct listener *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char port[16];
    char address[SP_ADDR_STRLEN];
    char user[24];
    char name[16] = "";
    struct sp_portspec spec;
    struct sp_addr addr;
    int n = sscanf(text, "%15s %45s %23s %15s", port, address, user, name);
    if (n < 3 || sp_portspec_parse(port, &spec, NULL) != SP_OK || spec.lo != spec.hi ||
        sp_addr_parse(address, &addr) != SP_OK) {
        return false;
    }
    *ret = (struct listener){.proto = spec.proto, .port = spec.lo};
    ret->is_local =
        sp_addr_is_loopback(&addr) || (addr.family == SP_FAMILY_IPV6 && addr.bytes[12] == 127 &&
                                       memcmp(addr.bytes, mapped, sizeof(mapped)) == 0);
    memcpy(ret->name, name, sizeof(name));
    return true;
}

static bool is_listed(const struct sp_node_look *look, const struct listener *listener)
{
    for (size_t i = 0; i < look->line->nwords; i++) {
        struct sp_portspec spec;
        if (sp_portspec_parse(look->line->words[i], &spec, NULL) == SP_OK &&
            spec.proto == listener->proto && spec.lo <= listener->port &&
            spec.hi >= listener->port) {
            return true;
        }
    }
    return false;
}

/* Was it told before, by the other family or for another address? */
static bool is_again(const struct sp_told_list *told, const char *of, size_t at,
                     const struct listener *wanted)
{
    static const char *const lists[] = {"tcp", "tcp6", "udp", "udp6"};
    for (size_t k = 0; k < SP_ARRAY_LEN(lists); k++) {
        const struct sp_told *fact = sp_told_find(told, "listeners", lists[k]);
        bool is_same = strcmp(lists[k], of) == 0;
        for (size_t i = 0; fact && i < (is_same ? at : fact->nvalues); i++) {
            struct listener other;
            if (parse_listener(fact->values[i], &other) && !other.is_local &&
                other.proto == wanted->proto && other.port == wanted->port) {
                return true;
            }
        }
        if (is_same) {
            return false;
        }
    }
    return false;
}

static void judge_list(struct sp_node_look *look, const char *of, unsigned *listed)
{
    const struct sp_told *fact = sp_told_find(look->told, "listeners", of);
    if (!fact || fact->unknown) {
        (void)sp_node_known(look, "listeners", of);
        return;
    }
    look->source = "/proc/self/net";
    for (size_t i = 0; i < fact->nvalues; i++) {
        struct listener listener;
        if (!parse_listener(fact->values[i], &listener)) {
            sp_node_is(look, SP_CLAIM_UNKNOWN);
            sp_node_because(look, "its probe told an odd listener");
            continue;
        }
        if (listener.is_local || is_listed(look, &listener) ||
            is_again(look->told, of, i, &listener)) {
            continue;
        }
        sp_node_is(look, SP_CLAIM_FAILS);
        if ((*listed)++ < LISTED_MAX) {
            sp_node_observe(look, "%s/%u%s%s%s", listener.proto == SP_PROTO_TCP ? "tcp" : "udp",
                            (unsigned)listener.port, listener.name[0] ? " (" : "", listener.name,
                            listener.name[0] ? ")" : "");
        }
    }
    if (fact->is_cut) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "there are more listeners than its probe tells");
    }
}

void sp_node_judge_listeners(struct sp_node_look *look)
{
    static const char *const lists[] = {"tcp", "tcp6", "udp", "udp6"};
    unsigned listed = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(lists); i++) {
        judge_list(look, lists[i], &listed);
    }
    if (listed > LISTED_MAX) {
        sp_node_observe(look, "and %u more", listed - LISTED_MAX);
    }
    if (look->verdict == SP_CLAIM_FAILS) {
        sp_node_because(look,
                        "these are not declared; a udp port may be a client's for the moment");
        look->remedy = "stop what listens there, bind it to loopback, or declare the port";
    } else if (look->verdict == SP_CLAIM_HOLDS) {
        sp_node_observe(look, "no other");
    }
}

void sp_node_judge_sshd(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "sshd", NULL);
    if (!fact) {
        return;
    }
    bool wanted = sp_node_wants(look, "true");
    bool listens = strcmp(fact->values[0], "listens") == 0;
    if (!listens && strcmp(fact->values[0], "none") != 0) {
        sp_node_observe(look, "an sshd runs");
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "nothing listens on tcp/22, and which port it has cannot be read "
                              "without privilege");
        return;
    }
    sp_node_observe(look, listens ? "something listens on tcp/22" : "nothing listens on tcp/22");
    if (listens != wanted) {
        sp_node_is(look, SP_CLAIM_FAILS);
        look->remedy =
            listens ? "stop and disable sshd, or bind it to an address of its own" : NULL;
    }
}

/* ---- settings ---- */

/* "eth0 1": the effective value of each interface. */
void sp_node_judge_rp_filter(struct sp_node_look *look)
{
    static const char *const names[] = {"off", "strict", "loose"};
    const struct sp_told *fact = sp_node_known(look, "rp_filter", NULL);
    size_t wrong = 0;
    for (size_t i = 0; fact && i < fact->nvalues; i++) {
        const char *space = strchr(fact->values[i], ' ');
        const char *value = space ? space + 1 : "?";
        unsigned mode =
            *value >= '0' && *value <= '2' && value[1] == '\0' ? (unsigned)*value - '0' : 3;
        bool good = sp_node_wants(look, "loose")    ? mode == 1 || mode == 2
                    : sp_node_wants(look, "strict") ? mode == 1
                                                    : mode == 0;
        if (mode == 3) {
            sp_node_is(look, SP_CLAIM_UNKNOWN);
            sp_node_because(look, "the setting of an interface could not be read");
        } else if (!good) {
            sp_node_is(look, SP_CLAIM_FAILS);
            sp_node_because(look,
                            "the higher one of an interface's own setting and the one for all "
                            "counts");
            if (wrong++ < LISTED_MAX) {
                sp_node_observe(look, "%.*s: %s", (int)(space - fact->values[i]), fact->values[i],
                                names[mode]);
            }
            look->remedy = "set net.ipv4.conf.all.rp_filter and that of each interface";
        }
    }
    if (fact && fact->is_cut) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "there are more interfaces than its probe tells");
    }
    if (fact && look->verdict == SP_CLAIM_HOLDS) {
        sp_node_observe(look, "so on %zu interface%s", fact->nvalues,
                        fact->nvalues == 1 ? "" : "s");
    }
}

static bool has_family(const struct sp_node_look *look, uint8_t family)
{
    const struct sp_host *host = &look->model->hosts[look->host];
    for (size_t i = 0; i < host->naddrs; i++) {
        if (host->addrs[i].family == family) {
            return true;
        }
    }
    return false;
}

/* Not to forward is for both families, to forward for those it has an address of. */
void sp_node_judge_forwarding(struct sp_node_look *look)
{
    static const struct {
        const char *of;
        uint8_t family;
    } families[] = {{"ipv4", SP_FAMILY_IPV4}, {"ipv6", SP_FAMILY_IPV6}};
    bool wanted = sp_node_wants(look, "true");
    for (size_t i = 0; i < SP_ARRAY_LEN(families); i++) {
        if (wanted && !has_family(look, families[i].family)) {
            continue;
        }
        const struct sp_told *fact = sp_node_known(look, "forwarding", families[i].of);
        if (!fact) {
            continue;
        }
        bool all = strcmp(fact->values[0], "all") == 0;
        bool some = all || strcmp(fact->values[0], "some") == 0;
        sp_node_observe(look, "%s: %s", families[i].of,
                        all    ? "yes"
                        : some ? "between some interfaces"
                               : "no");
        if (!some && strcmp(fact->values[0], "none") != 0 &&
            strcmp(fact->values[0], "absent") != 0) {
            sp_node_is(look, SP_CLAIM_UNKNOWN);
            sp_node_because(look, "its probe told an odd state");
        } else if (wanted ? !all : some) {
            sp_node_is(look, SP_CLAIM_FAILS);
            look->remedy = wanted ? "set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding to 1"
                                  : "set the forwarding of all interfaces to 0, unless this host "
                                    "routes for others";
        }
    }
}

void sp_node_judge_conntrack(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "conntrack", NULL);
    uint64_t count = 0;
    uint64_t max = 0;
    unsigned percent = 100;
    if (!fact) {
        return;
    }
    if (fact->nvalues < 2 || sp_parse_uint(fact->values[0], UINT32_MAX, &count) != SP_OK ||
        sp_parse_uint(fact->values[1], UINT32_MAX, &max) != SP_OK || max == 0 ||
        look->line->nwords < 1 || sp_percent_parse(look->line->words[0], &percent) != SP_OK) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "its probe told no plausible size of the table");
        return;
    }
    uint64_t left = count < max ? max - count : 0;
    sp_node_observe(look, "%llu of %llu entries used", (unsigned long long)count,
                    (unsigned long long)max);
    if (left * 100 < (uint64_t)percent * max) {
        sp_node_is(look, SP_CLAIM_FAILS);
        sp_node_because(look, "when the table is full, new connections are dropped");
        look->remedy = "raise net.netfilter.nf_conntrack_max, or find out who fills it";
    }
}

struct ports {
    uint64_t words[1024];
};

/* "40000,50000-50010"; false when it is no such list. */
static bool reserve(const char *text, struct ports *ports)
{
    while (*text) {
        char item[16];
        uint64_t one = 0;
        uint16_t low = 0;
        uint16_t high = 0;
        size_t n = strcspn(text, ",");
        if (n == 0 || n >= sizeof(item)) {
            return false;
        }
        memcpy(item, text, n);
        item[n] = '\0';
        text += n + (text[n] == ',');
        if (sp_parse_uint(item, 65535, &one) == SP_OK) {
            low = high = (uint16_t)one;
        } else if (sp_range_parse(item, &low, &high) != SP_OK) {
            return false;
        }
        for (unsigned p = low; p <= high; p++) {
            ports->words[p / 64] |= UINT64_C(1) << (p % 64);
        }
    }
    return true;
}

void sp_node_judge_port_range(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "port_range", NULL);
    struct ports reserved = {{0}};
    uint16_t low = 0;
    uint16_t high = 0;
    uint16_t lowest = 0;
    uint16_t highest = 0;
    if (!fact) {
        return;
    }
    if (sp_range_parse(fact->values[0], &low, &high) != SP_OK || look->line->nwords < 1 ||
        sp_range_parse(look->line->words[0], &lowest, &highest) != SP_OK ||
        (fact->nvalues > 1 && !reserve(fact->values[1], &reserved))) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "its probe told no plausible range");
        return;
    }
    sp_node_observe(look, "%s%s%s", fact->values[0], fact->nvalues > 1 ? " without " : "",
                    fact->nvalues > 1 ? fact->values[1] : "");
    for (unsigned p = low; p <= high; p++) {
        if ((p < lowest || p > highest) &&
            (reserved.words[p / 64] & UINT64_C(1) << (p % 64)) == 0) {
            sp_node_is(look, SP_CLAIM_FAILS);
            sp_node_because(look, "a client of this host may be given port %u, which is then taken",
                            p);
            look->remedy = "set net.ipv4.ip_local_port_range, or reserve the ports with "
                           "net.ipv4.ip_local_reserved_ports";
            return;
        }
    }
}
