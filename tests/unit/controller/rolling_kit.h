/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs of a cycle that are made up, over plans and policies that are real. */
#ifndef SP_TEST_ROLLING_KIT_H
#define SP_TEST_ROLLING_KIT_H

#include "controller/rolling.h"

#define SP_RK_LANES_MAX 32U

struct sp_rk {
    char folder[64];
    uint64_t wall_s; /* the clock */
};
extern struct sp_rk sp_rk;

/* What goes wrong on one lane. */
enum sp_rk_trouble {
    SP_RK_FINE,
    SP_RK_NOT_RUN,      /* its sweep was not reached */
    SP_RK_INCONCLUSIVE, /* one port of the part */
    SP_RK_FORGOTTEN,    /* one port of the part has no outcome at all */
    SP_RK_OVERLAPPED,   /* one port is inconclusive, and a wide range lies over it */
    SP_RK_LEAKS         /* a finding is a conclusion */
};

struct sp_rk_run {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_rolling *rolling;
    struct sp_plan *plan;
    struct sp_result *result;
    uint32_t parts;
    enum sp_rk_trouble trouble;
    size_t lane; /* that has it */
};

/* For cmocka: makes the folder and sets the clock; removes the folder with what is in it. */
int sp_rk_setup(void **state);
int sp_rk_teardown(void **state);
/* Calls what with every file of the folder. */
void sp_rk_each_file(void (*what)(const char *path));
void sp_rk_remove(const char *path);
/* Two hosts; these ports are open from the first to the second. */
struct sp_model *sp_rk_shop(const char *open_ports);
struct sp_plan *sp_rk_plan(struct sp_rk_run *run, struct sp_slice slice);
enum sp_rc sp_rk_open(struct sp_rk_run *run);
/* Begins a run of the cycle that goes as said; ends it, and a day passes. */
void sp_rk_begin(struct sp_rk_run *run);
struct sp_rolling_status sp_rk_end(struct sp_rk_run *run);
struct sp_rolling_status sp_rk_once(struct sp_rk_run *run);

#endif
