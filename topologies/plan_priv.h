/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the planner and explain only. */
#ifndef SP_TOPOLOGIES_PLAN_PRIV_H
#define SP_TOPOLOGIES_PLAN_PRIV_H

#include "probe/techniques/registry.h"
#include "topologies/plan.h"

/* ---- Why something is not tested (plan_reason.c) ---- */

enum sp_reason {
    SP_REASON_NONE,
    SP_REASON_SUBNET, /* sp_policy_untested says why */
    SP_REASON_SOURCE_PROBE,
    SP_REASON_FAMILY,
    SP_REASON_AMBIGUOUS,
    SP_REASON_SPECIAL,
    SP_REASON_UNTRANSLATED,
    SP_REASON_NO_TECHNIQUE,
    SP_REASON_ICMP_TYPE,
    SP_REASON_LEFT_OUT,
    SP_REASON_HAZARD,
    SP_REASON_SWEEP_BALANCED, /* these three: ports that a sweep would ask */
    SP_REASON_SWEEP_BLIND,
    SP_REASON_SWEEP_SLICE,
    SP_REASON_PORTLESS, /* counts IP protocols */
    SP_REASON_PORTLESS_END,
    SP_REASON_IP_NUMBER,
    SP_REASON_IP_WITNESS,
    SP_REASON_BYPASS_HAZARD, /* these: tests of bypass techniques */
    SP_REASON_BYPASS_LEFT_OUT,
    SP_REASON_BYPASS_BLIND,
    SP_REASON_BYPASS_BALANCED,
    SP_REASON_BYPASS_HOST,
    SP_REASON_BYPASS_SOURCE,
    SP_REASON_BYPASS_ROUTER,
    SP_REASON_BYPASS_OUTER,
    SP_REASON_COUNT
};

/* Of a network of kind external, or inside one? */
bool sp_plan_is_external(const struct sp_model *model, uint32_t network);
const char *sp_reason_str(enum sp_reason reason); /* a clause for people */
/* Reasons that lie in the two hosts, before any address is looked at. */
enum sp_reason sp_reason_pair(const struct sp_policy *policy, const struct sp_model *model,
                              uint32_t from, uint32_t to);
/* Reasons that lie in a protocol between two hosts; on SP_REASON_NONE *ret_technique is its index
 * in the registry. wanted as in sp_plan_options.techniques. */
enum sp_reason sp_reason_proto(const struct sp_model *model, const bool *wanted, uint32_t from,
                               uint32_t to, uint8_t proto, uint8_t family, uint8_t *ret_technique);
/* The techniques that test one pair of addresses in one protocol, as registry indexes. */
#define SP_NO_TECHNIQUE UINT8_MAX
struct sp_ways {
    uint8_t deny, allow;  /* the flow itself, by expectation */
    uint8_t talk;         /* besides: one whole conversation per allowed interval */
    uint8_t types;        /* of ICMP, whatever is no echo request, by any expectation */
    uint8_t types_reason; /* enum sp_reason: why there is none */
};
/* The technique of one point, SP_NO_TECHNIQUE: it is not tested. */
uint8_t sp_way_of(const struct sp_ways *ways, uint8_t proto, uint8_t expect, uint16_t port);
/* Fills *ret_ways; what is left out or not consented to is SP_NO_TECHNIQUE. SP_REASON_NONE when
 * anything is tested at all. An allowed flow to a balancer is a conversation: only its data shows
 * which backend answered. */
enum sp_reason sp_reason_ways(const struct sp_model *model, const bool *wanted,
                              const struct sp_pair *pair, uint8_t proto, struct sp_ways *ret_ways);
/* Whether a technique of this hazard class may run between two hosts: both networks must consent.
 */
bool sp_hazard_allowed(const struct sp_model *model, uint32_t from, uint32_t to, char hazard);
/* Why an allowed conversation with this listener would be settled without a packet, whatever runs
 * on its backends: NULL when it depends on what listens there. A clause for people. */
const char *sp_listener_hindrance(const struct sp_model *model, const struct sp_listener *listener);
/* Whether the services behind a listener take tagged data by declaration. */
bool sp_listener_data_ok(const struct sp_model *model, const struct sp_listener *listener);
/* The protocols that a family has: tcp, udp, its ICMP, sctp, ip. */
#define SP_FAMILY_PROTOS 5U
uint8_t sp_family_proto(uint8_t family, size_t i);

/* ---- Load balancers (plan_balancer.c) ---- */

/* Which listeners are tested, by how many clients, and what their tests need. Nothing when the
 * selection holds no balancer. */
void sp_plan_print_balancers(const struct sp_plan *plan, const struct sp_model *model,
                             struct sp_buf *out);
/* Writes the line to out, wrapped for 80 columns at spaces (in lists after commas), and empties it;
 * what follows a break starts at indent. */
void sp_plan_end_line(struct sp_buf *out, struct sp_buf *line, size_t indent, bool is_list);
#define SP_PLAN_LINE_MAX (4U << 20)

/* ---- Addresses (plan_addr.c) ---- */

struct sp_book; /* all declared addresses, and what stands between networks */

/* The model must outlive the book. */
enum sp_rc sp_book_new(const struct sp_model *model, struct sp_book **ret_book) SP_MUST_CHECK;
void sp_book_free(struct sp_book *book);
/* The index of the enforcement point between two networks, SP_NONE when there is none. Fast while
 * the first network stays the same. */
uint32_t sp_book_enforcement(struct sp_book *book, uint32_t from_network, uint32_t to_network);
size_t sp_target_naddrs(const struct sp_model *model, uint32_t target);
/* Puts together the pair of the i-th address of from and the j-th of to. False when their families
 * differ; *ret_reason tells whether the pair can be tested. */
bool sp_book_pair(struct sp_book *book, uint32_t from, uint32_t to, size_t i, size_t j,
                  struct sp_pair *ret_pair, enum sp_reason *ret_reason);

/* ---- Source ports (plan_sport.c) ---- */

/* Finds the range of source ports that no test may use: free of every port on which a verdict can
 * change and of the risk list. Sweeps do use it, and need it wider. */
enum sp_rc sp_plan_sports(const struct sp_model *model, enum sp_depth depth, uint16_t *ret_lo,
                          uint16_t *ret_hi, struct sp_diag *diag) SP_MUST_CHECK;
struct sp_risk {
    uint8_t proto;
    uint16_t port;
    const char *why;
};
const struct sp_risk *sp_risk_at(size_t i); /* sorted by protocol and port; NULL past the end */

/* ---- Points (plan_points.c) ---- */

struct sp_point {
    uint16_t port;
    uint8_t why; /* enum sp_why */
};

struct sp_points {
    struct sp_point *at; /* sorted, each port once */
    size_t n, cap;
    size_t yielded; /* left to the other direction, see plan_portless.c */
    bool no_memory; /* sticky until the next sp_points_build */
};

/* Does this point stand for an interval that must work? Conversations are held with these only. */
bool sp_point_stands(const struct sp_interval *iv, const struct sp_point *point);

struct sp_ports {
    uint16_t *at; /* sorted, each once */
    size_t n, cap;
};

/* What the points of one pair and protocol depend on. */
struct sp_point_source {
    const struct sp_pair *pair;
    uint8_t proto;
    enum sp_depth depth;
    uint64_t seed;
    uint16_t sport_lo, sport_hi;
    struct sp_intervals list;    /* of this pair and protocol */
    struct sp_intervals twin;    /* of this pair and the other of tcp and udp; may be empty */
    struct sp_intervals reverse; /* of the reversed pair and this protocol; may be empty */
    bool other_types;            /* ICMP: not only the echo request */
    const struct sp_pair *back; /* SP_PROTO_IP: the reversed pair where it is tested too, or NULL */
    const struct sp_ports *open; /* ports that somebody may use at the target; may be NULL */
};

enum sp_rc sp_points_build(struct sp_points *points,
                           const struct sp_point_source *source) SP_MUST_CHECK;
/* Leaves what a plan for one flow asks of a list: its port (< 0: it is another list), and at most
 * `allowed` points that must work. */
enum sp_rc sp_points_narrow(struct sp_points *points, struct sp_intervals list, int32_t port,
                            unsigned allowed) SP_MUST_CHECK;
void sp_points_release(struct sp_points *points);
/* For those who choose points: adds one; sorts them, each port once, the first reason wins. */
void sp_points_add(struct sp_points *points, uint32_t port, enum sp_why why);
void sp_points_sort(struct sp_points *points);
/* Types and codes of ICMP (plan_icmp.c): the echo request, and with others where they are asked. */
enum sp_rc sp_icmp_points(struct sp_points *points,
                          const struct sp_point_source *source) SP_MUST_CHECK;
/* Is this type and code asked at all, besides the echo request? */
bool sp_icmp_is_askable(uint8_t proto, uint32_t port);
/* IP protocols without ports (plan_portless.c). */
enum sp_rc sp_portless_points(struct sp_points *points,
                              const struct sp_point_source *source) SP_MUST_CHECK;
/* Why no protocol of the interval can be asked between these two; SP_REASON_NONE when one can. */
enum sp_reason sp_portless_hindrance(const struct sp_pair *pair, const struct sp_interval *iv);
/* The edges of every allow (wildcards and permits left out) that selects the target as receiver,
 * and the ports on which balancers reach it. */
enum sp_rc sp_ports_open(const struct sp_model *model, uint32_t target, uint8_t proto,
                         struct sp_ports *ports) SP_MUST_CHECK;
void sp_ports_release(struct sp_ports *ports);

/* ---- Sweeps (plan_sweep.c) ---- */

/* How many ports of the slice are below a port: 65537 numbers, so that [hi + 1] - [lo] counts those
 * of lo .. hi. Freed with sp_free(). */
enum sp_rc sp_slice_table(const struct sp_slice *slice, uint32_t **ret_table) SP_MUST_CHECK;
/* Why the tcp and udp ports of a pair of addresses are not swept. */
enum sp_reason sp_sweep_hindrance(const struct sp_pair *pair);
/* How many denied ports a list has, and how many points of it are denied; with a table, those that
 * its slice does not have. */
uint32_t sp_intervals_denied(struct sp_intervals list);
uint32_t sp_points_denied(struct sp_intervals list, const struct sp_points *points,
                          const uint32_t *table);
/* Fills denied and allowed of a sweep; points as at standard depth, table of the plan's slice. */
void sp_sweep_count(struct sp_intervals list, const struct sp_points *points, const uint32_t *table,
                    struct sp_plan_sweep *sweep);

/* ---- Bypass techniques (plan_bypass.c) ---- */

/* Is this a technique that asks denied flows of the pair and protocol in another way? */
bool sp_bypass_fits(size_t technique, const struct sp_pair *pair, uint8_t proto);
/* Why it does not ask them; SP_REASON_NONE when it does. */
enum sp_reason sp_bypass_hindrance(const struct sp_model *model, const bool *wanted,
                                   const struct sp_pair *pair, size_t technique);
/* The denied ports that it asks, of the points of the lane: at most SP_PLAN_BYPASS_PORTS, one per
 * interval; at exhaustive depth all that are tested for their risk, and each interval's own, unless
 * it is intrusive. Returns how many. */
size_t sp_bypass_ports(const struct sp_point_source *source, const struct sp_points *points,
                       size_t technique, uint16_t out[static SP_PLAN_BYPASS_MOST]);

/* ---- How long sweeps take (plan_time.c) ---- */

/* The packets that one host sends to another in sweeps. */
struct sp_load {
    uint32_t from, to;
    uint32_t point;  /* index into model->enforcements: what stands between them, or SP_NONE */
    uint32_t passes; /* the most of its sweeps */
    uint64_t packets;
};

/* Sorts the loads, of which there is one per ordered pair of hosts. */
enum sp_rc sp_sweep_seconds(const struct sp_model *model, struct sp_load *loads, size_t n,
                            uint64_t *ret_seconds) SP_MUST_CHECK;

#endif
