/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <string.h>

#include "controller/rolling_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* ---- what a lane is ---- */

void sp_rolling_add_u32(struct sp_buf *out, uint32_t v)
{
    uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    sp_buf_add(out, bytes, sizeof(bytes));
}

void sp_rolling_add_text(struct sp_buf *out, const char *text)
{
    sp_rolling_add_u32(out, text ? (uint32_t)strlen(text) : UINT32_MAX);
    sp_buf_str(out, text ? text : "");
}

enum sp_rc sp_rolling_digest(const struct sp_buf *text, uint8_t out[static 32])
{
    unsigned int n = 0;
    if (text->rc != SP_OK) {
        return text->rc;
    }
    return EVP_Digest(text->data, text->len, out, &n, EVP_sha256(), NULL) == 1 && n == 32
               ? SP_OK
               : SP_E_NOMEM;
}

enum sp_rc sp_rolling_lane_id(const struct sp_model *model, const struct sp_plan *plan,
                              const struct sp_plan_sweep *sweep, struct sp_intervals list,
                              struct sp_buf *scratch, uint8_t out[static SP_ROLLING_ID_BYTES])
{
    const struct sp_pair *pair = &plan->pairs[sweep->pair];
    char addr[SP_ADDR_STRLEN];
    uint8_t whole[32];
    sp_buf_clear(scratch);
    sp_rolling_add_text(scratch, sp_model_target_name(model, pair->from));
    sp_rolling_add_text(scratch, sp_model_target_name(model, pair->to));
    sp_rolling_add_text(scratch, sp_addr_str(&pair->src, addr));
    sp_rolling_add_text(scratch, sp_addr_str(&pair->dst, addr));
    sp_rolling_add_text(scratch, sp_technique_at(sweep->technique)->name);
    sp_rolling_add_u32(scratch, sweep->proto);
    sp_rolling_add_u32(scratch, pair->layer);
    for (size_t i = 0; i < list.n; i++) {
        if (list.at[i].expect == SP_EXPECT_DENY) { /* neighbours by two rules are one range */
            bool grows = i > 0 && list.at[i - 1].expect == SP_EXPECT_DENY;
            if (!grows) {
                sp_rolling_add_u32(scratch, list.at[i].lo);
            }
            if (i + 1 == list.n || list.at[i + 1].expect != SP_EXPECT_DENY) {
                sp_rolling_add_u32(scratch, list.at[i].hi);
            }
        }
    }
    enum sp_rc rc = sp_rolling_digest(scratch, whole);
    if (rc == SP_OK) {
        memcpy(out, whole, SP_ROLLING_ID_BYTES);
    }
    return rc;
}

static uint64_t key_of(const uint8_t id[static SP_ROLLING_ID_BYTES])
{
    uint64_t key;
    memcpy(&key, id, sizeof(key));
    return key;
}

uint32_t sp_rolling_find(const struct sp_rolling *rolling,
                         const uint8_t id[static SP_ROLLING_ID_BYTES])
{
    uint32_t row = sp_table_get(&rolling->by_id, key_of(id));
    return row != SP_NO_ROW && memcmp(rolling->state.ids[row], id, SP_ROLLING_ID_BYTES) == 0
               ? row
               : SP_NO_ROW;
}

/* ---- parts ---- */

enum sp_rc sp_rolling_part_ports(struct sp_rolling *rolling)
{
    uint32_t *left = sp_calloc(65536, sizeof(*left));
    size_t n = 0;
    if (!left) {
        return SP_E_NOMEM;
    }
    for (uint32_t port = 1; port < 65536; port++) {
        left[n++] = port;
    }
    rolling->part_of[0] = (uint16_t)rolling->state.nparts;
    for (uint32_t at = 0; at < rolling->state.nparts; at++) {
        const struct sp_slice slice = {
            .at = at, .of = rolling->state.nparts, .key = rolling->state.key};
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
            if (sp_slice_has(&slice, (uint16_t)left[i])) {
                rolling->part_of[left[i]] = (uint16_t)at;
            } else {
                left[kept++] = left[i];
            }
        }
        n = kept;
    }
    sp_free(left);
    return n == 0 ? SP_OK : SP_E_INVALID; /* slices are together all ports */
}

static enum sp_rc weigh(struct sp_rolling *rolling, struct sp_intervals list, struct sp_table *seen,
                        uint32_t *ret_row)
{
    uint32_t row = sp_table_get(seen, (uint64_t)(uintptr_t)list.at);
    if (row != SP_NO_ROW) {
        *ret_row = row;
        return SP_OK;
    }
    if (sp_grow((void **)&rolling->weights, rolling->nweights, &rolling->cap_weights,
                sizeof(*rolling->weights)) != 0) {
        return SP_E_NOMEM;
    }
    uint16_t *ports = sp_calloc(rolling->state.nparts + 1U, sizeof(*ports));
    if (!ports) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < list.n; i++) {
        for (uint32_t port = list.at[i].lo;
             list.at[i].expect == SP_EXPECT_DENY && port <= list.at[i].hi; port++) {
            ports[rolling->part_of[port]]++;
        }
    }
    row = (uint32_t)rolling->nweights;
    rolling->weights[rolling->nweights++] = (struct sp_rolling_weights){list.at, ports};
    *ret_row = row;
    return sp_table_put(seen, (uint64_t)(uintptr_t)list.at, row);
}

enum sp_rc sp_rolling_name_lanes(struct sp_rolling *rolling, const struct sp_model *model,
                                 struct sp_policy *policy, const struct sp_plan *whole)
{
    struct sp_buf scratch;
    struct sp_table seen;
    enum sp_rc rc = SP_OK;
    sp_buf_init(&scratch, 4U << 20);
    sp_table_init(&seen);
    for (size_t i = 0; i < whole->nsweeps && rc == SP_OK; i++) {
        const struct sp_plan_sweep *sweep = &whole->sweeps[i];
        const struct sp_pair *pair = &whole->pairs[sweep->pair];
        struct sp_intervals list = sp_policy_pair(policy, pair->from, pair->to, sweep->proto);
        uint8_t *id = rolling->state.ids[i];
        rc = list.n ? sp_rolling_lane_id(model, whole, sweep, list, &scratch, id) : SP_E_NOMEM;
        if (rc == SP_OK && sp_table_get(&rolling->by_id, key_of(id)) != SP_NO_ROW) {
            rc = SP_E_INVALID; /* two lanes that nothing tells apart */
        }
        rc = rc == SP_OK ? sp_table_put(&rolling->by_id, key_of(id), (uint32_t)i) : rc;
        rc = rc == SP_OK ? weigh(rolling, list, &seen, &rolling->weight_of[i]) : rc;
    }
    sp_table_release(&seen);
    sp_buf_release(&scratch);
    return rc;
}
