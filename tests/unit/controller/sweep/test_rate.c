/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate of a sweep against simulated paths: a policer (a token bucket in which packets and beats
 * are alike), loss by chance, a receiver that drops. Volleys go as drive.c orders them: two under
 * way, the verdict on one comes while the next is being sent. */
#include "controller/sweep/rate.h"

#include <stdio.h>
#include <string.h>

#include "controller/sweep/sweep.h"
#include "probe/base/hash.h"
#include "tests/support/sp_cmocka.h"

#define CEILING 1000000U
#define PORTS   65536ULL
#define AHEAD   32U

/* What the packets go through. */
struct path {
    double limit, burst; /* packets a second, at once; 0 = none */
    double tokens, at;   /* seconds */
    double loss;         /* share of all packets, by chance */
    double capacity;     /* packets a second that the receiver's capture keeps up with, 0 = all */
    double fastest;      /* packets a second that the sender is able to, 0 = whatever is ordered */
    double wait;         /* seconds without a packet when all are lost that were ordered */
    struct sp_rng rng;
};

struct volley {
    uint32_t pps, epoch, count;
};

struct flight {
    struct path path;
    struct sp_rate rate;
    struct volley queue[AHEAD];
    unsigned n;
    double now, ended;       /* the last volley */
    uint64_t packets, beats; /* sent */
    uint64_t counted;        /* ports of volleys that were clean */
    uint64_t of;             /* ports of the sweep, 0 = endless */
    double rates, nrates;    /* sum of the rates of judged volleys */
};

static bool passes(struct path *path, double at)
{
    if (path->loss > 0 && (double)sp_rng_below(&path->rng, 1000000) < path->loss * 1e6) {
        return false;
    }
    if (path->limit <= 0) {
        return true;
    }
    path->tokens += (at - path->at) * path->limit;
    path->tokens = path->tokens < path->burst ? path->tokens : path->burst;
    path->at = at;
    if (path->tokens < 1) {
        return false;
    }
    path->tokens -= 1;
    return true;
}

static void init(struct flight *f, uint32_t ceiling, double limit, double burst, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->path = (struct path){.limit = limit, .burst = burst, .tokens = burst, .rng = {seed}};
    sp_rate_init(&f->rate, ceiling, 0);
}

static uint32_t ports_of(const struct sp_rate *rate)
{
    uint32_t ports = rate->now / 4;
    uint32_t risk = sp_rate_risk(rate) * SP_CELL_PORTS;
    ports = ports < risk ? ports : risk;
    ports = ports < SP_VOLLEY_PORTS ? ports : SP_VOLLEY_PORTS;
    return ports > SP_CELL_PORTS ? ports / SP_CELL_PORTS * SP_CELL_PORTS : SP_CELL_PORTS;
}

static void order(struct flight *f)
{
    uint64_t ports = 0;
    for (unsigned i = 0; i < f->n; i++) {
        ports += f->queue[i].count;
    }
    uint32_t ahead = 2 * sp_rate_risk(&f->rate) * SP_CELL_PORTS;
    ahead = ahead < f->rate.now / 10 ? ahead : f->rate.now / 10;
    while ((f->n < 2 || (ports < ahead && f->n < AHEAD)) &&
           (f->n == 0 || f->of == 0 || f->counted + ports < f->of)) {
        f->queue[f->n] = (struct volley){f->rate.now, f->rate.epoch, ports_of(&f->rate)};
        ports += f->queue[f->n++].count;
    }
}

/* Beats of one edge, at the pace of the packets. */
static uint32_t edge(struct flight *f, double step)
{
    uint32_t came = 0;
    for (unsigned i = 0; i < SP_GUARD_EDGE; i++) {
        f->now += step;
        came += passes(&f->path, f->now);
    }
    return came;
}

/* Sends the oldest volley and judges it; a new one is ordered for it. */
static void step(struct flight *f)
{
    order(f);
    struct volley volley = f->queue[0];
    memmove(f->queue, f->queue + 1, --f->n * sizeof(volley));
    double gap = 1.0 / volley.pps;
    gap = f->path.fastest > 0 && gap * f->path.fastest < 1 ? 1 / f->path.fastest : gap;
    uint32_t front = edge(f, gap);
    uint32_t sent = 2 * SP_GUARD_EDGE;
    uint32_t came = front;
    uint32_t since = 0;
    double beat_at = f->now;
    for (uint32_t i = 0; i < volley.count; i++) {
        f->now += gap;
        (void)passes(&f->path, f->now);
        since++;
        double quiet = (f->now - beat_at) * 1e6;
        if ((since >= SP_GUARD_PACKETS && quiet >= SP_GUARD_SOON_US) || since >= SP_GUARD_MOST ||
            quiet >= SP_GUARD_LATE_US) {
            f->now += gap;
            came += passes(&f->path, f->now);
            sent++;
            since = 0;
            beat_at = f->now;
        }
    }
    uint32_t back = edge(f, gap);
    came += back;
    bool edges = front > 0 && back > 0;
    struct sp_rate_volley told = {.pps = volley.pps,
                                  .epoch = volley.epoch,
                                  .reached = (uint32_t)(1 / gap),
                                  .offered = (uint32_t)(volley.count / (f->now - f->ended)),
                                  .sent = sent,
                                  .lost = sent - came,
                                  .is_hurt = f->path.capacity > 0 && volley.pps > f->path.capacity};
    f->ended = f->now;
    f->now += came < sent && f->n == 0 ? f->path.wait : 0;
    bool clean = sp_rate_judge(&f->rate, &told) && edges;
    f->packets += volley.count;
    f->beats += sent;
    f->counted += clean ? volley.count : 0;
    f->rates += volley.pps;
    f->nrates++;
    assert_true(f->rate.now <= f->rate.ceiling && f->rate.now >= 1);
}

/* Until so many ports are counted in all. */
static void fly(struct flight *f, uint64_t counted)
{
    for (unsigned i = 0; f->counted < counted; i++) {
        step(f);
        assert_true(i < 100000);
        assert_false(f->rate.is_hopeless);
    }
}

/* A volley that was sent as it was ordered. */
static bool judge(struct sp_rate *rate, uint32_t pps, uint32_t epoch, uint32_t sent, uint32_t lost,
                  bool is_hurt)
{
    const struct sp_rate_volley volley = {pps, epoch, pps, pps, sent, lost, is_hurt};
    return sp_rate_judge(rate, &volley);
}

/* ---- policers ---- */

static void finds_the_limit_of_a_policer(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1000,  1500,  2000,  5000,   10000,
                                      20000, 50000, 80000, 100000, 300000};
    static const double seconds[] = {0.001, 0.01, 0.1, 1.0}; /* of the limit: the burst */
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        for (size_t k = 0; k < sizeof(seconds) / sizeof(seconds[0]); k++) {
            struct flight f;
            double burst = seconds[k] * limits[i];
            init(&f, CEILING, limits[i], burst > 2 ? burst : 2, i * 10 + k + 1);
            fly(&f, PORTS);
            double factor = (double)f.packets / PORTS;
            double time = f.now / ((double)PORTS / limits[i]);
            printf("%6u %8.0f: %.2f %.2f\n", limits[i], burst, factor, time);
            if (factor > 9.0 || time > 9.0) {
                fail_msg("limit %u, burst %.0f: %.2f x the packets, %.2f x the time", limits[i],
                         burst, factor, time);
            }
            fly(&f, 2 * PORTS + 10 * (uint64_t)burst); /* whatever the burst hid is over */
            f.rates = f.nrates = 0;
            fly(&f, f.counted + 2 * PORTS + 10 * (uint64_t)burst);
            double settled = f.rates / f.nrates / limits[i];
            if (settled < 0.5 || settled > 1.1) {
                printf("limit %u, burst %.0f: settles at %.2f of it\n", limits[i], burst, settled);
            }
        }
    }
}

static void a_clear_path_takes_the_ceiling(void **state)
{
    (void)state;
    struct flight f;
    init(&f, 50000, 0, 0, 1);
    fly(&f, PORTS);
    assert_int_equal(f.packets, f.counted);
    assert_int_equal(f.rate.now, 50000);
    assert_int_equal(f.rate.epoch, 0);
    init(&f, 0, 0, 0, 1);
    assert_int_equal(f.rate.now, 1); /* never nothing */
}

/* Below the lowest rate there is nothing to look for. */
static void a_limit_that_goes_away_is_noticed(void **state)
{
    (void)state;
    struct flight f;
    init(&f, 200000, 5000, 100, 7);
    fly(&f, PORTS);
    assert_true(f.rate.now < 10000);
    f.path.limit = 0;
    fly(&f, 30 * PORTS);
    if (f.rate.now < 150000) {
        fail_msg("still at %u", f.rate.now);
    }
}

static void a_limit_that_comes_is_noticed(void **state)
{
    (void)state;
    struct flight f;
    init(&f, 200000, 0, 0, 7);
    fly(&f, 4 * PORTS);
    f.path.limit = 5000;
    f.path.burst = 100;
    f.path.at = f.now;
    fly(&f, 5 * PORTS);
    f.rates = f.nrates = 0;
    fly(&f, 6 * PORTS);
    if (f.rates / f.nrates > 5500 || f.rates / f.nrates < 2500) {
        fail_msg("%.0f packets a second", f.rates / f.nrates);
    }
}

/* ---- loss by chance ---- */

static void loss_of_the_path_does_not_slow_it_down(void **state)
{
    (void)state;
    static const double losses[] = {0.01, 0.05, 0.1, 0.3};
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct flight f;
            init(&f, 100000, 0, 0, seed);
            f.path.loss = losses[i];
            fly(&f, 8 * PORTS);
            double own = f.rate.own_loss;
            f.rates = f.nrates = 0;
            fly(&f, 12 * PORTS);
            double settled = f.rates / f.nrates;
            if (settled < 10000) {
                fail_msg("loss %.2f, seed %u: %.0f packets a second", losses[i], (unsigned)seed,
                         settled);
            }
            if (losses[i] >= 0.05 && (own < losses[i] / 4 || own > losses[i] * 4)) {
                fail_msg("loss %.2f, seed %u: taken for %.3f", losses[i], (unsigned)seed, own);
            }
        }
    }
}

/* A policer is never taken for a path that loses: what it eats depends on the rate. */
static void a_policer_is_no_lossy_path(void **state)
{
    (void)state;
    for (uint32_t limit = 2000; limit <= 200000; limit *= 3) {
        struct flight f;
        init(&f, CEILING, limit, limit * 0.05, limit);
        fly(&f, 2 * PORTS);
        assert_true(f.rate.own_loss <= 0);
    }
}

/* Small sweeps: what is lost is waited for before it is asked again, and a bucket fills up in that
 * time, whatever the rate. That looks like a path that loses; it must not stay so. */
static void pauses_hide_no_policer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct flight f;
        init(&f, 10000000, 2000, 2000, seed);
        f.path.fastest = 150000;
        f.path.wait = 0.17;
        f.of = 6000;
        fly(&f, f.of);
        if (f.now > 12 || f.packets > 40000) {
            fail_msg("seed %u: %.1f s, %u packets, own loss %.2f", (unsigned)seed, f.now,
                     (unsigned)f.packets, f.rate.own_loss);
        }
    }
}

/* ---- the receiver ---- */

static void drops_at_the_receiver_halve_the_rate(void **state)
{
    (void)state;
    struct sp_rate rate;
    sp_rate_init(&rate, 80000, 0);
    assert_false(judge(&rate, 80000, 0, 10, 0, true));
    assert_int_equal(rate.now, 40000);
    assert_int_equal(rate.epoch, 1);
    assert_false(judge(&rate, 80000, 0, 10, 5, true)); /* was under way: once is enough */
    assert_int_equal(rate.now, 40000);
    assert_true(judge(&rate, 40000, 1, 10, 0, false));
    assert_true(rate.now >= 40000 && rate.now < 80000);
    struct flight f;
    init(&f, 400000, 0, 0, 3);
    f.path.capacity = 60000;
    fly(&f, PORTS);
    f.rates = f.nrates = 0;
    fly(&f, 3 * PORTS);
    assert_true(f.rates / f.nrates > 30000 && f.rates / f.nrates < 66000);
}

/* ---- the end ---- */

static void a_dead_path_is_given_up(void **state)
{
    (void)state;
    struct flight f;
    init(&f, CEILING, 0, 0, 1);
    f.path.loss = 1;
    unsigned n = 0;
    while (!f.rate.is_hopeless) {
        step(&f);
        assert_true(++n < 60);
    }
    assert_int_equal(f.rate.now, SP_RATE_LOWEST);
    assert_int_equal(f.counted, 0);
    f.path.loss = 0; /* and taken up again when a volley comes through after all */
    for (n = 0; f.rate.is_hopeless; n++) {
        step(&f);
        assert_true(n < 10);
    }
}

static void most_of_it_lost_is_no_path(void **state)
{
    (void)state;
    struct flight f;
    init(&f, 100000, 0, 0, 5);
    f.path.loss = 0.8;
    for (unsigned n = 0; !f.rate.is_hopeless; n++) {
        step(&f);
        assert_true(n < 1000);
    }
    assert_true(f.rate.own_loss <= 0);
}

static void excess(void **state)
{
    (void)state;
    struct sp_rate rate;
    sp_rate_init(&rate, 1000, 0);
    assert_false(sp_rate_is_excess(&rate, 10, 0));
    assert_true(sp_rate_is_excess(&rate, 10, 1));
    rate.own_loss = 0.1;
    assert_false(sp_rate_is_excess(&rate, 100, 20));
    assert_true(sp_rate_is_excess(&rate, 100, 30));
    assert_false(sp_rate_is_excess(&rate, 0, 0));
}

/* Rates of one step are alike, steps rise with the rate, and no rate lies outside. */
static void steps(void **state)
{
    (void)state;
    uint8_t last = 0;
    for (uint64_t pps = 0; pps <= UINT32_MAX; pps = pps * 9 / 8 + 1) {
        uint8_t at = sp_rate_step_of((uint32_t)pps);
        assert_true(at >= last && at < SP_RATE_STEPS);
        last = at;
    }
    assert_int_equal(sp_rate_step_of(UINT32_MAX), SP_RATE_STEPS - 1);
    assert_true(sp_rate_step_of(1000) != sp_rate_step_of(2000));
    struct sp_rate rate;
    sp_rate_init(&rate, CEILING, 0);
    assert_true(sp_rate_loss(&rate, sp_rate_step_of(1000)) <= 0);
    /* Another epoch still counts as loss. */
    (void)judge(&rate, 1000, 99, 100, 25, false);
    assert_true(sp_rate_loss(&rate, sp_rate_step_of(1000)) > 0.24);
    assert_true(sp_rate_loss(&rate, sp_rate_step_of(1100)) > 0.24);
    assert_true(sp_rate_loss(&rate, sp_rate_step_of(8000)) <= 0);
    assert_int_equal(rate.epoch, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_limit_of_a_policer),
        cmocka_unit_test(a_clear_path_takes_the_ceiling),
        cmocka_unit_test(a_limit_that_goes_away_is_noticed),
        cmocka_unit_test(a_limit_that_comes_is_noticed),
        cmocka_unit_test(loss_of_the_path_does_not_slow_it_down),
        cmocka_unit_test(a_policer_is_no_lossy_path),
        cmocka_unit_test(pauses_hide_no_policer),
        cmocka_unit_test(drops_at_the_receiver_halve_the_rate),
        cmocka_unit_test(a_dead_path_is_given_up),
        cmocka_unit_test(most_of_it_lost_is_no_path),
        cmocka_unit_test(excess),
        cmocka_unit_test(steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
