/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing for a terminal: styles, signs, numbers for people and wrapped paragraphs. Only the text
 * format and the picture of a trace include it. Signs always stand beside a word, so nothing is
 * said by colour alone. */
#ifndef SP_REPORTS_TEXT_OUT_H
#define SP_REPORTS_TEXT_OUT_H

#include "reports/formats/format.h"

enum sp_style { SP_STYLE_BOLD, SP_STYLE_DIM, SP_STYLE_GOOD, SP_STYLE_BAD, SP_STYLE_OPEN };

/* One report on its way; on the renderer's stack. */
struct sp_text {
    const struct sp_summary *summary; /* NULL in a trace */
    struct sp_buf *out;
    struct sp_buf line; /* scratch for one paragraph */
    unsigned width;     /* columns, at least 40 */
    int verbosity;
    bool color, ascii;
};

/* Text that is already safe for a terminal. */
void sp_text_styled(struct sp_text *text, enum sp_style style, const char *safe);
/* "\nFINDINGS\n", with a clause behind it when aside is not NULL. */
void sp_text_heading(struct sp_text *text, const char *title, const char *aside);

/* The sign and style of a verdict. */
const char *sp_text_sign(const struct sp_text *text, uint8_t verdict);
enum sp_style sp_text_style_of(uint8_t verdict);
/* "RETURN BLOCKED" */
const char *sp_text_word(uint8_t verdict, char out[static 24]);

/* Writes text->line wrapped at the width and ends the line: the cursor stands at column at, and
 * later lines begin at column indent. Breaks at spaces and after commas; a longer word stays whole.
 * Clears text->line. */
void sp_text_wrap(struct sp_text *text, size_t at, size_t indent);
/* Writes text->line as it is, without a line end, and clears it. */
void sp_text_flush(struct sp_text *text);
/* A labelled paragraph from text->line: "    expected  denied by ..." */
void sp_text_field(struct sp_text *text, const char *label);

/* Adding to text->line. */
void sp_text_add(struct sp_text *text, const char *safe);
void sp_text_add_outside(struct sp_text *text, const char *hostile);
void sp_text_add_number(struct sp_text *text, uint64_t number); /* "1,482" */
/* "1 check", "3 checks" */
void sp_text_add_count(struct sp_text *text, uint64_t number, const char *one, const char *many);
/* "198.51.100.9:40001", "[fd00::9]:40001", without ports the address alone. */
void sp_text_add_end(struct sp_text *text, const struct sp_addr *addr, bool has_port,
                     uint16_t port);
/* A list of ports; a very long one is cut and says so. */
void sp_text_add_ports(struct sp_text *text, const char *ports);
/* The first ports of a list, and how many more there are. */
void sp_text_add_some_ports(struct sp_text *text, const char *ports, size_t most_bytes);
/* "a -> b  tcp/22,8000-8100  ipv4", without the ports when there are none. */
void sp_text_add_flow(struct sp_text *text, uint32_t from, uint32_t to, uint8_t proto,
                      const char *family, const char *ports);

/* text_balancers.c: what the backends of a load balancer got */
void sp_text_balancers(struct sp_text *text);
/* Is it a test of a load balancer's address, with a probe behind it? */
bool sp_text_is_balanced(const struct sp_text *text, uint32_t test);
/* What stood behind the address got of this test, in place of what a single receiver would. */
void sp_text_add_behind(struct sp_text *text, uint32_t test);

/* text_sweeps.c: how the sweeps went; nothing when the plan has none */
void sp_text_sweeps(struct sp_text *text);

/* rolling.c: lines of the coverage, where --rolling or --attempts was asked for */
void sp_text_rolling(struct sp_text *text);

/* text_claims.c: what is declared of nodes, endpoints and balancers; -q: one line for each that
 * fails */
void sp_text_claims(struct sp_text *text);
void sp_text_claim_lines(struct sp_text *text);

/* text_causes.c: what a person reads first */
void sp_text_causes(struct sp_text *text);

/* text_findings.c, text_matrix.c */
void sp_text_findings(struct sp_text *text);
/* "denied by no-ssh (shop.yaml:26)" */
void sp_text_add_expected(struct sp_text *text, const struct sp_finding *finding);
void sp_text_finding_lines(struct sp_text *text); /* -q: one line each */
void sp_text_matrix(struct sp_text *text);

/* Findings of one cause that a report shows unless it is verbose. */
#define SP_TEXT_MAX_OF_CAUSE 3U
/* Entries of one kind that a report shows unless it is verbose. */
#define SP_TEXT_MAX_SHOWN    50U

#endif
