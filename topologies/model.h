/* SPDX-License-Identifier: Apache-2.0
 *
 * The declared topology in memory: one model, whatever the file format was. Loader fills it, check
 * lints it, policy and plan read it. Everything refers to everything else by index (SP_NONE =
 * nothing); names are unique over networks, hosts, groups and balancers.
 *
 * "Target" numbers hosts and balancers on one axis: hosts first (0..nhosts-1), then balancers. A
 * selector resolves to a bit set of targets.
 *
 * The model owns all it points to; sp_model_free(NULL) is a no-op. */
#ifndef SP_TOPOLOGIES_MODEL_H
#define SP_TOPOLOGIES_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/proto.h"
#include "probe/base/rc.h"

#define SP_NONE UINT32_MAX

struct sp_pos {
    uint32_t line, col; /* 1-based; 0 = unknown */
};

struct sp_bits {
    uint64_t *words;
    size_t nbits;
};

enum sp_net_kind { SP_NET_VPC, SP_NET_SUBNET, SP_NET_EXTERNAL };
enum sp_within { SP_WITHIN_UNTESTED, SP_WITHIN_CLOSED, SP_WITHIN_OPEN };

struct sp_network {
    char *name;
    struct sp_pos pos;
    enum sp_net_kind kind;
    uint32_t parent; /* network index or SP_NONE */
    struct sp_prefix *cidrs;
    struct sp_pos *cidr_pos; /* ncidrs places in the file, or NULL */
    size_t ncidrs;
    char *owner, *zone; /* may be NULL */
    char *cluster;      /* of Kubernetes, as declared here; NULL = that of the parent */
    struct sp_pos cluster_pos;
    enum sp_within within;
    char hazard;       /* 'A'..'C' as set here, or 0 = inherit from parent, then limits */
    uint32_t max_rate; /* packets/s per host, 0 = inherit */
};

struct sp_label {
    char *key, *value;
};

struct sp_seen_as { /* declared translation: in that network this host appears as that address */
    uint32_t network;
    struct sp_addr addr;
};

struct sp_host {
    char *name;
    struct sp_pos pos;
    uint32_t network;
    struct sp_addr *addrs;
    struct sp_pos *addr_pos; /* naddrs places in the file, or NULL */
    size_t naddrs;
    char *role; /* "node", "edge", ... or NULL */
    struct sp_label *labels;
    size_t nlabels;
    struct sp_seen_as *seen_as;
    size_t nseen_as;
    /* The probe. via == NULL means `probe: none`: a target without a probe. */
    char *via;       /* deployer name: "netns", "local", "ssh", "tls" ... */
    char *via_name;  /* netns: the namespace's name; NULL = the host's name */
    char *target;    /* ssh: user@host */
    char *become;    /* ssh: "sudo" */
    char *interface; /* capture on this interface only; NULL = all that are up */
};

struct sp_group {
    char *name;
    struct sp_pos pos;
    struct sp_bits targets;
};

struct sp_service {
    char *name;
    struct sp_pos pos;
    struct sp_portspec *ports;
    size_t nports;
    bool data_ok; /* tagged payload may be sent to real listeners on these ports */
};

enum sp_rule_kind { SP_RULE_DENY, SP_RULE_ALLOW, SP_RULE_PERMIT, SP_RULE_ISOLATION };
enum sp_rule_action { SP_ACTION_UNSET, SP_ACTION_DROP, SP_ACTION_REJECT };

/* One policy, one isolation pair (kept once, it works both ways), what a balancer compiles to, or a
 * line of a preset. */
struct sp_rule {
    char *name; /* the policy's name; "isolation:a-b"; "balancer:shop"; "preset:istio/xds" */
    struct sp_pos pos;
    uint32_t index; /* its place in policies, isolation, load_balancers or use */
    enum sp_rule_kind kind;
    enum sp_rule_action action; /* a declared reject lets an unplaced RST explain a denied flow */
    bool is_expired;            /* when it was loaded; an expired rule still counts */
    struct sp_bits from, to; /* isolation: from x to and to x from; else from holds no balancer */
    struct sp_portspec *ports;
    size_t nports;
    char *why; /* may be NULL */
    /* Of a line of a preset: the document that says so, borrowed from it. NULL: the owner's own. */
    const char *source;
    char *expires; /* "2027-06-30" or NULL */
};

struct sp_listener {
    struct sp_portspec port;
    uint32_t *backends; /* host indexes */
    size_t nbackends;
    uint16_t backend_port;
    char *mode, *source, *proxy_protocol; /* "l4"|"l7"; "preserved"|"rewritten"; "none"|"v1"|"v2" */
    double max_skew;                      /* < 0 = not declared */
    uint64_t failover_within_ms;          /* 0 = not declared */
};

struct sp_balancer {
    char *name;
    struct sp_pos pos;
    struct sp_addr *addrs;
    struct sp_pos *addr_pos; /* naddrs places in the file, or NULL */
    size_t naddrs;
    struct sp_prefix *pool; /* its addresses must come from here; empty = not declared */
    size_t npool;
    struct sp_bits from; /* who may use it */
    struct sp_listener *listeners;
    size_t nlisteners;
    struct sp_addr *sources; /* where its own connections to backends come from; may be empty */
    size_t nsources;
    uint32_t *receivers; /* all its backends that have a probe, each once, rising */
    size_t nreceivers;
};

/* snat: packets of `from` arrive at `to` with the source addr. dnat: `from` sends to addr and
 * reaches `to`. */
struct sp_nat {
    struct sp_pos pos;
    struct sp_bits from, to;
    bool is_dnat; /* else snat */
    struct sp_addr addr;
};

enum sp_layer { SP_LAYER_NETWORK, SP_LAYER_HOST };

/* Also where no enforcement point is declared. */
#define SP_DEFAULT_SYN_TIMEOUT_MS 120000U
#define SP_DEFAULT_UDP_TIMEOUT_MS 30000U

struct sp_enforcement {
    char *name;
    struct sp_pos pos;
    uint32_t *between; /* network indexes, at least two; descendants included */
    size_t nbetween;
    enum sp_layer layer;
    enum sp_rule_action action;
    uint32_t state_capacity; /* 0 = not declared */
    uint32_t max_rate;       /* packets/s, 0 = not declared */
    uint64_t generic_timeout_ms;
    /* How long an entry of its state table lasts that one SYN or one datagram made. */
    uint64_t syn_timeout_ms, udp_timeout_ms;
    uint32_t paths; /* parallel paths, default 1 */
};

struct sp_limits {
    uint32_t max_rate; /* packets/s per host; default 5000 */
    char hazard;       /* default 'A' */
    double loss;       /* tolerated share of an allowed flow, default 0.01 */
};

struct sp_uses;
struct sp_floor;

struct sp_model {
    char *name;
    char *file;      /* as given on the command line */
    char sha256[65]; /* of the file's bytes */
    char **lines;    /* the source, line by line, for messages; one block: lines[0] owns the text */
    size_t nlines;
    struct sp_network *networks;
    size_t nnetworks;
    struct sp_host *hosts;
    size_t nhosts;
    struct sp_group *groups;
    size_t ngroups;
    struct sp_service *services;
    size_t nservices;
    struct sp_rule *rules; /* policies in file order, then isolations, balancers' rules, presets' */
    size_t nrules;
    struct sp_balancer *balancers;
    size_t nbalancers;
    struct sp_nat *nats;
    size_t nnats;
    struct sp_enforcement *enforcements;
    size_t nenforcements;
    struct sp_limits limits;
    struct sp_uses *uses;    /* the presets of `use`, see preset.h; NULL = none */
    struct sp_floor *floors; /* what nodes must be: topologies/floor.h */
    size_t nfloors;
};

/* One message about a topology. */
struct sp_problem {
    bool is_error; /* else a warning */
    struct sp_pos pos;
    char *pointer; /* JSON pointer, "/hosts/db-1/address" */
    char *text;
};

#define SP_PROBLEMS_MAX 500U

/* All that was found wrong, in file order. Owned by the caller of the loader; starts zeroed. */
struct sp_problems {
    struct sp_problem *at;
    size_t n, cap;
    size_t nerrors, nwarnings; /* all there were; only the first SP_PROBLEMS_MAX of each are kept */
    enum sp_rc rc;             /* SP_E_NOMEM when a message could not be kept */
};

void sp_model_free(struct sp_model *model);
void sp_problems_release(struct sp_problems *problems);
/* Adds a message (printf style). */
void sp_problem_add(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                    const char *pointer, const char *fmt, ...) SP_PRINTF(5, 6);

enum sp_rc sp_bits_init(struct sp_bits *bits, size_t nbits) SP_MUST_CHECK;
void sp_bits_release(struct sp_bits *bits);
bool sp_bits_get(const struct sp_bits *bits, size_t i);
void sp_bits_set(struct sp_bits *bits, size_t i);
size_t sp_bits_count(const struct sp_bits *bits);

size_t sp_model_ntargets(const struct sp_model *model);
const char *sp_model_target_name(const struct sp_model *model, size_t target);
/* The target's network, SP_NONE for a balancer. */
uint32_t sp_model_target_network(const struct sp_model *model, size_t target);
/* True when a is b or inside b (by `in:`). */
bool sp_model_network_within(const struct sp_model *model, uint32_t a, uint32_t b);
/* The i-th host whose probe may receive what is sent to a target: the host itself, or a backend of
 * the balancer; SP_NONE past the last. */
uint32_t sp_model_receiver(const struct sp_model *model, uint32_t target, size_t i);
/* The balancer's listener on that port, NULL for a host and when there is none. */
const struct sp_listener *sp_model_listener(const struct sp_model *model, uint32_t target,
                                            uint8_t proto, uint16_t port);
bool sp_listener_has(const struct sp_listener *listener, uint32_t host);
/* Do backends see the balancer's own address instead of the client's? */
bool sp_listener_rewrites(const struct sp_listener *listener);
/* May tagged payload reach a real service on that port? */
bool sp_model_data_ok(const struct sp_model *model, uint8_t proto, uint16_t port);
/* Host index by name, or SP_NONE. */
uint32_t sp_model_find_host(const struct sp_model *model, const char *name);
/* The top network (usually the VPC) that holds this one. */
uint32_t sp_model_root_network(const struct sp_model *model, uint32_t network);
/* The enforcement declared between two networks, most specific first, or NULL. */
const struct sp_enforcement *sp_model_enforcement(const struct sp_model *model, uint32_t a,
                                                  uint32_t b);
/* The rate allowed to one host: the smallest of what is declared for it. */
uint32_t sp_model_host_rate(const struct sp_model *model, uint32_t host);
/* The technique classes that a host's network consents to: its own word, else that of what it lies
 * in, else the limits'. */
char sp_model_host_hazard(const struct sp_model *model, uint32_t host);

#endif
