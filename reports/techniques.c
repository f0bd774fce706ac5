/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of every bypass technique came to: they cover no port of their own, so nothing
 * else tells that they ran. */
#include "probe/base/mem.h"
#include "reports/group.h"

#define SP_TECHNIQUE_FAMILIES ((size_t)2)
#define SP_TECHNIQUE_ROWS     (SP_TECHNIQUE_FAMILIES * (UINT8_MAX + 1U))

static void add(struct sp_technique_row *row, const struct sp_entry *e)
{
    row->tests++;
    row->holds += e->verdict == SP_VERDICT_HOLDS;
    row->failed += sp_verdict_is_finding(e->verdict);
    row->inconclusive += e->verdict == SP_VERDICT_INCONCLUSIVE;
    row->not_tested += e->verdict == SP_VERDICT_NOT_TESTED;
}

enum sp_rc sp_group_bypasses(struct sp_summary *summary)
{
    struct sp_technique_row *rows = sp_calloc(SP_TECHNIQUE_ROWS, sizeof(*rows));
    size_t n = 0;
    if (!rows) {
        return SP_E_NOMEM;
    }
    summary->bypasses = rows;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->is_bypass) {
            bool v6 = e->family == SP_FAMILY_IPV6;
            add(&rows[e->technique * SP_TECHNIQUE_FAMILIES + v6], e);
        }
    }
    for (size_t i = 0; i < SP_TECHNIQUE_ROWS; i++) {
        if (rows[i].tests > 0) {
            rows[n] = rows[i];
            rows[n].technique = (uint8_t)(i / SP_TECHNIQUE_FAMILIES);
            rows[n++].family =
                i % SP_TECHNIQUE_FAMILIES ? (uint8_t)SP_FAMILY_IPV6 : (uint8_t)SP_FAMILY_IPV4;
        }
    }
    summary->nbypasses = n;
    return SP_OK;
}
