/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a text in a test, and asking what was said about it. */
#ifndef SP_TESTS_TOPOLOGIES_TOPO_H
#define SP_TESTS_TOPOLOGIES_TOPO_H

#include <stdlib.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/loader.h"

struct topo {
    enum sp_rc rc;
    struct sp_model *model;
    struct sp_problems problems;
};

/* 2026-11-23T12:00:00Z, so that what expires does not depend on the day of the test. */
static inline uint64_t topo_wall_s(void)
{
    return 1795435200U;
}

static inline struct topo topo_load(const char *text)
{
    struct topo t = {0};
    sp_clock_inject(NULL, topo_wall_s);
    t.rc = sp_topology_load_text("t.yaml", text, strlen(text), &t.model, &t.problems);
    assert_int_equal(t.rc == SP_OK, t.model != NULL);
    assert_int_equal(t.rc == SP_OK, t.problems.nerrors == 0 && t.problems.rc == SP_OK);
    return t;
}

static inline void topo_release(struct topo *t)
{
    sp_model_free(t->model);
    sp_problems_release(&t->problems);
}

/* The first message that holds these words, or NULL. */
static inline const struct sp_problem *topo_find(const struct topo *t, const char *words)
{
    for (size_t i = 0; i < t->problems.n; i++) {
        if (strstr(t->problems.at[i].text, words)) {
            return &t->problems.at[i];
        }
    }
    return NULL;
}

static inline void topo_print_all(const struct topo *t)
{
    for (size_t i = 0; i < t->problems.n; i++) {
        print_error("%u:%u %s: %s\n", t->problems.at[i].pos.line, t->problems.at[i].pos.col,
                    t->problems.at[i].pointer, t->problems.at[i].text);
    }
}

/* A topology that holds: two networks, three hosts. Append to it. */
#define TOPO_BASE                                                                                  \
    "segproof: 1\n"                                                                                \
    "name: t\n"                                                                                    \
    "networks:\n"                                                                                  \
    "  web: { cidr: [10.1.0.0/24, 'fd00:1::/64'] }\n"                                              \
    "  data: { cidr: 10.2.0.0/24 }\n"                                                              \
    "hosts:\n"                                                                                     \
    "  web-1: { network: web, address: [10.1.0.11, 'fd00:1::11'], labels: { app: web },"           \
    " probe: { via: local } }\n"                                                                   \
    "  web-2: { network: web, address: 10.1.0.12, labels: { app: web }, probe: { via: local } }\n" \
    "  db-1: { network: data, address: 10.2.0.11, probe: { via: local } }\n"

#endif
