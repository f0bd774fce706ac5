/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts that summary.c is put together from. Only files of this folder include it. Each fills
 * its own fields of a summary whose entries and counts are ready, and leaves what it allocated
 * there also on failure: sp_summary_free() takes all of it. */
#ifndef SP_REPORTS_GROUP_H
#define SP_REPORTS_GROUP_H

#include "probe/base/buf.h"
#include "reports/place.h"
#include "reports/summary.h"

/* One step of a comparison function for qsort. */
#define SP_CMP(a, b)                                                                               \
    do {                                                                                           \
        if ((a) != (b)) {                                                                          \
            return (a) < (b) ? -1 : 1;                                                             \
        }                                                                                          \
    } while (0)

/* findings.c */
enum sp_rc sp_group_findings(struct sp_summary *summary) SP_MUST_CHECK;
void sp_finding_release(struct sp_finding *finding);
/* Says in words what finding->cause_kind is; on failure nothing has changed. */
enum sp_rc sp_finding_words(const struct sp_result *result,
                            struct sp_finding *finding) SP_MUST_CHECK;

/* causes.c */
enum sp_rc sp_group_causes(struct sp_summary *summary) SP_MUST_CHECK;
void sp_cause_release(struct sp_cause_group *cause);
/* Adds the ports of those of its findings that have this protocol, together. */
enum sp_rc sp_cause_ports(const struct sp_summary *summary, const struct sp_cause_group *cause,
                          uint8_t proto, struct sp_buf *out) SP_MUST_CHECK;

/* repeat.c: the command that tests these findings again, all of one summary; n > 0. Of more hosts
 * or techniques than SP_REPEAT_MAX_NAMES it names what the first finding needs. */
#define SP_REPEAT_MAX_NAMES 8U
char *sp_repeat_of(const struct sp_result *result, const struct sp_finding *findings,
                   const uint32_t *picked, size_t n) SP_MUST_CHECK;

/* proof.c: which packets speak for a finding made of n entries; and, when all are in order, the
 * names of their files. */
enum sp_rc sp_finding_proof(const struct sp_result *result, const struct sp_entry *entries,
                            size_t n, struct sp_finding *finding) SP_MUST_CHECK;
enum sp_rc sp_name_evidence(struct sp_summary *summary) SP_MUST_CHECK;

/* opens.c: inconclusive and untested */
enum sp_rc sp_group_open(struct sp_summary *summary) SP_MUST_CHECK;
enum sp_rc sp_group_untested(struct sp_summary *summary) SP_MUST_CHECK;
/* The host that a reason blames, or SP_NONE. */
uint32_t sp_open_culprit(enum sp_unsound reason, uint32_t from, uint32_t to);

/* sweeps.c: ports that a sweep of the plan asks and the result is silent on. */
enum sp_rc sp_count_unswept(const struct sp_result *result, uint64_t *ret_ports) SP_MUST_CHECK;

/* pairs.c */
enum sp_rc sp_group_pairs(struct sp_summary *summary) SP_MUST_CHECK;
/* Of two verdicts the one that a pair or a cell shows. */
uint8_t sp_verdict_worse(uint8_t a, uint8_t b);
/* A verdict that says something about the flow. */
bool sp_verdict_is_conclusive(uint8_t verdict);

/* matrix.c */
enum sp_rc sp_group_matrix(struct sp_summary *summary) SP_MUST_CHECK;

/* coverage.c */
enum sp_rc sp_group_coverage(struct sp_summary *summary) SP_MUST_CHECK;

/* cause.c */
enum sp_cause {
    SP_CAUSE_ELSEWHERE,
    SP_CAUSE_REWRITTEN,
    SP_CAUSE_TWIN_IPV6, /* the other family holds */
    SP_CAUSE_TWIN_IPV4,
    SP_CAUSE_NO_FILTER,
    SP_CAUSE_NO_IPV6, /* of IPv6, where IPv4 is filtered */
    SP_CAUSE_TOO_WIDE,
    SP_CAUSE_TOO_FAR,
    SP_CAUSE_OTHER_PROTOCOL,
    SP_CAUSE_BOTH_WAYS,
    SP_CAUSE_ANY_SOURCE,
    SP_CAUSE_HOST_OPEN,
    SP_CAUSE_LET_THROUGH,
    SP_CAUSE_SENDER_POLICY,
    SP_CAUSE_TOO_NARROW,
    SP_CAUSE_NOT_FROM_HERE, /* others reach it */
    SP_CAUSE_NOT_TO_HERE,   /* a neighbour of the receiver is reached */
    SP_CAUSE_IP_PROTOCOL,   /* TCP, UDP or ICMP between the same two pass */
    SP_CAUSE_NO_ADDRESS,    /* a router says that nobody is there */
    SP_CAUSE_REJECTED,
    SP_CAUSE_NO_WAY,
    SP_CAUSE_DROPPED,
    SP_CAUSE_HOST_FILTER,
    SP_CAUSE_REVERSE_PATH, /* its own reverse path filter is known to be strict */
    SP_CAUSE_NO_ANSWER,
    SP_CAUSE_WAY_BACK,
    SP_CAUSE_LOSS,
    SP_CAUSE_LOSS_BACK, /* of answers alone */
    SP_CAUSE_LOSS_UDP,  /* where TCP of the same port loses nothing */
    SP_CAUSE_PROXY,
    SP_CAUSE_PROXY_PASSES,
    SP_CAUSE_PROXY_ENDS,
    SP_CAUSE_PROXY_BLIND, /* the target has no probe */
    SP_CAUSE_RELAY,
    SP_CAUSE_STATELESS, /* these, up to BYPASS, come from what a technique shows */
    SP_CAUSE_BAD_CHECKSUM,
    SP_CAUSE_SOURCE_PORT,
    SP_CAUSE_FRAGMENTS,
    SP_CAUSE_FRAGMENT_HEADS,
    SP_CAUSE_FRAGMENT_TAILS,
    SP_CAUSE_IP_OPTIONS,
    SP_CAUSE_SOURCE_ROUTE,
    SP_CAUSE_EXT_HEADERS,
    SP_CAUSE_SPOOFED,
    SP_CAUSE_OTHER_PROTOCOLS,
    SP_CAUSE_ENCAPSULATED,
    SP_CAUSE_ICMP_TYPES,
    SP_CAUSE_ICMP_FORGED,
    SP_CAUSE_BYPASS,        /* of a technique without a line of its own */
    SP_CAUSE_KNOWN_ADDRESS, /* of known.h; this and the rest name somebody */
    SP_CAUSE_MASQUERADED,   /* the source alone is rewritten */
    SP_CAUSE_ONE_ADDRESS,   /* of several of the receiver's */
    SP_CAUSE_AROUND,        /* the rest is of load balancers: cause_balancer.c */
    SP_CAUSE_BALANCER_PORT,
    SP_CAUSE_BALANCER_CLIENT,
    SP_CAUSE_BALANCER_SILENT,
    SP_CAUSE_BALANCER_ADDRESS, /* silent at one of its addresses */
    SP_CAUSE_BALANCER_REFUSES,
    SP_CAUSE_BACKENDS_DEAD,
    SP_CAUSE_BACKEND_MISSED,
    SP_CAUSE_BACKEND_FOREIGN,
    SP_CAUSE_BACKEND_UNKNOWN,
    SP_CAUSE_SOURCE_REWRITTEN, /* declared as preserved */
    SP_CAUSE_SOURCE_OTHER,     /* declared as rewritten, and comes from no declared address */
    SP_CAUSE_COUNT
};

/* techniques.c: what bypass techniques came to */
enum sp_rc sp_group_bypasses(struct sp_summary *summary) SP_MUST_CHECK;

/* lookup.c: how ports turned out, by ordinary tests. Opened: allowed or permitted, whatever came of
 * it. */
#define SP_FACT_DENIED_HOLDS  1U
#define SP_FACT_DENIED_LEAKS  2U
#define SP_FACT_OPENED        4U
#define SP_FACT_ALLOWED_HOLDS 8U
#define SP_FACT_ALLOWED_FAILS 16U

/* Ports of one flow with the same facts. */
struct sp_span {
    uint32_t from, to;
    uint16_t lo, hi;
    uint8_t family, proto;
    uint8_t facts; /* SP_FACT_*, of all tests that cover these ports; never 0 */
};

struct sp_spans {
    struct sp_span *at; /* by from, to, family, proto, port; disjoint */
    size_t n;
};

/* Looks tests up while causes are guessed. */
struct sp_lookup {
    const struct sp_entry *entries; /* by flow; borrowed */
    size_t n;
    struct sp_spans flows;   /* owned */
    struct sp_spans targets; /* what is opened for anybody: from is SP_NONE; owned */
};

/* openings.c: leaking ports that one rule would explain, numbered over the whole report. */
struct sp_run;
struct sp_openings {
    struct sp_run *runs; /* by lane and port; owned */
    size_t n;
};

enum sp_rc sp_openings_init(struct sp_openings *openings, const struct sp_lookup *lookup,
                            const struct sp_result *result) SP_MUST_CHECK;
void sp_openings_release(struct sp_openings *openings);
/* The opening that the first port of a plain leak belongs to; SP_NONE where no plain packet leaks.
 */
uint32_t sp_opening_of(const struct sp_openings *openings, const struct sp_entry *entry);

enum sp_rc sp_lookup_init(struct sp_lookup *lookup, const struct sp_summary *summary) SP_MUST_CHECK;
void sp_lookup_release(struct sp_lookup *lookup);
/* By from, to, family and protocol. */
int sp_entry_cmp_flow(const struct sp_entry *a, const struct sp_entry *b);
/* The first test of a span's flow, or NULL. */
const struct sp_entry *sp_lookup_lane(const struct sp_lookup *lookup, const struct sp_span *span);
/* Has every port of key's flow, port .. port_hi, this fact? Has any port one of these facts? */
bool sp_spans_all(const struct sp_spans *spans, const struct sp_entry *key, uint8_t fact);
bool sp_spans_any(const struct sp_spans *spans, const struct sp_entry *key, uint8_t facts);
/* The likely cause of n tests of one finding, sorted by port; n > 0. */
enum sp_cause sp_cause_guess(const struct sp_lookup *lookup, const struct sp_result *result,
                             const struct sp_entry *tests, size_t n);
/* Do these tests of one flow leak because nothing filters the flow, or only named ports of it? Then
 * ports tell nothing, and no opening is looked for. */
bool sp_cause_unfiltered(const struct sp_lookup *lookup, const struct sp_entry *test);
/* A cause that a rule for ports explains: its findings are parted by their openings. */
bool sp_cause_is_opening(enum sp_cause cause);
/* "@" in them stands for whoever sp_cause_subject() names. */
const char *sp_cause_str(enum sp_cause cause);
const char *sp_cause_remedy(enum sp_cause cause);

/* cause_where.c: from what works beside an allowed flow that gets no answer; SP_CAUSE_COUNT when
 * nothing does. */
enum sp_cause sp_cause_where(const struct sp_lookup *lookup, const struct sp_result *result,
                             const struct sp_entry *tests, size_t n);
/* Does another address of the receiver work, of either family? */
bool sp_cause_one_address(const struct sp_lookup *lookup, const struct sp_entry *tests, size_t n);
bool sp_cause_nobody_there(const struct sp_entry *test, const struct sp_seen *seen);
/* Does the receiver take IPv4 packets only from where it would send its own? Claims tell. */
bool sp_cause_reverse_path(const struct sp_result *result, const struct sp_entry *test);
/* Of an allowed flow of which some is lost. */
enum sp_cause sp_cause_loss(const struct sp_lookup *lookup, const struct sp_result *result,
                            const struct sp_entry *tests, size_t n);
/* They go to an address that known_ports.def names, where nobody should be answered. */
bool sp_cause_known_address(const struct sp_result *result, const struct sp_entry *tests, size_t n);
/* They arrive with another source, and with the declared destination. */
bool sp_cause_masqueraded(const struct sp_result *result, const struct sp_entry *tests, size_t n);

/* cause_bypass.c: by the technique's name, so that a technique that this program lacks is no
 * matter. What an arrival shows; SP_CAUSE_COUNT for a technique that shows no more than its port.
 */
enum sp_cause sp_cause_technique(uint8_t technique, bool is_bypass);
enum sp_cause sp_cause_of_name(const char *name);
/* Where not all fragments of a test came (enum sp_pieces), that is what it shows. */
enum sp_cause sp_cause_of_parts(enum sp_cause cause, uint8_t parts);
/* The source ports that n entries are about, sorted, "53,123", owned; *ret_sports is NULL when they
 * are about none. */
enum sp_rc sp_bypass_sports(const struct sp_result *result, const struct sp_entry *entries,
                            size_t n, char **ret_sports) SP_MUST_CHECK;

/* cause_balancer.c: the causes that only a load balancer's address, or its backend's, can have;
 * SP_CAUSE_COUNT when none of them fits and the general ones are to be tried. */
enum sp_cause sp_cause_balanced(const struct sp_result *result, const struct sp_entry *tests,
                                size_t n);
bool sp_cause_around(const struct sp_result *result, const struct sp_entry *tests, size_t n);
/* The host or balancer that a cause speaks of, owned; "" when it names nobody. */
char *sp_cause_subject(enum sp_cause cause, const struct sp_result *result,
                       const struct sp_entry *test) SP_MUST_CHECK;
/* The text with the subject in the place of every "@". */
char *sp_cause_words(const char *text, const char *subject) SP_MUST_CHECK;

/* served.c */
enum sp_rc sp_group_served(struct sp_summary *summary) SP_MUST_CHECK;
/* Names of the backends with a probe that no flow of an allowed test has reached, with commas; most
 * of them, then "and 5 more". False when there is none. */
bool sp_served_missed(const struct sp_result *result, uint32_t test, size_t most,
                      struct sp_buf *out);

/* ports.c: lists of ports, "22,8000-8100". Each call adds to what out already holds. */
void sp_ports_range(struct sp_buf *out, uint8_t proto, uint16_t lo, uint16_t hi);
/* The ports of entries for which keep() is true, sorted by their first port; neighbours in number
 * become ranges. */
void sp_ports_of(struct sp_buf *out, const struct sp_entry *entries, size_t n,
                 bool (*keep)(const struct sp_entry *entry, const void *ctx), const void *ctx);
#define SP_PORTS_MAX_BYTES (1U << 20)

/* names.c: what several files must say alike. */
const char *sp_technique_name(uint8_t technique);
/* Where no rule decides: "default deny", or "within: open" for what that permits. */
const char *sp_rule_name(const struct sp_model *model, uint32_t rule, uint8_t expect);
/* "shop.yaml:41", or the file alone. */
char *sp_rule_line(const struct sp_model *model, uint32_t rule) SP_MUST_CHECK;
/* Adds one shell word, quoted only where it must be. */
void sp_shell_word(struct sp_buf *out, const char *word);
/* The first 16 hex digits of SHA-256 over eight parts, each followed by a newline: topology name,
 * from, to, family, protocol, technique, expected, policy. A second finding of the same eight (with
 * another verdict, or of another opening) passes what sets it apart as a ninth part, so that ids
 * are unique in a report. */
enum sp_rc sp_finding_id(const struct sp_model *model, const struct sp_finding *finding,
                         const char *ninth, char out[static 17]) SP_MUST_CHECK;

#endif
