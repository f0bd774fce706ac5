/* SPDX-License-Identifier: Apache-2.0
 *
 * Segment by segment: what crosses from the networks of the senders to those of the receivers.
 * Only cells with tests exist, so a fleet of many networks costs what it tests. */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

/* Network index -> segment; the last place stands for the balancers. */
static size_t slot_of(const struct sp_model *model, uint32_t target)
{
    uint32_t network = sp_model_target_network(model, target);
    return network < model->nnetworks ? network : model->nnetworks;
}

static enum sp_rc number_segments(struct sp_summary *summary, uint32_t **ret_segment_of)
{
    const struct sp_model *model = summary->result->model;
    uint32_t *segment_of = sp_calloc(model->nnetworks + 1, sizeof(*segment_of));
    summary->segments = sp_calloc(model->nnetworks + 1, sizeof(*summary->segments));
    if (!segment_of || !summary->segments) {
        sp_free(segment_of);
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nentries; i++) {
        segment_of[slot_of(model, summary->entries[i].from)] = 1;
        segment_of[slot_of(model, summary->entries[i].to)] = 1;
    }
    for (size_t i = 0; i <= model->nnetworks; i++) {
        if (segment_of[i]) {
            bool is_network = i < model->nnetworks;
            summary->segments[summary->nsegments] =
                (struct sp_segment){.network = is_network ? (uint32_t)i : SP_NONE,
                                    .name = is_network ? model->networks[i].name : "balancers"};
            segment_of[i] = (uint32_t)summary->nsegments++;
        }
    }
    *ret_segment_of = segment_of;
    return SP_OK;
}

static int cmp_cell(const void *pa, const void *pb)
{
    const struct sp_cell *a = pa;
    const struct sp_cell *b = pb;
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    return 0;
}

static void add_to_cell(struct sp_cell *cell, const struct sp_entry *entry)
{
    cell->worst = sp_verdict_worse(cell->worst, entry->verdict);
    uint64_t n = sp_entry_checks(entry);
    cell->holds += entry->verdict == SP_VERDICT_HOLDS ? n : 0;
    cell->failed += sp_verdict_is_finding(entry->verdict) ? n : 0;
    cell->inconclusive += entry->verdict == SP_VERDICT_INCONCLUSIVE ? n : 0;
    cell->not_observable += entry->verdict == SP_VERDICT_NOT_OBSERVABLE ? n : 0;
    cell->not_tested += entry->verdict == SP_VERDICT_NOT_TESTED ? n : 0;
}

/* One cell per pair of targets, so far. */
static enum sp_rc count_pairs(struct sp_summary *summary, const uint32_t *segment_of)
{
    const struct sp_model *model = summary->result->model;
    size_t cap = 0;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (i == 0 || e->from != e[-1].from || e->to != e[-1].to) {
            if (sp_grow((void **)&summary->cells, summary->ncells, &cap, sizeof(*summary->cells)) !=
                0) {
                return SP_E_NOMEM;
            }
            summary->cells[summary->ncells++] =
                (struct sp_cell){.from = segment_of[slot_of(model, e->from)],
                                 .to = segment_of[slot_of(model, e->to)],
                                 .worst = SP_VERDICT_NOT_TESTED};
        }
        add_to_cell(&summary->cells[summary->ncells - 1], e);
    }
    return SP_OK;
}

enum sp_rc sp_group_matrix(struct sp_summary *summary)
{
    uint32_t *segment_of = NULL;
    enum sp_rc rc = number_segments(summary, &segment_of);
    if (rc == SP_OK) {
        rc = count_pairs(summary, segment_of);
    }
    sp_free(segment_of);
    if (rc != SP_OK || summary->ncells == 0) {
        return rc;
    }
    qsort(summary->cells, summary->ncells, sizeof(*summary->cells), cmp_cell);
    size_t n = 0;
    for (size_t i = 1; i < summary->ncells; i++) {
        struct sp_cell *into = &summary->cells[n];
        const struct sp_cell *next = &summary->cells[i];
        if (cmp_cell(into, next) != 0) {
            summary->cells[++n] = *next;
            continue;
        }
        into->worst = sp_verdict_worse(into->worst, next->worst);
        into->holds += next->holds;
        into->failed += next->failed;
        into->inconclusive += next->inconclusive;
        into->not_observable += next->not_observable;
        into->not_tested += next->not_tested;
    }
    summary->ncells = n + 1;
    return SP_OK;
}

const struct sp_cell *sp_summary_cell(const struct sp_summary *summary, uint32_t from, uint32_t to)
{
    struct sp_cell key = {.from = from, .to = to};
    return summary->ncells == 0
               ? NULL
               : bsearch(&key, summary->cells, summary->ncells, sizeof(*summary->cells), cmp_cell);
}
