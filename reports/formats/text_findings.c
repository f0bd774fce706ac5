/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings and notes in words: who, what was expected, what each witness saw, the likely cause, and
 * the command that repeats it. */
#include <string.h>

#include "reports/formats/text_out.h"
#include "reports/group.h"

static const struct sp_seen *seen_of(const struct sp_text *text, const struct sp_finding *finding)
{
    return &text->summary->result->outcomes[finding->sample].seen;
}

static void add_expected(struct sp_text *text, const struct sp_finding *finding)
{
    static const char *const words[] = {"denied", "allowed", "permitted"};
    sp_text_add(text, finding->expect < SP_ARRAY_LEN(words) ? words[finding->expect] : "denied");
    if (finding->rule == SP_NONE && finding->expect == SP_EXPECT_DENY) {
        sp_text_add(text, " by default: no rule allows it (");
        sp_text_add_outside(text, finding->line);
        sp_text_add(text, ")");
        return;
    }
    sp_text_add(text, " by ");
    sp_text_add_outside(text, finding->policy);
    sp_text_add(text, " (");
    sp_text_add_outside(text, finding->line);
    sp_text_add(text, ")");
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

static void add_sender(struct sp_text *text, const struct sp_finding *finding)
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
    }
    if (seen->answerer == SP_ANSWERER_BEFORE) {
        sp_text_add(text, ", sent from before the destination");
    }
}

static void add_receiver(struct sp_text *text, const struct sp_finding *finding)
{
    const struct sp_seen *seen = seen_of(text, finding);
    const struct sp_result *result = text->summary->result;
    unsigned of = seen->attempts;
    if (result->plan->pairs[result->plan->tests[finding->sample].pair].one_sided) {
        sp_text_add(text, "has no probe: this is seen from one side only");
    } else if (seen->rewritten > 0) {
        sp_buf_fmt(&text->line, "%u of %u arrived with other addresses or ports than declared",
                   (unsigned)seen->rewritten, of);
    } else if (seen->host > 0) {
        sp_buf_fmt(&text->line, "%u of %u arrived and passed its own firewall",
                   (unsigned)seen->host, of);
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
    }
    if (seen->answer_left > 0) {
        sp_text_add(text, "; ");
        sp_text_add(text,
                    seen->answer == SP_ANSWER_NONE ? "an answer" : answer_words(seen->answer));
        sp_text_add(text, " left it");
        sp_text_add(text, seen->answered == 0 ? " and never reached the sender" : "");
    }
}

static void headline(struct sp_text *text, const struct sp_finding *finding, const char *tail)
{
    char word[24];
    const char *sign = sp_text_sign(text, (uint8_t)finding->verdict);
    enum sp_style style = tail ? SP_STYLE_OPEN : SP_STYLE_BAD;
    sp_text_word((uint8_t)finding->verdict, word);
    sp_text_styled(text, style, sign);
    sp_buf_char(text->out, ' ');
    sp_text_styled(text, style, word);
    sp_text_add(text, "  ");
    sp_text_add_flow(text, finding->from, finding->to, finding->proto,
                     sp_family_str(finding->family), finding->ports);
    sp_text_add(text, "  ");
    sp_text_add(text, tail ? tail : sp_severity_str(finding->severity));
    sp_text_wrap(text, 2 + strlen(word), 4);
}

static void show(struct sp_text *text, const struct sp_finding *finding, const char *tail)
{
    headline(text, finding, tail);
    add_expected(text, finding);
    sp_text_field(text, "expected");
    add_sender(text, finding);
    sp_text_field(text, "sender");
    add_receiver(text, finding);
    sp_text_field(text, "receiver");
    sp_text_add(text, finding->cause);
    sp_text_field(text, "likely");
    sp_text_add(text, finding->remedy);
    sp_text_field(text, "repair");
    /* A command must survive copy and paste: it is never wrapped. */
    sp_buf_str(text->out, "    ");
    sp_text_styled(text, SP_STYLE_DIM, "repeat");
    sp_text_add_outside(text, finding->repeat);
    sp_buf_str(text->out, "     ");
    sp_text_flush(text);
    sp_buf_char(text->out, '\n');
    if (text->verbosity > 0) {
        sp_buf_fmt(&text->line, "%s, control %s, ", finding->id, sp_grade_str(finding->grade));
        sp_text_add_count(text, finding->tests, "check", "checks");
        sp_text_field(text, "id");
    }
}

static void show_list(struct sp_text *text, const char *title, const char *aside,
                      const struct sp_finding *findings, size_t n, const char *tail)
{
    size_t shown = text->verbosity > 0 || n < SP_TEXT_MAX_SHOWN ? n : SP_TEXT_MAX_SHOWN;
    if (n == 0) {
        return;
    }
    sp_text_heading(text, title, aside);
    for (size_t i = 0; i < shown; i++) {
        if (i > 0) {
            sp_buf_char(text->out, '\n');
        }
        show(text, &findings[i], tail);
    }
    if (shown < n) {
        sp_text_add(text, "... and ");
        sp_text_add_number(text, n - shown);
        sp_text_add(text, " more: see -v, or --report json=FILE");
        sp_buf_char(text->out, '\n');
        sp_text_wrap(text, 0, 4);
    }
}

void sp_text_findings(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    show_list(text, "FINDINGS", NULL, summary->findings, summary->nfindings, NULL);
    show_list(text, "NOTES", "permitted, and does not work; no finding", summary->notes,
              summary->nnotes, "note");
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
        add_expected(text, finding);
        sp_text_flush(text);
        sp_buf_char(text->out, '\n');
    }
}
