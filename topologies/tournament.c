/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/tournament.h"

#include <stdlib.h>

#include "probe/base/mem.h"

#define SP_NO_ROUND UINT32_MAX

/* Hosts that take part are numbered anew, so that those without a match leave no gaps. */
struct seat {
    struct sp_match match;
    uint32_t shift, from; /* in the new numbers */
};

static int by_shift(const void *a, const void *b)
{
    const struct seat *x = a;
    const struct seat *y = b;
    if (x->shift != y->shift) {
        return x->shift < y->shift ? -1 : 1;
    }
    return x->from < y->from ? -1 : x->from > y->from;
}

static int by_round(const void *a, const void *b)
{
    const struct sp_match *x = a;
    const struct sp_match *y = b;
    if (x->round != y->round) {
        return x->round < y->round ? -1 : 1;
    }
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    return x->to < y->to ? -1 : x->to > y->to;
}

static struct seat *seat_all(const struct sp_match *matches, size_t n, size_t nhosts,
                             uint32_t *ret_players)
{
    struct seat *seats = sp_calloc(n, sizeof(*seats));
    uint32_t *number = sp_calloc(nhosts, sizeof(*number));
    uint32_t players = 0;
    if (seats && number && n > 0) {
        for (size_t i = 0; i < n; i++) {
            number[matches[i].from] = number[matches[i].to] = 1;
        }
        for (size_t h = 0; h < nhosts; h++) {
            players += number[h];
            number[h] = players - number[h]; /* its place among those who take part */
        }
        for (size_t i = 0; i < n; i++) {
            uint32_t from = number[matches[i].from];
            uint32_t to = number[matches[i].to];
            seats[i].match = matches[i];
            seats[i].match.round = SP_NO_ROUND;
            seats[i].from = from;
            seats[i].shift = to >= from ? to - from : to + players - from;
        }
        qsort(seats, n, sizeof(*seats), by_shift);
    } else {
        sp_free(seats);
        seats = NULL;
    }
    sp_free(number);
    *ret_players = players;
    return seats;
}

enum sp_rc sp_tournament(struct sp_match *matches, size_t n, size_t nhosts, uint32_t *ret_rounds)
{
    *ret_rounds = 0;
    if (n == 0) {
        return SP_OK;
    }
    uint32_t players = 0;
    struct seat *seats = seat_all(matches, n, nhosts, &players);
    uint32_t *sends = sp_calloc(nhosts, sizeof(*sends)); /* 1 + the last round it sends in */
    uint32_t *receives = sp_calloc(nhosts, sizeof(*receives));
    if (!seats || !sends || !receives) {
        sp_free(seats);
        sp_free(sends);
        sp_free(receives);
        return SP_E_NOMEM;
    }
    uint32_t round = 0;
    for (size_t first = 0; first < n; round++) {
        uint32_t taken = 0;
        for (size_t i = first; i < n && taken < players; i++) {
            struct sp_match *match = &seats[i].match;
            if (match->round == SP_NO_ROUND && sends[match->from] <= round &&
                receives[match->to] <= round) {
                match->round = round;
                sends[match->from] = receives[match->to] = round + 1;
                taken++;
            }
        }
        while (first < n && seats[first].match.round != SP_NO_ROUND) {
            first++;
        }
    }
    for (size_t i = 0; i < n; i++) {
        matches[i] = seats[i].match;
    }
    qsort(matches, n, sizeof(*matches), by_round);
    sp_free(seats);
    sp_free(sends);
    sp_free(receives);
    *ret_rounds = round;
    return SP_OK;
}
