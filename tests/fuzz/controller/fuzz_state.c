/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that outlive a run, as a disk or somebody else left them. The first byte chooses: the
 * journal of a run or a cycle, as they are; or with checks that are right, so that the content is
 * reached: the payloads of a journal, each with its length before it (2 bytes), or a cycle without
 * its last 8 bytes. Whatever comes is read or refused with words. */
#include <stdlib.h>
#include <string.h>

#include "controller/journal_priv.h"
#include "controller/rolling_priv.h"
#include "probe/base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void check(enum sp_rc (*reads)(const uint8_t *bytes, size_t len, struct sp_diag *diag),
                  const void *bytes, size_t len)
{
    struct sp_diag diag = {0};
    enum sp_rc rc = reads(bytes, len, &diag);
    must((rc == SP_OK) == (diag.text[0] == '\0'));
}

static void add_payloads(struct sp_buf *file, const uint8_t *data, size_t size)
{
    struct sp_rd rd;
    sp_rd_init(&rd, data, size);
    while (sp_rd_left(&rd) > 2) {
        size_t len = sp_rd_u16(&rd);
        len = len < sp_rd_left(&rd) ? len : sp_rd_left(&rd);
        struct sp_buf payload;
        sp_buf_init(&payload, 65536);
        sp_buf_add(&payload, sp_rd_view(&rd, len), len);
        if (len > 0) {
            sp_journal_add_frame(file, &payload);
        }
        sp_buf_release(&payload);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_buf file;
    if (size == 0) {
        return 0;
    }
    sp_buf_init(&file, 4U << 20);
    switch (data[0] % 4) {
    case 0:
        check(sp_journal_check, data + 1, size - 1);
        break;
    case 1:
        check(sp_rolling_check, data + 1, size - 1);
        break;
    case 2:
        sp_buf_str(&file, SP_JOURNAL_MAGIC);
        add_payloads(&file, data + 1, size - 1);
        must(file.rc == SP_OK || size > 65536);
        check(sp_journal_check, file.data, file.len);
        break;
    default: {
        uint8_t sum[8];
        struct sp_wr wr;
        sp_buf_add(&file, data + 1, size - 1);
        sp_wr_init(&wr, sum, sizeof(sum));
        sp_wr_u64(&wr, sp_rolling_sum(data + 1, size - 1));
        sp_buf_add(&file, sum, sizeof(sum));
        check(sp_rolling_check, file.data, file.len);
        break;
    }
    }
    sp_buf_release(&file);
    return 0;
}
