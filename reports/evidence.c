/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/evidence.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/table.h"
#include "reports/verdict.h"

enum sp_rc sp_evidence_new(size_t ntests, struct sp_evidence **ret_evidence)
{
    struct sp_evidence *evidence = sp_calloc(1, sizeof(*evidence));
    if (!evidence) {
        return SP_E_NOMEM;
    }
    sp_buf_init(&evidence->bytes, SP_EVIDENCE_MAX_BYTES);
    evidence->ntests = evidence->cap_tests = ntests;
    evidence->first = sp_calloc(ntests, sizeof(*evidence->first));
    evidence->last = sp_calloc(ntests, sizeof(*evidence->last));
    if (!evidence->first || !evidence->last) {
        sp_evidence_free(evidence);
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < ntests; i++) {
        evidence->first[i] = evidence->last[i] = SP_NO_ROW;
    }
    *ret_evidence = evidence;
    return SP_OK;
}

enum sp_rc sp_evidence_grow(struct sp_evidence *evidence, size_t ntests)
{
    while (evidence->ntests < ntests) {
        size_t cap = evidence->cap_tests;
        if (sp_grow((void **)&evidence->first, evidence->ntests, &cap, sizeof(*evidence->first)) !=
            0) {
            return SP_E_NOMEM;
        }
        cap = evidence->cap_tests;
        if (sp_grow((void **)&evidence->last, evidence->ntests, &cap, sizeof(*evidence->last)) !=
            0) {
            return SP_E_NOMEM;
        }
        evidence->cap_tests = cap;
        evidence->first[evidence->ntests] = evidence->last[evidence->ntests] = SP_NO_ROW;
        evidence->ntests++;
    }
    return SP_OK;
}

void sp_evidence_free(struct sp_evidence *evidence)
{
    if (evidence) {
        sp_buf_release(&evidence->bytes);
        sp_free(evidence->rows);
        sp_free(evidence->first);
        sp_free(evidence->last);
        sp_free(evidence->batches);
        sp_free(evidence);
    }
}

void sp_evidence_add(struct sp_evidence *evidence, const struct sp_evidence_packet *packet,
                     const uint8_t *bytes)
{
    if (packet->test >= evidence->ntests || packet->role >= SP_KEPT_END ||
        packet->len > SP_KEPT_MAX_BYTES || evidence->nrows >= SP_EVIDENCE_MAX_PACKETS ||
        evidence->bytes.rc != SP_OK || evidence->bytes.len + packet->len > SP_EVIDENCE_MAX_BYTES ||
        sp_grow((void **)&evidence->rows, evidence->nrows, &evidence->cap_rows,
                sizeof(*evidence->rows)) != 0) {
        evidence->lost++;
        return;
    }
    uint32_t at = (uint32_t)evidence->bytes.len;
    sp_buf_add(&evidence->bytes, bytes, packet->len);
    if (evidence->bytes.rc != SP_OK) {
        evidence->lost++;
        return;
    }
    uint32_t row = (uint32_t)evidence->nrows++;
    evidence->rows[row] =
        (struct sp_evidence_row){.packet = *packet, .bytes = at, .next = SP_NO_ROW};
    evidence->rows[row].packet.iface[sizeof(packet->iface) - 1] = '\0';
    if (evidence->first[packet->test] == SP_NO_ROW) {
        evidence->first[packet->test] = row;
    } else {
        evidence->rows[evidence->last[packet->test]].next = row;
    }
    evidence->last[packet->test] = row;
}

bool sp_evidence_has(const struct sp_evidence *evidence, uint32_t test)
{
    return evidence && test < evidence->ntests && evidence->first[test] != SP_NO_ROW;
}

bool sp_evidence_is_name(const char *name)
{
    for (int v = 0; v < SP_VERDICT_COUNT; v++) {
        const char *verdict = sp_verdict_str((enum sp_verdict)v);
        size_t n = strlen(verdict);
        if (strncmp(name, verdict, n) == 0 && name[n] == '-') {
            const char *digits = name + n + 1;
            size_t k = strspn(digits, "0123456789");
            return k > 0 && strcmp(digits + k, SP_EVIDENCE_EXTENSION) == 0;
        }
    }
    return false;
}
