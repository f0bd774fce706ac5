/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of one run at exhaustive depth: every sweep that is finished, with what it found, so
 * that a run that was interrupted, or whose controller was killed, goes on where it ended
 * ("--resume RUN") instead of sending all again.
 *
 * The file RUNS/<run id>.journal (mode 0600) begins with how the run was made: topology, depth,
 * seed, selection, slice. Then comes one entry per finished sweep. Each is appended and synced when
 * the sweep is finished; one that a crash cut off is dropped when the file is read, nothing else.
 * Whoever writes the file holds a lock on it. A run that came to its end removes its journal: the
 * report is the record. */
#ifndef SP_CONTROLLER_JOURNAL_H
#define SP_CONTROLLER_JOURNAL_H

#include "controller/span.h"
#include "topologies/plan.h"

#define SP_JOURNAL_KEEP_S    (30ULL * 24 * 3600) /* older ones are removed when a run starts */
#define SP_JOURNAL_TEXT_MAX  4096U               /* bytes of a selector */
#define SP_JOURNAL_NAMES_MAX 64U                 /* techniques of --only and --skip together */

/* What the user asked of a run, beside its plan. */
struct sp_journal_how {
    const char *run_id;                    /* 16 hex digits */
    uint8_t attempts_min;                  /* --attempts; 0 = not given */
    uint8_t inject;                        /* which choice of --inject */
    const char *from, *to;                 /* selectors, NULL = all */
    const char *const *only, *const *skip; /* techniques */
    size_t nonly, nskip;
};

/* How a run was made, as its journal has it: what --resume does by itself. */
struct sp_journal_head {
    char run_id[17];          /* 16 hex digits */
    char topology_sha256[65]; /* of the file's bytes */
    uint64_t started_s;
    uint64_t seed;
    uint8_t depth;         /* enum sp_depth */
    uint8_t attempts_min;  /* --attempts; 0 = not given */
    uint8_t inject;        /* which choice of --inject */
    uint32_t rolling;      /* --rolling N; 0 = not given */
    struct sp_slice slice; /* of this run */
    char *from, *to;       /* selectors, NULL = all */
    char **only, **skip;   /* techniques */
    size_t nonly, nskip;
    uint32_t nsweeps;        /* of the plan */
    uint8_t plan_digest[32]; /* of its sweeps: addresses, protocol, technique, ports */
};

struct sp_journal;

/* The folder of journals, beside the ledger; made when missing. False: none. */
bool sp_journal_default_folder(char *out, size_t size);
/* Removes journals of runs that nobody resumed for SP_JOURNAL_KEEP_S. */
void sp_journal_prune(const char *folder);

/* Begins the journal of a run of this plan. */
enum sp_rc sp_journal_create(const char *folder, const struct sp_journal_how *how,
                             const struct sp_model *model, const struct sp_plan *plan,
                             struct sp_journal **ret_journal, struct sp_diag *diag) SP_MUST_CHECK;
/* Opens the journal of an earlier run, to go on with it. diag says what is wrong and what to do:
 * there is none (SP_E_NOTFOUND), the topology is another one, the run was finished or still goes on
 * (SP_E_DENIED), or the file is damaged or of another version (SP_E_INVALID). */
enum sp_rc sp_journal_open(const char *folder, const char *run_id, const struct sp_model *model,
                           struct sp_journal **ret_journal, struct sp_diag *diag) SP_MUST_CHECK;
/* Of an opened journal, once the plan was made by its head: is this the plan of that run? */
enum sp_rc sp_journal_match(const struct sp_journal *journal, const struct sp_plan *plan,
                            struct sp_diag *diag) SP_MUST_CHECK;
/* Borrowed, as long as the journal lives. */
const struct sp_journal_head *sp_journal_head(const struct sp_journal *journal);
/* Sweeps that the journal has. */
size_t sp_journal_count(const struct sp_journal *journal);
bool sp_journal_has(const struct sp_journal *journal, size_t sweep);
/* What was found by a sweep that it has; *ret_spans is freed with sp_free(). The status says
 * is_resumed. */
enum sp_rc sp_journal_get(const struct sp_journal *journal, size_t sweep,
                          struct sp_sweep_status *ret_status, struct sp_sweep_span **ret_spans,
                          size_t *ret_n, struct sp_diag *diag) SP_MUST_CHECK;
/* Writes down a finished sweep of the plan, and syncs. On failure (a full disk) the file is as it
 * was before, and the next one may succeed: the run can go on, it only cannot be resumed as well.
 * Only the first failure of a row is told: later ones leave diag empty. */
enum sp_rc sp_journal_append(struct sp_journal *journal, size_t sweep,
                             const struct sp_sweep_status *status,
                             const struct sp_sweep_span *spans, size_t n,
                             struct sp_diag *diag) SP_MUST_CHECK;
/* The run came to its end: removes the file, or at least marks it as finished. */
void sp_journal_finish(struct sp_journal *journal);
/* Leaves the file as it is. NULL is fine. */
void sp_journal_free(struct sp_journal *journal);

/* Calls told with the id of every run in the folder that may be resumed. */
void sp_journal_list(const char *folder, void (*told)(void *arg, const char *run_id), void *arg);

/* Tests and fuzzing: reads a whole file in memory as sp_journal_open does. */
enum sp_rc sp_journal_check(const uint8_t *bytes, size_t len, struct sp_diag *diag) SP_MUST_CHECK;

#endif
