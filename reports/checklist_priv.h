/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the check list: tables of what is looked at (checklist_nodes.c, checklist_more.c)
 * and those who look. Only checklist*.c and its tests include it. */
#ifndef SP_REPORTS_CHECKLIST_PRIV_H
#define SP_REPORTS_CHECKLIST_PRIV_H

#include "reports/checklist.h"

enum sp_part_kind {
    SP_PART_CLOSED, /* flows that must not pass, where they are denied */
    SP_PART_OPEN,   /* flows that must pass, where they are allowed */
    SP_PART_CLAIMS, /* statements of the run about nodes, endpoints, balancers */
    SP_PART_LOOK,   /* a function counts */
    SP_PART_ITEMS,  /* the states of other lines */
    SP_PART_ASK,    /* nobody on the hosts can tell: never observable */
};

enum {
    SP_PART_OPTIONAL = 1 << 0, /* where there is nothing to count, it does not matter */
    SP_PART_BY_WORD = 1 << 1,  /* from the declaration alone: an interrupted run changes nothing */
    /* claims: */
    SP_PART_NODES = 1 << 2,     /* every node needs one of each name */
    SP_PART_BALANCERS = 1 << 3, /* every balancer does */
    SP_PART_ANY = 1 << 4,       /* one of the names is enough */
    SP_PART_TWO = 1 << 5,       /* seen from two networks at least */
    SP_PART_PLACES = 1 << 6,    /* seen from each network that has nodes with probes */
    /* flows: */
    SP_PART_WAYS = 1 << 7,      /* every host with a probe must ask every host in scope each port */
    SP_PART_MAY = 1 << 8,       /* a rule that allows it is no failure */
    SP_PART_OUTSIDE = 1 << 9,   /* asked from external networks only */
    SP_PART_NO_EDGE = 1 << 10,  /* edge nodes are not in scope */
    SP_PART_ON_NODES = 1 << 11, /* and only nodes are */
    SP_PART_INSIDE = 1 << 12    /* asked from hosts inside only */
};

struct sp_list;

struct sp_part_def {
    uint8_t item, kind, claim_kind;
    uint16_t flags;
    const char *what, *hint;
    /* flows: "tcp/22 tcp/2379", NULL = all; claims: "kernel os"; items: "7 8", "*" = all others */
    const char *names;
    const char *who;     /* roles: closed: who may reach it; open: where it must come from */
    const char *to;      /* roles: who is in scope as target, NULL = every host inside */
    const char *subject; /* claims: words of which the subject holds one; with "!" before: none */
    const char *if_open; /* matters only where such ports are allowed or permitted */
    bool (*pair)(const struct sp_list *list, const struct sp_entry *entry); /* by its two ends */
    bool (*takes)(const struct sp_list *list, const struct sp_entry *entry);
    void (*look)(struct sp_list *list, struct sp_item_part *part);
};

struct sp_item_def {
    const char *statement, *how, *ask;
};
extern const struct sp_item_def sp_items[SP_ITEM_COUNT]; /* line 1 first */

/* The parts of lines 1-18, and of the others; in the order of their lines. */
extern const struct sp_part_def sp_parts_nodes[], sp_parts_more[];
extern const size_t sp_nparts_nodes, sp_nparts_more;
size_t sp_part_def_count(void);
const struct sp_part_def *sp_part_def_at(size_t index);

/* Ports that parts name, at most: they are bits of one word. */
#define SP_LIST_PORTS_MAX 64U

struct sp_list_port {
    uint8_t proto;
    uint16_t port;
};

/* A check list in the making; on the stack of sp_checklist_new. */
struct sp_list {
    const struct sp_summary *summary;
    const struct sp_model *model;
    struct sp_item_part *parts; /* as the definitions */
    struct sp_bits nodes;       /* hosts that run pods or the control plane */
    struct sp_list_port ports[SP_LIST_PORTS_MAX];
    size_t nports;
    uint64_t opened; /* ports that some test expects to pass, or permits */
    bool too_many;   /* ports: a mistake in the tables */
    enum sp_rc rc;   /* sticky */
};

/* ---- checklist.c ---- */
/* Count n, and keep the first example of a kind; printf style, NULL = none. */
void sp_part_fail(struct sp_list *list, struct sp_item_part *part, uint64_t n, const char *fmt, ...)
    SP_PRINTF(4, 5);
void sp_part_open(struct sp_list *list, struct sp_item_part *part, uint64_t n, const char *fmt, ...)
    SP_PRINTF(4, 5);
/* Is a word in a list that is parted by spaces? */
bool sp_list_has(const char *list, const char *word);
/* Has a host, as `role` or label `role`, one of the roles of a list? */
bool sp_list_role(const struct sp_model *model, uint32_t host, const char *roles);
/* A host that is not in an external network. */
bool sp_list_inside(const struct sp_model *model, uint32_t target);
const char *sp_list_zone(const struct sp_model *model, uint32_t host); /* NULL = none declared */
/* The bits of ports "tcp/22 udp/53"; they are numbered when they are new. */
uint64_t sp_list_ports(struct sp_list *list, const char *names);

/* ---- checklist_flows.c, checklist_claims.c: all parts of their kind ---- */
void sp_list_flows(struct sp_list *list);
void sp_list_claims(struct sp_list *list);

/* ---- checklist_takes.c: which entries a part is about ---- */
bool sp_take_preset(const struct sp_list *list, const struct sp_entry *entry);
bool sp_take_to_balancer(const struct sp_list *list, const struct sp_entry *entry);
bool sp_take_reverse(const struct sp_list *list, const struct sp_entry *entry);
bool sp_take_zones(const struct sp_list *list, const struct sp_entry *entry);

/* ---- checklist_look.c, checklist_balancer.c, checklist_word.c: what a function counts ---- */
void sp_look_matrix(struct sp_list *list, struct sp_item_part *part);
void sp_look_reach(struct sp_list *list, struct sp_item_part *part);
void sp_look_probes(struct sp_list *list, struct sp_item_part *part);
void sp_look_clusters(struct sp_list *list, struct sp_item_part *part);
void sp_look_layers(struct sp_list *list, struct sp_item_part *part);
void sp_look_presets(struct sp_list *list, struct sp_item_part *part);
void sp_look_protocols(struct sp_list *list, struct sp_item_part *part);
void sp_look_round(struct sp_list *list, struct sp_item_part *part);
void sp_look_addresses(struct sp_list *list, struct sp_item_part *part);
void sp_look_causes(struct sp_list *list, struct sp_item_part *part);
void sp_look_evidence(struct sp_list *list, struct sp_item_part *part);

void sp_word_named(struct sp_list *list, struct sp_item_part *part);
void sp_word_inside(struct sp_list *list, struct sp_item_part *part);
void sp_word_clusters(struct sp_list *list, struct sp_item_part *part);
void sp_word_overlap(struct sp_list *list, struct sp_item_part *part);
void sp_word_reserved(struct sp_list *list, struct sp_item_part *part);
void sp_word_pool(struct sp_list *list, struct sp_item_part *part);
void sp_word_replicas(struct sp_list *list, struct sp_item_part *part);
void sp_word_zones(struct sp_list *list, struct sp_item_part *part);
void sp_word_sinks(struct sp_list *list, struct sp_item_part *part);

/* Words of names of registries. */
#define SP_REPOSITORIES                                                                            \
    "registry repo. gcr.io pkg.dev docker quay.io ghcr.io googleapis.com run.solo.io github "      \
    "githubusercontent mcr.microsoft.com charts .ecr. mirror"
#define SP_EDGE_ROLES "edge ingress eastwest east-west"
/* Ports on which logs and metrics are sent away. */
#define SP_SINK_PORTS                                                                              \
    "tcp/4317 tcp/4318 udp/514 tcp/514 tcp/6514 tcp/24224 tcp/5044 tcp/3100 tcp/9200 tcp/8088"
#define SP_SINK_ROLES "logs log-sink collector monitoring telemetry siem"

#endif
