/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"

#define MAX_CANDIDATES 5000U
#define MAX_MESSAGE    2048U /* bytes; what is quoted in it is cut already */

const char *sp_quote(const char *text, char out[static SP_QUOTE_LEN])
{
    size_t len = strlen(text);
    size_t n = 0;
    out[n++] = '\'';
    while (len) {
        size_t step = sp_utf8_len(text, len);
        unsigned char c = (unsigned char)*text;
        bool escape = step == 0 || c < 0x20 || c == 0x7f;
        if (n + (escape ? 4 : step) + sizeof("...'") > SP_QUOTE_LEN) {
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        if (escape) {
            (void)snprintf(out + n, 5, "\\x%02x", c);
            n += 4;
            step = 1;
        } else {
            memcpy(out + n, text, step);
            n += step;
        }
        text += step;
        len -= step;
    }
    out[n++] = '\'';
    out[n] = '\0';
    return out;
}

void sp_suggest_init(struct sp_suggest *suggest, const char *wanted)
{
    size_t len = strlen(wanted);
    size_t most = len < 3 ? 1 : len < 6 ? 2 : 3;
    *suggest = (struct sp_suggest){.wanted = wanted, .distance = most + 1};
}

void sp_suggest_try(struct sp_suggest *suggest, const char *candidate)
{
    if (++suggest->looked > MAX_CANDIDATES) {
        return;
    }
    size_t d = sp_edit_distance(suggest->wanted, candidate);
    /* A candidate that shares nothing with what was written is no help. */
    if (d < suggest->distance && d < strlen(suggest->wanted) && d < strlen(candidate)) {
        suggest->distance = d;
        suggest->best = candidate;
    }
}

const char *sp_suggest_str(const struct sp_suggest *suggest, char out[static SP_SUGGEST_LEN])
{
    char quoted[SP_QUOTE_LEN];
    out[0] = '\0';
    if (suggest->best) {
        (void)snprintf(out, SP_SUGGEST_LEN, "; did you mean %s?", sp_quote(suggest->best, quoted));
    }
    return out;
}

/* Takes the text out of the buffer. */
static void keep(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                 const char *pointer, struct sp_buf *text)
{
    struct sp_problem problem = {
        .is_error = is_error, .pos = pos, .pointer = sp_strdup(pointer), .text = sp_buf_take(text)};
    void *array = problems->at;
    if (!problem.pointer || !problem.text ||
        sp_grow(&array, problems->n, &problems->cap, sizeof(*problems->at)) != 0) {
        sp_free(problem.pointer);
        sp_free(problem.text);
        problems->rc = SP_E_NOMEM;
        return;
    }
    problems->at = array;
    problems->at[problems->n++] = problem;
}

void sp_problem_addv(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                     const char *pointer, const char *fmt, va_list ap)
{
    struct sp_buf text;
    size_t *count = is_error ? &problems->nerrors : &problems->nwarnings;
    (*count)++;
    if (*count > SP_PROBLEMS_MAX + 1) {
        return;
    }
    sp_buf_init(&text, MAX_MESSAGE);
    if (*count == SP_PROBLEMS_MAX + 1) {
        sp_buf_fmt(&text, "only the first %u %s are listed", SP_PROBLEMS_MAX,
                   is_error ? "errors" : "warnings");
        pointer = "";
    } else {
        char words[MAX_MESSAGE];
        (void)vsnprintf(words, sizeof(words), fmt, ap);
        sp_buf_str(&text, words);
    }
    keep(problems, is_error, pos, pointer, &text);
    sp_buf_release(&text);
}

void sp_problem_add(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                    const char *pointer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sp_problem_addv(problems, is_error, pos, pointer, fmt, ap);
    va_end(ap);
}

static bool comes_before(struct sp_pos a, struct sp_pos b)
{
    return a.line != b.line ? a.line < b.line : a.col < b.col;
}

void sp_problems_sort(struct sp_problems *problems)
{
    for (size_t i = 1; i < problems->n; i++) {
        struct sp_problem moving = problems->at[i];
        size_t j = i;
        for (; j > 0 && comes_before(moving.pos, problems->at[j - 1].pos); j--) {
            problems->at[j] = problems->at[j - 1];
        }
        problems->at[j] = moving;
    }
}

void sp_problems_release(struct sp_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        sp_free(problems->at[i].pointer);
        sp_free(problems->at[i].text);
    }
    sp_free(problems->at);
    *problems = (struct sp_problems){0};
}
