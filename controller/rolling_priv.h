/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of rolling coverage: rolling.c (taking up a cycle and saving it),
 * rolling_lanes.c (what a lane is), rolling_parts.c (which part comes next, what a run covered) and
 * rolling_file.c (the file). */
#ifndef SP_CONTROLLER_ROLLING_PRIV_H
#define SP_CONTROLLER_ROLLING_PRIV_H

#include "controller/rolling.h"
#include "probe/base/buf.h"
#include "probe/base/table.h"

/* Lanes times parts: 4 bytes each in memory and in the file. */
#define SP_ROLLING_CELLS_MAX (32U << 20)
#define SP_ROLLING_ID_BYTES  16U
#define SP_ROLLING_FILE_MAX                                                                        \
    (SP_ROLLING_CELLS_MAX * 4ULL + (SP_ROLLING_CELLS_MAX / 2) * 16ULL + 16384)

/* A part of the denied ports, and the last run that swept it. */
struct sp_rolling_part {
    uint64_t run; /* 0 = none did */
    uint64_t at_s;
    uint8_t fruitless; /* runs in a row that covered nothing new of it, and left some of it open */
};

struct sp_rolling_state {
    uint64_t key; /* of the slices */
    uint32_t nparts;
    struct sp_rolling_part *parts; /* owned */
    size_t nlanes;
    uint8_t (*ids)[SP_ROLLING_ID_BYTES]; /* what each lane is; owned */
    uint32_t *covered_s; /* nlanes * nparts: when it was swept with a conclusion, 0 = not; owned */
};

/* How many denied ports of a list of intervals each part has. Pairs with the same rules share their
 * list (policy.h), so there are few of these. */
struct sp_rolling_weights {
    const struct sp_interval *list;
    uint16_t *ports; /* nparts; owned */
};

struct sp_rolling {
    char *path;
    int lock;
    struct sp_rolling_state state;
    struct sp_rolling_weights *weights;
    size_t nweights, cap_weights;
    uint32_t *weight_of;     /* per lane: row in weights; owned */
    struct sp_table by_id;   /* first 8 bytes of a lane's id */
    uint16_t part_of[65536]; /* each port's part; port 0: nparts */
    struct sp_slice slice;
    char news[256];
};

/* Zeroed, with room for so many. SP_E_LIMIT: too many. */
enum sp_rc sp_rolling_state_init(struct sp_rolling_state *state, uint32_t nparts,
                                 size_t nlanes) SP_MUST_CHECK;
void sp_rolling_state_release(struct sp_rolling_state *state);
void sp_rolling_encode(const struct sp_rolling_state *state, struct sp_buf *out);
/* SP_E_INVALID: not a whole cycle. SP_E_DENIED: of another version. */
enum sp_rc sp_rolling_decode(const uint8_t *bytes, size_t len,
                             struct sp_rolling_state *ret_state) SP_MUST_CHECK;

static inline uint16_t sp_rolling_weight(const struct sp_rolling *rolling, size_t lane, size_t part)
{
    return rolling->weights[rolling->weight_of[lane]].ports[part];
}

static inline uint32_t *sp_rolling_cell(const struct sp_rolling *rolling, size_t lane, size_t part)
{
    return &rolling->state.covered_s[lane * rolling->state.nparts + part];
}

/* rolling_lanes.c. Text goes in with its length, so that two never read as two others; NULL is
 * none, not "". */
void sp_rolling_add_u32(struct sp_buf *out, uint32_t v);
void sp_rolling_add_text(struct sp_buf *out, const char *text);
enum sp_rc sp_rolling_digest(const struct sp_buf *text, uint8_t out[static 32]) SP_MUST_CHECK;
/* Names, addresses, protocol, technique, where it is judged, and every denied port. */
enum sp_rc sp_rolling_lane_id(const struct sp_model *model, const struct sp_plan *plan,
                              const struct sp_plan_sweep *sweep, struct sp_intervals list,
                              struct sp_buf *scratch,
                              uint8_t out[static SP_ROLLING_ID_BYTES]) SP_MUST_CHECK;
/* The lane with this id, SP_NO_ROW. */
uint32_t sp_rolling_find(const struct sp_rolling *rolling,
                         const uint8_t id[static SP_ROLLING_ID_BYTES]);
/* Which part each port is in; which lanes there are, and how many ports each has in each part. */
enum sp_rc sp_rolling_part_ports(struct sp_rolling *rolling) SP_MUST_CHECK;
enum sp_rc sp_rolling_name_lanes(struct sp_rolling *rolling, const struct sp_model *model,
                                 struct sp_policy *policy,
                                 const struct sp_plan *whole) SP_MUST_CHECK;

#endif
