/* SPDX-License-Identifier: Apache-2.0
 *
 * Rolling coverage: each run of a cycle sweeps one of N parts of the denied ports, and N runs cover
 * all of them. What was covered, and when, is kept per lane and part: a lane is a pair of hosts and
 * addresses in one protocol together with the ports that are denied there, so that a changed
 * declaration covers nothing that it did not sweep. Lanes are known by what they are, never by
 * their place in a plan.
 *
 * The file ROLLING/<digest of the topology's name and the selection>.cycle is replaced as a whole
 * at the end of a run; a lock beside it is held while the run lasts. */
#ifndef SP_CONTROLLER_ROLLING_H
#define SP_CONTROLLER_ROLLING_H

#include "reports/result.h"
#include "topologies/plan.h"

#define SP_ROLLING_LEAST 2U
#define SP_ROLLING_MOST  365U

struct sp_rolling;

struct sp_rolling_what {
    uint32_t parts;
    const char *from, *to; /* selectors, NULL = all */
    const char *const *only, *const *skip;
    size_t nonly, nskip;
};

/* The folder of cycles, beside the ledger; made when missing. False: none. */
bool sp_rolling_default_folder(char *out, size_t size);

/* Takes up the cycle, or starts one. whole is the plan of everything that the selection denies (no
 * slice); model, policy and whole are not kept. SP_E_DENIED: another run of this cycle goes on.
 * SP_E_INVALID: the file is damaged. SP_E_SYSTEM: the folder cannot be written. */
enum sp_rc sp_rolling_open(const char *folder, const struct sp_rolling_what *what,
                           const struct sp_model *model, struct sp_policy *policy,
                           const struct sp_plan *whole, struct sp_rolling **ret_rolling,
                           struct sp_diag *diag) SP_MUST_CHECK;
void sp_rolling_free(struct sp_rolling *rolling);
/* What has to be said about it: that it starts over, and why; "" when nothing has. Borrowed. */
const char *sp_rolling_news(const struct sp_rolling *rolling);
/* The part that comes next: one that was never swept, else the one that covers least (tried twice,
 * then left to its turn), else the oldest. */
struct sp_slice sp_rolling_next(const struct sp_rolling *rolling);
/* Goes on with a part that an interrupted run began. SP_E_INVALID when the cycle is another one
 * since. */
enum sp_rc sp_rolling_resume(struct sp_rolling *rolling, const struct sp_slice *slice,
                             struct sp_diag *diag) SP_MUST_CHECK;

/* Notes what a run of sp_rolling_next's part concluded: for each sweep of its plan whether every
 * denied port of the part has a verdict that is neither inconclusive nor not tested. */
enum sp_rc sp_rolling_record(struct sp_rolling *rolling,
                             const struct sp_result *result) SP_MUST_CHECK;
struct sp_rolling_status sp_rolling_status(const struct sp_rolling *rolling);
enum sp_rc sp_rolling_save(const struct sp_rolling *rolling, struct sp_diag *diag) SP_MUST_CHECK;

/* Tests and fuzzing: reads a whole file in memory as sp_rolling_open does. */
enum sp_rc sp_rolling_check(const uint8_t *bytes, size_t len, struct sp_diag *diag) SP_MUST_CHECK;

#endif
