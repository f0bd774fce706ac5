/* SPDX-License-Identifier: Apache-2.0
 *
 * A made-up installation of Gloo Mesh in which every line of the check list that can pass does, and
 * runs against it with one thing changed: planned by the real planner, judged by the real judge, no
 * packet. Failed allocations end the test program. */
#ifndef SP_SUPPORT_CHECKLIST_WORLD_H
#define SP_SUPPORT_CHECKLIST_WORLD_H

#include "reports/checklist.h"

/* What becomes of the tests that a change is about. */
enum sp_world_flow {
    WORLD_AS_DECLARED,
    WORLD_BROKEN,  /* denied flows arrive, allowed ones do not */
    WORLD_UNSOUND, /* no conclusion */
    WORLD_GONE     /* there is no such test */
};

struct sp_world_change {
    const char *find, *put;  /* in the topology, each time it is there */
    enum sp_world_flow flow; /* of tests: */
    const char *from, *to;   /* hosts or balancers; NULL = all */
    uint16_t port;           /* 0 = all */
    uint8_t proto;           /* enum sp_proto, when port is not 0 */
    const char *check;       /* claims of this check: */
    const char *subject;     /* a word of their subject; NULL = all */
    int verdict;             /* enum sp_claim_verdict; SP_CLAIM_VERDICT_COUNT = there is none */
    const char *sick;        /* a host whose probe is lost */
    bool no_evidence, interrupted;
};

struct sp_world;
struct sp_world *sp_world_new(const struct sp_world_change *change);
void sp_world_free(struct sp_world *world);
const struct sp_checklist *sp_world_list(const struct sp_world *world);
const struct sp_summary *sp_world_summary(const struct sp_world *world);

#endif
