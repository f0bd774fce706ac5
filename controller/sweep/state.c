/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/state.h"

#include <string.h>

#include "probe/base/mem.h"

static uint32_t seconds_of(const struct sp_enforcement *point)
{
    uint64_t ms = point->syn_timeout_ms > point->udp_timeout_ms ? point->syn_timeout_ms
                                                                : point->udp_timeout_ms;
    uint64_t s = (ms + 999) / 1000 + 1;
    return (uint32_t)(s < SP_STATE_SECONDS ? s : SP_STATE_SECONDS);
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
        book->points[i].timeout_s = seconds_of(point);
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
static void go_on(struct sp_state_point *point, uint64_t now_s)
{
    if (now_s >= point->now_s + SP_STATE_SECONDS) {
        memset(point->made, 0, sizeof(point->made));
        point->alive = 0;
        point->now_s = now_s;
    }
    while (point->now_s < now_s) {
        point->now_s++;
        uint32_t *gone =
            &point->made[(point->now_s + SP_STATE_SECONDS - point->timeout_s) % SP_STATE_SECONDS];
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
    go_on(point, now_us / 1000000);
    point->made[point->now_s % SP_STATE_SECONDS] += (uint32_t)entries;
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
    go_on(point, now_us / 1000000);
    uint64_t taken = point->alive + under_way;
    return taken < point->capacity ? (uint32_t)(point->capacity - taken) : 0;
}
