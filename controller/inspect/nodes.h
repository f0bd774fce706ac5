/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the inspector of nodes share. */
#ifndef SP_INSPECT_NODES_H
#define SP_INSPECT_NODES_H

#include "controller/inspect/inspect.h"
#include "controller/inspect/node_judge.h"
#include "controller/inspect/told.h"

/* What one host told. */
struct sp_node_told {
    bool is_wanted;           /* selected, and a probe is declared there */
    struct sp_told_list told; /* empty = nothing */
    char reason[256];         /* why there is nothing; "" = there is something */
};

struct sp_nodes {
    const struct sp_model *model;
    struct sp_result *result;
    const struct sp_fleet *fleet;
    struct sp_node_told *hosts; /* model->nhosts */
};

/* Does a floor's line about that count for a host that is looked at? */
bool sp_nodes_counts(const struct sp_nodes *nodes, const struct sp_floor *floor, unsigned check,
                     uint32_t host);
/* The values of a fact in one text, with all its parts; for people and to compare. */
void sp_nodes_fact_text(const struct sp_told_list *told, const char *name, struct sp_buf *out,
                        bool *is_known);

/* nodes_drift.c: facts that must be equal on hosts of one floor */
enum sp_rc sp_nodes_judge_drift(struct sp_nodes *nodes) SP_MUST_CHECK;
/* nodes_bench.c: results of kube-bench */
enum sp_rc sp_nodes_judge_bench(struct sp_nodes *nodes) SP_MUST_CHECK;

#endif
