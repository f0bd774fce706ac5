/* SPDX-License-Identifier: Apache-2.0
 *
 * One flow, hop by hop: what every vantage point saw of it, where it ended and why, most likely.
 * The controller fills the facts; sp_trace_explain() draws the conclusion; the picture and the JSON
 * are made of both. Pure: nothing here knows a probe.
 *
 * What a TTL says: a router answers a packet whose TTL runs out before it looks at its filter
 * (techniques.md T16), so a hop that answers shows that the packet came to it, and the one behind
 * it shows that it was let through. */
#ifndef SP_REPORTS_TRACE_H
#define SP_REPORTS_TRACE_H

#include "probe/base/buf.h"
#include "reports/result.h"

#define SP_TRACE_MAX_HOPS    24U
#define SP_TRACE_MAX_PASSES  32U
#define SP_TRACE_MAX_PACKETS 24U
#define SP_TRACE_MAX_SIZES   10U

/* A router on the way, in order. */
struct sp_trace_hop {
    struct sp_addr addr; /* family NONE: nobody answers at this distance */
    uint32_t host;       /* declared with that address, SP_NONE */
    uint8_t reference;   /* answers to packets of the flow that is known to pass */
    uint8_t asked;       /* answers to packets of the flow itself */
    bool is_watched;     /* its probe told what passed */
    bool is_translated; /* it quoted the flow with other addresses or ports than it was sent with */
    struct sp_tuple quoted;
};

/* What a probe on the way saw at one of its interfaces. */
struct sp_trace_pass {
    uint32_t host;
    char iface[16];
    bool is_out;
    uint8_t answer; /* enum sp_answer; NONE = the flow itself */
    uint32_t count;
    struct sp_tuple tuple;
};

/* One packet as a capture saw it. */
struct sp_trace_packet {
    uint32_t host;
    uint64_t at_us; /* since the first one shown */
    char iface[16];
    uint8_t role; /* enum sp_kept_role */
    char text[144];
};

/* Packets of one size that must not be fragmented. */
struct sp_trace_size {
    uint16_t bytes; /* of the whole IP packet */
    uint8_t tries, arrived, refused;
    uint32_t mtu;       /* that somebody named as too small for it; 0 = nobody did */
    struct sp_addr who; /* that was */
};

enum sp_trace_cause {
    SP_TRACE_WORKS,
    SP_TRACE_PASSES,         /* a denied flow that gets through */
    SP_TRACE_SENDER_POLICY,  /* the sender's own OUTPUT rules */
    SP_TRACE_SENDER_STACK,   /* taken by the sender's kernel and never on the wire */
    SP_TRACE_SENDER_ROUTE,   /* no route, or a link that is down */
    SP_TRACE_DROPPED,        /* between two places */
    SP_TRACE_DROPPED_INSIDE, /* came into a router and never left it */
    SP_TRACE_REJECTED,       /* somebody says that it is prohibited, or resets it */
    SP_TRACE_NO_ROUTE,       /* a router says so */
    SP_TRACE_NO_NEIGHBOUR,   /* the last router gets no answer to ARP or neighbour discovery */
    SP_TRACE_ELSEWHERE,      /* delivered to another host */
    SP_TRACE_REWRITTEN,      /* delivered with other addresses or ports */
    SP_TRACE_LOOP,           /* routers send it in a circle */
    SP_TRACE_RECEIVER_POLICY,
    SP_TRACE_RECEIVER_DOWN,
    SP_TRACE_RECEIVER_OUT, /* the receiver's own rules keep the answer from leaving */
    SP_TRACE_RECEIVER_SILENT,
    SP_TRACE_WAY_BACK,
    SP_TRACE_LOSS,
    SP_TRACE_BLACK_HOLE, /* large packets vanish, and nobody says so */
    SP_TRACE_PROXY,
    SP_TRACE_UNKNOWN, /* nothing was shown; why stands beside it */
    SP_TRACE_CAUSES
};

/* Where it ended. */
enum sp_trace_place {
    SP_TRACE_NOWHERE,
    SP_TRACE_AT_SENDER,
    SP_TRACE_BEFORE_HOP, /* `hop`; nhops = before the receiver */
    SP_TRACE_AT_HOP,
    SP_TRACE_AT_RECEIVER,
    SP_TRACE_ON_WAY_BACK
};

struct sp_trace {
    const struct sp_model *model;     /* borrowed, as all that follows */
    const struct sp_pair *pair;       /* of the plan */
    const struct sp_test *test;       /* of the plan */
    const struct sp_outcome *outcome; /* of the ordinary test with its controls */
    bool is_tested;
    char host_reason[160]; /* why a probe that it needs did not work; "" = they did */

    /* Packets of the flow with the usual TTL, sent beside those that look for hops. */
    uint8_t tries, left, nic, host, answer_left, answered;
    uint16_t send_err, egress_err;
    uint8_t sender_refused, receiver_refused; /* enum sp_refusal */
    uint8_t answer, answer_code, answer_ttl;
    struct sp_addr answerer;
    uint8_t egress;
    uint32_t elsewhere; /* SP_NONE */
    struct sp_tuple captured;
    uint16_t sport; /* of the first */

    bool has_reference;     /* else the hops are learnt from the flow alone */
    char reference[40];     /* "icmp/echo" */
    bool reference_arrives; /* at the receiver's interface */
    bool reference_is_flow;
    struct sp_trace_hop hops[SP_TRACE_MAX_HOPS];
    size_t nhops;
    bool is_distance_known;
    uint8_t back_hops; /* routers on the way back by the answer's TTL; 0 = unknown, else + 1 */

    struct sp_trace_pass passes[SP_TRACE_MAX_PASSES];
    size_t npasses;
    struct sp_trace_packet packets[SP_TRACE_MAX_PACKETS];
    size_t npackets;
    struct sp_trace_size sizes[SP_TRACE_MAX_SIZES];
    size_t nsizes;
    uint16_t mtu_from, mtu_to;   /* of the interfaces at both ends; 0 = not known */
    uint16_t mss_sent, mss_seen; /* of a SYN; 0 = not seen */

    /* sp_trace_explain() */
    enum sp_trace_cause cause;
    enum sp_trace_place place;
    size_t hop;
    char sentence[480];
    char remedy[320];
};

/* Fills cause, place, sentence and remedy from the rest. Names in them are as declared: escape. */
void sp_trace_explain(struct sp_trace *trace);
const char *sp_trace_cause_str(enum sp_trace_cause cause); /* "dropped_inside" */
/* "10.1.0.1 (fw-1)", or "hop 2, which does not answer"; out holds SP_TRACE_NAME_MAX bytes. */
#define SP_TRACE_NAME_MAX 320U
const char *sp_trace_hop_str(const struct sp_trace *trace, size_t hop, char *out);
/* The exit code that one trace asks for: 0, 1 or 3. */
int sp_trace_exit(const struct sp_trace *trace);

struct sp_trace_style {
    bool color, ascii;
    unsigned width; /* columns; 0 = 80 */
    int verbosity;
};
void sp_trace_print(const struct sp_trace *trace, const struct sp_trace_style *style,
                    struct sp_buf *out);
/* A whole document of n traces. */
struct sp_trace_head {
    const struct sp_model *model;
    const char *run_id, *version;
    bool interrupted;
};
void sp_trace_json(const struct sp_trace_head *head, const struct sp_trace *const *traces, size_t n,
                   struct sp_buf *out);

#endif
