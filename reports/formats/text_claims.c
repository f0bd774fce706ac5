/* SPDX-License-Identifier: Apache-2.0
 *
 * What was declared of nodes, endpoints and balancers: first what is not so, then what nobody could
 * tell, then how many hold; -v shows them all. */
#include "reports/formats/text_out.h"

static const struct look {
    const char *word;
    uint8_t like; /* the verdict of a flow that looks the same */
} looks[SP_CLAIM_VERDICT_COUNT] = {
    [SP_CLAIM_HOLDS] = {"holds", SP_VERDICT_HOLDS},
    [SP_CLAIM_FAILS] = {"FAILS", SP_VERDICT_LEAK},
    [SP_CLAIM_UNKNOWN] = {"UNKNOWN", SP_VERDICT_INCONCLUSIVE},
    [SP_CLAIM_NOT_OBSERVABLE] = {"not observable", SP_VERDICT_NOT_OBSERVABLE},
    [SP_CLAIM_NOTE] = {"note", SP_VERDICT_NOT_TESTED},
};

static const struct look *look_of(const struct sp_claim *claim)
{
    return &looks[claim->verdict < SP_CLAIM_VERDICT_COUNT ? claim->verdict : SP_CLAIM_UNKNOWN];
}

static void field(struct sp_text *text, const char *label, const char *hostile)
{
    if (hostile) {
        sp_text_add_outside(text, hostile);
        sp_text_field(text, label);
    }
}

/* "web-1  kernel  high" */
static void head(struct sp_text *text, const struct sp_claim *claim)
{
    const struct look *look = look_of(claim);
    sp_text_styled(text, sp_text_style_of(look->like), sp_text_sign(text, look->like));
    sp_buf_fmt(&text->line, " %s  ", look->word);
    sp_text_add_outside(text, claim->subject);
    sp_buf_fmt(&text->line, "  %s", claim->check);
    if (claim->verdict == SP_CLAIM_FAILS) {
        sp_buf_fmt(&text->line, "  %s", sp_severity_str(claim->severity));
    }
    if (claim->host != SP_NONE && claim->host != claim->target) {
        sp_text_add(text, "  seen from ");
        sp_text_add_outside(text, sp_model_target_name(text->summary->result->model, claim->host));
    }
    sp_text_wrap(text, 1, 4);
}

static void whole(struct sp_text *text, const struct sp_claim *claim)
{
    head(text, claim);
    if (claim->expected) {
        sp_text_add_outside(text, claim->expected);
        if (claim->pos.line > 0) {
            sp_buf_fmt(&text->line, " (line %u)", (unsigned)claim->pos.line);
        }
        sp_text_field(text, "expected");
    }
    if (claim->observed) {
        sp_text_add_outside(text, claim->observed);
        if (claim->source) {
            sp_text_add(text, " (");
            sp_text_add_outside(text, claim->source);
            sp_text_add(text, ")");
        }
        sp_text_field(text, "observed");
    }
    field(text, "cause", claim->cause);
    field(text, "repair", claim->remedy);
}

/* A claim in one line: what holds, and facts. */
static void brief(struct sp_text *text, const struct sp_claim *claim)
{
    const struct look *look = look_of(claim);
    sp_text_styled(text, sp_text_style_of(look->like), sp_text_sign(text, look->like));
    sp_text_add(text, " ");
    sp_text_add_outside(text, claim->subject);
    sp_buf_fmt(&text->line, "  %s", claim->check);
    if (claim->observed) {
        sp_text_add(text, ": ");
        sp_text_add_outside(text, claim->observed);
    }
    sp_text_wrap(text, 1, 4);
}

static void show_verdict(struct sp_text *text, unsigned kind, unsigned verdict)
{
    const struct sp_claims *claims = &text->summary->result->claims;
    size_t shown = 0;
    for (size_t i = 0; i < claims->n; i++) {
        const struct sp_claim *claim = &claims->at[i];
        if (claim->kind != kind || look_of(claim) != &looks[verdict]) {
            continue;
        }
        if (text->verbosity <= 0 && shown++ == SP_TEXT_MAX_SHOWN) {
            sp_text_add(text, "... and more: see -v, or --report json=FILE");
            sp_text_wrap(text, 0, 4);
            return;
        }
        if (verdict == SP_CLAIM_HOLDS || verdict == SP_CLAIM_NOTE) {
            brief(text, claim);
        } else {
            whole(text, claim);
        }
    }
}

static void show_kind(struct sp_text *text, unsigned kind)
{
    static const char *const titles[SP_CLAIM_KIND_COUNT] = {"NODES", "ENDPOINTS",
                                                            "LOAD BALANCERS: BEHAVIOUR"};
    static const uint8_t always[] = {SP_CLAIM_FAILS, SP_CLAIM_UNKNOWN, SP_CLAIM_NOT_OBSERVABLE};
    const struct sp_claims *claims = &text->summary->result->claims;
    uint64_t of[SP_CLAIM_VERDICT_COUNT] = {0};
    uint64_t n = 0;
    for (size_t i = 0; i < claims->n; i++) {
        if (claims->at[i].kind == kind) {
            of[look_of(&claims->at[i]) - looks]++;
            n++;
        }
    }
    if (n == 0) {
        return;
    }
    sp_text_heading(text, titles[kind], "what is declared of them, beyond flows");
    for (size_t i = 0; i < SP_ARRAY_LEN(always); i++) {
        show_verdict(text, kind, always[i]);
    }
    if (text->verbosity > 0) {
        show_verdict(text, kind, SP_CLAIM_HOLDS);
        show_verdict(text, kind, SP_CLAIM_NOTE);
        return;
    }
    sp_text_add(text, "  ");
    sp_text_add_number(text, of[SP_CLAIM_HOLDS]);
    sp_text_add(text, " of ");
    sp_text_add_count(text, n - of[SP_CLAIM_NOTE], "statement holds", "statements hold");
    if (of[SP_CLAIM_NOTE] > 0) {
        sp_text_add(text, ", ");
        sp_text_add_count(text, of[SP_CLAIM_NOTE], "fact", "facts");
        sp_text_add(text, " besides: see -v");
    }
    sp_text_wrap(text, 2, 4);
}

void sp_text_claims(struct sp_text *text)
{
    for (unsigned kind = 0; kind < SP_CLAIM_KIND_COUNT; kind++) {
        show_kind(text, kind);
    }
}

void sp_text_claim_lines(struct sp_text *text)
{
    const struct sp_claims *claims = &text->summary->result->claims;
    for (size_t i = 0; i < claims->n; i++) {
        if (look_of(&claims->at[i]) == &looks[SP_CLAIM_FAILS]) {
            head(text, &claims->at[i]);
        }
    }
}
