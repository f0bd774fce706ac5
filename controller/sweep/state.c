/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/state.h"

#include <string.h>

#include "probe/base/mem.h"

/* Places of the ring are as long as it takes for the timeout to fit. */
static void set_timeout(struct sp_state_point *book, const struct sp_enforcement *point)
{
    uint64_t ms = point->syn_timeout_ms > point->udp_timeout_ms ? point->syn_timeout_ms
                                                                : point->udp_timeout_ms;
    uint64_t s = ms / 1000 + (ms % 1000 > 0);
    uint64_t place = s / (SP_STATE_PLACES - 1) + 1;
    book->place_us = place * 1000000;
    book->timeout = (uint32_t)((s + place - 1) / place) + 1;
}

enum sp_rc sp_state_book_init(struct sp_state_book *book, const struct sp_model *model)
{
    book->npoints = model->nenforcements;
    book->points = sp_calloc(book->npoints, sizeof(*book->points));
    if (!book->points) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < book->npoints; i++) {
        const struct sp_enforcement *point = &model->enforcements[i];
        uint32_t share = point->state_capacity / SP_STATE_SHARE;
        book->points[i].capacity = point->state_capacity && share == 0 ? 1 : share;
        set_timeout(&book->points[i], point);
    }
    return SP_OK;
}

void sp_state_book_release(struct sp_state_book *book)
{
    sp_free(book->points);
    memset(book, 0, sizeof(*book));
}

uint32_t sp_state_point_between(const struct sp_model *model, uint32_t from, uint32_t to)
{
    const struct sp_enforcement *point = sp_model_enforcement(
        model, sp_model_target_network(model, from), sp_model_target_network(model, to));
    return point ? (uint32_t)(point - model->enforcements) : SP_NONE;
}

/* Lets time pass: what is older than the timeout is gone. */
static void go_on(struct sp_state_point *point, uint64_t now_us)
{
    uint64_t now = now_us / point->place_us;
    if (now >= point->now + SP_STATE_PLACES) {
        memset(point->made, 0, sizeof(point->made));
        point->alive = 0;
        point->now = now;
    }
    while (point->now < now) {
        point->now++;
        uint32_t *gone =
            &point->made[(point->now + SP_STATE_PLACES - point->timeout) % SP_STATE_PLACES];
        point->alive -= *gone;
        *gone = 0;
    }
}

void sp_state_note(struct sp_state_book *book, uint32_t index, uint64_t now_us, uint64_t entries)
{
    if (index >= book->npoints || book->points[index].capacity == 0) {
        return;
    }
    struct sp_state_point *point = &book->points[index];
    go_on(point, now_us);
    uint32_t *made = &point->made[point->now % SP_STATE_PLACES];
    /* What probes tell may be any number. */
    entries = entries < UINT32_MAX - *made ? entries : UINT32_MAX - *made;
    *made += (uint32_t)entries;
    point->alive += entries;
    point->most = point->alive > point->most ? point->alive : point->most;
}

uint32_t sp_state_room(struct sp_state_book *book, uint32_t index, uint64_t now_us,
                       uint64_t under_way)
{
    if (index >= book->npoints || book->points[index].capacity == 0) {
        return UINT32_MAX;
    }
    struct sp_state_point *point = &book->points[index];
    go_on(point, now_us);
    uint64_t taken = point->alive + under_way;
    return taken < point->capacity ? (uint32_t)(point->capacity - taken) : 0;
}
