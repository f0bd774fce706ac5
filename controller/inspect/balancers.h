/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of the balancers' inspector: balancers.c (what is looked at),
 * balancers_talk.c (conversations with a listener), balancers_judge.c (what they say), and
 * balancers_time.c (the failover drill and idle connections). Everything is measured with
 * conversations that probes craft, and with their own stand-in listeners. */
#ifndef SP_CONTROLLER_INSPECT_BALANCERS_H
#define SP_CONTROLLER_INSPECT_BALANCERS_H

#include "controller/batch.h"
#include "controller/inspect/inspect.h"
#include "probe/base/answer.h"
#include "probe/base/buf.h"

/* Longer than this nothing is waited for: a drill, a pause. */
#define SP_LB_MAX_WAIT_MS  60000U
/* More conversations than this with one address of a listener are not held. */
#define SP_LB_MAX_TALKS    4000U
/* Without max_skew a share may be off by so much of it. */
#define SP_LB_USUAL_SKEW   0.25
#define SP_LB_OBSERVED_MAX 600U

/* A client and an address of the balancer. */
struct sp_lb_way {
    uint32_t client;
    struct sp_addr src, src_seen, dst;
};

/* What conversations of one kind on one way came to. */
struct sp_lb_tally {
    uint32_t sent;               /* that left their client */
    uint32_t answered;           /* SYN/ACK or more */
    uint32_t refused;            /* RST or unreachable */
    uint32_t served;             /* data came back */
    uint32_t arrived;            /* their data at a declared backend */
    uint32_t *backends;          /* the same by backend of the listener; may be NULL */
    uint32_t own, own_served;    /* that came back to their own client, a backend */
    uint32_t foreign;            /* at another host */
    uint32_t heard;              /* by a stand-in, from the first byte on */
    uint32_t heads[SP_HEAD_END]; /* of these, what stood before the data */
    uint32_t other_client;       /* the header named another client */
    struct sp_addr named;        /* such a one */
    uint32_t changed;            /* heard, and not as it was sent */
    uint32_t tls;                /* answered by somebody who speaks TLS */
    uint32_t other_source;       /* arrived from a source that is not as declared */
    struct sp_addr source;       /* a source that was seen, such a one if there is */
};

/* One listener of one balancer. */
struct sp_lb {
    const struct sp_inspect *inspect;
    struct sp_run_state *run;
    const struct sp_model *model;
    uint32_t index; /* of the balancer */
    const struct sp_balancer *balancer;
    const struct sp_listener *listener;
    struct sp_lb_way *ways; /* one per address */
    size_t nways;
    struct sp_lb_tally *present; /* one per address, over all listeners; without backends */
    uint32_t lead_us; /* how long its health checks need to see a stand-in, as far as is known */
    const char *why;  /* no conversation can be held; NULL = it can */
    const char *help; /* what to do about it */
    bool is_consent;  /* for want of consent or of a probe: nothing will change that in this run */
};

/* What a judge says; words are static, but observed. */
struct sp_lb_said {
    uint8_t verdict, severity; /* enum sp_claim_verdict, enum sp_severity */
    const char *cause, *remedy;
    char observed[SP_LB_OBSERVED_MAX];
};

/* ---- balancers_talk.c ---- */

/* Adds `n` conversations, every step_us from *at_us on, which is moved behind them. Row of the
 * block, SP_NONE when it does not fit. */
struct sp_lb_plan {
    uint16_t flags; /* SP_BLOCK_MUTE, SP_BLOCK_HELLO */
    uint32_t n, step_us, pause_ms;
};
uint32_t sp_lb_add(const struct sp_lb *lb, struct sp_batch *batch, const struct sp_lb_way *way,
                   const struct sp_lb_plan *plan, uint64_t *at_us);
/* Microseconds between two conversations of that client, at the rate it may send. */
uint32_t sp_lb_step_us(const struct sp_lb *lb, uint32_t client);
/* How a host reaches an address of the balancer; false: it has no address of that family. */
bool sp_lb_way_of(const struct sp_lb *lb, uint32_t client, const struct sp_addr *dst,
                  struct sp_lb_way *ret_way);
/* Did data come back? */
bool sp_lb_is_served(const struct sp_shot_seen *shot);
/* Plain conversations and hellos on every way, and of backends with their own balancer: claims for
 * all that they show. */
enum sp_rc sp_lb_talk(struct sp_lb *lb, struct sp_diag *diag) SP_MUST_CHECK;

/* ---- balancers_judge.c: pure ---- */

void sp_lb_judge_present(const struct sp_lb_tally *tally, struct sp_lb_said *said);
void sp_lb_judge_source(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                        struct sp_lb_said *said);
void sp_lb_judge_proxy(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                       struct sp_lb_said *said);
void sp_lb_judge_skew(const struct sp_model *model, const struct sp_listener *listener,
                      const struct sp_lb_tally *tally, struct sp_lb_said *said);
void sp_lb_judge_affinity(const struct sp_model *model, const struct sp_listener *listener,
                          const struct sp_lb_tally *tally, struct sp_lb_said *said);
void sp_lb_judge_zones(const struct sp_model *model, const struct sp_listener *listener,
                       const struct sp_addr *addr, const struct sp_lb_tally *tally,
                       struct sp_lb_said *said);
void sp_lb_judge_tls(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                     struct sp_lb_said *said);
void sp_lb_judge_hairpin(const struct sp_listener *listener, const struct sp_lb_tally *tally,
                         struct sp_lb_said *said);

/* The drill, as its client and the backend that went away saw it. Times since FIRE. */
struct sp_lb_drill {
    uint32_t away_us, back_us;
    uint32_t before, before_lost; /* conversations that began before it went away */
    uint32_t during, during_lost; /* while it was away */
    uint32_t last_lost_us;        /* when the last one of these that was lost began; 0 = none */
    uint32_t late_lost;           /* later than failover_within after it went away */
    uint32_t late_there;          /* of these, sent to it all the same */
    uint32_t after_there;         /* to it, after it came back */
    uint32_t step_us;
};
void sp_lb_judge_drill(const struct sp_listener *listener, const struct sp_lb_drill *drill,
                       struct sp_lb_said *said);

enum sp_lb_end {
    SP_LB_NOT_HELD,
    SP_LB_LASTED,
    SP_LB_CLOSED,    /* during the pause, in order */
    SP_LB_RESET,     /* during the pause */
    SP_LB_FORGOTTEN, /* reset as soon as something was said again */
    SP_LB_DROPPED    /* no answer to what was said again */
};
struct sp_lb_idle {
    uint32_t short_ms, long_ms; /* the pauses */
    enum sp_lb_end ends[2];     /* of the short one and the long one */
    uint32_t ended_ms[2];       /* when it was closed or reset */
};
void sp_lb_judge_idle(const struct sp_listener *listener, const struct sp_lb_idle *idle,
                      struct sp_lb_said *said);

/* ---- balancers_time.c ---- */
enum sp_rc sp_lb_drill(struct sp_lb *lb, struct sp_diag *diag) SP_MUST_CHECK;
enum sp_rc sp_lb_idle(struct sp_lb *lb, struct sp_diag *diag) SP_MUST_CHECK;

/* ---- balancers_health.c ---- */
enum sp_rc sp_lb_health(struct sp_lb *lb, struct sp_diag *diag) SP_MUST_CHECK;

/* ---- balancers.c ---- */
/* Adds a claim about the listener, at one of its addresses or (NULL) as a whole. */
enum sp_rc sp_lb_claim(struct sp_lb *lb, const char *check, const struct sp_addr *addr,
                       const char *expected, const struct sp_lb_said *said) SP_MUST_CHECK;
/* The same for what could not be looked at, because of lb->why. */
enum sp_rc sp_lb_claim_unseen(struct sp_lb *lb, const char *check,
                              const char *expected) SP_MUST_CHECK;
void sp_lb_unknown(struct sp_lb_said *said, const char *cause, const char *remedy);
/* Does a real service listen where the host, a backend, takes conversations? */
bool sp_lb_is_service(const struct sp_lb *lb, uint32_t host);
bool sp_lb_is_word(const char *text, const char *word);

#endif
