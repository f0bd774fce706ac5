/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to probes that are answered in words and not in packets: what a host is, what an
 * endpoint answers (probe/wire/message.h). Asked between batches; many at once. */
#ifndef SP_CONTROLLER_ASK_H
#define SP_CONTROLLER_ASK_H

#include "controller/fleet.h"
#include "probe/wire/message.h"

enum sp_told_state {
    SP_TOLD_NONE, /* not in time */
    SP_TOLD_LOST, /* its probe is not there */
    SP_TOLD_BAD,  /* what came was no answer */
    SP_TOLD_WHOLE
};

struct sp_question {
    uint32_t host;
    uint8_t topic;    /* enum sp_topic */
    const char *text; /* lines of fields; borrowed */
    size_t len;
    uint64_t timeout_ms; /* of this question, from when it is asked */
    enum sp_told_state state;
    struct sp_buf answer; /* lines of fields, when WHOLE; see sp_questions_release */
    /* private */
    uint32_t id;
    uint64_t deadline_us;
};

/* Asks all of them, at most `at_once` of one host at a time, and runs the loop until each has its
 * state, or stop_flag of the fleet's options is set. The fleet's ops are borrowed meanwhile.
 * Fails for want of memory only. */
enum sp_rc sp_ask_all(struct sp_fleet *fleet, struct sp_question *questions, size_t n,
                      unsigned at_once) SP_MUST_CHECK;
void sp_questions_release(struct sp_question *questions, size_t n);

#endif
