/* SPDX-License-Identifier: Apache-2.0
 *
 * Lanes: all tests of one ordered pair of addresses in one protocol. A lane has one control (the
 * flow or flows whose packets prove, around every attempt, that absence means something) and is
 * scheduled as a whole. */
#ifndef SP_CONTROLLER_LANE_H
#define SP_CONTROLLER_LANE_H

#include "controller/batch.h"
#include "reports/result.h"
#include "topologies/plan.h"

/* One flow that is sent as a control. */
struct sp_control_flow {
    uint32_t from, to; /* host and target; to == SP_NONE for a self control */
    struct sp_addr src, dst, own, src_seen;
    uint8_t technique;
    uint16_t port;
    bool is_self, is_http;
};

struct sp_control {
    uint8_t grade; /* enum sp_grade */
    unsigned nflows;
    struct sp_control_flow flows[2]; /* pair: 1; split, self: the sender's, the receiver's */
};

/* What conversations with whoever answered a test's SYN have shown (unmask.c). */
struct sp_unmasked {
    uint16_t tried, held; /* conversations begun, and those whose SYN was answered */
    uint16_t nic, host;   /* that reached the receiver, and passed its INPUT rules */
    uint16_t left, back;  /* whose answer left the receiver, and came back from there */
    uint16_t elsewhere;   /* that reached another probe */
    uint8_t flags;        /* SP_ANSWER_WINDOW_ZERO ... */
    bool is_mute;         /* no data was offered */
};

/* What the attempts of one test have shown so far. */
struct sp_tally {
    uint16_t fired; /* attempts ordered */
    uint16_t
        counted; /* that count: left the sender between good controls, with both ends in order */
    uint16_t nic, host, opened, answer_left, answered, elsewhere, rewritten, foreign;
    uint16_t refused_policy; /* EPERM: the sender's own policy */
    uint32_t elsewhere_host;
    struct sp_tuple captured; /* of the first arrival in another shape than declared */
    uint8_t answer, answer_code, answer_ttl; /* the strongest answer */
    struct sp_addr answerer;
    uint64_t last_us;      /* when the last attempt that counts was sent, by our clock */
    uint64_t last_pass;    /* the pass that it belongs to */
    uint16_t passes;       /* of denied flows: passes with an attempt that counts */
    uint16_t asked_passes; /* so many at least, see suspect.c */
    uint16_t missed;       /* of denied flows: attempts that count and did not arrive */
    uint8_t unsound;       /* enum sp_unsound: why the last attempt that does not count doesn't */
    uint8_t lossy_rounds;  /* batches in which an allowed flow lost more than the limit */
    uint16_t round_sent, round_back, round_unknown; /* of the current batch */
    struct sp_unmasked unmasked;
    bool is_sound;   /* denied: as many attempts count as the loss of its controls asks for */
    bool is_settled; /* nothing more to measure */
};

struct sp_lane {
    uint32_t pair;
    uint8_t proto;     /* enum sp_proto */
    uint8_t technique; /* registry index */
    bool is_http;      /* to a balancer that reads what it passes on (mode l7) */
    bool has_sports;   /* its tests are about a source port each, and may share their port */
    uint32_t *tests;   /* plan test indexes: denies first */
    size_t ntests, cap_tests;
    struct sp_control control;
    uint8_t deny_grade; /* of the control that its denied flows rest on */
    uint32_t round;     /* the last round it took part in */
    /* Per flow of its control: which candidate is in use, which moves on when it disappoints; how
     * many there are; what it lost. */
    unsigned choice[2], candidates[2];
    uint32_t flow_lost[2];
    uint32_t control_sent, control_lost; /* of all its flows */
};

struct sp_lanes {
    struct sp_lane *at;
    size_t n, cap;
};

/* A candidate control as the scout found it. */
struct sp_scouted {
    struct sp_control_flow flow;
    uint32_t pair; /* plan pair, SP_NONE for self */
    uint8_t proto;
    uint16_t sent, nic, host;
};

struct sp_scouts {
    struct sp_scouted *at;
    size_t n, cap;
};

/* Groups the plan's tests. */
enum sp_rc sp_lanes_build(const struct sp_model *model, const struct sp_plan *plan,
                          struct sp_lanes *ret_lanes) SP_MUST_CHECK;
void sp_lanes_release(struct sp_lanes *lanes);

/* The candidates: up to two allowed flows of every lane, and a self control of every address in
 * use. */
enum sp_rc sp_scouts_build(const struct sp_model *model, const struct sp_plan *plan,
                           const struct sp_lanes *lanes, const struct sp_outcome *outcomes,
                           struct sp_scouts *ret_scouts) SP_MUST_CHECK;
void sp_scouts_release(struct sp_scouts *scouts);
enum sp_control_for { SP_CONTROL_FOR_DENY, SP_CONTROL_FOR_ALLOW };
/* Chooses the lane's control among what the scout saw delivered: pair, else split, else self. */
void sp_lane_choose_control(struct sp_lane *lane, const struct sp_model *model,
                            const struct sp_plan *plan, const struct sp_scouts *scouts,
                            enum sp_control_for purpose);

#endif
