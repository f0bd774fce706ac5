/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/claim.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"
#include "reports/summary.h"

/* Bytes of a text that are kept. Cut between characters: a report must stay UTF-8. */
static size_t kept(const char *text)
{
    size_t len = strnlen(text, SP_CLAIM_TEXT_MAX);
    while (len > 0 && text[len] != '\0' && ((unsigned char)text[len] & 0xc0U) == 0x80U) {
        len--;
    }
    return len;
}

/* Its texts move into one block of its own. */
static enum sp_rc own_texts(struct sp_claim *claim)
{
    const char **texts[] = {&claim->subject, &claim->expected, &claim->observed,
                            &claim->source,  &claim->cause,    &claim->remedy};
    size_t room = 0;
    claim->subject = claim->subject ? claim->subject : "";
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        room += *texts[i] ? kept(*texts[i]) + 1 : 0;
    }
    char *at = claim->texts = sp_calloc(room, 1);
    for (size_t i = 0; at && i < SP_ARRAY_LEN(texts); i++) {
        if (*texts[i]) {
            size_t len = kept(*texts[i]);
            memcpy(at, *texts[i], len);
            *texts[i] = at;
            at += len + 1;
        }
    }
    return at ? SP_OK : SP_E_NOMEM;
}

enum sp_rc sp_claims_add(struct sp_claims *claims, const struct sp_claim *claim)
{
    if (sp_grow((void **)&claims->at, claims->n, &claims->cap, sizeof(*claims->at)) != 0) {
        return SP_E_NOMEM;
    }
    struct sp_claim *own = &claims->at[claims->n];
    *own = *claim;
    enum sp_rc rc = own_texts(own);
    claims->n += rc == SP_OK;
    return rc;
}

static int cmp_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int cmp_claim(const void *pa, const void *pb)
{
    const struct sp_claim *a = pa;
    const struct sp_claim *b = pb;
    SP_CMP(a->kind, b->kind);
    int order = strcmp(a->subject, b->subject);
    order = order == 0 ? strcmp(a->check, b->check) : order;
    if (order != 0) {
        return order;
    }
    SP_CMP(a->host, b->host);
    SP_CMP(a->verdict, b->verdict);
    order = cmp_text(a->expected, b->expected);
    return order == 0 ? cmp_text(a->observed, b->observed) : order;
}

void sp_claims_sort(struct sp_claims *claims)
{
    if (claims->n > 1) {
        qsort(claims->at, claims->n, sizeof(*claims->at), cmp_claim);
    }
}

void sp_claims_release(struct sp_claims *claims)
{
    for (size_t i = 0; i < claims->n; i++) {
        sp_free(claims->at[i].texts);
    }
    sp_free(claims->at);
    *claims = (struct sp_claims){0};
}

const char *sp_claim_kind_str(unsigned kind)
{
    static const char *const names[SP_CLAIM_KIND_COUNT] = {"node", "endpoint", "balancer"};
    return kind < SP_CLAIM_KIND_COUNT ? names[kind] : NULL;
}

const char *sp_claim_verdict_str(unsigned verdict)
{
    static const char *const names[SP_CLAIM_VERDICT_COUNT] = {"holds", "fails", "unknown",
                                                              "not_observable", "note"};
    return verdict < SP_CLAIM_VERDICT_COUNT ? names[verdict] : NULL;
}

void sp_counts_add_claim(struct sp_counts *counts, unsigned verdict)
{
    switch (verdict) {
    case SP_CLAIM_HOLDS:
        counts->claims_held++;
        break;
    case SP_CLAIM_FAILS:
        counts->claims_failed++;
        break;
    case SP_CLAIM_NOT_OBSERVABLE:
        counts->claims_not_observable++;
        break;
    case SP_CLAIM_NOTE:
        break;
    default:
        counts->claims_unknown++;
        break;
    }
}
