/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of sweeps over a plan that is real and a path that is made up: the clock stands still
 * until the kit moves it, orders are kept instead of sent, and whoever tests says what is lost. */
#ifndef SP_TEST_SWEEP_KIT_H
#define SP_TEST_SWEEP_KIT_H

#include "controller/run_priv.h"
#include "controller/sweep/bundle.h"
#include "controller/sweep/state.h"

#define SP_SK_HOSTS  3U
#define SP_SK_ORDERS 4096U
#define SP_SK_LO     1000U /* the first of the ports that are asked */

/* a may reach b on tcp/443 and udp/53, b may reach c on udp/123. */
enum { SP_SK_A, SP_SK_B, SP_SK_C };

struct sp_sk_order {
    uint32_t host;
    struct sp_record record;
};

struct sp_sk {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan *plan;
    struct sp_result *result;
    struct sp_fleet fleet;
    struct sp_session sessions[SP_SK_HOSTS];
    struct sp_host_batch hosts[SP_SK_HOSTS];
    struct sp_run_state run;
    struct sp_batch batch;
    struct sp_state_book book;
    struct sp_sweep_batch sb;
    uint64_t now_us;
    struct sp_sk_order orders[SP_SK_ORDERS]; /* the first that were given */
    size_t norders;
    /* the path */
    uint32_t beats[SP_SK_HOSTS];   /* of the volleys of each host, so far */
    uint64_t arrived[SP_SK_HOSTS]; /* packets, by receiver */
    uint64_t drops[SP_SK_HOSTS];
    /* Is this beat lost? NULL: none is. */
    bool (*loses)(struct sp_sk *sk, const struct sp_volley *volley,
                  const struct sp_guard_plan *guard, uint32_t beat);
    /* A volley was sent, and this is about to be told of it. May be NULL. */
    void (*on_sent)(struct sp_sk *sk, const struct sp_bundle *bundle,
                    const struct sp_volley *volley, struct sp_rec_volleyed *told);
    void *arg; /* of whoever tests */
    struct {
        uint32_t guard, from, to;
    } hole; /* see sp_sk_lose */
};

/* What a bundle asks; zeros are 1 lane, 512 ports, 2 passes, 10000 pps and cells of 64 ports. */
struct sp_sk_wish {
    uint32_t from, to; /* both 0: from a to b */
    unsigned nlanes;   /* 1: tcp, 2: and udp */
    uint8_t first;     /* enum sp_proto of the only lane, 0 = tcp */
    uint32_t ports;    /* of each lane, denied but for its last */
    unsigned passes;
    uint32_t ceiling, cell, gap_us;
    double own_loss;
    bool is_link;
};

/* Room for 4 bundles. capacity: of the state table between any two of them, whose entries last 2 s;
 * 0: none is declared. */
struct sp_sk *sp_sk_start(uint32_t capacity);
void sp_sk_end(struct sp_sk *sk);
/* The plan's sweep between two hosts. */
uint32_t sp_sk_sweep(const struct sp_sk *sk, uint32_t from, uint32_t to, uint8_t proto);
/* Ports that are asked, by a wish. */
void sp_sk_ports(const struct sp_sk_wish *wish, struct sp_portset *denied,
                 struct sp_portset *allowed);
struct sp_bundle *sp_sk_bundle(struct sp_sk *sk, struct sp_sk_wish wish);
/* Tells what a probe says. */
void sp_sk_tell(struct sp_sk *sk, uint32_t host, struct sp_record record);
/* Beats first .. last of a guard, as all that may tell of it would. */
void sp_sk_beat(struct sp_sk *sk, const struct sp_guard_plan *guard, uint8_t kind, uint32_t first,
                uint32_t last);
void sp_sk_health(struct sp_sk *sk, uint32_t host);
/* The sender sends the volley, and everybody tells of it; time goes on to its end. */
void sp_sk_deliver(struct sp_sk *sk, struct sp_bundle *bundle, uint32_t serial);
/* From now on the path loses beats from .. to of a guard; guard SP_NONE: of every one. */
void sp_sk_lose(struct sp_sk *sk, uint32_t guard, uint32_t from, uint32_t to);
/* n cells from first on are sent and told of; they are judged when all patience is over. */
void sp_sk_go(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n);
/* Does a cell count for a lane? cell: pass * ncells + cell. */
bool sp_sk_counts(const struct sp_bundle *bundle, size_t lane, size_t cell);
/* Drives until nothing is left to do; false: it does not come to an end. */
bool sp_sk_run(struct sp_sk *sk);

#endif
