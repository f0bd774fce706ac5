/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a manifest what a run has written, and do its verdicts follow from what it says was seen?
 * Everything that does not fit is a difference, with its line and field; nothing is believed. The
 * text is untrusted; see manifest.h for its limits. */
#ifndef SP_REPORTS_MANIFEST_CHECK_H
#define SP_REPORTS_MANIFEST_CHECK_H

#include "probe/base/table.h"
#include "reports/manifest.h"
#include "topologies/policy.h"

#define SP_DIFFERENCES_MAX 100U /* that are kept; more are counted */

struct sp_difference {
    char file[SP_EVIDENCE_NAME_MAX];
    size_t line;                      /* from 1; 0 = the file as a whole */
    char field[2 * SP_JLINE_KEY_MAX]; /* "" = the line as a whole */
    char text[320];
};

/* A finding as its tests tell it, and as its own line does. */
struct sp_check_finding {
    uint64_t key;    /* of what its tests have in common */
    uint64_t checks; /* that its tests stand for */
    size_t line;     /* 0: it has none */
    char id[17];
    char evidence[SP_EVIDENCE_NAME_MAX]; /* "" = none */
};

struct sp_check_file {
    struct sp_manifest_file file;
    size_t line;
};

/* What the first line says. */
struct sp_check_run {
    char run_id[17], version[32], sha256[SP_SHA256_STRLEN], fingerprint[SP_FINGERPRINT_STRLEN];
    char topology[256];
    uint64_t started_s, finished_s;
    bool interrupted;
};

struct sp_check {
    /* The topology's copy, to hold expectations against; borrowed, NULL = not at hand. */
    const struct sp_model *model;
    struct sp_policy *policy;
    struct sp_table targets; /* by name */

    struct sp_check_run run;
    size_t lines, all_lines; /* so far, and of the whole text */
    uint64_t of[SP_LINE_COUNT];
    uint64_t judged; /* verdicts that were recomputed */
    char first[SP_SHA256_STRLEN], last[SP_SHA256_STRLEN];
    struct sp_counts counts; /* recomputed */
    enum sp_overall overall;
    uint64_t sent, captured, drops; /* of the hosts */
    uint64_t asked, told;           /* ports that sweeps ask, and that tests of theirs speak of */
    bool is_unreadable;             /* some line could not be read: sums say nothing */
    bool is_ended;

    struct sp_check_finding *findings;
    size_t nfindings, cap_findings;
    struct sp_proof_flow *flows;
    size_t nflows, cap_flows;
    struct sp_check_file *files;
    size_t nfiles, cap_files;

    struct sp_difference *differences;
    size_t ndifferences;
    uint64_t all_differences;
    enum sp_rc rc; /* SP_E_NOMEM: nothing of this can be trusted */
};

/* model and policy may be NULL. */
enum sp_rc sp_check_init(struct sp_check *check, const struct sp_model *model,
                         struct sp_policy *policy) SP_MUST_CHECK;
void sp_check_release(struct sp_check *check);
void sp_check_differ(struct sp_check *check, const char *file, size_t line, const char *field,
                     const char *fmt, ...) SP_PRINTF(5, 6);

/* Reads the first line alone; SP_E_INVALID: it is none. */
enum sp_rc sp_check_peek(const char *text, size_t len, struct sp_check_run *ret_run) SP_MUST_CHECK;
/* The whole manifest: chain, every line, every verdict, the summary. Fails for want of memory
 * only. */
enum sp_rc sp_check_manifest(struct sp_check *check, const char *text, size_t len) SP_MUST_CHECK;
/* After that: the flows of a finding, counted from 0. Borrowed. */
const struct sp_proof_flow *sp_check_flows(const struct sp_check *check, size_t finding,
                                           size_t *ret_n);
/* After that: does the signature speak of this manifest? */
void sp_check_seal(struct sp_check *check, const struct sp_seal *seal);

/* manifest_tests.c: lines that hold verdicts */
void sp_check_test(struct sp_check *check, struct sp_jline *line);
void sp_check_finding(struct sp_check *check, struct sp_jline *line);
void sp_check_end(struct sp_check *check, struct sp_jline *line);
/* Tells what was wrong with the fields of a line, if anything. */
bool sp_check_fields(struct sp_check *check, struct sp_jline *line);

#endif
