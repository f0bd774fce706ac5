/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts below the picture of a trace: parallel paths, first packets, rates, silence. What was
 * not measured is not told; what was asked for and could not be is told with the reason. */
#include "reports/formats/text_out.h"
#include "reports/trace_priv.h"

static void add_list(struct sp_text *text, const struct sp_trace_hop *hop)
{
    char addr[SP_ADDR_STRLEN];
    for (size_t i = 0; i < hop->npaths; i++) {
        sp_buf_fmt(&text->line, "%s%s", i > 0 ? ", " : "", sp_addr_str(&hop->paths[i], addr));
    }
}

static void paths(struct sp_text *text, const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    bool any = false;
    for (size_t i = 0; i < t->nhops; i++) {
        const struct sp_trace_hop *hop = &t->hops[i];
        if (hop->npaths > 1) {
            sp_buf_fmt(&text->line, "%shop %zu: %zu routers side by side (", any ? "; " : "", i + 1,
                       hop->npaths);
            add_list(text, hop);
            sp_buf_fmt(&text->line, ") answer %u packets", hop->path_answers);
            any = true;
        }
    }
    if (any) {
        sp_text_field(text, "paths");
    }
    if (f->n == 0) {
        return;
    }
    if (f->lost == 0 && f->mixed == 0) {
        sp_buf_fmt(&text->line, "all %u arrive, each %u times", f->n, f->times);
    } else if (f->passed == 0 && f->mixed == 0) {
        sp_buf_fmt(&text->line, "none of %u arrives, each %u times", f->n, f->times);
    } else {
        sp_buf_fmt(&text->line, "of %u, each %u times: %u always arrive, %u never, %u now and then",
                   f->n, f->times, f->passed, f->lost, f->mixed);
    }
    sp_text_field(text, "flows");
}

static void firsts(struct sp_text *text, const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    bool is_tcp = t->test->proto == SP_PROTO_TCP;
    unsigned took_one = (unsigned)f->firsts - f->first_lost;
    if (f->firsts == 0 || (took_one == 0 && f->again_passed == 0)) {
        return;
    }
    sp_buf_fmt(&text->line, "%u of %u flows need one", took_one, f->firsts);
    if (f->again_passed > 0) {
        sp_buf_fmt(&text->line, ", %u need a second one (a second later)", f->again_passed);
    }
    if (f->first_lost > f->again_passed) {
        sp_buf_fmt(&text->line, ", of %u both are lost", (unsigned)f->first_lost - f->again_passed);
    }
    sp_text_field(text, is_tcp ? "SYNs" : "firsts");
}

static void rates(struct sp_text *text, const struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    uint32_t through;
    if (t->no_rates) {
        sp_buf_fmt(&text->line, "not measured: %s", t->no_rates);
        sp_text_field(text, "rates");
        return;
    }
    if (t->nrates == 0) {
        return;
    }
    if (!sp_trace_knee(t, &good, &bad, &through)) {
        sp_text_add(text, "packets are lost at some rates and not at higher ones: no limit shows");
    } else if (bad == 0) {
        sp_buf_fmt(&text->line, "no limit up to %u packets a second", good);
    } else if (good == 0) {
        sp_buf_fmt(&text->line, "loss at all of them, from %u packets a second on; %u come through",
                   bad, through);
    } else {
        sp_buf_fmt(&text->line,
                   "loss begins between %u and %u packets a second; %u come through at most", good,
                   bad, through);
    }
    sp_text_field(text, "rates");
}

static void silence(struct sp_text *text, const struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    bool is_reset;
    if (t->no_idle) {
        sp_buf_fmt(&text->line, "not measured: %s", t->no_idle);
        sp_text_field(text, "silence");
        return;
    }
    if (t->nidle == 0) {
        return;
    }
    if (!sp_trace_silences(t, &good, &bad, &is_reset)) {
        sp_text_add(text, "not measured: not even conversations without silence get through");
    } else if (bad == 0) {
        sp_buf_fmt(&text->line,
                   "conversations survive %u.%u s of silence, the longest that was tried",
                   good / 1000, good / 100 % 10);
    } else {
        sp_buf_fmt(&text->line,
                   "%u.%u s is the longest that conversations survive, %u.%u s the shortest that "
                   "they do not (cut %s)",
                   good / 1000, good / 100 % 10, bad / 1000, bad / 100 % 10,
                   is_reset ? "with a RST" : "silently");
    }
    sp_text_field(text, "silence");
}

static void turns(struct sp_text *text, const struct sp_trace *t)
{
    const char *const by[2][3] = {{"leaves by", t->left_by, t->answer_by},
                                  {"arrives by", t->arrived_by, t->reply_by}};
    const bool is[2] = {sp_trace_turns_at_sender(t), sp_trace_turns_at_receiver(t)};
    const uint32_t hosts[2] = {t->pair->from, t->pair->to};
    for (size_t i = 0; i < 2; i++) {
        if (is[i]) {
            sp_buf_fmt(&text->line, "%s ", by[i][0]);
            sp_text_add_outside(text, by[i][1]);
            sp_text_add(text, " of ");
            sp_text_add_outside(text, sp_trace_name(t, hosts[i]));
            sp_text_add(text,
                        i == 0 ? ", and the answer comes in by " : ", and the answer leaves by ");
            sp_text_add_outside(text, by[i][2]);
            sp_text_field(text, "asymmetry");
        }
    }
}

void sp_trace_path_text(struct sp_text *text, const struct sp_trace *t)
{
    turns(text, t);
    paths(text, t);
    firsts(text, t);
    rates(text, t);
    silence(text, t);
}
