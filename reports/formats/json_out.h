/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON objects built with cJSON and printed one at a time, so that a big report never stands in
 * memory as a tree. A failure is sticky: build straight through, and it shows when the object is
 * printed. cJSON's own allocations go through probe/base/mem.h from sp_json_begin() on.
 *
 * Numbers are written out in full: cJSON keeps doubles, which lose the end of a large counter. */
#ifndef SP_REPORTS_JSON_OUT_H
#define SP_REPORTS_JSON_OUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "probe/base/buf.h"

struct sp_json {
    cJSON *object; /* owned until it is printed */
    bool failed;
};

struct sp_json sp_json_begin(void);
void sp_json_str(struct sp_json *json, const char *key, const char *text); /* NULL = null */
void sp_json_u64(struct sp_json *json, const char *key, uint64_t value);
void sp_json_share(struct sp_json *json, const char *key, double value); /* 0..1, six digits */
void sp_json_bool(struct sp_json *json, const char *key, bool value);
/* Puts child into parent and takes it over. */
void sp_json_object(struct sp_json *parent, const char *key, struct sp_json *child);
/* An empty array in the object, to be filled with the next; borrowed. NULL after a failure. */
cJSON *sp_json_array(struct sp_json *json, const char *key);
void sp_json_append(struct sp_json *json, cJSON *array, const char *text);
/* The same for an object, which the array takes over. */
void sp_json_append_object(struct sp_json *json, cJSON *array, struct sp_json *child);
/* Prints the object compactly and frees it, whatever happened. */
void sp_json_print(struct sp_json *json, struct sp_buf *out);

/* Top-level arrays of a report, one object per line: open, add (index from 0), close. */
void sp_json_open_array(struct sp_buf *out, const char *key);
void sp_json_add_line(struct sp_buf *out, struct sp_json *json, size_t index);
void sp_json_close_array(struct sp_buf *out, size_t n);

struct sp_summary;
struct sp_tuple;
/* json_balancers.c: the array "load_balancers". */
void sp_json_balancers(const struct sp_summary *summary, struct sp_buf *out);
/* json_claims.c: the array "claims", and their counts for the summary. */
void sp_json_claims(const struct sp_summary *summary, struct sp_buf *out);
void sp_json_claim_counts(const struct sp_summary *summary, struct sp_json *json);
/* json_checklist.c: the array "checklist". */
void sp_json_checklist(const struct sp_summary *summary, struct sp_buf *out);
/* json_causes.c: the array "causes". */
void sp_json_causes(const struct sp_summary *summary, struct sp_buf *out);
/* json_sweeps.c: the array "sweeps". */
void sp_json_sweeps(const struct sp_summary *summary, struct sp_buf *out);
/* "captured": how a packet arrived, where that is not as declared. */
void sp_json_captured(struct sp_json *json, uint8_t proto, const struct sp_tuple *captured);

/* rolling.c: "rolling" of the coverage and "attempts" of the run, where they were asked for. */
void sp_json_rolling(const struct sp_summary *summary, struct sp_json *coverage);
void sp_json_attempts(const struct sp_summary *summary, struct sp_json *run);

#endif
