/* SPDX-License-Identifier: Apache-2.0
 *
 * The check list: what an operator of Gloo Mesh Gateway is asked to secure below it (Solo.io,
 * "Infrastructure provider": nodes, networking, load balancers, HA/DR, keys, monitoring), in 39
 * lines, and what a run proves of each.
 *
 * A line is made of parts, each a sum over the tests, claims or declarations of one kind. A part
 * passes only when something was looked at, all of it is as it should be, and nothing that the line
 * speaks of was left out; a line is as bad as its worst part: fail, then unknown, then not
 * observable (only the provider can tell, and the line names whom to ask). Depends on the summary
 * alone, which must outlive it. */
#ifndef SP_REPORTS_CHECKLIST_H
#define SP_REPORTS_CHECKLIST_H

#include "reports/summary.h"

#define SP_ITEM_COUNT 39U

enum sp_item_state {
    SP_ITEM_PASS,
    SP_ITEM_FAIL,
    SP_ITEM_UNKNOWN,
    SP_ITEM_NOT_OBSERVABLE,
    SP_ITEM_STATE_COUNT /* of a part: it does not matter in this topology */
};

/* What one kind of evidence says of a line. */
struct sp_item_part {
    const char *what; /* "tcp/22 is closed"; static */
    const char *hint; /* what to declare or to do where it is not known; static, NULL */
    uint8_t state;    /* enum sp_item_state */
    uint64_t held, failed, unknown, not_observable; /* what was counted */
    char *example; /* what shows it: of failures the first, else of what is unknown; NULL. With
                      names from outside: escape it */
};

struct sp_item {
    unsigned id;           /* 1 .. SP_ITEM_COUNT */
    const char *statement; /* these are static */
    const char *how;       /* letters: packets, node facts, topology, declared, the provider */
    const char *ask;       /* whom, where a run cannot tell all of it; NULL */
    uint8_t state;
    struct sp_item_part *parts; /* those that matter */
    size_t nparts;
};

struct sp_checklist {
    struct sp_item items[SP_ITEM_COUNT];
    uint64_t of[SP_ITEM_STATE_COUNT]; /* how many lines have a state */
    struct sp_item_part *parts;       /* owned; of all items */
    size_t nparts;
};

enum sp_rc sp_checklist_new(const struct sp_summary *summary,
                            struct sp_checklist **ret_list) SP_MUST_CHECK;
void sp_checklist_free(struct sp_checklist *list);
/* The part that decides an item: the first with its state; NULL when it has none. */
const struct sp_item_part *sp_item_decisive(const struct sp_item *item);
/* "pass", "fail", "unknown", "not_observable"; NULL past the last. */
const char *sp_item_state_str(unsigned state);

#endif
