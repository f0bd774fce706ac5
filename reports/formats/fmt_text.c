/* SPDX-License-Identifier: Apache-2.0
 *
 * The report for people: first whether it holds, then what is wrong and what to change, then the
 * findings behind it, then what stays open, then how far the run reached. Made for 80 columns; -q
 * keeps the first two, -v adds every pair. */
#include <string.h>

#include "probe/base/clock.h"
#include "reports/escape.h"
#include "reports/formats/text_out.h"
#include "reports/group.h"

#define SP_TEXT_LINE_MAX (4U << 20)

/* A silence that only the two ends vouch for, or that was heard once, must not look like a proven
 * one. */
static void add_unproven(struct sp_text *text)
{
    const uint64_t *by_grade = text->summary->counts.by_grade;
    uint64_t n = by_grade[SP_GRADE_SELF] + by_grade[SP_GRADE_NONE];
    if (n > 0) {
        sp_text_add(text, ", ");
        sp_text_add_number(text, n);
        sp_text_add(text, " of them with the path unproven");
    }
    n = text->summary->counts.on_one_attempt;
    if (n > 0) {
        sp_text_add(text, ", ");
        sp_text_add_number(text, n);
        sp_text_add(text, " of them on one attempt");
    }
}

/* Statements about nodes, endpoints and balancers. */
static void add_claims(struct sp_text *text)
{
    const struct sp_counts *counts = &text->summary->counts;
    uint64_t judged = counts->claims_held + counts->claims_failed + counts->claims_unknown;
    if (counts->claims_failed > 0) {
        sp_text_add_number(text, counts->claims_failed);
        sp_text_add(text, " of ");
        sp_text_add_count(text, judged, "statement fails", "statements fail");
        sp_text_add(text, ", ");
    }
    if (counts->claims_unknown > 0) {
        sp_text_add_count(text, counts->claims_unknown, "statement", "statements");
        sp_text_add(text, " unknown, ");
    }
    if (judged > 0 && counts->claims_held == judged) {
        sp_text_add(text, "all ");
        sp_text_add_count(text, judged, "statement holds", "statements hold");
        sp_text_add(text, ", ");
    }
}

static void overall_line(struct sp_text *text)
{
    static const char *const words[] = {"HOLDS", "FAILS", "INCOMPLETE"};
    static const uint8_t like[] = {SP_VERDICT_HOLDS, SP_VERDICT_LEAK, SP_VERDICT_INCONCLUSIVE};
    const struct sp_summary *summary = text->summary;
    const struct sp_counts *counts = &summary->counts;
    uint8_t verdict = like[summary->overall];
    sp_text_styled(text, sp_text_style_of(verdict), sp_text_sign(text, verdict));
    sp_buf_char(text->out, ' ');
    sp_text_styled(text, sp_text_style_of(verdict), words[summary->overall]);
    sp_text_add(text, "  ");
    if (summary->nfindings > 0) {
        sp_text_add_count(text, summary->nfindings, "finding", "findings");
        if (summary->ncauses != summary->nfindings) {
            sp_text_add(text, " of ");
            sp_text_add_count(text, summary->ncauses, "cause", "causes");
        }
        if (counts->failed != summary->nfindings) {
            sp_text_add(text, " in ");
            sp_text_add_count(text, counts->failed, "check", "checks");
        }
        sp_text_add(text, ", ");
    }
    if (counts->inconclusive > 0) {
        sp_text_add_number(text, counts->inconclusive);
        sp_text_add(text, " inconclusive, ");
    }
    if (counts->probes_failed > 0) {
        sp_text_add_count(text, counts->probes_failed, "probe", "probes");
        sp_text_add(text, " failed, ");
    }
    add_claims(text);
    if (summary->result->interrupted) {
        sp_text_add(text, "interrupted, ");
    }
    if (counts->checks == 0 && counts->claims_held > 0) {
        sp_text_add(text, "no flow was checked");
    } else if (counts->checks == 0) {
        sp_text_add(text, "nothing was checked");
    } else {
        sp_text_add_number(text, counts->holds);
        sp_text_add(text, " of ");
        sp_text_add_count(text, counts->checks, "check holds", "checks hold");
        add_unproven(text);
    }
    if (text->color) {
        sp_buf_str(text->out, "\x1b[1m");
    }
    /* One line whatever the width: scripts and eyes look for it. */
    sp_text_flush(text);
    if (text->color) {
        sp_buf_str(text->out, "\x1b[0m");
    }
    sp_buf_char(text->out, '\n');
}

static void run_line(struct sp_text *text)
{
    const struct sp_result *result = text->summary->result;
    char when[24];
    sp_wall_str(result->started_s, when);
    sp_text_add_outside(text, result->model->name ? result->model->name : "");
    sp_text_add(text, " (");
    sp_text_add_outside(text, result->model->file ? result->model->file : "-");
    sp_buf_fmt(&text->line, "), depth %s, seed %llu, run ", sp_depth_str(result->plan->depth),
               (unsigned long long)result->plan->seed);
    sp_text_add_outside(text, result->run_id);
    sp_buf_fmt(&text->line, " at %s, %llu.%llu s", when,
               (unsigned long long)(result->duration_ms / 1000U),
               (unsigned long long)(result->duration_ms % 1000U / 100U));
    sp_text_wrap(text, 0, 4);
}

/* Denied flows that hold, by the control they rest on; any says that something stands before. */
static void add_grades(struct sp_text *text, bool any)
{
    static const struct {
        uint8_t grade;
        const char *first, *later;
    } grades[] = {
        {SP_GRADE_PAIR, "denied, with a control between the two hosts (pair): ", NULL},
        {SP_GRADE_SPLIT,
         "denied, with a control beside the two hosts (split): ", "beside them (split): "},
        {SP_GRADE_SELF, "denied, with a control at each end only, path unproven (self): ",
         "at each end only, path unproven (self): "},
        {SP_GRADE_NONE, "denied, without a control: ", "without a control: "},
    };
    bool first = true;
    for (size_t i = 0; i < SP_ARRAY_LEN(grades); i++) {
        uint64_t n = text->summary->counts.by_grade[grades[i].grade];
        if (n > 0) {
            sp_text_add(text, any ? "; " : "");
            sp_text_add(text, first ? grades[i].first : grades[i].later);
            sp_text_add_number(text, n);
            first = false;
            any = true;
        }
    }
}

/* What the holds rest on. */
static void proof_line(struct sp_text *text)
{
    const struct sp_counts *counts = &text->summary->counts;
    if (counts->holds == 0) {
        return;
    }
    sp_text_add(text, "Of what holds: ");
    if (counts->by_arrival > 0) {
        sp_text_add(text, "allowed and delivered: ");
        sp_text_add_number(text, counts->by_arrival);
    }
    add_grades(text, counts->by_arrival > 0);
    bool any = counts->holds > counts->notes;
    if (counts->notes > 0) {
        sp_text_add(text, any ? "; " : "");
        sp_text_add(text, "permitted that do not work: ");
        sp_text_add_number(text, counts->notes);
    }
    if (counts->lossy > 0) {
        sp_text_add(text, "; ");
        sp_text_add_number(text, counts->lossy);
        sp_text_add(text, " with some loss");
    }
    if (counts->by_syn_proxy > 0) {
        sp_text_add(text, "; ");
        sp_text_add_number(text, counts->by_syn_proxy);
        sp_text_add(text, " where a SYN proxy answers on the path");
    }
    sp_text_wrap(text, 0, 4);
}

/* Open questions that the report shows. */
static size_t open_shown(const struct sp_text *text)
{
    size_t n = text->summary->nopen;
    return text->verbosity > 0 || n < SP_TEXT_MAX_SHOWN ? n : SP_TEXT_MAX_SHOWN;
}

static void add_open(struct sp_text *text, const struct sp_open *open)
{
    if (open->host != SP_NONE) {
        sp_text_add_outside(text, sp_model_target_name(text->summary->result->model, open->host));
    } else if (open->from == SP_NONE) {
        bool stopped = open->reason == SP_UNSOUND_INTERRUPTED || text->summary->result->interrupted;
        sp_text_add_count(text, open->tests, "check was", "checks were");
        sp_text_add(text, stopped ? " not finished when the run stopped"
                                  : " not reached by their sweeps");
        return;
    } else {
        sp_text_add_flow(text, open->from, open->to, open->proto, sp_family_str(open->family),
                         open->ports);
    }
    sp_text_add(text, ": ");
    sp_text_add(text, open->never_ready ? "has no probe" : sp_unsound_str(open->reason));
    if (open->detail) {
        sp_text_add(text, ": ");
        sp_text_add_outside(text, open->detail);
    }
    sp_text_add(text, " (");
    sp_text_add_count(text, open->tests, "check)", "checks)");
}

static void show_open(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    size_t n = summary->nopen;
    size_t shown = open_shown(text);
    if (n == 0) {
        return;
    }
    sp_text_heading(text, "INCONCLUSIVE", "neither a pass nor a finding");
    for (size_t i = 0; i < shown; i++) {
        sp_text_styled(text, SP_STYLE_OPEN, "?");
        sp_text_add(text, " ");
        add_open(text, &summary->open[i]);
        sp_text_wrap(text, 1, 4);
    }
    if (shown < n) {
        sp_text_add(text, "... and ");
        sp_text_add_number(text, n - shown);
        sp_text_add(text, " more: see -v, or --report json=FILE");
        sp_text_wrap(text, 0, 4);
    }
}

/* Whether every probe failed, so that the open questions tell all there is to tell. */
static bool all_failed(const struct sp_result *result)
{
    for (size_t i = 0; i < result->model->nhosts; i++) {
        if (result->hosts[i].wanted && result->hosts[i].ok) {
            return false;
        }
    }
    return true;
}

static bool is_told(const struct sp_text *text, size_t host)
{
    for (size_t i = 0; i < open_shown(text); i++) {
        if (text->summary->open[i].host == host && text->summary->open[i].detail) {
            return true;
        }
    }
    return false;
}

static void show_probes(struct sp_text *text)
{
    const struct sp_result *result = text->summary->result;
    bool skip_told = all_failed(result);
    bool first = true;
    for (size_t i = 0; i < result->model->nhosts; i++) {
        const struct sp_host_status *host = &result->hosts[i];
        if (!host->wanted || host->ok || (skip_told && is_told(text, i))) {
            continue;
        }
        if (first) {
            sp_text_heading(text, "PROBES THAT FAILED", NULL);
            first = false;
        }
        sp_text_styled(text, SP_STYLE_BAD, sp_text_sign(text, SP_VERDICT_LEAK));
        sp_text_add(text, " ");
        sp_text_add_outside(text, result->model->hosts[i].name);
        sp_text_add(text, ": ");
        sp_text_add_outside(text, host->reason[0] ? host->reason : "no reason given");
        sp_text_wrap(text, 1, 4);
    }
}

/* ------------------------------------------------------------------ how far it reached */

static void ratio_line(struct sp_text *text, const char *label, uint64_t tested, uint64_t of)
{
    if (of == 0) {
        return;
    }
    sp_text_add_number(text, tested);
    sp_text_add(text, " of ");
    sp_text_add_number(text, of);
    sp_text_field(text, label);
}

/* How many tests asked denied ports in other ways; with -v, what each technique came to. */
static void show_bypasses(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    uint64_t tests = 0;
    uint64_t concluded = 0;
    unsigned techniques = 0;
    for (size_t i = 0; i < summary->nbypasses; i++) {
        const struct sp_technique_row *row = &summary->bypasses[i];
        tests += row->tests;
        concluded += row->holds + row->failed;
        techniques += i == 0 || row->technique != summary->bypasses[i - 1].technique;
    }
    if (tests == 0) {
        return;
    }
    sp_text_add_number(text, concluded);
    sp_text_add(text, " of ");
    sp_text_add_count(text, tests, "check", "checks");
    sp_text_add(text, " that ask denied ports in ");
    sp_text_add_count(text, techniques, "other way", "other ways");
    sp_text_field(text, "bypass");
    for (size_t i = 0; text->verbosity > 0 && i < summary->nbypasses; i++) {
        const struct sp_technique_row *row = &summary->bypasses[i];
        sp_buf_fmt(&text->line, "%s %s: ", sp_technique_name(row->technique),
                   sp_family_str(row->family));
        sp_text_add_number(text, row->holds);
        sp_text_add(text, " hold, ");
        sp_text_add_number(text, row->failed);
        sp_text_add(text, " fail, ");
        sp_text_add_number(text, row->inconclusive);
        sp_text_add(text, " inconclusive, ");
        sp_text_add_number(text, row->not_tested);
        sp_text_add(text, " not tested");
        sp_text_field(text, "");
    }
}

static void show_coverage(struct sp_text *text)
{
    const struct sp_coverage *c = &text->summary->coverage;
    sp_text_heading(text, "COVERAGE", "tested with a conclusion");
    ratio_line(text, "pairs", c->pairs_tested, c->pairs_of);
    ratio_line(text, "intervals", c->intervals_tested, c->intervals_of);
    ratio_line(text, "edges", c->edges_tested, c->edges_of);
    ratio_line(text, "rules", c->rules_tested, c->rules_of);
    ratio_line(text, "firewalls", c->enforcements_tested, c->enforcements_of);
    char percent[SP_PERCENT_STRLEN];
    sp_text_add(text, sp_percent_str(c->denied_ports_swept, percent));
    sp_text_add(text, " % of the denied TCP and UDP ports have a check of their own");
    if (text->summary->result->plan->nsweeps > 0) {
        sp_text_add(text, ": ");
        sp_text_add_number(text, c->denied_tested);
        sp_text_add(text, " of ");
        sp_text_add_number(text, c->denied_of);
    }
    sp_text_field(text, "denied");
    show_bypasses(text);
    sp_text_rolling(text);
}

static void show_untested(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    if (summary->nuntested == 0) {
        return;
    }
    sp_text_heading(text, "NOT TESTED", "counted nowhere else");
    for (size_t i = 0; i < summary->nuntested; i++) {
        const struct sp_untested *line = &summary->untested[i];
        const char *comma = "";
        sp_text_add(text, "  ");
        if (line->tests > 0) {
            sp_text_add_count(text, line->tests, "check", "checks");
            comma = ", ";
        }
        if (line->pairs > 0) {
            sp_text_add(text, comma);
            sp_text_add_count(text, line->pairs, "pair", "pairs");
            comma = ", ";
        }
        if (line->intervals > 0) {
            sp_text_add(text, comma);
            sp_text_add_count(text, line->intervals, "interval", "intervals");
            comma = ", ";
        }
        if (line->ports > 0) {
            sp_text_add(text, comma);
            sp_text_add_count(text, line->ports, "denied port", "denied ports");
        }
        if (line->host != SP_NONE) {
            sp_text_add(text, " into ");
            sp_text_add_outside(text, sp_model_target_name(summary->result->model, line->host));
        }
        sp_text_add(text, ": ");
        sp_text_add_outside(text, line->reason);
        sp_text_wrap(text, 2, 6);
    }
}

/* A pair that fails shows first which ports do. */
static void add_failing(struct sp_text *text, const struct sp_pair_row *row)
{
    if (row->leaks[0]) {
        sp_text_add(text, "  leaks: ");
        sp_text_add_ports(text, row->leaks);
        sp_text_add(text, ";");
    }
    if (row->failing[0]) {
        sp_text_add(text, row->leaks[0] ? " fails: " : "  fails: ");
        sp_text_add_ports(text, row->failing);
        sp_text_add(text, ";");
    }
    if (row->leaks[0] || row->failing[0]) {
        sp_text_add(text, " tested: ");
        sp_text_add_ports(text, row->tested);
    }
}

/* -v: every pair. */
static void show_pairs(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    sp_text_heading(text, "PAIRS", "a pair that holds was tested on the ports named here only");
    for (size_t i = 0; i < summary->npairs; i++) {
        const struct sp_pair_row *row = &summary->pairs[i];
        char word[24];
        sp_text_styled(text, sp_text_style_of(row->verdict), sp_text_sign(text, row->verdict));
        sp_buf_fmt(&text->line, " %s  ", sp_text_word(row->verdict, word));
        bool failed = row->leaks[0] || row->failing[0];
        sp_text_add_flow(text, row->from, row->to, row->proto, sp_family_str(row->family),
                         failed ? "" : row->tested);
        add_failing(text, row);
        sp_buf_fmt(&text->line, "  control %s, ", sp_grade_str(row->grade));
        sp_text_add_number(text, row->holds);
        sp_text_add(text, " of ");
        sp_text_add_count(text, row->tests, "check holds", "checks hold");
        sp_text_add(text, row->lossy ? ", with loss" : "");
        if (row->syn_proxy[0]) {
            sp_text_add(text, ", a SYN proxy answers on the path: ");
            sp_text_add_ports(text, row->syn_proxy);
        }
        sp_text_wrap(text, 1, 4);
    }
}

static enum sp_rc render(const struct sp_summary *summary, const struct sp_format_options *options,
                         struct sp_buf *out)
{
    static const struct sp_format_options none = {0};
    const struct sp_format_options *o = options ? options : &none;
    unsigned width = o->width == 0 ? 100U : o->width;
    struct sp_text text = {
        .summary = summary,
        .out = out,
        .width = width < 40U    ? 40U
                 : width > 120U ? 120U
                                : width,
        .verbosity = o->verbosity,
        .color = o->color,
        .ascii = o->ascii,
    };
    sp_buf_init(&text.line, SP_TEXT_LINE_MAX);
    overall_line(&text);
    if (o->verbosity < 0) {
        sp_text_finding_lines(&text);
        sp_text_claim_lines(&text);
    } else {
        run_line(&text);
        proof_line(&text);
        sp_text_causes(&text);
        sp_text_findings(&text);
        show_open(&text);
        show_probes(&text);
        sp_text_claims(&text);
        sp_text_balancers(&text);
        sp_text_matrix(&text);
        sp_text_sweeps(&text);
        if (o->verbosity > 0) {
            show_pairs(&text);
        }
        show_coverage(&text);
        show_untested(&text);
    }
    sp_buf_release(&text.line);
    return out->rc;
}

const struct sp_format sp_fmt_text = {
    .name = "text",
    .extension = ".txt",
    .summary = "for people on a terminal",
    .render = render,
};
