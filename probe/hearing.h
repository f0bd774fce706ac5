/* SPDX-License-Identifier: Apache-2.0
 *
 * What the witnesses keep of the sweeps of a batch beside the sets in struct sp_sweep: samples for
 * the evidence, strays of blocks that this probe was not told of, how to find a sweep by what an
 * answer carries, replies to craft, and what was told last. Made with the first packet that needs
 * it, freed with the batch; nothing in it grows with what the network sends beyond the limits here.
 * Shared by sweep_hear.c, sweep_answer.c, sweep_tell.c and witness.c alone. */
#ifndef SP_PROBE_HEARING_H
#define SP_PROBE_HEARING_H

#include "probe/engine_state.h"
#include "probe/sweep.h"

/* Samples are kept packets that are told one by one. */
enum sp_sample_kind {
    SP_SAMPLE_NEWS,      /* the first of an unexpected interval */
    SP_SAMPLE_REWRITTEN, /* not as declared */
    SP_SAMPLE_STRAY,     /* not this probe's to receive */
    SP_SAMPLE_ANSWER,    /* the first answer of a class */
    SP_SAMPLE_REPLY,     /* a reply that could not be sent; there is no packet of it */
    SP_SAMPLE_END
};
#define SP_SAMPLES_NEWS  1024U
#define SP_SAMPLES_OTHER 64U

/* Strays of a block that this probe does not know are told one by one at first, as those of shots
 * are: so many per block, so many in all. Then only their ports are. */
#define SP_STRAY_ROWS     1024U
#define SP_STRAY_ROWS_ALL 16384U
#define SP_STRAY_BLOCKS   255U

#define SP_SWEEP_REPLIES_MAX 65536U /* waiting to be crafted */
#define SP_REPLIES_KEPT      64U    /* packets */
/* Packets of allowed ports that are kept, leaving and arriving, and of beats (sp_beat_is_kept). */
#define SP_DECLARED_KEPT     1024U
#define SP_BEATS_KEPT        2048U

/* A block id that is none of this probe's. */
struct sp_unknown {
    uint16_t block;
    uint16_t rows;
    struct sp_portset *ports; /* owned; made when there have been too many rows */
};

/* One end of the packets of one pass, or a guard's: see sweep_answer.c. */
struct sp_sweep_tuple {
    uint16_t row, pass, port;
    uint8_t role;
    uint32_t next; /* 1 + index in the chain, 0 = end */
};

struct sp_sweep_reply {
    uint16_t sweep, pass, port;
    uint16_t sport, dport; /* as they arrived */
    struct sp_addr src, dst;
    uint64_t due_us;
};

struct sp_hearing {
    struct sp_rec_seen *samples;
    size_t nsamples, cap_samples;
    uint32_t nkind[SP_SAMPLE_END];

    struct sp_unknown *unknown;
    size_t nunknown, cap_unknown;
    uint8_t *unknown_at; /* 1 + index by block id; 65536, made with the first */
    uint32_t stray_rows;

    bool is_indexed;
    struct sp_sweep_tuple *tuples;
    size_t ntuples, cap_tuples;
    uint32_t *buckets;
    uint32_t nbuckets; /* power of two */

    struct sp_sweep_reply *replies; /* a ring */
    size_t first_reply, nreplies, cap_replies;
    struct sp_portset **crafted; /* by sweep: for which ports this probe answered itself */
    struct sp_portset **served;  /* by sweep: for which ports the host did */
    uint32_t replies_kept, declared_kept, beats_kept;

    const struct sp_technique *likely[2]; /* of the last tag, by TCP and others */

    bool is_heard_news;
    uint64_t heard_us; /* when HEARD was told last */
    struct sp_rec_health told;
};

/* NULL is the empty set. */
static inline bool sp_in_set(const struct sp_portset *set, uint16_t port)
{
    return set && sp_portset_has(set, port);
}

/* Makes it when it is not there; without memory NULL, and absence proves nothing any more. */
struct sp_hearing *sp_engine_hearing(struct sp_engine *engine);
void sp_hearing_free(struct sp_sweeps *sweeps);

/* Keeps the packet at hand and remembers to tell it; false when there is no room for its kind. */
bool sp_engine_sample(struct sp_engine *engine, enum sp_sample_kind kind,
                      const struct sp_rec_seen *seen);
/* Keeps the packet at hand, of a port that is to pass; bounded, and never told of by itself. */
void sp_engine_keep_declared(struct sp_engine *engine, uint8_t role, uint16_t block, uint16_t port);
/* A set bit by bit; without memory absence proves nothing any more. */
void sp_engine_mark(struct sp_engine *engine, struct sp_portset **set, uint16_t port);
/* One set per sweep: made with the first; NULL without memory. */
struct sp_portset **sp_engine_set_of(struct sp_engine *engine, struct sp_portset ***by_sweep,
                                     size_t row);
static inline bool sp_in_row(struct sp_portset *const *by_sweep, size_t row, uint16_t port)
{
    return by_sweep && sp_in_set(by_sweep[row], port);
}
/* A reply may be due to what passed the host's INPUT rules. */
void sp_engine_sweep_reply(struct sp_engine *engine, const struct sp_sweep *sweep, uint16_t pass,
                           const struct sp_pkt *pkt, uint16_t port);
/* A beat was seen. */
void sp_engine_beat(struct sp_engine *engine, struct sp_guard *guard, enum sp_heard_kind kind,
                    uint16_t beat);

#endif
