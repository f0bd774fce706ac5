/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings and notes in words: who, what was expected, what each witness saw, and the command that
 * repeats it; findings stand under their causes. Two that differ in their family alone are one
 * entry. */
#include <string.h>

#include "probe/techniques/registry.h"
#include "reports/formats/text_out.h"
#include "reports/group.h"

static const struct sp_seen *seen_of(const struct sp_text *text, const struct sp_finding *finding)
{
    return &text->summary->result->outcomes[finding->sample].seen;
}

void sp_text_add_expected(struct sp_text *text, const struct sp_finding *finding)
{
    static const char *const words[] = {"denied", "allowed", "permitted"};
    sp_text_add(text, finding->expect < SP_ARRAY_LEN(words) ? words[finding->expect] : "denied");
    if (finding->rule == SP_NONE && finding->expect == SP_EXPECT_DENY) {
        sp_text_add(text, " by default: no rule allows it");
        return;
    }
    sp_text_add(text, " by ");
    sp_text_add_outside(text, finding->policy);
    if (finding->rule != SP_NONE) { /* else there is no line to look at */
        sp_text_add(text, " (");
        sp_text_add_outside(text, finding->line);
        sp_text_add(text, ")");
    }
}

static const char *answer_words(uint8_t answer)
{
    static const char *const words[] = {"no answer",
                                        "a SYN/ACK",
                                        "data from the service",
                                        "an echo reply",
                                        "the receiving probe's own reply",
                                        "an RST",
                                        "an ICMP unreachable"};
    return answer < SP_ARRAY_LEN(words) ? words[answer] : "an unknown answer";
}

/* ------------------------------------------------------------------ the same in both families */

static bool same_seen(const struct sp_seen *a, const struct sp_seen *b)
{
    return a->sender_policy == b->sender_policy && a->attempts == b->attempts && a->nic == b->nic &&
           a->host == b->host && a->answer_left == b->answer_left && a->answered == b->answered &&
           a->rewritten == b->rewritten && a->elsewhere == b->elsewhere &&
           a->elsewhere_host == b->elsewhere_host && a->answer == b->answer &&
           a->answer_code == b->answer_code && a->answerer == b->answerer && a->proxy == b->proxy &&
           (a->captured.src.family == SP_FAMILY_NONE) ==
               (b->captured.src.family == SP_FAMILY_NONE) &&
           (a->answerer_addr.family == SP_FAMILY_NONE) ==
               (b->answerer_addr.family == SP_FAMILY_NONE);
}

static bool is_one_sided(const struct sp_text *text, const struct sp_finding *finding)
{
    const struct sp_result *result = text->summary->result;
    return result->plan->pairs[result->tests[finding->sample].pair].one_sided;
}

/* They differ in their family and in addresses, and in nothing else that is printed. */
static bool is_twin(const struct sp_text *text, const struct sp_finding *a,
                    const struct sp_finding *b)
{
    return a->family != b->family && a->verdict == b->verdict && a->group == b->group &&
           a->severity == b->severity && a->from == b->from && a->to == b->to &&
           a->proto == b->proto && a->technique == b->technique && a->expect == b->expect &&
           a->rule == b->rule && a->grade == b->grade && a->tests == b->tests &&
           a->cause_kind == b->cause_kind && strcmp(a->ports, b->ports) == 0 &&
           strcmp(a->repeat, b->repeat) == 0 && is_one_sided(text, a) == is_one_sided(text, b) &&
           same_seen(seen_of(text, a), seen_of(text, b)) && strcmp(a->cause, b->cause) == 0 &&
           !sp_text_is_balanced(text, a->sample); /* told by backend, which differs */
}

/* In the order of findings: severity, verdict, from, to. */
static bool same_stretch(const struct sp_finding *a, const struct sp_finding *b)
{
    return a->severity == b->severity && a->verdict == b->verdict && a->from == b->from &&
           a->to == b->to;
}

static const struct sp_finding *twin_before(const struct sp_text *text,
                                            const struct sp_finding *findings, size_t at)
{
    for (size_t i = at; i > 0 && same_stretch(&findings[i - 1], &findings[at]); i--) {
        if (is_twin(text, &findings[i - 1], &findings[at])) {
            return &findings[i - 1];
        }
    }
    return NULL;
}

static const struct sp_finding *twin_behind(const struct sp_text *text,
                                            const struct sp_finding *findings, size_t n, size_t at)
{
    for (size_t i = at + 1; i < n && same_stretch(&findings[i], &findings[at]); i++) {
        if (is_twin(text, &findings[i], &findings[at])) {
            return &findings[i];
        }
    }
    return NULL;
}

static const char *family_words(const struct sp_finding *finding, const struct sp_finding *twin)
{
    return twin ? "ipv4 and ipv6" : sp_family_str(finding->family);
}

/* ------------------------------------------------------------------ one finding */

static void add_sender(struct sp_text *text, const struct sp_finding *finding,
                       const struct sp_finding *twin)
{
    const struct sp_seen *seen = seen_of(text, finding);
    char addr[SP_ADDR_STRLEN];
    bool answered = seen->answered > 0 || seen->answer_left == 0;
    if (seen->sender_policy && seen->attempts == 0) {
        sp_text_add(text, "its own firewall refused to send");
        return;
    }
    sp_buf_fmt(&text->line, "sent %u, got ", (unsigned)seen->attempts);
    sp_text_add(text, answer_words(answered ? seen->answer : (uint8_t)SP_ANSWER_NONE));
    if (!answered || seen->answer == SP_ANSWER_NONE) {
        return;
    }
    if (seen->answer == SP_ANSWER_UNREACHABLE) {
        sp_buf_fmt(&text->line, " (code %u)", (unsigned)seen->answer_code);
    }
    if (seen->answerer_addr.family != SP_FAMILY_NONE) {
        sp_buf_fmt(&text->line, " from %s", sp_addr_str(&seen->answerer_addr, addr));
        if (twin) {
            const struct sp_addr *other = &seen_of(text, twin)->answerer_addr;
            sp_buf_fmt(&text->line, " and %s", sp_addr_str(other, addr));
        }
    }
    if (seen->answerer == SP_ANSWERER_BEFORE) {
        sp_text_add(text, ", sent from before the destination");
    }
    if (seen->proxy == SP_PROXY_SYN) {
        sp_text_add(text, ": a SYN proxy answers on the path");
    }
}

/* " as 198.51.100.9:40001 -> 10.1.2.3:8443": how it arrived, where that is not as declared. */
static void add_shape(struct sp_text *text, const struct sp_finding *finding,
                      const struct sp_finding *twin)
{
    bool has_ports = finding->proto == SP_PROTO_TCP || finding->proto == SP_PROTO_UDP;
    const struct sp_finding *both[] = {finding, twin};
    for (size_t i = 0; i < SP_ARRAY_LEN(both); i++) {
        const struct sp_tuple *as = both[i] ? &seen_of(text, both[i])->captured : NULL;
        if (as && as->src.family != SP_FAMILY_NONE) {
            sp_text_add(text, i == 0 ? " as " : " and ");
            sp_text_add_end(text, &as->src, has_ports, as->sport);
            sp_text_add(text, " -> ");
            sp_text_add_end(text, &as->dst, has_ports, as->dport);
        }
    }
}

static void add_receiver(struct sp_text *text, const struct sp_finding *finding,
                         const struct sp_finding *twin)
{
    const struct sp_seen *seen = seen_of(text, finding);
    const struct sp_result *result = text->summary->result;
    unsigned of = seen->attempts;
    if (is_one_sided(text, finding)) {
        sp_text_add(text, "has no probe: this is seen from one side only");
    } else if (sp_text_is_balanced(text, finding->sample)) {
        sp_text_add_behind(text, finding->sample);
        return;
    } else if (seen->rewritten > 0) {
        sp_buf_fmt(&text->line, "%u of %u arrived", (unsigned)seen->rewritten, of);
        add_shape(text, finding, twin);
        sp_text_add(text, seen->captured.src.family != SP_FAMILY_NONE
                              ? ", not as declared"
                              : " with other addresses or ports than declared");
    } else if (seen->host > 0) {
        sp_buf_fmt(&text->line, "%u of %u arrived and passed its own firewall",
                   (unsigned)seen->host, of);
    } else if (seen->nic > 0 && finding->parts != SP_PIECES_WHOLE) {
        sp_buf_fmt(&text->line, "%u of %u arrived in part: %s", (unsigned)seen->nic, of,
                   finding->parts == SP_PIECES_TAIL ? "later fragments only"
                                                    : "first fragments, and not all later ones");
    } else if (seen->nic > 0) {
        sp_buf_fmt(&text->line, "%u of %u reached its interface, none passed its own firewall",
                   (unsigned)seen->nic, of);
    } else {
        sp_buf_fmt(&text->line, "0 of %u arrived", of);
    }
    if (seen->elsewhere > 0) {
        sp_buf_fmt(&text->line, "; %u arrived at ", (unsigned)seen->elsewhere);
        sp_text_add_outside(text, seen->elsewhere_host < result->model->nhosts
                                      ? result->model->hosts[seen->elsewhere_host].name
                                      : "another probe");
        if (seen->rewritten == 0) {
            add_shape(text, finding, twin);
        }
    }
    if (seen->answer_left > 0) {
        sp_text_add(text, "; ");
        sp_text_add(text,
                    seen->answer == SP_ANSWER_NONE ? "an answer" : answer_words(seen->answer));
        sp_text_add(text, " left it");
        sp_text_add(text, seen->answered == 0 ? " and never reached the sender" : "");
    }
}

static void headline(struct sp_text *text, const struct sp_finding *finding,
                     const struct sp_finding *twin, const char *tail)
{
    char word[24];
    const char *sign = sp_text_sign(text, (uint8_t)finding->verdict);
    enum sp_style style = tail ? SP_STYLE_OPEN : SP_STYLE_BAD;
    sp_text_word((uint8_t)finding->verdict, word);
    sp_text_styled(text, style, sign);
    sp_buf_char(text->out, ' ');
    sp_text_styled(text, style, word);
    sp_text_add(text, "  ");
    sp_text_add_flow(text, finding->from, finding->to, finding->proto, family_words(finding, twin),
                     finding->ports);
    if (sp_technique_is_bypass(finding->technique)) {
        sp_text_add(text, "  by ");
        sp_text_add(text, sp_technique_name(finding->technique));
    }
    sp_text_add(text, "  ");
    sp_text_add(text, tail ? tail : sp_severity_str(finding->severity));
    sp_text_wrap(text, 2 + strlen(word), 4);
}

/* The names of the files in the folder that the user named, or why there is none. */
static void add_evidence(struct sp_text *text, const struct sp_finding *finding,
                         const struct sp_finding *twin)
{
    sp_text_add(text, finding->evidence ? finding->evidence : finding->no_evidence);
    if (twin && (finding->evidence || twin->evidence)) {
        sp_text_add(text, ", ");
        sp_text_add(text, twin->evidence ? twin->evidence : twin->no_evidence);
    }
}

static void show(struct sp_text *text, const struct sp_finding *finding,
                 const struct sp_finding *twin, const char *tail)
{
    headline(text, finding, twin, tail);
    sp_text_add_expected(text, finding);
    sp_text_field(text, "expected");
    add_sender(text, finding, twin);
    sp_text_field(text, "sender");
    add_receiver(text, finding, twin);
    sp_text_field(text, "receiver");
    if (tail) { /* of a finding its cause says so */
        sp_text_add_outside(text, finding->cause);
        sp_text_field(text, "likely");
        sp_text_add_outside(text, finding->remedy);
        sp_text_field(text, "repair");
    }
    if (finding->evidence || finding->no_evidence) {
        add_evidence(text, finding, twin);
        sp_text_field(text, "evidence");
    }
    /* A command must survive copy and paste: it is never wrapped. */
    sp_buf_str(text->out, "    ");
    sp_text_styled(text, SP_STYLE_DIM, "repeat");
    sp_text_add_outside(text, finding->repeat);
    sp_buf_str(text->out, "     ");
    sp_text_flush(text);
    sp_buf_char(text->out, '\n');
    if (text->verbosity > 0) {
        sp_buf_fmt(&text->line, "%s%s%s, control %s, ", finding->id, twin ? ", " : "",
                   twin ? twin->id : "", sp_grade_str(finding->grade));
        sp_text_add_count(text, (uint64_t)finding->tests + (twin ? twin->tests : 0), "check",
                          "checks");
        sp_text_field(text, "id");
    }
}

static void add_left(struct sp_text *text, size_t left, const char *of)
{
    if (left > 0) {
        sp_text_add(text, "... and ");
        sp_text_add_number(text, left);
        sp_text_add(text, " more");
        sp_text_add(text, of);
        sp_text_add(text, ": see -v, or --report json=FILE");
        sp_buf_char(text->out, '\n');
        sp_text_wrap(text, 0, 4);
    }
}

/* Those of a list that belong to one cause (SP_NONE: notes), at most so many entries; a blank line
 * stands between them. Gives how many were told; *ret_entries is how many entries that took. */
static size_t show_group(struct sp_text *text, const struct sp_finding *findings, size_t n,
                         const uint32_t *picked, size_t npicked, size_t most, size_t *ret_entries)
{
    size_t told = 0;
    size_t entries = 0;
    for (size_t k = 0; k < npicked && entries < most; k++) {
        size_t i = picked ? picked[k] : k;
        if (twin_before(text, findings, i)) {
            continue; /* told with its twin */
        }
        const struct sp_finding *twin = twin_behind(text, findings, n, i);
        if (entries++ > 0) {
            sp_buf_char(text->out, '\n');
        }
        show(text, &findings[i], twin, picked ? NULL : "note");
        told += twin ? 2 : 1;
    }
    *ret_entries = entries;
    return told;
}

static void cause_heading(struct sp_text *text, const struct sp_cause_group *cause, size_t number)
{
    sp_buf_char(text->out, '\n');
    sp_buf_fmt(&text->line, "Cause %zu: ", number);
    sp_text_add_outside(text, cause->cause);
    sp_text_add(text, " (");
    sp_text_add_outside(text, cause->where);
    sp_text_add(text, ")");
    sp_text_wrap(text, 0, 4);
}

void sp_text_findings(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    bool all = text->verbosity > 0;
    size_t left = summary->nfindings;
    size_t room = all ? SIZE_MAX : SP_TEXT_MAX_SHOWN;
    size_t entries = 0;
    if (left > 0) {
        sp_text_heading(text, "FINDINGS", "what was seen, by cause");
    }
    for (size_t i = 0; i < summary->ncauses && room > 0; i++) {
        const struct sp_cause_group *cause = &summary->causes[i];
        size_t most = all || room < SP_TEXT_MAX_OF_CAUSE ? room : SP_TEXT_MAX_OF_CAUSE;
        cause_heading(text, cause, i + 1);
        size_t told = show_group(text, summary->findings, summary->nfindings, cause->findings,
                                 cause->nfindings, most, &entries);
        add_left(text, cause->nfindings - told, " of this cause");
        left -= cause->nfindings;
        room -= entries;
    }
    add_left(text, left, "");
    if (summary->nnotes > 0) {
        sp_text_heading(text, "NOTES", "permitted, and does not work; no finding");
        size_t told = show_group(text, summary->notes, summary->nnotes, NULL, summary->nnotes,
                                 all ? summary->nnotes : SP_TEXT_MAX_SHOWN, &entries);
        add_left(text, summary->nnotes - told, "");
    }
}

void sp_text_finding_lines(struct sp_text *text)
{
    char word[24];
    for (size_t i = 0; i < text->summary->nfindings; i++) {
        const struct sp_finding *finding = &text->summary->findings[i];
        sp_text_styled(text, SP_STYLE_BAD, sp_text_sign(text, (uint8_t)finding->verdict));
        sp_buf_fmt(text->out, " %s  ", sp_text_word((uint8_t)finding->verdict, word));
        sp_text_add_flow(text, finding->from, finding->to, finding->proto,
                         sp_family_str(finding->family), finding->ports);
        sp_text_add(text, "  ");
        sp_text_add(text, sp_severity_str(finding->severity));
        sp_text_add(text, "  ");
        sp_text_add_expected(text, finding);
        sp_text_flush(text);
        sp_buf_char(text->out, '\n');
    }
}
