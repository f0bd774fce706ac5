/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/checklist.h"
#include "reports/formats/json_out.h"

static void add_part(struct sp_json *json, cJSON *array, const struct sp_item_part *part)
{
    struct sp_json one = sp_json_begin();
    sp_json_str(&one, "what", part->what);
    sp_json_str(&one, "state", sp_item_state_str(part->state));
    sp_json_u64(&one, "held", part->held);
    sp_json_u64(&one, "failed", part->failed);
    sp_json_u64(&one, "unknown", part->unknown);
    sp_json_u64(&one, "not_observable", part->not_observable);
    sp_json_str(&one, "example", part->example);
    sp_json_str(&one, "to_do", part->state == SP_ITEM_PASS ? NULL : part->hint);
    sp_json_append_object(json, array, &one);
}

void sp_json_checklist(const struct sp_summary *summary, struct sp_buf *out)
{
    struct sp_checklist *list = NULL;
    enum sp_rc rc = sp_checklist_new(summary, &list);
    if (rc != SP_OK) {
        out->rc = out->rc == SP_OK ? rc : out->rc;
        return;
    }
    sp_json_open_array(out, "checklist");
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        const struct sp_item *item = &list->items[i];
        struct sp_json json = sp_json_begin();
        sp_json_u64(&json, "id", item->id);
        sp_json_str(&json, "statement", item->statement);
        sp_json_str(&json, "how", item->how);
        sp_json_str(&json, "state", sp_item_state_str(item->state));
        sp_json_str(&json, "ask", item->ask);
        cJSON *parts = sp_json_array(&json, "evidence");
        for (size_t p = 0; p < item->nparts; p++) {
            add_part(&json, parts, &item->parts[p]);
        }
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, SP_ITEM_COUNT);
    sp_checklist_free(list);
}
