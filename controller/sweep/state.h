/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that the sweep makes in the state tables of enforcement points. Every packet that comes
 * through may have made one, which lasts as long as the point's declared timeout; the sweep never
 * holds more than half of a declared state_capacity: the other half is other people's. */
#ifndef SP_CONTROLLER_SWEEP_STATE_H
#define SP_CONTROLLER_SWEEP_STATE_H

#include "controller/sweep/sweep.h"

#define SP_STATE_SHARE  2U   /* of the capacity: 1/2 */
#define SP_STATE_PLACES 900U /* spans of time that are kept apart */

struct sp_state_book {
    struct sp_state_point {
        uint32_t capacity;              /* that the sweep may use, 0 = not declared */
        uint64_t place_us;              /* a second, unless entries last very long */
        uint32_t timeout;               /* of an entry, in places */
        uint32_t made[SP_STATE_PLACES]; /* by place, a ring */
        uint64_t now;                   /* the ring's newest */
        uint64_t alive;
        uint64_t most; /* that were alive at once */
    } * points;        /* model->nenforcements */
    size_t npoints;
};

enum sp_rc sp_state_book_init(struct sp_state_book *book,
                              const struct sp_model *model) SP_MUST_CHECK;
void sp_state_book_release(struct sp_state_book *book);
/* The enforcement point between two hosts, SP_NONE when none is declared. */
uint32_t sp_state_point_between(const struct sp_model *model, uint32_t from, uint32_t to);
/* index: of the point among the model's. */
void sp_state_note(struct sp_state_book *book, uint32_t index, uint64_t now_us, uint64_t entries);
/* Entries that may be made now, with so many packets still under way; UINT32_MAX = any number. */
uint32_t sp_state_room(struct sp_state_book *book, uint32_t index, uint64_t now_us,
                       uint64_t under_way);

#endif
