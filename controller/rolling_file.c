/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a cycle: SP_ROLLING_MAGIC; key 8, parts 4, lanes 4; per part run 8, seconds 8,
 * fruitless 1; per lane its id 16 and per part seconds 4; a check of all before it, 8. Big-endian.
 */
#include <string.h>

#include "controller/rolling_priv.h"
#include "probe/base/cursor.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"

#define SP_ROLLING_MAGIC "SPROLL1\n" /* the digit is the version */
#define SP_MAGIC_BYTES   8U
#define SP_PART_BYTES    17U
#define SP_HEAD_BYTES    (SP_MAGIC_BYTES + 16U)
#define SP_CHECK_BYTES   8U

static uint64_t check_of(const void *data, size_t len)
{
    static const struct sp_hash_key key = {0x736567706379636cULL, 0x652d763100000000ULL};
    return sp_siphash(&key, data, len);
}

enum sp_rc sp_rolling_state_init(struct sp_rolling_state *state, uint32_t nparts, size_t nlanes)
{
    *state = (struct sp_rolling_state){.nparts = nparts, .nlanes = nlanes};
    if (nparts < SP_ROLLING_LEAST || nparts > SP_ROLLING_MOST ||
        nlanes > SP_ROLLING_CELLS_MAX / nparts) {
        return SP_E_LIMIT;
    }
    state->parts = sp_calloc(nparts, sizeof(*state->parts));
    state->ids = sp_calloc(nlanes, sizeof(*state->ids));
    state->covered_s = sp_calloc(nlanes * nparts, sizeof(*state->covered_s));
    if (!state->parts || !state->ids || !state->covered_s) {
        sp_rolling_state_release(state);
        return SP_E_NOMEM;
    }
    return SP_OK;
}

void sp_rolling_state_release(struct sp_rolling_state *state)
{
    sp_free(state->parts);
    sp_free(state->ids);
    sp_free(state->covered_s);
    *state = (struct sp_rolling_state){0};
}

void sp_rolling_encode(const struct sp_rolling_state *state, struct sp_buf *out)
{
    uint8_t bytes[SP_HEAD_BYTES];
    struct sp_wr wr;
    sp_wr_init(&wr, bytes, sizeof(bytes));
    sp_wr_bytes(&wr, SP_ROLLING_MAGIC, SP_MAGIC_BYTES);
    sp_wr_u64(&wr, state->key);
    sp_wr_u32(&wr, state->nparts);
    sp_wr_u32(&wr, (uint32_t)state->nlanes);
    sp_buf_add(out, bytes, wr.pos);
    for (size_t i = 0; i < state->nparts; i++) {
        sp_wr_init(&wr, bytes, sizeof(bytes));
        sp_wr_u64(&wr, state->parts[i].run);
        sp_wr_u64(&wr, state->parts[i].at_s);
        sp_wr_u8(&wr, state->parts[i].fruitless);
        sp_buf_add(out, bytes, wr.pos);
    }
    for (size_t i = 0; i < state->nlanes; i++) {
        sp_buf_add(out, state->ids[i], SP_ROLLING_ID_BYTES);
        for (size_t k = 0; k < state->nparts; k++) {
            sp_wr_init(&wr, bytes, sizeof(bytes));
            sp_wr_u32(&wr, state->covered_s[i * state->nparts + k]);
            sp_buf_add(out, bytes, wr.pos);
        }
    }
    if (out->rc == SP_OK) {
        sp_wr_init(&wr, bytes, sizeof(bytes));
        sp_wr_u64(&wr, check_of(out->data, out->len));
        sp_buf_add(out, bytes, wr.pos);
    }
}

enum sp_rc sp_rolling_decode(const uint8_t *bytes, size_t len, struct sp_rolling_state *ret_state)
{
    struct sp_rolling_state state;
    struct sp_rd rd;
    if (len < SP_HEAD_BYTES + SP_CHECK_BYTES ||
        memcmp(bytes, SP_ROLLING_MAGIC, SP_MAGIC_BYTES - 2) != 0) {
        return SP_E_INVALID;
    }
    if (memcmp(bytes, SP_ROLLING_MAGIC, SP_MAGIC_BYTES) != 0) {
        return SP_E_DENIED;
    }
    sp_rd_init(&rd, bytes + len - SP_CHECK_BYTES, SP_CHECK_BYTES);
    if (sp_rd_u64(&rd) != check_of(bytes, len - SP_CHECK_BYTES)) {
        return SP_E_INVALID;
    }
    sp_rd_init(&rd, bytes, len - SP_CHECK_BYTES);
    sp_rd_skip(&rd, SP_MAGIC_BYTES);
    uint64_t key = sp_rd_u64(&rd);
    uint32_t nparts = sp_rd_u32(&rd);
    uint32_t nlanes = sp_rd_u32(&rd);
    if (nparts < SP_ROLLING_LEAST || nparts > SP_ROLLING_MOST || nlanes > SP_ROLLING_CELLS_MAX ||
        sp_rd_left(&rd) != (size_t)nparts * SP_PART_BYTES +
                               (size_t)nlanes * (SP_ROLLING_ID_BYTES + 4ULL * nparts)) {
        return SP_E_INVALID;
    }
    enum sp_rc rc = sp_rolling_state_init(&state, nparts, nlanes);
    if (rc != SP_OK) {
        return rc == SP_E_LIMIT ? SP_E_INVALID : rc;
    }
    state.key = key;
    for (size_t i = 0; i < nparts; i++) {
        state.parts[i].run = sp_rd_u64(&rd);
        state.parts[i].at_s = sp_rd_u64(&rd);
        state.parts[i].fruitless = sp_rd_u8(&rd);
    }
    for (size_t i = 0; i < nlanes; i++) {
        sp_rd_bytes(&rd, state.ids[i], SP_ROLLING_ID_BYTES);
        for (size_t k = 0; k < nparts; k++) {
            state.covered_s[i * nparts + k] = sp_rd_u32(&rd);
        }
    }
    *ret_state = state;
    return SP_OK;
}

enum sp_rc sp_rolling_check(const uint8_t *bytes, size_t len, struct sp_diag *diag)
{
    struct sp_rolling_state state;
    enum sp_rc rc = sp_rolling_decode(bytes, len, &state);
    if (rc == SP_OK) {
        sp_rolling_state_release(&state);
        return SP_OK;
    }
    return rc == SP_E_NOMEM
               ? sp_fail(diag, rc, "cycle", "out of memory")
               : sp_fail(diag, rc, "cycle", "the file of this cycle is %s: remove it to start over",
                         rc == SP_E_DENIED ? "of another version of segproof" : "damaged");
}
