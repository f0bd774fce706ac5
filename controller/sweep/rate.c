/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/rate.h"

#include <math.h>
#include <string.h>

/* Clean volleys before the rate is raised again once it is close to one that lost. */
#define SP_RATE_PATIENCE  12U
/* Beats that an estimate needs at least before two rates are compared. */
#define SP_RATE_SAMPLE    30U
/* More than this is never taken as the path's own. */
#define SP_RATE_OWN_MOST  0.45
/* More than so many times what was taken for the path's own, beyond chance, and it was not. */
#define SP_RATE_REFUTED   1.5
/* The rate that a volley is said to have reached is off by this factor at most. */
#define SP_RATE_OFF       8U
/* Beats that chance may take from one volley above what the path's own loss makes expected. */
#define SP_RATE_CHANCE    3U
/* In steps. */
#define SP_RATE_EIGHTFOLD 12U
#define SP_RATE_NEAR      4U /* less than twice as fast */
/* Clean volleys after which as much as the rate allows is sent. */
#define SP_RATE_TRUSTED   10U

void sp_rate_init(struct sp_rate *rate, uint32_t ceiling, double own_loss)
{
    memset(rate, 0, sizeof(*rate));
    rate->ceiling = ceiling > 0 ? ceiling : 1;
    rate->now = rate->ceiling;
    rate->own_loss = own_loss;
}

uint8_t sp_rate_step_of(uint32_t pps)
{
    double step = pps > 1 ? 4.0 * log2((double)pps) : 0;
    return (uint8_t)(step < SP_RATE_STEPS - 1 ? step : SP_RATE_STEPS - 1);
}

static struct sp_rate_step around(const struct sp_rate_step steps[static SP_RATE_STEPS],
                                  uint8_t step)
{
    struct sp_rate_step sum = {0};
    for (unsigned i = step > 0 ? step - 1U : 0; i <= step + 1U && i < SP_RATE_STEPS; i++) {
        sum.sent += steps[i].sent;
        sum.lost += steps[i].lost;
    }
    return sum;
}

static double share(struct sp_rate_step sum)
{
    return sum.sent ? (double)sum.lost / sum.sent : 0;
}

double sp_rate_loss(const struct sp_rate *rate, uint8_t step)
{
    return share(around(rate->steps, step));
}

uint32_t sp_rate_risk(const struct sp_rate *rate)
{
    bool is_trusted = rate->epoch == 0 || rate->clean >= SP_RATE_TRUSTED;
    return 1U << (is_trusted ? SP_RATE_TRUSTED : rate->clean);
}

bool sp_rate_is_excess(const struct sp_rate *rate, uint32_t sent, uint32_t lost)
{
    double expected = rate->own_loss * sent;
    return lost > 0 && (rate->own_loss <= 0 || lost > 2 * expected + SP_RATE_CHANCE);
}

static void go_up(struct sp_rate *rate)
{
    uint64_t next;
    if (rate->bad == 0) {
        next = (uint64_t)rate->now * 2;
    } else if (rate->now < rate->good) {
        next = rate->good; /* back to what was clean */
    } else if ((uint64_t)rate->good * 20 < (uint64_t)rate->bad * 19) {
        next = ((uint64_t)rate->good + rate->bad) / 2;
    } else {
        /* As close as it gets. Whatever lost there may have gone: look again, now and then. */
        if (rate->clean % SP_RATE_PATIENCE == 0) {
            rate->bad += rate->bad / 4;
        }
        return;
    }
    rate->now = (uint32_t)(next < rate->ceiling ? next : rate->ceiling);
}

/* Beats at steps from .. below to, the fastest first, until there are enough of them to tell. */
static struct sp_rate_step sum_of(const struct sp_rate *rate, unsigned from, unsigned to)
{
    struct sp_rate_step sum = {0};
    for (unsigned i = to < SP_RATE_STEPS ? to : SP_RATE_STEPS; i > from && i > 0; i--) {
        if (sum.sent >= SP_RATE_SAMPLE) {
            break;
        }
        sum.sent += rate->fresh[i - 1].sent;
        sum.lost += rate->fresh[i - 1].lost;
    }
    return sum;
}

/* Has the path lost about as much around this rate, and below it, as at eight times it? Then it is
 * its own loss. */
static bool is_own_loss(const struct sp_rate *rate, uint32_t pps, uint32_t offered,
                        double *ret_loss)
{
    unsigned end = sp_rate_step_of(offered) + SP_RATE_NEAR;
    struct sp_rate_step slow = sum_of(rate, 0, end);
    struct sp_rate_step fast = sum_of(rate, end + SP_RATE_EIGHTFOLD - 1, SP_RATE_STEPS);
    *ret_loss = share(slow);
    bool as_much = fast.sent >= SP_RATE_SAMPLE && share(slow) * 2 > share(fast);
    bool lowest = pps <= SP_RATE_LOWEST; /* nothing slower is left to blame the rate */
    return slow.sent >= SP_RATE_SAMPLE && slow.lost > 0 && share(slow) < SP_RATE_OWN_MOST &&
           (as_much || lowest);
}

static void go_down(struct sp_rate *rate, const struct sp_rate_volley *volley)
{
    uint32_t least = rate->ceiling < SP_RATE_LOWEST ? rate->ceiling : SP_RATE_LOWEST;
    uint32_t pps = volley->pps;
    rate->epoch++;
    rate->clean = 0;
    double own;
    if (is_own_loss(rate, pps, volley->offered, &own)) {
        rate->own_loss = own;
        rate->since_own = (struct sp_rate_step){0};
        rate->bad = rate->good = 0;
        rate->now = pps;
        return;
    }
    unsigned end = sp_rate_step_of(pps) + SP_RATE_NEAR;
    rate->is_hopeless = pps <= least && sum_of(rate, 0, end).sent >= SP_RATE_SAMPLE;
    /* It was lost at the rate that was reached; one that was hardly measured may be far off. */
    uint32_t reached = volley->reached > pps / SP_RATE_OFF ? volley->reached : pps / SP_RATE_OFF;
    pps = reached < pps && reached > least ? reached : pps;
    rate->bad = rate->bad == 0 || pps < rate->bad ? pps : rate->bad;
    rate->good = rate->good < rate->bad ? rate->good : 0;
    rate->now = pps / 2 > least ? pps / 2 : least;
}

/* Far more is lost than was lost at this rate so far. */
static bool has_changed(const struct sp_rate *rate, uint8_t step, uint32_t sent, uint32_t lost)
{
    struct sp_rate_step so_far = around(rate->fresh, step);
    return so_far.sent >= SP_RATE_SAMPLE && lost > 2 * share(so_far) * sent + SP_RATE_CHANCE;
}

/* More is lost, volley after volley, than was taken for the path's own loss: it was none. */
static bool is_refuted(struct sp_rate *rate, uint32_t sent, uint32_t lost)
{
    struct sp_rate_step *since = &rate->since_own;
    since->sent += sent;
    since->lost += lost;
    double expected = rate->own_loss * since->sent;
    return rate->own_loss > 0 && since->sent >= SP_RATE_SAMPLE &&
           since->lost > SP_RATE_REFUTED * expected + 3 * sqrt(expected);
}

bool sp_rate_judge(struct sp_rate *rate, const struct sp_rate_volley *volley)
{
    uint32_t sent = volley->sent;
    uint32_t lost = volley->lost;
    if (is_refuted(rate, sent, lost)) {
        rate->own_loss = 0;
    }
    bool clean = !volley->is_hurt && !sp_rate_is_excess(rate, sent, lost);
    uint8_t offered =
        sp_rate_step_of(volley->offered < volley->pps ? volley->offered : volley->pps);
    if (has_changed(rate, offered, sent, lost)) {
        memset(rate->fresh, 0, sizeof(rate->fresh));
    }
    uint8_t step = sp_rate_step_of(volley->pps);
    rate->steps[step].sent += sent;
    rate->steps[step].lost += lost;
    rate->fresh[offered].sent += sent;
    rate->fresh[offered].lost += lost;
    if (volley->epoch != rate->epoch) {
        return clean; /* it was under way when the rate changed */
    }
    if (clean) {
        rate->clean++;
        rate->is_hopeless = false;
        rate->good = volley->pps > rate->good ? volley->pps : rate->good;
        go_up(rate);
    } else {
        go_down(rate, volley);
    }
    return clean;
}
