/* SPDX-License-Identifier: Apache-2.0
 *
 * One JSON object on one line, read strictly (RFC 8259, less what our own writer never writes):
 * strings, whole numbers without a sign, true, false and objects; no space between them, no arrays,
 * no null, of escapes only those that are needed. Fields of inner objects are found as
 * "outer.inner". Every field that nobody asked for is an error, so nothing is smuggled in.
 *
 * Input is untrusted. Limits: SP_JLINE_MAX_BYTES, SP_JLINE_MAX_FIELDS, two levels. */
#ifndef SP_REPORTS_JLINE_H
#define SP_REPORTS_JLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

#define SP_JLINE_MAX_BYTES  65536U
#define SP_JLINE_MAX_FIELDS 96U
#define SP_JLINE_KEY_MAX    24U /* of one level */

enum sp_jkind { SP_JSTRING, SP_JNUMBER, SP_JBOOL };

struct sp_jfield {
    char key[2 * SP_JLINE_KEY_MAX + 2];
    enum sp_jkind kind;
    bool is_used;
    const char *text; /* of a string: in the line's own memory */
    uint64_t number;  /* of a number; of a bool 0 or 1 */
};

struct sp_jline {
    struct sp_jfield fields[SP_JLINE_MAX_FIELDS];
    size_t n;
    char text[SP_JLINE_MAX_BYTES + 1]; /* strings, unescaped */
    /* The first thing that was wrong with what was asked for. */
    bool is_bad;
    struct sp_diag diag; /* where: the field */
};

/* SP_E_INVALID or SP_E_LIMIT, with what and at which byte in diag. */
enum sp_rc sp_jline_parse(struct sp_jline *line, const char *bytes, size_t len,
                          struct sp_diag *diag) SP_MUST_CHECK;

/* Fields by name. What is wrong makes the line bad and gives "" or 0. */
bool sp_jline_has(struct sp_jline *line, const char *key);
const char *sp_jline_str(struct sp_jline *line, const char *key);     /* must be there */
const char *sp_jline_opt_str(struct sp_jline *line, const char *key); /* NULL when it is not */
uint64_t sp_jline_num(struct sp_jline *line, const char *key, uint64_t max); /* 0 when it is not */
bool sp_jline_bool(struct sp_jline *line, const char *key);                  /* false */
/* A value that was read makes no sense. */
void sp_jline_refuse(struct sp_jline *line, const char *key, const char *fmt, ...) SP_PRINTF(3, 4);
/* Is every field of the line one that was asked for? */
void sp_jline_end(struct sp_jline *line);

#endif
