/* SPDX-License-Identifier: Apache-2.0
 *
 * Tracing one flow: what a run does when the ordinary test of it is judged. Packets with a small
 * TTL find the hops, those of a flow that is known to pass first, then those of the flow itself;
 * probes on declared hosts that stand on the way tell what passes them; padded packets look for the
 * largest that arrives. Everything goes through the batches of an ordinary run. */
#ifndef SP_CONTROLLER_TRACE_SESSION_H
#define SP_CONTROLLER_TRACE_SESSION_H

#include "controller/round_priv.h"
#include "reports/seal.h"
#include "reports/trace.h"

#define SP_TRACE_MAX_FLOWS 64U

/* The flow from many source ports: its blocks in a batch, and what came of each port. */
struct sp_trace_volleys {
    uint8_t n;      /* source ports; the blocks of their whole packets are first .. first + n - 1 */
    uint8_t npaths; /* blocks from `paths` on: one packet per hop each, whose TTL runs out there */
    uint32_t first, paths;
    uint16_t sports[SP_TRACE_MAX_FLOWS];
    bool is_lost[SP_TRACE_MAX_FLOWS], is_passed[SP_TRACE_MAX_FLOWS];
};

/* Blocks of a batch: trains of packets, or conversations. */
struct sp_trace_trains {
    uint32_t first;
    uint8_t n;
};

/* One pair of addresses that is traced. */
struct sp_traced {
    struct sp_trace trace;
    uint32_t test; /* of the plan */
    /* The flow that the hops are learnt with. */
    struct sp_control_flow reference;
    uint8_t limit; /* TTLs that are tried */
    struct sp_trace_volleys volleys;
    struct sp_trace_trains trains, talks;
};

struct sp_trace_session {
    uint32_t from, to; /* targets */
    uint8_t proto;
    uint16_t port;
    bool no_watchers; /* start no probe on hosts between the two */
    bool with_rates;  /* look for rate limits */
    uint32_t idle_ms; /* look for state that is forgotten within so long; 0 = do not */
    bool is_slow;     /* nothing gets through: routers say why once in a while */
    const struct sp_result *result; /* borrowed */
    struct sp_traced *traced;       /* owned */
    size_t n, cap;
    struct sp_bits watchers;     /* hosts with a probe on the way */
    struct sp_evidence *packets; /* of the traced flows; the test is the index of the trace */
};

/* The tests of the plan that are traced; n == 0: there is none. */
enum sp_rc sp_trace_session_init(struct sp_trace_session *session, const struct sp_plan *plan,
                                 const struct sp_model *model,
                                 const struct sp_result *result) SP_MUST_CHECK;
void sp_trace_session_release(struct sp_trace_session *session);
/* For sp_run_options.after. */
enum sp_rc sp_trace_session_run(void *arg, struct sp_run_state *run,
                                struct sp_diag *diag) SP_MUST_CHECK;

#define SP_TRACE_MAX_BYTES (16U << 20)
/* All of it as one JSON document. */
enum sp_rc sp_trace_session_json(const struct sp_trace_session *session,
                                 const struct sp_result *result, struct sp_buf *out) SP_MUST_CHECK;
/* evidence.c: packets, topology, trace and signed manifest into the folder. */
enum sp_rc sp_trace_evidence(const char *dir, const struct sp_trace_session *session,
                             const struct sp_result *result, const struct sp_key *key,
                             char ret_fingerprint[static SP_FINGERPRINT_STRLEN],
                             struct sp_diag *diag) SP_MUST_CHECK;

/* ---- the parts ---- */

/* The blocks and shots of one traced flow in a batch; SP_NONE where there are none. */
struct sp_trace_shots {
    uint32_t reference[2]; /* blocks by try; attempt k has TTL k + 1 */
    uint32_t flow[3];
    uint32_t plain; /* the flow with the usual TTL */
    uint32_t sizes; /* the first block of SP_TRACE_MAX_SIZES */
};
#define SP_TRACE_PLAIN 4U

/* facts.c: what a batch showed, into the trace. */
void sp_trace_learn(struct sp_traced *traced, const struct sp_batch *batch,
                    const struct sp_trace_shots *shots, const struct sp_model *model);
void sp_trace_take(struct sp_traced *traced, const struct sp_run_state *run,
                   const struct sp_batch *batch, const struct sp_trace_shots *shots,
                   const struct sp_bits *watchers);
/* line.c: the kept packets of a trace, as lines; the MSS of its SYN. */
void sp_trace_add_packets(struct sp_trace *trace, const struct sp_evidence *packets,
                          uint32_t index);
/* sizes.c: padded packets. */
enum sp_rc sp_trace_sizes(struct sp_trace_session *session, struct sp_run_state *run,
                          struct sp_diag *diag) SP_MUST_CHECK;
/* flows.c: many source ports, in the batch of the sizes. */
enum sp_rc sp_trace_add_flows(struct sp_traced *traced, struct sp_run_state *run,
                              struct sp_batch *batch) SP_MUST_CHECK;
void sp_trace_take_flows(struct sp_traced *traced, const struct sp_run_state *run,
                         const struct sp_batch *batch);
/* Where flows that are always lost part from those that always pass; nothing where there are not
 * both. */
enum sp_rc sp_trace_locate_flows(struct sp_traced *traced, struct sp_run_state *run,
                                 struct sp_diag *diag) SP_MUST_CHECK;
/* rates.c: trains of packets, for whoever asks for them. */
enum sp_rc sp_trace_rates(struct sp_trace_session *session, struct sp_run_state *run,
                          struct sp_diag *diag) SP_MUST_CHECK;
/* idle.c: conversations that are silent for a while, for whoever asks for them. */
enum sp_rc sp_trace_idle(struct sp_trace_session *session, struct sp_run_state *run,
                         struct sp_diag *diag) SP_MUST_CHECK;
/* facts.c: somebody says that a packet of the flow expired at hop k (below SP_TRACE_MAX_HOPS). */
void sp_trace_note_expired(struct sp_trace *t, size_t k, const struct sp_shot_seen *shot,
                           const struct sp_model *model);
/* The block of a flow, for whoever adds shots of his own. */
struct sp_block_plan sp_trace_block(const struct sp_control_flow *flow, uint16_t attempts);
struct sp_control_flow sp_trace_flow(const struct sp_pair *pair, const struct sp_test *test);
/* Is there something to trace, and somebody to send it? */
bool sp_trace_can(const struct sp_traced *traced, const struct sp_run_state *run);
/* Adds one shot with a fresh source port; false when there is no room. */
bool sp_trace_add_shot(struct sp_run_state *run, struct sp_batch *batch, uint32_t block,
                       uint16_t attempt, uint16_t port, uint32_t at_us);

#endif
