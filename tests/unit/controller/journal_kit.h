/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder, a topology and a plan of three sweeps for tests of what outlives a run. */
#ifndef SP_TEST_JOURNAL_KIT_H
#define SP_TEST_JOURNAL_KIT_H

#include "controller/journal.h"

#define SP_JK_ID   "0123456789abcdef"
#define SP_JK_WALL 1800000000U

struct sp_jk {
    char folder[64], path[128];
    struct sp_model model;
    struct sp_pair pairs[2];
    struct sp_plan_sweep sweeps[3];
    struct sp_plan plan;
    struct sp_journal_head head;
};
extern struct sp_jk sp_jk;

/* For cmocka: makes the folder and fills sp_jk; removes the folder with what is in it. */
int sp_jk_setup(void **state);
int sp_jk_teardown(void **state);
/* A journal of the plan with the first n sweeps, left open. */
struct sp_journal *sp_jk_begun(size_t n);
/* The same, closed: the file stays. */
void sp_jk_write(size_t n);
void sp_jk_append(struct sp_journal *journal, size_t sweep);
/* Opens SP_JK_ID; NULL when that failed with rc, and diag says something. */
struct sp_journal *sp_jk_open(enum sp_rc rc);
/* Fails unless the journal has exactly what sp_jk_append wrote of that sweep. */
void sp_jk_check(const struct sp_journal *journal, size_t sweep);
/* The whole file; *ret_len bytes, freed with sp_free(). */
uint8_t *sp_jk_read(const char *path, size_t *ret_len);
void sp_jk_store(const char *path, const void *bytes, size_t len);

#endif
