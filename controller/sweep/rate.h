/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast a bundle of sweeps is sent: the rate is halved when a volley lost beats, rises again
 * while volleys are clean, and settles below the highest rate that the path takes. Pure: no clock,
 * no packets; the tests drive it with simulated policers.
 *
 * Loss is counted by rate: volleys at about the same rate share one estimate, so that a volley that
 * came through clean by luck on a path that loses does not count for more than it proves.
 *
 * A path that loses at an eighth of the highest rate at least half of what it loses there does not
 * lose because of the rate (a policer of rate L loses 1 - L/r of a rate r: below half at r, it
 * loses more than twice that at 8 r). Then slower is not better: that much loss is taken as the
 * path's own, and more passes are the answer. What counts there is what the path was offered,
 * pauses between volleys included: a bucket fills up in them. Only what was seen of one path is
 * compared: when much more is lost at a rate than ever before, it has become another one. And when
 * more is lost in the end than was taken for the path's own, it was not.
 *
 * So that a limit costs few packets, few are risked at a rate that has not come through once one
 * was too high: the number doubles with each clean volley. */
#ifndef SP_CONTROLLER_SWEEP_RATE_H
#define SP_CONTROLLER_SWEEP_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Rates are told apart by steps of 2^(1/4). */
#define SP_RATE_STEPS  112U
#define SP_RATE_LOWEST 100U

struct sp_rate_step {
    uint32_t sent, lost; /* beats */
};

struct sp_rate {
    uint32_t ceiling; /* never exceeded */
    uint32_t now;     /* of the next volley */
    uint32_t good;    /* the highest that was clean, below bad; 0 = none */
    uint32_t bad;     /* the lowest that was not, 0 = none */
    uint32_t epoch;   /* rises with each decrease: volleys ordered before do not count twice */
    unsigned clean;   /* volleys in a row, since the last decrease */
    double own_loss;  /* of the path, at any rate */
    bool is_hopeless; /* not even the lowest rate comes through */
    struct sp_rate_step since_own;            /* all beats since own_loss was set */
    struct sp_rate_step steps[SP_RATE_STEPS]; /* by the rate that was ordered */
    struct sp_rate_step fresh[SP_RATE_STEPS]; /* by what was offered, since the path last changed */
};

/* What became of a volley. Rates are packets a second. */
struct sp_rate_volley {
    uint32_t pps, epoch; /* as it was ordered */
    uint32_t reached;    /* the sender may be slower; */
    uint32_t offered;    /* and this is what the path got since the volley before */
    uint32_t sent, lost; /* beats */
    bool is_hurt;        /* the receiver dropped packets, or the sender's own queues did */
};

/* own_loss: what an earlier batch found, else 0. */
void sp_rate_init(struct sp_rate *rate, uint32_t ceiling, double own_loss);
/* The number of a rate's step; rates of one step are alike. */
uint8_t sp_rate_step_of(uint32_t pps);
/* Did a volley lose more beats than the path loses at any rate? */
bool sp_rate_is_excess(const struct sp_rate *rate, uint32_t sent, uint32_t lost);
/* A volley came back; returns whether it is clean. */
bool sp_rate_judge(struct sp_rate *rate, const struct sp_rate_volley *volley);
/* How many volleys' worth of the smallest one may be sent in one, so far. */
uint32_t sp_rate_risk(const struct sp_rate *rate);
/* The share of beats that is lost at about this rate. */
double sp_rate_loss(const struct sp_rate *rate, uint8_t step);

#endif
