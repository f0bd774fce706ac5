/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a topology. See field.h. */
#include "topologies/field.h"

#define MAX_RATE    10000000U
#define MAX_PLACES  256U    /* addresses or CIDRs in one list */
#define MAX_LIST    4096U   /* selectors, ports, listeners in one list */
#define MAX_MEMBERS 200000U /* hosts, networks, policies */
#define MAX_PRESETS 64U

static const struct sp_shape text = {.kind = SP_SHAPE_TEXT};
static const struct sp_shape name = {.kind = SP_SHAPE_NAME};
static const struct sp_shape label_key = {.kind = SP_SHAPE_LABEL_KEY};
static const struct sp_shape label_value = {.kind = SP_SHAPE_LABEL_VALUE};
static const struct sp_shape addr = {.kind = SP_SHAPE_ADDR};
static const struct sp_shape vip = {.kind = SP_SHAPE_VIP};
static const struct sp_shape http_path = {.kind = SP_SHAPE_PATH};
static const struct sp_shape prefix = {.kind = SP_SHAPE_PREFIX};
static const struct sp_shape port = {.kind = SP_SHAPE_PORT};
static const struct sp_shape port_or_service = {.kind = SP_SHAPE_PORTS};
static const struct sp_shape duration = {.kind = SP_SHAPE_DURATION};
static const struct sp_shape date = {.kind = SP_SHAPE_DATE};
static const struct sp_shape selector = {.kind = SP_SHAPE_SELECTOR};
static const struct sp_shape ratio = {.kind = SP_SHAPE_RATIO};
static const struct sp_shape rate = {.kind = SP_SHAPE_INT, .min = 1, .max = MAX_RATE};

static const struct sp_shape addrs = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &addr, .min = 1, .max = MAX_PLACES};
static const struct sp_shape prefixes = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &prefix, .min = 1, .max = MAX_PLACES};
static const struct sp_shape ports = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &port, .min = 1, .max = MAX_LIST};
static const struct sp_shape ports_or_services = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &port_or_service, .min = 1, .max = MAX_LIST};
static const struct sp_shape selectors = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &selector, .min = 1, .max = MAX_LIST};

static const struct sp_shape hazard = {.kind = SP_SHAPE_ENUM,
                                       .values = (const char *const[]){"A", "B", "C", NULL}};
static const struct sp_shape action = {.kind = SP_SHAPE_ENUM,
                                       .values = (const char *const[]){"drop", "reject", NULL}};

static const struct sp_shape network = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"in", &name, false, "the network that contains this one"},
        {"kind",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values =
                                      (const char *const[]){"vpc", "subnet", "external", NULL}},
         false,
         "vpc (the default without `in`), subnet (the default with it), or external: "
         "somebody else's addresses, which may overlap anything"},
        {"cidr", &prefixes, true,
         "its address ranges; inside those of the network that contains it"},
        {"owner", &text, false, "who answers for it"},
        {"zone", &text, false, "the zone or site it stands in"},
        {"cluster", &name, false,
         "the Kubernetes cluster whose hosts it holds; default: that of the network that contains "
         "it. Lines of presets tell flows inside a cluster from those between clusters by it"},
        {"within",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"open", "closed", NULL}},
         false,
         "what its hosts may do among themselves: open = everything, closed = nothing; "
         "without it they are not tested against each other"},
        {"hazard", &hazard, false,
         "the highest technique class that may run here: A is harmless, "
         "B noticeable, C intrusive"},
        {"max_rate", &rate, false, "packets per second to one of its hosts"},
        {NULL, NULL, false, NULL}}};

#define PROBE_WHAT "`none`, or how to reach the probe, such as { via: ssh, target: admin@web-1 }"
static const struct sp_shape probe = {
    .kind = SP_SHAPE_EITHER,
    .what = PROBE_WHAT,
    .item = &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                     .what = PROBE_WHAT,
                                     .values = (const char *const[]){"none", NULL}},
    .other = &(const struct sp_shape){
        .kind = SP_SHAPE_OBJECT,
        .fields = (const struct sp_field[]){
            {"via",
             &(const struct sp_shape){
                 .kind = SP_SHAPE_ENUM,
                 .values = (const char *const[]){"netns", "local", "ssh", "tls", NULL}},
             true, "how the probe is started or found"},
            {"name", &name, false, "netns: the namespace, tls: the probe; else the host's name"},
            {"target", &(const struct sp_shape){.kind = SP_SHAPE_SSH_TARGET}, false,
             "ssh: where to log in, user@host or a name of the ssh configuration"},
            {"become",
             &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                      .values = (const char *const[]){"sudo", NULL}},
             false, "ssh: how to become root there; never asks for a password"},
            {"interface", &(const struct sp_shape){.kind = SP_SHAPE_INTERFACE}, false,
             "capture on this interface only; default: all that are up"},
            {NULL, NULL, false, NULL}}}};

static const struct sp_shape host = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"network", &name, true, "the network it stands in"},
        {"address", &addrs, true, "its addresses; all of them are tested"},
        {"role", &name, false,
         "a word of your choice, such as node or edge; router: source routes and tunnels may go by "
         "way of it"},
        {"labels",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &label_key, .item = &label_value, .max = MAX_LIST},
         false, "selected by label:key=value"},
        {"probe", &probe, false,
         "how the probe there is reached; `none` (the default): a target "
         "without a probe, which gives one-sided evidence only"},
        {"tunnel",
         &(const struct sp_shape){
             .kind = SP_SHAPE_OBJECT,
             .choice = (const char *const[]){"vni", "mac", NULL},
             .fields =
                 (const struct sp_field[]){
                     {"vni",
                      &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 0, .max = 16777215},
                      false, "the network identifier that it takes; default 1"},
                     {"mac", &(const struct sp_shape){.kind = SP_SHAPE_MAC}, false,
                      "its own address inside the tunnel; default: frames go to everybody"},
                     {NULL, NULL, false, NULL}}},
         false,
         "an overlay tunnel (VXLAN, GENEVE) that ends at this host: encap_vxlan and "
         "encap_geneve send into it"},
        {"seen_as",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &addrs, .max = MAX_LIST},
         false,
         "declared translation: the network from which this host is seen, and the address "
         "it has there"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape service = {
    .kind = SP_SHAPE_EITHER,
    .what = "a port, a list of ports, or { ports: ..., data: ok }",
    .item = &ports,
    .other = &(const struct sp_shape){
        .kind = SP_SHAPE_OBJECT,
        .fields = (const struct sp_field[]){
            {"ports", &ports, true, "a port or a list of ports"},
            {"data",
             &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                      .values = (const char *const[]){"ok", NULL}},
             false, "ok: test packets with payload may reach real listeners on these ports"},
            {NULL, NULL, false, NULL}}}};

static const struct sp_shape policy = {
    .kind = SP_SHAPE_OBJECT,
    .choice = (const char *const[]){"allow", "permit", "deny", NULL},
    .fields = (const struct sp_field[]){
        {"name", &name, true, "names the policy in findings"},
        {"from", &selectors, true, "who sends"},
        {"to", &selectors, true, "who receives"},
        {"allow", &ports_or_services, false, "must work; a wildcard acts as permit"},
        {"permit", &ports_or_services, false, "may work: neither outcome is a finding"},
        {"deny", &ports_or_services, false, "must not work; beats allow and permit"},
        {"action", &action, false, "how a denied flow is refused"},
        {"why", &text, false, "the reason, for whoever reads the report"},
        {"expires", &date, false,
         "the last day on which it should stand; afterwards it still "
         "counts, with a warning"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape weight = {.kind = SP_SHAPE_INT, .min = 1, .max = 1000};
static const struct sp_shape vips = {
    .kind = SP_SHAPE_ONE_OR_LIST, .item = &vip, .min = 0, .max = MAX_PLACES};

static const struct sp_shape health = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"protocol",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"tcp", "http", NULL}},
         false,
         "tcp: a connection is enough; http (the default with `path`): it asks for the path"},
        {"port", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = 65535}, false,
         "default: the backends' port"},
        {"path", &http_path, false, "what it asks for; default /"},
        {"status", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 100, .max = 599}, false,
         "the HTTP status it wants; default 200"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape listener = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"port", &port, true, "the one port that clients use"},
        {"backends", &selectors, true, "the hosts behind it"},
        {"backend_port", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = 65535},
         false, "the port of the backends; default: the same"},
        {"mode",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"l4", "l7", NULL}},
         false, "l4 passes packets on, l7 answers itself; default l4"},
        {"source",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"preserved", "rewritten", NULL}},
         false, "whether backends see the client's address"},
        {"proxy_protocol",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"none", "v1", "v2", NULL}},
         false, "the header that tells backends who the client is"},
        {"weights",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &weight, .max = MAX_LIST},
         false, "the shares of backends by name; default: 1 each"},
        {"max_skew", &ratio, false,
         "by what part of it a backend's share may be larger or smaller than declared, 0 to 1"},
        {"failover_within", &duration, false, "how soon a lost backend must be left out"},
        {"failover",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"refused", "silent", NULL}},
         false, "how a backend is lost in the drill: its port refuses (the default), or is silent"},
        {"tls",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values =
                                      (const char *const[]){"passthrough", "terminated", NULL}},
         false, "whether TLS goes through to the backends, or ends at the balancer"},
        {"hairpin",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"works", "blocked", NULL}},
         false, "whether its own backends can use it"},
        {"idle_timeout", &duration, false, "after what silence a connection is given up"},
        {"affinity",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"none", "source", NULL}},
         false, "source: one client's connections all go to one backend"},
        {"cross_zone",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"on", "off", NULL}},
         false, "whether an address in one zone reaches backends in the others"},
        {"health", &health, false, "how it asks its backends whether they are well"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape balancer = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"address", &vips, true,
         "where clients reach it; may stand outside every network; `pending`: it has none yet"},
        {"pool", &prefixes, false, "the ranges its addresses must come from"},
        {"from", &selectors, true, "who may use it"},
        {"sources", &addrs, false,
         "from which its own connections to the backends come: rewritten ones and health checks"},
        {"listeners",
         &(const struct sp_shape){
             .kind = SP_SHAPE_LIST, .item = &listener, .min = 1, .max = MAX_LIST},
         true, "what it offers"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape nat = {
    .kind = SP_SHAPE_OBJECT,
    .choice = (const char *const[]){"snat", "dnat", NULL},
    .exactly_one = true,
    .fields = (const struct sp_field[]){
        {"from", &selectors, true, "who sends"},
        {"to", &selectors, true, "who receives"},
        {"snat", &addr, false, "the source address that receivers see"},
        {"dnat", &addr, false, "the address that senders use to reach the receiver"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape limits = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"max_rate", &rate, false, "packets per second to one host; default 5000"},
        {"hazard", &hazard, false, "which technique classes may run: A (the default), B or C"},
        {"loss", &ratio, false, "the share of packets an allowed flow may lose; default 0.01"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape enforcement = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"between",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &name, .min = 2, .max = MAX_LIST},
         true, "the networks it stands between, with all inside them"},
        {"layer",
         &(const struct sp_shape){.kind = SP_SHAPE_ENUM,
                                  .values = (const char *const[]){"network", "host", NULL}},
         false,
         "network (the default): a denied packet must not reach the receiver's interface; "
         "host: the receiver's own firewall drops it"},
        {"action", &action, false, "how a denied flow is refused"},
        {"state_capacity",
         &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = UINT32_MAX}, false,
         "how many connections it can track"},
        {"max_rate", &rate, false, "packets per second it may be given"},
        {"generic_timeout", &duration, false,
         "how long it keeps state of a protocol without ports"},
        {"syn_timeout", &duration, false,
         "how long it keeps the state that one unanswered SYN makes; default 120s"},
        {"udp_timeout", &duration, false,
         "how long it keeps the state that one unanswered datagram makes; default 30s"},
        {"paths", &(const struct sp_shape){.kind = SP_SHAPE_INT, .min = 1, .max = 1024}, false,
         "parallel paths; default 1"},
        {NULL, NULL, false, NULL}}};

static const struct sp_shape use = {
    .kind = SP_SHAPE_EITHER,
    .what = "the name of a preset, or { preset: ..., roles: ... }",
    .item = &name,
    .other = &(const struct sp_shape){
        .kind = SP_SHAPE_OBJECT,
        .fields = (const struct sp_field[]){
            {"preset", &name, true, "its name; `segproof check --presets` lists them"},
            {"roles",
             &(const struct sp_shape){
                 .kind = SP_SHAPE_MAP, .key = &name, .item = &selectors, .max = MAX_LIST},
             false,
             "who has a role, in all presets of this topology; default: hosts with that word as "
             "`role` or as label `role`"},
            {"without",
             &(const struct sp_shape){
                 .kind = SP_SHAPE_ONE_OR_LIST, .item = &name, .min = 1, .max = MAX_LIST},
             false, "lines of presets that do not hold here"},
            {NULL, NULL, false, NULL}}}};

const struct sp_shape sp_topology_shape = {
    .kind = SP_SHAPE_OBJECT,
    .fields = (const struct sp_field[]){
        {"segproof",
         &(const struct sp_shape){
             .kind = SP_SHAPE_INT, .min = 1, .max = 1, .what = "1, the version of this format"},
         true, "the version of this format"},
        {"name", &name, true, "names the topology in reports"},
        {"networks",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &network, .min = 1, .max = MAX_MEMBERS},
         true, "the segments, by name"},
        {"hosts",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &host, .min = 1, .max = MAX_MEMBERS},
         true, "the hosts, by name"},
        {"groups",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &selectors, .max = MAX_MEMBERS},
         false, "names for sets of hosts"},
        {"services",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &service, .max = MAX_MEMBERS},
         false, "names for ports"},
        {"policies",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &policy, .max = MAX_MEMBERS},
         false, "what may cross; everything else must not. A set: order does not matter"},
        {"use", &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &use, .max = MAX_PRESETS},
         false, "presets: flows that a product needs open or closed, from its documents"},
        {"isolation",
         &(const struct sp_shape){.kind = SP_SHAPE_LIST,
                                  .item =
                                      &(const struct sp_shape){.kind = SP_SHAPE_LIST,
                                                               .what = "a pair such as [prod, dev]",
                                                               .item = &selector,
                                                               .min = 2,
                                                               .max = 2},
                                  .max = MAX_MEMBERS},
         false, "pairs between which nothing may pass, either way, by any protocol"},
        {"load_balancers",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &balancer, .max = MAX_MEMBERS},
         false, "addresses that pass connections on to hosts"},
        {"nat", &(const struct sp_shape){.kind = SP_SHAPE_LIST, .item = &nat, .max = MAX_MEMBERS},
         false, "declared translation; any other rewrite is a finding"},
        {"limits", &limits, false, "what the tests may do"},
        {"enforcement",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &name, .item = &enforcement, .max = MAX_MEMBERS},
         false, "the firewalls, as far as the tests must know them"},
        {"nodes",
         &(const struct sp_shape){
             .kind = SP_SHAPE_MAP, .key = &selector, .item = &sp_floor_shape, .max = MAX_PLACES},
         false, "what hosts must be, by role, host or selector; read by their probes"},
        {NULL, NULL, false, NULL}}};
