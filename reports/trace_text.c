/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture of a traced flow: the way from the sender to the receiver from top to bottom, one
 * line per vantage point, a sign for how far it came. Nothing is said by colour alone. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/escape.h"
#include "reports/formats/text_out.h"
#include "reports/group.h"
#include "reports/trace_priv.h"

/* Where the words of a vantage point begin. */
#define SP_TRACE_COLUMN 30U

enum sign { SIGN_GOOD, SIGN_BAD, SIGN_NOT, SIGN_UNKNOWN };

static void put_sign(struct sp_text *text, enum sign sign)
{
    static const char *const utf8[] = {"\u2713", "\u2717", "\u00b7", "?"};
    static const char *const plain[] = {"+", "x", ".", "?"};
    static const enum sp_style styles[] = {SP_STYLE_GOOD, SP_STYLE_BAD, SP_STYLE_DIM,
                                           SP_STYLE_OPEN};
    sp_buf_str(text->out, "  ");
    sp_text_styled(text, styles[sign], (text->ascii ? plain : utf8)[sign]);
    sp_buf_char(text->out, ' ');
}

/* "  + web-1                     sent 4 of 4": the name, then text->line from its column on. */
static void point(struct sp_text *text, enum sign sign, const char *hostile)
{
    struct sp_buf name;
    sp_buf_init(&name, 4096);
    sp_escape_terminal(&name, hostile);
    size_t columns = 4 + sp_text_columns(sp_buf_text(&name));
    put_sign(text, sign);
    sp_text_styled(text, SP_STYLE_BOLD, sp_buf_text(&name));
    if (columns + 2 > SP_TRACE_COLUMN) {
        sp_buf_fmt(text->out, "\n%*s", (int)SP_TRACE_COLUMN, "");
    } else {
        sp_buf_fmt(text->out, "%*s", (int)(SP_TRACE_COLUMN - columns), "");
    }
    sp_text_wrap(text, SP_TRACE_COLUMN, SP_TRACE_COLUMN);
    sp_buf_release(&name);
}

/* The way between two points; where it ends here, that is said. */
static void way(struct sp_text *text, const struct sp_trace *t, size_t hop)
{
    bool ends = t->place == SP_TRACE_BEFORE_HOP && t->hop == hop;
    const char *line = text->ascii ? "|" : "\u2502";
    if (!ends) {
        sp_buf_fmt(text->out, "  %s\n", line);
        return;
    }
    put_sign(text, SIGN_BAD);
    sp_text_styled(text, SP_STYLE_BAD,
                   t->cause == SP_TRACE_REJECTED     ? "rejected here"
                   : t->cause == SP_TRACE_PARALLEL   ? "some flows are lost here"
                   : t->cause == SP_TRACE_FIRST_LOST ? "first packets are lost here"
                                                     : "lost here");
    sp_buf_char(text->out, '\n');
}

static const char *name_of(const struct sp_trace *t, uint32_t target)
{
    return sp_model_target_name(t->model, target);
}

/* ------------------------------------------------------------------ the head */

static void head(struct sp_text *text, const struct sp_trace *t)
{
    char port[SP_PORTSPEC_STRLEN];
    char word[24];
    const struct sp_test *test = t->test;
    uint8_t verdict = t->is_tested ? (uint8_t)t->outcome->judged.verdict : SP_VERDICT_NOT_TESTED;
    sp_text_add_outside(text, name_of(t, t->pair->from));
    sp_text_add(text, " -> ");
    sp_text_add_outside(text, name_of(t, t->pair->to));
    sp_buf_fmt(&text->line, "  %s/%s  %s", sp_proto_str(test->proto),
               sp_proto_port_str(test->proto, test->port, port), sp_family_str(t->pair->family));
    sp_text_styled(text, SP_STYLE_BOLD, sp_text_sign(text, verdict));
    sp_buf_char(text->out, ' ');
    sp_text_styled(text, sp_text_style_of(verdict), sp_text_word(verdict, word));
    sp_buf_str(text->out, "  ");
    sp_text_wrap(text, strlen(word) + 4, 4);

    char *line = sp_rule_line(t->model, test->rule);
    sp_text_add(text, test->expect == SP_EXPECT_DENY     ? "denied by "
                      : test->expect == SP_EXPECT_PERMIT ? "permitted by "
                                                         : "allowed by ");
    sp_text_add_outside(text, sp_rule_name(t->model, test->rule, test->expect));
    if (line && test->rule < t->model->nrules) {
        sp_text_add(text, " (");
        sp_text_add_outside(text, line);
        sp_text_add(text, ")");
    }
    sp_free(line);
    sp_text_field(text, "declared");
    if (t->is_tested) {
        const struct sp_seen *seen = &t->outcome->seen;
        sp_buf_fmt(&text->line, "%u of %u arrived", seen->nic, seen->attempts);
        if (test->expect != SP_EXPECT_DENY) {
            sp_buf_fmt(&text->line, ", %u answered", seen->answered);
        }
        sp_buf_fmt(&text->line, "; control: %s", sp_grade_str(t->outcome->grade));
        if (t->has_reference && !t->reference_is_flow) {
            sp_buf_fmt(&text->line, "; hops learnt with %s", t->reference);
        }
        sp_text_field(text, "measured");
    }
    sp_buf_char(text->out, '\n');
}

/* ------------------------------------------------------------------ vantage points */

static void sender(struct sp_text *text, const struct sp_trace *t)
{
    char addr[SP_ADDR_STRLEN];
    bool out = t->left > 0;
    sp_buf_fmt(&text->line, "%s  ", sp_addr_str(&t->pair->src, addr));
    if (t->cause == SP_TRACE_SENDER_POLICY) {
        sp_text_add(text, "its own outbound rules refuse it");
    } else if (t->cause == SP_TRACE_SENDER_ROUTE) {
        sp_text_add(text, "cannot send: no route or link down");
    } else if (!out) {
        sp_buf_fmt(&text->line, "sent %u, none seen leaving", t->tries);
    } else {
        sp_buf_fmt(&text->line, "sent %u, %u seen leaving", t->tries, t->left);
    }
    point(text, out ? SIGN_GOOD : SIGN_BAD, name_of(t, t->pair->from));
}

static void passes(struct sp_text *text, const struct sp_trace *t, uint32_t host)
{
    for (size_t i = 0; i < t->npasses; i++) {
        const struct sp_trace_pass *pass = &t->passes[i];
        char addr[SP_ADDR_STRLEN];
        if (pass->host != host) {
            continue;
        }
        sp_buf_fmt(text->out, "  %s%*s", text->ascii ? "|" : "\u2502", (int)SP_TRACE_COLUMN - 3,
                   "");
        sp_buf_fmt(&text->line, "%s ", pass->is_out ? "out" : "in ");
        sp_text_add_outside(text, pass->iface);
        sp_buf_fmt(&text->line, "  %ux", (unsigned)pass->count);
        if (pass->answer != SP_ANSWER_NONE) {
            sp_buf_fmt(&text->line, "  answer: %s", sp_answer_str(pass->answer));
        } else {
            sp_buf_fmt(&text->line, "  %s", sp_addr_str(&pass->tuple.src, addr));
            sp_buf_fmt(&text->line, " > %s", sp_addr_str(&pass->tuple.dst, addr));
        }
        sp_text_wrap(text, SP_TRACE_COLUMN, SP_TRACE_COLUMN);
    }
}

/* Was the flow seen behind this hop? Routers do not answer every expired packet. */
static bool is_behind(const struct sp_trace *t, size_t hop)
{
    for (size_t i = hop + 1; i < t->nhops; i++) {
        if (t->hops[i].asked > 0) {
            return true;
        }
    }
    return t->nic > 0 || t->host > 0 || t->elsewhere != SP_NONE;
}

/* What becomes of it at the hop where it ends. */
static const char *ending_of(const struct sp_trace *t)
{
    static const char *const words[SP_TRACE_CAUSES] = {
        [SP_TRACE_REJECTED] = "; rejected here",
        [SP_TRACE_NO_ROUTE] = "; no route here",
        [SP_TRACE_ELSEWHERE] = "; sent elsewhere here",
        [SP_TRACE_REWRITTEN] = "; rewritten here",
        [SP_TRACE_NO_NEIGHBOUR] = "; nobody behind it",
        [SP_TRACE_LOOP] = "; sent back here",
        [SP_TRACE_PARALLEL] = "; some flows are lost beside it",
    };
    return t->cause < SP_TRACE_CAUSES && words[t->cause] ? words[t->cause] : "; and never leaves";
}

static void hop(struct sp_text *text, const struct sp_trace *t, size_t i)
{
    char name[SP_TRACE_NAME_MAX];
    const struct sp_trace_hop *h = &t->hops[i];
    enum sign sign = h->asked > 0 ? SIGN_GOOD : h->reference > 0 ? SIGN_NOT : SIGN_UNKNOWN;
    if (t->place == SP_TRACE_AT_HOP && t->hop == i) {
        sign = SIGN_BAD;
    }
    bool seen = false;
    for (size_t k = 0; k < t->npasses; k++) {
        seen = seen || (t->passes[k].host == h->host && t->passes[k].answer == SP_ANSWER_NONE);
    }
    sign = sign == SIGN_BAD || !(h->is_watched && seen) ? sign : SIGN_GOOD;
    sign = sign == SIGN_BAD || !is_behind(t, i) ? sign : SIGN_GOOD;
    sp_buf_fmt(&text->line, "hop %zu  ", i + 1);
    if (h->asked > 0) {
        sp_text_add(text, "it comes here");
    } else if (h->is_watched && seen) {
        sp_text_add(text, "its probe sees it");
    } else if (is_behind(t, i)) {
        sp_text_add(text, h->reference > 0 ? "it passes here" : "answers no expired packets");
    } else if (h->reference > 0) {
        sp_buf_fmt(&text->line, "%s comes here, it does not", t->reference);
    } else {
        sp_text_add(text, "answers no expired packets");
    }
    if (t->place == SP_TRACE_AT_HOP && t->hop == i) {
        sp_text_add(text, ending_of(t));
    }
    if (h->is_translated) {
        char a[SP_ADDR_STRLEN];
        sp_buf_fmt(&text->line, "; translated before it, to %s", sp_addr_str(&h->quoted.dst, a));
    }
    if (h->addr.family == SP_FAMILY_NONE) {
        (void)snprintf(name, sizeof(name), "*");
    } else {
        (void)sp_trace_hop_str(t, i, name);
    }
    point(text, sign, name);
    if (h->is_watched) {
        passes(text, t, h->host);
    }
}

static void receiver(struct sp_text *text, const struct sp_trace *t)
{
    char addr[SP_ADDR_STRLEN];
    const char *name = name_of(t, t->pair->to);
    sp_buf_fmt(&text->line, "%s  interface: ", sp_addr_str(&t->pair->own, addr));
    if (t->pair->one_sided) {
        sp_text_add(text, "no probe, nobody looks");
        point(text, SIGN_UNKNOWN, name);
        return;
    }
    if (t->nic == 0) {
        sp_text_add(text, t->cause == SP_TRACE_RECEIVER_DOWN ? "down"
                          : t->flows.again_passed > 0        ? "only repeated packets arrived"
                                                             : "nothing arrived");
        point(text, t->place == SP_TRACE_AT_RECEIVER ? SIGN_BAD : SIGN_NOT, name);
        return;
    }
    sp_buf_fmt(&text->line, "%u of %u arrived", t->nic, t->tries);
    point(text, SIGN_GOOD, name);
    sp_buf_fmt(&text->line, "behind its firewall: %u of %u", t->host, t->nic);
    point(text, t->host > 0 ? SIGN_GOOD : SIGN_BAD, "");
    if (t->host == 0) {
        return;
    }
    if (t->answer_left > 0) {
        sp_buf_fmt(&text->line, "answer leaving: %s, %u of %u", sp_answer_str(t->egress),
                   t->answer_left, t->host);
    } else {
        sp_text_add(text,
                    t->egress_err ? "answer: its own rules refuse it" : "answer: none leaves");
    }
    point(text, t->answer_left > 0 ? SIGN_GOOD : SIGN_BAD, "");
}

static void answer(struct sp_text *text, const struct sp_trace *t)
{
    char addr[SP_ADDR_STRLEN];
    if (t->answer_left == 0 && t->answer == SP_ANSWER_NONE) {
        return;
    }
    sp_buf_fmt(text->out, "  %s\n", text->ascii ? "|" : "\u2502");
    if (t->answer == SP_ANSWER_NONE) {
        sp_text_add(text, "the answer does not come back");
        point(text, SIGN_BAD, name_of(t, t->pair->from));
        return;
    }
    sp_buf_fmt(&text->line, "answer: %s from %s", sp_answer_str(t->answer),
               sp_addr_str(&t->answerer, addr));
    if (t->answered > 0) {
        sp_buf_fmt(&text->line, ", %u of %u", t->answered, t->tries);
    }
    bool from_receiver = t->answer_left > 0 && t->answer != SP_ANSWER_UNREACHABLE;
    point(text, from_receiver ? SIGN_GOOD : SIGN_BAD, name_of(t, t->pair->from));
}

/* ------------------------------------------------------------------ facts and packets */

static void facts(struct sp_text *text, const struct sp_trace *t)
{
    char addr[SP_ADDR_STRLEN];
    for (size_t i = 0; i < t->nsizes; i++) {
        const struct sp_trace_size *size = &t->sizes[i];
        sp_buf_fmt(&text->line, "%s%u: ", i ? ", " : "bytes ", size->bytes);
        if (size->mtu) {
            sp_buf_fmt(&text->line, "too big, %s says %u", sp_addr_str(&size->who, addr),
                       (unsigned)size->mtu);
        } else {
            sp_text_add(text, size->arrived ? "arrives" : size->refused ? "not sent" : "lost");
        }
    }
    if (t->nsizes > 0) {
        sp_text_field(text, "sizes");
    }
    if (t->mss_sent && t->mss_seen && t->mss_sent != t->mss_seen) {
        sp_buf_fmt(&text->line, "sent as %u, arrives as %u: clamped on the path", t->mss_sent,
                   t->mss_seen);
        sp_text_field(text, "MSS");
    }
    if (t->back_hops && t->is_distance_known && t->back_hops != t->nhops + 1) {
        sp_buf_fmt(&text->line, "%zu routers there, %u back: the two ways differ", t->nhops,
                   t->back_hops - 1U);
        sp_text_field(text, "asymmetry");
    }
    sp_trace_path_text(text, t);
}

static void packets(struct sp_text *text, const struct sp_trace *t)
{
    static const char *const roles[SP_KEPT_END] = {[SP_KEPT_SENT] = "left",
                                                   [SP_KEPT_ARRIVED] = "arrived",
                                                   [SP_KEPT_ANSWER] = "got",
                                                   [SP_KEPT_REPLY] = "answered",
                                                   [SP_KEPT_STRAY] = "saw"};
    if (t->npackets > 0) {
        sp_text_heading(text, "PACKETS", NULL);
    }
    for (size_t i = 0; i < t->npackets; i++) {
        const struct sp_trace_packet *p = &t->packets[i];
        sp_buf_fmt(text->out, "  %3u.%06u  ", (unsigned)(p->at_us / 1000000),
                   (unsigned)(p->at_us % 1000000));
        sp_text_add_outside(text, name_of(t, p->host));
        sp_buf_char(&text->line, ' ');
        sp_text_add_outside(text, p->iface);
        sp_buf_fmt(&text->line, " %s  ", p->role < SP_KEPT_END ? roles[p->role] : "saw");
        sp_text_add_outside(text, p->text);
        sp_text_wrap(text, 14, 16);
    }
}

void sp_trace_print(const struct sp_trace *trace, const struct sp_trace_style *style,
                    struct sp_buf *out)
{
    struct sp_text text = {.out = out,
                           .width = style->width == 0   ? 80
                                    : style->width < 60 ? 60
                                                        : style->width,
                           .verbosity = style->verbosity,
                           .color = style->color,
                           .ascii = style->ascii};
    sp_buf_init(&text.line, 1U << 16);
    if (style->verbosity < 0) {
        char word[24];
        uint8_t verdict =
            trace->is_tested ? (uint8_t)trace->outcome->judged.verdict : SP_VERDICT_NOT_TESTED;
        sp_text_styled(&text, sp_text_style_of(verdict), sp_text_word(verdict, word));
        sp_buf_fmt(out, "  %s  ", sp_family_str(trace->pair->family));
        sp_text_add_outside(&text, trace->sentence);
        sp_text_wrap(&text, strlen(word) + 8, 4);
        sp_buf_release(&text.line);
        return;
    }
    head(&text, trace);
    if (trace->is_tested) {
        sender(&text, trace);
        for (size_t i = 0; i < trace->nhops; i++) {
            way(&text, trace, i);
            hop(&text, trace, i);
        }
        way(&text, trace, trace->nhops);
        receiver(&text, trace);
        answer(&text, trace);
        sp_buf_char(out, '\n');
    }
    sp_text_add_outside(&text, trace->sentence);
    sp_text_field(&text, "cause");
    if (trace->remedy[0]) {
        sp_text_add_outside(&text, trace->remedy);
        sp_text_field(&text, "change");
    }
    facts(&text, trace);
    packets(&text, trace);
    sp_buf_release(&text.line);
}
