/* SPDX-License-Identifier: Apache-2.0
 *
 * What a probe told of its host (probe/facts/facts.h), read back: a list of facts, each known with
 * values, or unknown with a reason. It comes from another machine: whatever is no such list is
 * refused whole. */
#ifndef SP_INSPECT_TOLD_H
#define SP_INSPECT_TOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/base/rc.h"

#define SP_TOLD_FACTS_MAX 512U

struct sp_told {
    char *name;    /* "kernel" */
    char *of;      /* of which part, or NULL */
    char *source;  /* where it was read */
    char *unknown; /* why it is not known; NULL = it is */
    char **values;
    size_t nvalues, cap;
    bool is_cut; /* there are more values than these */
};

/* Starts zeroed. */
struct sp_told_list {
    struct sp_told *at;
    size_t n, cap;
    char *error; /* what the probe complains of instead; NULL = nothing */
};

/* SP_E_INVALID: it is no list of facts; SP_E_NOMEM. The list is to be released in every case. */
enum sp_rc sp_told_read(const char *text, size_t len, struct sp_told_list *list) SP_MUST_CHECK;
void sp_told_release(struct sp_told_list *list);
/* The fact, known or unknown; NULL = the probe said nothing of it. of NULL = the one without. */
const struct sp_told *sp_told_find(const struct sp_told_list *list, const char *name,
                                   const char *of);

#endif
