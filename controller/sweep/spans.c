/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of ports with one observation. */
#include <string.h>

#include "controller/sweep/doubt.h"
#include "controller/sweep/observe.h"
#include "probe/base/mem.h"

static bool same_tuple(const struct sp_tuple *a, const struct sp_tuple *b)
{
    return sp_addr_eq(&a->src, &b->src) && sp_addr_eq(&a->dst, &b->dst) && a->sport == b->sport;
}

static bool is_alike(const struct sp_sweep_span *a, const struct sp_sweep_span *b)
{
    const struct sp_seen *x = &a->seen;
    const struct sp_seen *y = &b->seen;
    return a->grade == b->grade && a->injected_link == b->injected_link &&
           x->unsound == y->unsound && x->sender_policy == y->sender_policy &&
           x->attempts == y->attempts && x->nic == y->nic && x->host == y->host &&
           x->answer_left == y->answer_left && x->answered == y->answered &&
           x->elsewhere == y->elsewhere && x->elsewhere_host == y->elsewhere_host &&
           x->rewritten == y->rewritten && x->answer == y->answer &&
           x->answer_code == y->answer_code && x->answerer == y->answerer &&
           x->loss_confirmed == y->loss_confirmed && same_tuple(&x->captured, &y->captured) &&
           sp_addr_eq(&x->answerer_addr, &y->answerer_addr);
}

enum sp_rc sp_spans_add(struct sp_sweep_found *found, size_t *cap, const struct sp_sweep_span *port)
{
    if (found->nspans > 0) {
        struct sp_sweep_span *last = &found->spans[found->nspans - 1];
        if (last->hi + 1U == port->lo && is_alike(last, port)) {
            last->hi = port->hi;
            return SP_OK;
        }
    }
    if (sp_grow((void **)&found->spans, found->nspans, cap, sizeof(*found->spans)) != 0) {
        return SP_E_NOMEM;
    }
    found->spans[found->nspans++] = *port;
    return SP_OK;
}

static uint16_t sum(uint16_t a, uint16_t b)
{
    return (uint16_t)(a + b < UINT16_MAX ? a + b : UINT16_MAX);
}

struct sp_sweep_span sp_span_combine(const struct sp_sweep_span *before,
                                     const struct sp_sweep_span *now, bool is_denied)
{
    const struct sp_seen *x = &before->seen;
    const struct sp_seen *y = &now->seen;
    if ((x->attempts == 0 && !sp_seen_has_arrived(x)) || (!is_denied && y->attempts > 0)) {
        /* Nothing was seen before; or an allowed port was lost, maybe by our own speed, and was
         * asked again slowly. */
        return *now;
    }
    if (is_denied && !sp_seen_has_arrived(x) && !sp_seen_has_arrived(y)) {
        /* Silence is measured anew: what did not prove it then proves nothing now. */
        struct sp_sweep_span span = *now;
        if (y->unsound != SP_SOUND && x->unsound == SP_SOUND) {
            span.seen.unsound = y->unsound;
        }
        return span;
    }
    struct sp_sweep_span span = *now;
    struct sp_seen *seen = &span.seen;
    seen->attempts = sum(x->attempts, y->attempts);
    seen->nic = sum(x->nic, y->nic);
    seen->host = sum(x->host, y->host);
    seen->answer_left = sum(x->answer_left, y->answer_left);
    seen->answered = sum(x->answered, y->answered);
    seen->elsewhere = sum(x->elsewhere, y->elsewhere);
    seen->rewritten = sum(x->rewritten, y->rewritten);
    seen->elsewhere_host = y->elsewhere ? y->elsewhere_host : x->elsewhere_host;
    seen->captured = x->captured.src.family ? x->captured : y->captured;
    if (y->answer == SP_ANSWER_NONE) {
        seen->answer = x->answer;
        seen->answer_code = x->answer_code;
        seen->answerer = x->answerer;
        seen->answerer_addr = x->answerer_addr;
    }
    return span;
}
