/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of judgements: how the tests of the judge write their rows, and check them. */
#ifndef SP_TEST_VERDICT_ROWS_H
#define SP_TEST_VERDICT_ROWS_H

#include <stdio.h>

#include "probe/base/attr.h"
#include "reports/verdict.h"
#include "tests/support/sp_cmocka.h"

#define HOLDS SP_VERDICT_HOLDS
#define OPEN  SP_VERDICT_INCONCLUSIVE
/* One row: what was declared, what was seen, what follows. */
#define ROW(name, what, seen, verdict, row, by, reason)                                            \
    {                                                                                              \
        name, what, seen, verdict, row, by, reason                                                 \
    }
#define D(...)                                                                                     \
    {                                                                                              \
        .expect = SP_EXPECT_DENY, __VA_ARGS__                                                      \
    }
#define A(...)                                                                                     \
    {                                                                                              \
        .expect = SP_EXPECT_ALLOW, __VA_ARGS__                                                     \
    }
/* A lossless capture. */
#define S(...)                                                                                     \
    {                                                                                              \
        .capture_lossless = true, __VA_ARGS__                                                      \
    }
#define GOT(n) .nic = (n), .host = (n)

struct row {
    const char *name;
    struct sp_case what;
    struct sp_seen seen;
    enum sp_verdict verdict;
    uint8_t row;
    enum sp_by by;
    enum sp_unsound reason;
};

static inline void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_judgement got = sp_judge(&rows[i].what, &rows[i].seen);
        if (got.verdict != rows[i].verdict || got.row != rows[i].row || got.by != rows[i].by ||
            got.reason != rows[i].reason || got.is_note || got.noted != got.verdict) {
            fail_msg("%s: got %s, row %u, by %s, %s", rows[i].name, sp_verdict_str(got.verdict),
                     got.row, sp_by_str((uint8_t)got.by), sp_unsound_str(got.reason));
        }
    }
}
#define CHECK(rows) check_rows(rows, SP_ARRAY_LEN(rows))

#endif
