/* SPDX-License-Identifier: Apache-2.0
 *
 * Load balancers in words: who used which listener, and what each backend got of it. Clients to
 * whom the same happened share a line unless the report is verbose. */
#include <string.h>

#include "reports/formats/text_out.h"
#include "reports/group.h"

#define SP_NAMED_BACKENDS 8U
#define SP_NAMED_CLIENTS  3U

static const struct sp_listener *listener_of(const struct sp_text *text,
                                             const struct sp_served *row)
{
    return &text->summary->result->model->balancers[row->balancer].listeners[row->listener];
}

static const struct sp_outcome *outcome_of(const struct sp_text *text, const struct sp_served *row)
{
    return &text->summary->result->outcomes[row->test];
}

/* ------------------------------------------------------------------ who shares a line */

static bool same_place(const struct sp_served *a, const struct sp_served *b)
{
    return a->balancer == b->balancer && a->listener == b->listener &&
           sp_addr_eq(&a->addr, &b->addr);
}

static bool is_alike(const struct sp_text *text, const struct sp_served *a,
                     const struct sp_served *b)
{
    const struct sp_outcome *x = outcome_of(text, a);
    const struct sp_outcome *y = outcome_of(text, b);
    if (a == b || text->verbosity > 0) {
        return a == b;
    }
    if (x->judged.verdict != y->judged.verdict || x->judged.by != y->judged.by ||
        x->judged.reason != y->judged.reason || x->judged.lossy != y->judged.lossy ||
        (x->seen.foreign > 0) != (y->seen.foreign > 0) ||
        (x->seen.rewritten > 0) != (y->seen.rewritten > 0) ||
        (x->seen.elsewhere > 0) != (y->seen.elsewhere > 0) ||
        x->seen.elsewhere_host != y->seen.elsewhere_host ||
        !x->backend_flows != !y->backend_flows) {
        return false;
    }
    for (size_t i = 0; x->backend_flows && i < listener_of(text, a)->nbackends; i++) {
        if ((x->backend_flows[i] > 0) != (y->backend_flows[i] > 0)) {
            return false;
        }
    }
    return true;
}

static bool is_shown(const struct sp_text *text, const struct sp_served *row)
{
    return text->verbosity > 0 || outcome_of(text, row)->judged.verdict != SP_VERDICT_NOT_TESTED;
}

/* One line: the rows behind first, of the same place, that are like it. */
struct line {
    const struct sp_served *first, *end; /* of the place */
    size_t clients;
    uint64_t flows, elsewhere, foreign, rewritten;
};

static uint64_t flows_to(const struct sp_text *text, const struct line *line, size_t backend)
{
    uint64_t sum = 0;
    for (const struct sp_served *row = line->first; row < line->end; row++) {
        const struct sp_outcome *outcome = outcome_of(text, row);
        if (outcome->backend_flows && is_alike(text, line->first, row)) {
            sum += outcome->backend_flows[backend];
        }
    }
    return sum;
}

static struct line line_of(const struct sp_text *text, const struct sp_served *first,
                           const struct sp_served *end)
{
    struct line line = {.first = first, .end = end};
    for (const struct sp_served *row = first; row < end; row++) {
        if (is_alike(text, first, row)) {
            const struct sp_seen *seen = &outcome_of(text, row)->seen;
            line.clients++;
            line.flows += seen->attempts;
            line.elsewhere += seen->elsewhere;
            line.foreign += seen->foreign;
            line.rewritten += seen->rewritten;
        }
    }
    return line;
}

/* ------------------------------------------------------------------ the words of a line */

static void add_backends(struct sp_text *text, const struct line *line)
{
    const struct sp_listener *listener = listener_of(text, line->first);
    const struct sp_model *model = text->summary->result->model;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    bool all = listener->nbackends <= SP_NAMED_BACKENDS || text->verbosity > 0;
    size_t probes = 0;
    for (size_t i = 0; i < listener->nbackends; i++) {
        const struct sp_host *host = &model->hosts[listener->backends[i]];
        uint64_t flows = flows_to(text, line, i);
        if (host->via) {
            probes++;
            least = flows < least ? flows : least;
            most = flows > most ? flows : most;
        }
        if (all) {
            sp_text_add(text, i > 0 ? ", " : "");
            sp_text_add_outside(text, host->name);
            sp_text_add(text, " ");
            if (host->via) {
                sp_text_add_number(text, flows);
            } else {
                sp_text_add(text, "unknown (no probe)");
            }
        }
    }
    if (!all) {
        sp_text_add_number(text, listener->nbackends);
        sp_text_add(text, " backends");
        if (probes > 0) {
            sp_text_add(text, ", ");
            sp_text_add_number(text, least);
            sp_text_add(text, " to ");
            sp_text_add_number(text, most);
            sp_text_add(text, " each");
        }
    }
    sp_text_add(text, " of ");
    sp_text_add_count(text, line->flows, "flow", "flows");
    unsigned needed = sp_plan_flows_for(listener->nbackends);
    sp_buf_fmt(&text->line, line->clients > 1 ? " (%u needed of each)" : " (%u needed)", needed);
}

static void add_missed(struct sp_text *text, uint32_t test)
{
    struct sp_buf names;
    sp_buf_init(&names, SP_PORTS_MAX_BYTES);
    if (sp_served_missed(text->summary->result, test, SP_NAMED_BACKENDS, &names)) {
        sp_text_add(text, "; ");
        sp_text_add_outside(text, sp_buf_text(&names));
        sp_text_add(text, " never reached");
    }
    sp_buf_release(&names);
}

static void add_strangers(struct sp_text *text, const struct sp_seen *seen, uint64_t elsewhere,
                          uint64_t foreign)
{
    const struct sp_model *model = text->summary->result->model;
    if (elsewhere > 0) {
        sp_text_add(text, "; ");
        sp_text_add_number(text, elsewhere);
        sp_text_add(text, " at ");
        sp_text_add_outside(text, seen->elsewhere_host < model->nhosts
                                      ? model->hosts[seen->elsewhere_host].name
                                      : "another probe");
        sp_text_add(text, ", which is no backend of this listener");
    }
    if (foreign > 0) {
        sp_text_add(text, "; ");
        sp_text_add_number(text, foreign);
        sp_text_add(text, seen->backends_blind > 0
                              ? " answered where no probe saw them, as by a backend without one"
                              : " answered by somebody who is no declared backend");
    }
}

static void add_rewritten(struct sp_text *text, const struct sp_listener *listener,
                          const struct sp_seen *seen, uint64_t rewritten)
{
    bool has_ports = listener->port.proto != SP_PROTO_SCTP;
    if (rewritten == 0) {
        return;
    }
    sp_text_add(text, "; ");
    sp_text_add_number(text, rewritten);
    sp_text_add(text, " arrived");
    if (seen->captured.src.family != SP_FAMILY_NONE) {
        sp_text_add(text, " as ");
        sp_text_add_end(text, &seen->captured.src, has_ports, seen->captured.sport);
        sp_text_add(text, " -> ");
        sp_text_add_end(text, &seen->captured.dst, has_ports, seen->captured.dport);
    }
    sp_text_add(text, ", not as declared (source ");
    sp_text_add(text, listener->source ? listener->source : "preserved");
    sp_text_add(text, ")");
}

static void add_conclusion(struct sp_text *text, const struct sp_outcome *outcome)
{
    char word[24];
    uint8_t verdict = (uint8_t)outcome->judged.verdict;
    if (verdict == SP_VERDICT_HOLDS) {
        sp_text_add(text, outcome->judged.lossy ? ", with some loss" : "");
        return;
    }
    sp_text_add(text, ": ");
    sp_text_add(text, sp_text_word(verdict, word));
    if (verdict == SP_VERDICT_INCONCLUSIVE) {
        sp_text_add(text, ", ");
        sp_text_add(text, sp_unsound_str(outcome->judged.reason));
    } else if (verdict == SP_VERDICT_NOT_TESTED && outcome->not_tested) {
        sp_text_add(text, ", ");
        sp_text_add(text, outcome->not_tested);
    } else if (verdict == SP_VERDICT_BLOCKED && outcome->judged.by == SP_BY_ANSWERER) {
        sp_text_add(text, ", though the address answers");
    }
}

static void add_clients(struct sp_text *text, const struct line *line)
{
    if (line->clients > SP_NAMED_CLIENTS) {
        sp_text_add_number(text, line->clients);
        sp_text_add(text, " clients");
        return;
    }
    size_t n = 0;
    for (const struct sp_served *row = line->first; row < line->end; row++) {
        if (is_alike(text, line->first, row)) {
            sp_text_add(text, n == 0 ? "" : n + 1 == line->clients ? " and " : ", ");
            sp_text_add_outside(text,
                                sp_model_target_name(text->summary->result->model, row->from));
            n++;
        }
    }
}

static void show_line(struct sp_text *text, const struct line *line)
{
    const struct sp_served *row = line->first;
    const struct sp_outcome *outcome = outcome_of(text, row);
    const struct sp_listener *listener = listener_of(text, row);
    char addr[SP_ADDR_STRLEN], port[SP_PORTSPEC_STRLEN];
    uint8_t verdict = (uint8_t)outcome->judged.verdict;
    sp_text_styled(text, sp_text_style_of(verdict), sp_text_sign(text, verdict));
    sp_text_add(text, " ");
    sp_text_add_outside(text, text->summary->result->model->balancers[row->balancer].name);
    sp_buf_fmt(&text->line, " %s %s from ", sp_addr_str(&row->addr, addr),
               sp_portspec_str(&listener->port, port));
    add_clients(text, line);
    if (verdict != SP_VERDICT_NOT_TESTED && outcome->backend_flows) {
        sp_text_add(text, ": ");
        add_backends(text, line);
        if (outcome->seen.host > 0) { /* else nobody got anything, which the verdict says */
            add_missed(text, row->test);
        }
        add_strangers(text, &outcome->seen, line->elsewhere, line->foreign);
        add_rewritten(text, listener, &outcome->seen, line->rewritten);
    } else if (verdict != SP_VERDICT_NOT_TESTED) {
        sp_text_add(text, ": no backend has a probe, seen from the client's side only");
    }
    add_conclusion(text, outcome);
    sp_text_wrap(text, 1, 4);
}

/* Whether an earlier row of its place is told with it. */
static bool is_told(const struct sp_text *text, const struct sp_served *place,
                    const struct sp_served *row)
{
    for (const struct sp_served *before = place; before < row; before++) {
        if (is_alike(text, before, row)) {
            return true;
        }
    }
    return false;
}

void sp_text_balancers(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    if (summary->nserved == 0) {
        return;
    }
    const struct sp_served *end = summary->served + summary->nserved;
    const struct sp_served *place = summary->served;
    size_t shown = 0, left = 0;
    for (const struct sp_served *row = summary->served; row != end; row++) {
        place = same_place(place, row) ? place : row;
        if (!is_shown(text, row) || is_told(text, place, row)) {
            continue;
        }
        if (text->verbosity <= 0 && shown >= SP_TEXT_MAX_SHOWN) {
            left++;
            continue;
        }
        if (shown++ == 0) {
            sp_text_heading(text, "LOAD BALANCERS", "flows that each backend received");
        }
        const struct sp_served *behind = row + 1;
        while (behind < end && same_place(row, behind)) {
            behind++;
        }
        struct line line = line_of(text, row, behind);
        show_line(text, &line);
    }
    if (left > 0) {
        sp_text_add(text, "... and ");
        sp_text_add_number(text, left);
        sp_text_add(text, " more: see -v, or --report json=FILE");
        sp_text_wrap(text, 0, 4);
    }
}

/* ------------------------------------------------------------------ the receivers of a finding */

bool sp_text_is_balanced(const struct sp_text *text, uint32_t test)
{
    const struct sp_result *result = text->summary->result;
    const struct sp_pair *pair = &result->plan->pairs[result->tests[test].pair];
    return pair->is_balanced && !pair->one_sided;
}

/* "web-2 got 0 of 42 flows; web-1 got 42": who got least comes first. */
static void add_shares(struct sp_text *text, const struct sp_listener *listener,
                       const struct sp_outcome *outcome)
{
    const struct sp_model *model = text->summary->result->model;
    size_t n = 0;
    for (int rest = 0; rest <= 1; rest++) {
        for (size_t i = 0; i < listener->nbackends; i++) {
            const struct sp_host *host = &model->hosts[listener->backends[i]];
            if (!host->via || (outcome->backend_flows[i] > 0) != (rest != 0) ||
                n++ >= SP_NAMED_BACKENDS) {
                continue;
            }
            sp_text_add(text, n == 1 ? "" : "; ");
            sp_text_add_outside(text, host->name);
            sp_buf_fmt(&text->line, " got %u", (unsigned)outcome->backend_flows[i]);
            if (n == 1) {
                sp_buf_fmt(&text->line, " of %u flows", (unsigned)outcome->seen.attempts);
            }
        }
    }
    if (n > SP_NAMED_BACKENDS) {
        sp_buf_fmt(&text->line, "; and %zu backends more", n - SP_NAMED_BACKENDS);
    }
}

void sp_text_add_behind(struct sp_text *text, uint32_t test)
{
    const struct sp_result *result = text->summary->result;
    const struct sp_outcome *outcome = &result->outcomes[test];
    const struct sp_seen *seen = &outcome->seen;
    const struct sp_listener *listener =
        sp_result_listener(result->model, result->plan, &result->tests[test]);
    if (listener && outcome->backend_flows) {
        add_shares(text, listener, outcome);
    } else if (seen->host > 0 || seen->nic > 0) {
        sp_buf_fmt(&text->line, "%u of %u reached a backend",
                   (unsigned)(seen->host > seen->nic ? seen->host : seen->nic),
                   (unsigned)seen->attempts);
    } else {
        sp_text_add(text, "no backend got it");
        sp_text_add(text, seen->answered > 0 ? "; who answers at the address serves it" : "");
    }
    if (listener && seen->host == 0 && seen->nic > 0) {
        sp_buf_fmt(&text->line, "; %u reached a backend's interface and none passed its firewall",
                   (unsigned)seen->nic);
    }
    add_strangers(text, seen, seen->elsewhere, seen->foreign);
    if (listener) {
        add_rewritten(text, listener, seen, seen->rewritten);
    }
    if (listener && seen->host > 0 && seen->answered < seen->host) {
        sp_buf_fmt(&text->line, "; the client got %u answers", (unsigned)seen->answered);
    }
}
