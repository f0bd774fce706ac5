/* SPDX-License-Identifier: Apache-2.0
 *
 * The largest packet that arrives (techniques.md T18, RFC 1191, RFC 8201): padded packets that must
 * not be fragmented, of a flow that is known to be delivered. Padding goes only to ports that no
 * service of the receiver's listens on. */
#include "controller/run_priv.h"
#include "controller/trace/session.h"
#include "probe/techniques/registry.h"

#define SP_SIZE_TRIES  3U
#define SP_SIZE_GAP_US 1200000U

/* Common ends of paths: Ethernet, PPPoE, tunnels, the IPv6 minimum, the smallest reassembly size.
 */
static const uint16_t sizes[] = {1492, 1450, 1400, 1280, 576};

static uint16_t link_mtu(const struct sp_session *session, const struct sp_addr *addr)
{
    for (size_t i = 0; i < session->nown; i++) {
        for (size_t k = 0; sp_addr_eq(&session->own[i].addr, addr) && k < session->nifaces; k++) {
            if (session->ifaces[k].index == session->own[i].iface) {
                uint32_t mtu = session->ifaces[k].mtu;
                return (uint16_t)(mtu > 9000 ? 9000 : mtu);
            }
        }
    }
    return 1500;
}

static bool is_delivered(const struct sp_run_state *run, size_t index)
{
    const struct sp_seen *seen = &run->outcomes[index].seen;
    return run->plan->tests[index].expect != SP_EXPECT_DENY && seen->attempts > 0 &&
           seen->host == seen->attempts;
}

/* The flow itself if it may be padded, else another allowed one between the two. SP_NONE: none. */
static uint32_t choose(const struct sp_traced *traced, const struct sp_run_state *run)
{
    const struct sp_plan *plan = run->plan;
    uint32_t best = SP_NONE;
    for (uint32_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[test->pair];
        if (test->pair != traced->trace.test->pair || sp_technique_talks(test->technique) ||
            !is_delivered(run, i) || sp_run_is_service(run, pair, test->proto, test->port)) {
            continue;
        }
        if (i == traced->test) {
            return i;
        }
        /* A SYN with data is unusual: what drops it may let large segments pass. */
        best = best == SP_NONE || plan->tests[best].proto == SP_PROTO_TCP ? i : best;
    }
    return best;
}

static enum sp_rc add_sizes(struct sp_traced *traced, struct sp_run_state *run,
                            struct sp_batch *batch, uint32_t *first)
{
    struct sp_trace *t = &traced->trace;
    uint32_t index = choose(traced, run);
    uint16_t mtu = link_mtu(&run->fleet->sessions[t->pair->from], &t->pair->src);
    t->nsizes = 0;
    *first = (uint32_t)batch->nblocks;
    if (index == SP_NONE || t->pair->one_sided) {
        return SP_OK;
    }
    t->mtu_from = mtu;
    t->mtu_to = link_mtu(&run->fleet->sessions[t->pair->to], &t->pair->own);
    const struct sp_control_flow flow = sp_trace_flow(t->pair, &run->plan->tests[index]);
    t->sizes[t->nsizes++].bytes = mtu;
    for (size_t i = 0; i < SP_ARRAY_LEN(sizes); i++) {
        bool fits = sizes[i] < mtu && (t->pair->family != SP_FAMILY_IPV6 || sizes[i] >= 1280);
        if (fits) {
            t->sizes[t->nsizes++].bytes = sizes[i];
        }
    }
    for (size_t i = 0; i < t->nsizes; i++) {
        struct sp_block_plan plan = sp_trace_block(&flow, SP_SIZE_TRIES);
        plan.bytes = t->sizes[i].bytes;
        uint32_t block = sp_batch_add_block(batch, &plan);
        for (uint16_t k = 0; block != SP_NONE && k < SP_SIZE_TRIES; k++) {
            /* Small ones first: the answer to a large one changes what the sender's kernel sends.
             */
            uint32_t at = k * SP_SIZE_GAP_US + (uint32_t)(t->nsizes - i) * 20000;
            if (!sp_trace_add_shot(run, batch, block, k, flow.port, at)) {
                return SP_E_LIMIT;
            }
        }
        if (block == SP_NONE) {
            return SP_E_LIMIT;
        }
    }
    return SP_OK;
}

static void take_sizes(struct sp_trace *t, const struct sp_batch *batch, uint32_t first)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block < first || shot->block >= first + t->nsizes || !shot->is_sent) {
            continue;
        }
        struct sp_trace_size *size = &t->sizes[shot->block - first];
        size->tries++;
        size->arrived = (uint8_t)(size->arrived + (shot->at_nic || shot->at_host));
        size->refused = (uint8_t)(size->refused + (shot->err != 0));
        if (shot->answer == SP_ANSWER_TOO_BIG) {
            size->mtu = shot->mtu;
            size->who = shot->answerer;
        }
    }
}

enum sp_rc sp_trace_sizes(struct sp_trace_session *session, struct sp_run_state *run,
                          struct sp_diag *diag)
{
    struct sp_batch *batch = NULL;
    uint32_t first[8] = {0}; /* more pairs of addresses than that are not measured */
    size_t n = session->n < SP_ARRAY_LEN(first) ? session->n : SP_ARRAY_LEN(first);
    enum sp_rc rc = sp_round_new_batch(run, &batch);
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        rc = add_sizes(&session->traced[i], run, batch, &first[i]);
    }
    if (rc == SP_OK && batch->nshots > 0) {
        rc = sp_batch_run(batch, diag);
        sp_round_add_counters(run, batch);
    }
    for (size_t i = 0; rc == SP_OK && batch->nshots > 0 && i < n; i++) {
        take_sizes(&session->traced[i].trace, batch, first[i]);
    }
    sp_batch_free(batch);
    return rc;
}
