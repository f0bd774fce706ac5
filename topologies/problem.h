/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers for writing messages about a topology: quoting what the file says, suggesting the name
 * that was meant, and bringing the list into file order. */
#ifndef SP_TOPOLOGIES_PROBLEM_H
#define SP_TOPOLOGIES_PROBLEM_H

#include <stdarg.h>

#include "topologies/model.h"

#define SP_QUOTE_LEN   96
#define SP_SUGGEST_LEN 128

/* 'text' in quotes, cut at a character boundary, control characters as \xNN. */
const char *sp_quote(const char *text, char out[static SP_QUOTE_LEN]);

/* Finds the candidate nearest to what was written. Texts are borrowed. */
struct sp_suggest {
    const char *wanted;
    const char *best;
    size_t distance; /* of best; also the largest that is still accepted, plus one */
    size_t looked;   /* candidates seen: bounded, a file can hold very many names */
};
void sp_suggest_init(struct sp_suggest *suggest, const char *wanted);
void sp_suggest_try(struct sp_suggest *suggest, const char *candidate);
/* "; did you mean 'web-1'?" or "". */
const char *sp_suggest_str(const struct sp_suggest *suggest, char out[static SP_SUGGEST_LEN]);

void sp_problem_addv(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                     const char *pointer, const char *fmt, va_list ap) SP_PRINTF(5, 0);
/* File order; equal places keep the order in which they were found. */
void sp_problems_sort(struct sp_problems *problems);

#endif
