/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of a run: run.c (its phases), run_services.c (what must not be tested),
 * run_portless.c (what firewalls remember),
 * unmask.c (who answers for others) and run_judge.c (verdicts). */
#ifndef SP_CONTROLLER_RUN_PRIV_H
#define SP_CONTROLLER_RUN_PRIV_H

#include "controller/round.h"

/* Is the run to send nothing new just now? Whoever sends by himself (a sweep) asks before each
 * volley, and says so in what he tells. */
bool sp_run_is_paused(const struct sp_run_state *run);
/* Settles every test whose payload would reach a real service as not tested. */
void sp_run_leave_services(struct sp_run_state *run);
/* Settles every test of a protocol without ports as not tested whose other direction an earlier run
 * sent so lately that a firewall may remember it. */
enum sp_rc sp_run_leave_remembered(struct sp_run_state *run) SP_MUST_CHECK;
/* A SYN/ACK came back, and nothing arrived: holds a few conversations with whoever answers. */
enum sp_rc sp_run_unmask(struct sp_run_state *run, struct sp_diag *diag) SP_MUST_CHECK;
/* What a test's conversations have shown, put into what the judge is asked. */
void sp_run_apply_unmasked(const struct sp_tally *tally, const struct sp_case *what,
                           struct sp_seen *seen);
/* Is there a real service on that port of the receiver that must not get data? */
bool sp_run_is_service(const struct sp_run_state *run, const struct sp_pair *pair, uint8_t proto,
                       uint16_t port);
/* Where an answer of the pair's flows came from (enum sp_answerer), by address and TTL. The pair is
 * one of the plan's. */
uint8_t sp_run_place_answerer(const struct sp_run_state *run, const struct sp_pair *pair,
                              uint8_t answer, uint8_t ttl, const struct sp_addr *answerer);
/* Judges one test of a lane into its outcome. */
void sp_run_judge(struct sp_run_state *run, const struct sp_lane *lane, uint32_t index);

/* Controls of bypass techniques that the plan holds no test of: scout_bypass.c. */
enum sp_rc sp_scouts_add_unplanned(const struct sp_run_state *run,
                                   struct sp_scouts *scouts) SP_MUST_CHECK;

#endif
