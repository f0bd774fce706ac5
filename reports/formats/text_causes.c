/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person reads first: each cause with how bad it is, what is wrong, where, which flows show
 * it, the change that ends it, and the command that tests it again. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/formats/text_out.h"
#include "reports/group.h"

/* Names that stand in a list of senders or receivers, and bytes of a list of ports. */
#define SP_CAUSE_NAMED 3U
#define SP_CAUSE_PORTS 48U

static const struct sp_finding *finding_of(const struct sp_text *text,
                                           const struct sp_cause_group *cause, size_t i)
{
    return &text->summary->findings[cause->findings[i]];
}

/* "tcp/22, udp/53 and icmp"; path-wide causes name no ports. */
static void add_ports(struct sp_text *text, const struct sp_cause_group *cause)
{
    bool is_wide = cause->kind == SP_CAUSE_NO_FILTER || cause->kind == SP_CAUSE_NO_IPV6;
    size_t n = 0;
    for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
        struct sp_buf ports;
        sp_buf_init(&ports, SP_PORTS_MAX_BYTES);
        enum sp_rc rc = sp_cause_ports(text->summary, cause, proto, &ports);
        if (rc != SP_OK && text->out->rc == SP_OK) {
            text->out->rc = rc;
        }
        if (ports.len > 0) {
            sp_text_add(text, n++ > 0 ? ", " : "");
            sp_text_add(text, sp_proto_str(proto));
            if (!is_wide) {
                sp_text_add(text, "/");
                sp_text_add_some_ports(text, sp_buf_text(&ports), SP_CAUSE_PORTS);
            }
        }
        sp_buf_release(&ports);
    }
}

/* "web-1, web-2, web-3 and 4 more" */
static void add_names(struct sp_text *text, const struct sp_cause_group *cause, bool senders)
{
    const struct sp_model *model = text->summary->result->model;
    bool *told = sp_calloc(sp_model_ntargets(model), sizeof(*told));
    size_t n = 0;
    if (!told) {
        text->out->rc = text->out->rc != SP_OK ? text->out->rc : SP_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < cause->nfindings; i++) {
        const struct sp_finding *finding = finding_of(text, cause, i);
        uint32_t target = senders ? finding->from : finding->to;
        if (told[target]) {
            continue;
        }
        told[target] = true;
        if (n++ < SP_CAUSE_NAMED) {
            sp_text_add(text, n > 1 ? ", " : "");
            sp_text_add_outside(text, sp_model_target_name(model, target));
        }
    }
    if (n > SP_CAUSE_NAMED) {
        sp_text_add(text, " and ");
        sp_text_add_number(text, n - SP_CAUSE_NAMED);
        sp_text_add(text, " more");
    }
    sp_free(told);
}

static void add_families(struct sp_text *text, const struct sp_cause_group *cause)
{
    bool v4 = false;
    bool v6 = false;
    for (size_t i = 0; i < cause->nfindings; i++) {
        v4 = v4 || finding_of(text, cause, i)->family == SP_FAMILY_IPV4;
        v6 = v6 || finding_of(text, cause, i)->family == SP_FAMILY_IPV6;
    }
    sp_text_add(text, v4 && v6 ? "ipv4 and ipv6" : v6 ? "ipv6" : "ipv4");
}

static void add_techniques(struct sp_text *text, const struct sp_cause_group *cause)
{
    const char *before = "  by ";
    bool told[UINT8_MAX + 1] = {false};
    for (size_t i = 0; i < cause->nfindings; i++) {
        uint8_t technique = finding_of(text, cause, i)->technique;
        if (!told[technique] && sp_technique_is_bypass(technique)) {
            told[technique] = true;
            sp_text_add(text, before);
            sp_text_add(text, sp_technique_name(technique));
            before = ", ";
        }
    }
}

static void headline(struct sp_text *text, const struct sp_cause_group *cause, size_t number)
{
    char word[24], count[24];
    const char *sign = sp_text_sign(text, cause->verdict);
    sp_text_styled(text, SP_STYLE_BAD, sign);
    int len = snprintf(count, sizeof(count), " %zu. ", number);
    sp_buf_str(text->out, count);
    sp_text_styled(text, SP_STYLE_BAD, sp_severity_str(cause->severity));
    sp_text_add(text, "  ");
    sp_text_add(text, sp_text_word(cause->verdict, word));
    sp_text_add(text, " ");
    add_ports(text, cause);
    sp_text_add(text, ": ");
    sp_text_add_outside(text, cause->cause);
    sp_text_wrap(text, 1 + (size_t)len + strlen(sp_severity_str(cause->severity)), 4);
}

/* The device gave its address away. */
static void add_answerer(struct sp_text *text, const struct sp_cause_group *cause)
{
    const struct sp_finding *first = finding_of(text, cause, 0);
    if ((cause->kind == SP_CAUSE_REJECTED || cause->kind == SP_CAUSE_PROXY) && first->where) {
        sp_text_add(text, ", answered by ");
        sp_text_add_outside(text, first->where);
    }
}

static void show(struct sp_text *text, const struct sp_cause_group *cause, size_t number)
{
    headline(text, cause, number);
    sp_text_add(text, sp_place_words(&cause->place));
    sp_text_add_outside(text, cause->where);
    add_answerer(text, cause);
    sp_text_field(text, "where");
    if (cause->policy) { /* else different rules say so, each to its findings */
        sp_text_add_expected(text, finding_of(text, cause, 0));
        sp_text_field(text, "declared");
    }
    sp_text_add_count(text, cause->nflows, "flow: ", "flows: ");
    add_names(text, cause, true);
    sp_text_add(text, " -> ");
    add_names(text, cause, false);
    sp_text_add(text, "  ");
    add_families(text, cause);
    add_techniques(text, cause);
    sp_text_field(text, "flows");
    sp_text_add_outside(text, cause->remedy);
    sp_text_field(text, "repair");
    /* A command must survive copy and paste: it is never wrapped. */
    sp_buf_str(text->out, "    ");
    sp_text_styled(text, SP_STYLE_DIM, "repeat");
    sp_buf_str(text->out, "     ");
    sp_text_add_outside(text, cause->repeat);
    sp_text_flush(text);
    sp_buf_char(text->out, '\n');
}

void sp_text_causes(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    size_t n = summary->ncauses;
    size_t shown = text->verbosity > 0 || n < SP_TEXT_MAX_SHOWN ? n : SP_TEXT_MAX_SHOWN;
    if (n == 0) {
        return;
    }
    sp_text_heading(text, "CAUSES", "likely; each is ended by one change");
    for (size_t i = 0; i < shown; i++) {
        show(text, &summary->causes[i], i + 1);
    }
    if (shown < n) {
        sp_text_add(text, "... and ");
        sp_text_add_number(text, n - shown);
        sp_text_add(text, " more: see -v, or --report json=FILE");
        sp_text_wrap(text, 0, 4);
    }
}
