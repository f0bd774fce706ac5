/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a run's evidence: one JSON object per line, each with its number (n), the SHA-256
 * of the line before it (prev; 64 zeros in the first) and its type, in this order:
 *
 *     run      what was run, when, and how
 *     host     every probe: its version, what it lost, its interfaces
 *     batch    every measurement: when it was fired, its control packets
 *     sweep    how every sweep went
 *     test     every test or range of ports: what was declared, all that was seen (the whole input
 *              of sp_judge), and the verdict
 *     claim    what was declared that is no flow, what was seen of it, and the verdict
 *     finding  which tests belong together, and the file of their packets
 *     file     every other file of the evidence, with its size and SHA-256
 *     end      the summary
 *
 * A field that is left out is 0, false or unknown. The hash of a line is taken without its line
 * break. manifest.sig signs the last hash (reports/seal.h). */
#ifndef SP_REPORTS_MANIFEST_H
#define SP_REPORTS_MANIFEST_H

#include "reports/jline.h"
#include "reports/seal.h"
#include "reports/summary.h"

#define SP_MANIFEST_NAME      "manifest.jsonl"
#define SP_MANIFEST_SIG       "manifest.sig"
#define SP_MANIFEST_KEY       "manifest.pub"
#define SP_MANIFEST_TOPOLOGY  "topology.yaml" /* JSON is YAML, too */
#define SP_MANIFEST_TRACE     "trace.json"    /* of a traced flow alone */
#define SP_MANIFEST_FORMAT    "segproof-evidence/1"
#define SP_MANIFEST_MAX_BYTES (512U << 20)
#define SP_MANIFEST_MAX_LINES 4000000U
#define SP_MANIFEST_NO_PREV   "0000000000000000000000000000000000000000000000000000000000000000"

enum sp_line_type {
    SP_LINE_RUN,
    SP_LINE_HOST,
    SP_LINE_BATCH,
    SP_LINE_SWEEP,
    SP_LINE_TEST,
    SP_LINE_CLAIM,
    SP_LINE_FINDING,
    SP_LINE_FILE,
    SP_LINE_END,
    SP_LINE_COUNT
};
const char *sp_line_str(unsigned type); /* "run"; NULL past the last */

/* ---- manifest_fields.c: structs as fields of a line, the same way for writing and reading ---- */

/* Numbers with names. */
enum sp_naming {
    SP_NAMED_NUMBER, /* none: a plain number */
    SP_NAMED_BOOL,
    SP_NAMED_VERDICT,
    SP_NAMED_UNSOUND,
    SP_NAMED_EXPECT,
    SP_NAMED_LAYER,
    SP_NAMED_ANSWER,
    SP_NAMED_ANSWERER,
    SP_NAMED_PROXY,
    SP_NAMED_BY,
    SP_NAMED_GRADE,
    SP_NAMED_PROTO,
    SP_NAMED_WHY,
    SP_NAMED_COUNT
};
const char *sp_named_str(enum sp_naming naming, unsigned value); /* NULL: it has no name */
/* False: no value has this name. */
bool sp_named_find(enum sp_naming naming, const char *name, unsigned *ret_value);

enum sp_field_set { SP_SET_CASE, SP_SET_SEEN, SP_SET_JUDGED, SP_SET_COUNTS, SP_SET_COUNT };
struct sp_json;
/* Adds the fields of a struct sp_case, sp_seen (but for its addresses), sp_judgement or sp_counts.
 */
void sp_set_write(enum sp_field_set which, const void *base, struct sp_json *json);
/* Reads them into base, whose other members stay. outer: the object that they stand in, or "". */
void sp_set_read(enum sp_field_set which, struct sp_jline *line, const char *outer, void *base);
/* Compares two of them; *ret_key is the first field in which they differ, and the texts what it is
 * in each. False: they are equal. */
#define SP_SET_TEXT 32U
bool sp_set_differs(enum sp_field_set which, const void *a, const void *b, const char **ret_key,
                    char a_text[static SP_SET_TEXT], char b_text[static SP_SET_TEXT]);

/* ---- manifest_write.c ---- */

/* What a manifest tells of how a run was made, beside its result. */
struct sp_manifest_how {
    const char *from, *to;   /* selectors, NULL = all */
    const char *only, *skip; /* techniques with commas, NULL = none given */
    const char *inject;      /* "raw", "link", "auto" */
    bool is_resumed;
    const char *fingerprint; /* of the key that will sign */
};

struct sp_manifest_file {
    char name[SP_EVIDENCE_NAME_MAX];
    uint64_t bytes;
    char sha256[SP_SHA256_STRLEN];
    uint64_t packets; /* of a file of packets */
};

struct sp_manifest_files {
    struct sp_manifest_file *at; /* owned */
    size_t n, cap;
};
void sp_manifest_files_release(struct sp_manifest_files *files);
/* Takes down a file with its content; packets: how many are in it. */
enum sp_rc sp_manifest_files_add(struct sp_manifest_files *files, const char *name,
                                 const struct sp_buf *content, uint64_t packets) SP_MUST_CHECK;
/* Is it the name of a file that a manifest may list, and no way out of the folder? */
bool sp_manifest_is_file(const char *name);

/* The whole text; *ret_seal gets all but key and signature. */
enum sp_rc sp_manifest_write(const struct sp_summary *summary, const struct sp_manifest_how *how,
                             const struct sp_manifest_files *files, struct sp_buf *out,
                             struct sp_seal *ret_seal) SP_MUST_CHECK;

/* ---- packets.c: what a file of packets holds ---- */

/* A flow that a finding speaks of. */
struct sp_proof_flow {
    uint32_t finding;        /* line of the finding, counted from 0 */
    struct sp_addr addrs[4]; /* src, dst, own, src_seen: those that are known */
};

struct sp_packets {
    uint64_t total;
    uint64_t plain;    /* neither control nor in another shape than declared */
    uint64_t matching; /* of these, from or to an address of the finding */
};

/* Reads a file as sp_evidence_render() writes it. SP_E_INVALID: diag says what is wrong; also when
 * a packet's comment names another run or finding than these. NULL id and run: anything goes. */
enum sp_rc sp_packets_read(const uint8_t *bytes, size_t len, const char *run_id, const char *id,
                           const struct sp_proof_flow *flows, size_t nflows,
                           struct sp_packets *ret_packets, struct sp_diag *diag) SP_MUST_CHECK;

#endif
