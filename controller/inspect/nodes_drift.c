/* SPDX-License-Identifier: Apache-2.0
 *
 * Drift: hosts of one role that ought to be alike and are not. One claim for each fact that is
 * declared to be equal. */
#include <string.h>

#include "controller/inspect/nodes.h"
#include "probe/base/mem.h"

#define TEXT_MAX 16384U

/* What `drift: none` stands for. */
static const char *const usual[] = {"kernel", "os", "fips", "lockdown", "lsm", "mitigations"};

struct drift {
    struct sp_nodes *nodes;
    const struct sp_floor *floor;
    const struct sp_floor_line *line;
    const char *fact;
    char **texts; /* by host: what it told; NULL = it does not count, or told nothing */
};

static enum sp_rc gather(struct drift *drift, size_t *ret_hosts, size_t *ret_known)
{
    for (uint32_t h = 0; h < drift->nodes->model->nhosts; h++) {
        bool is_known = false;
        struct sp_buf text;
        if (!sp_nodes_counts(drift->nodes, drift->floor, SP_FLOOR_DRIFT, h)) {
            continue;
        }
        ++*ret_hosts;
        sp_buf_init(&text, TEXT_MAX);
        sp_nodes_fact_text(&drift->nodes->hosts[h].told, drift->fact, &text, &is_known);
        const struct sp_told *own = sp_told_find(&drift->nodes->hosts[h].told, drift->fact, NULL);
        is_known = is_known && !(own && (own->unknown || own->is_cut)) && text.rc == SP_OK;
        if (is_known) {
            drift->texts[h] = sp_buf_take(&text);
            if (!drift->texts[h]) {
                return SP_E_NOMEM;
            }
            ++*ret_known;
        }
        sp_buf_release(&text);
    }
    return SP_OK;
}

/* "kernel 6.1.0 on web-1, web-2; 6.5.0 on web-3"; how many different ones there are. */
static size_t describe(const struct drift *drift, struct sp_buf *out)
{
    const struct sp_model *m = drift->nodes->model;
    size_t kinds = 0;
    for (uint32_t h = 0; h < m->nhosts; h++) {
        uint32_t before = 0;
        if (!drift->texts[h]) {
            continue;
        }
        while (before < h &&
               (!drift->texts[before] || strcmp(drift->texts[before], drift->texts[h]) != 0)) {
            before++;
        }
        if (before < h) {
            continue;
        }
        sp_buf_fmt(out, "%s%s%.200s on %s", kinds > 0 ? "; " : drift->fact, kinds > 0 ? "" : " ",
                   drift->texts[h], m->hosts[h].name);
        kinds++;
        unsigned more = 0;
        for (uint32_t other = h + 1; other < m->nhosts; other++) {
            if (drift->texts[other] && strcmp(drift->texts[other], drift->texts[h]) == 0 &&
                more++ < 8) {
                sp_buf_fmt(out, ", %s", m->hosts[other].name);
            }
        }
        if (more > 8) {
            sp_buf_fmt(out, " and %u more", more - 8);
        }
    }
    return kinds;
}

static enum sp_rc judge(struct drift *drift)
{
    size_t hosts = 0;
    size_t known = 0;
    struct sp_buf observed;
    struct sp_buf expected;
    struct sp_buf cause;
    enum sp_rc rc = gather(drift, &hosts, &known);
    sp_buf_init(&observed, TEXT_MAX);
    sp_buf_init(&expected, TEXT_MAX);
    sp_buf_init(&cause, TEXT_MAX);
    size_t kinds = rc == SP_OK ? describe(drift, &observed) : 0;
    struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                             .severity = sp_node_severity(SP_FLOOR_DRIFT),
                             .host = SP_NONE,
                             .target = SP_NONE,
                             .check = sp_node_check_name(SP_FLOOR_DRIFT),
                             .subject = drift->floor->name,
                             .pos = drift->line->pos};
    sp_buf_fmt(&expected, "%s equal on all %zu hosts", drift->fact, hosts);
    if (kinds > 1) {
        claim.verdict = SP_CLAIM_FAILS;
        sp_buf_fmt(&cause, "there are %zu different ones among them", kinds);
        claim.remedy = "bring them to one state, or give them different roles";
    } else if (known < hosts) {
        claim.verdict = SP_CLAIM_UNKNOWN;
        sp_buf_fmt(&cause, "%zu of %zu hosts do not tell it", hosts - known, hosts);
    } else {
        claim.verdict = hosts > 1 ? SP_CLAIM_HOLDS : SP_CLAIM_NOTE;
    }
    claim.expected = claim.verdict == SP_CLAIM_NOTE ? NULL : sp_buf_text(&expected);
    claim.observed = observed.len > 0 ? sp_buf_text(&observed) : NULL;
    claim.cause = cause.len > 0 ? sp_buf_text(&cause) : NULL;
    if (rc == SP_OK && (observed.rc == SP_E_NOMEM || expected.rc != SP_OK || cause.rc != SP_OK)) {
        rc = SP_E_NOMEM;
    }
    if (rc == SP_OK && hosts > 0) {
        rc = sp_claims_add(&drift->nodes->result->claims, &claim);
    }
    sp_buf_release(&observed);
    sp_buf_release(&expected);
    sp_buf_release(&cause);
    for (uint32_t h = 0; h < drift->nodes->model->nhosts; h++) {
        sp_free(drift->texts[h]);
        drift->texts[h] = NULL;
    }
    return rc;
}

enum sp_rc sp_nodes_judge_drift(struct sp_nodes *nodes)
{
    enum sp_rc rc = SP_OK;
    struct drift drift = {.nodes = nodes};
    drift.texts = sp_calloc(nodes->model->nhosts, sizeof(*drift.texts));
    if (!drift.texts) {
        return SP_E_NOMEM;
    }
    for (size_t f = 0; f < nodes->model->nfloors && rc == SP_OK; f++) {
        drift.floor = &nodes->model->floors[f];
        drift.line = sp_floor_find(drift.floor, SP_FLOOR_DRIFT);
        if (!drift.line) {
            continue;
        }
        bool is_usual = strcmp(drift.line->words[0], "none") == 0;
        size_t n = is_usual ? SP_ARRAY_LEN(usual) : drift.line->nwords;
        for (size_t i = 0; i < n && rc == SP_OK; i++) {
            drift.fact = is_usual ? usual[i] : drift.line->words[i];
            rc = judge(&drift);
        }
    }
    sp_free(drift.texts);
    return rc;
}
