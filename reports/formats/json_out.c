/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/formats/json_out.h"

#include <inttypes.h>
#include <stdio.h>

#include "probe/base/mem.h"
#include "reports/escape.h"

#define SP_JSON_STRING_MAX (4U << 20)

static void *hook_alloc(size_t size)
{
    return sp_calloc(size, 1);
}

struct sp_json sp_json_begin(void)
{
    cJSON_Hooks hooks = {.malloc_fn = hook_alloc, .free_fn = sp_free};
    cJSON_InitHooks(&hooks);
    struct sp_json json = {.object = cJSON_CreateObject()};
    json.failed = json.object == NULL;
    return json;
}

static void check(struct sp_json *json, const cJSON *added)
{
    json->failed = json->failed || added == NULL;
}

void sp_json_str(struct sp_json *json, const char *key, const char *text)
{
    struct sp_buf clean;
    if (json->failed) {
        return;
    }
    if (!text) {
        check(json, cJSON_AddNullToObject(json->object, key));
        return;
    }
    sp_buf_init(&clean, SP_JSON_STRING_MAX);
    sp_escape_utf8(&clean, text);
    if (clean.rc != SP_OK) {
        json->failed = true;
    } else {
        check(json, cJSON_AddStringToObject(json->object, key, sp_buf_text(&clean)));
    }
    sp_buf_release(&clean);
}

void sp_json_u64(struct sp_json *json, const char *key, uint64_t value)
{
    char digits[24];
    if (json->failed) {
        return;
    }
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
    check(json, cJSON_AddRawToObject(json->object, key, digits));
}

void sp_json_share(struct sp_json *json, const char *key, double value)
{
    char digits[24];
    if (json->failed) {
        return;
    }
    /* By hand: printf would ask the locale for the decimal point. A NaN counts as 0. */
    uint64_t millionths = value >= 1.0 ? 1000000U : value > 0.0 ? (uint64_t)(value * 1e6) : 0U;
    (void)snprintf(digits, sizeof(digits), "%" PRIu64 ".%06" PRIu64, millionths / 1000000U,
                   millionths % 1000000U);
    check(json, cJSON_AddRawToObject(json->object, key, digits));
}

void sp_json_bool(struct sp_json *json, const char *key, bool value)
{
    if (!json->failed) {
        check(json, cJSON_AddBoolToObject(json->object, key, value));
    }
}

void sp_json_object(struct sp_json *parent, const char *key, struct sp_json *child)
{
    if (parent->failed || child->failed ||
        !cJSON_AddItemToObject(parent->object, key, child->object)) {
        parent->failed = true;
        cJSON_Delete(child->object);
    }
    child->object = NULL;
}

cJSON *sp_json_array(struct sp_json *json, const char *key)
{
    if (json->failed) {
        return NULL;
    }
    cJSON *array = cJSON_AddArrayToObject(json->object, key);
    check(json, array);
    return array;
}

void sp_json_append(struct sp_json *json, cJSON *array, const char *text)
{
    struct sp_buf clean;
    if (json->failed || !array) {
        return;
    }
    sp_buf_init(&clean, SP_JSON_STRING_MAX);
    sp_escape_utf8(&clean, text);
    cJSON *item = clean.rc == SP_OK ? cJSON_CreateString(sp_buf_text(&clean)) : NULL;
    sp_buf_release(&clean);
    if (!item || !cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        json->failed = true;
    }
}

void sp_json_append_object(struct sp_json *json, cJSON *array, struct sp_json *child)
{
    if (json->failed || child->failed || !array || !cJSON_AddItemToArray(array, child->object)) {
        json->failed = true;
        cJSON_Delete(child->object);
    }
    child->object = NULL;
}

void sp_json_print(struct sp_json *json, struct sp_buf *out)
{
    char *text = json->failed ? NULL : cJSON_PrintUnformatted(json->object);
    if (text) {
        sp_buf_str(out, text);
    } else if (out->rc == SP_OK) {
        out->rc = SP_E_NOMEM;
    }
    cJSON_free(text);
    cJSON_Delete(json->object);
    json->object = NULL;
}

void sp_json_open_array(struct sp_buf *out, const char *key)
{
    sp_buf_fmt(out, ",\n \"%s\":[", key);
}

void sp_json_add_line(struct sp_buf *out, struct sp_json *json, size_t index)
{
    sp_buf_str(out, index == 0 ? "\n  " : ",\n  ");
    sp_json_print(json, out);
}

void sp_json_close_array(struct sp_buf *out, size_t n)
{
    sp_buf_str(out, n == 0 ? "]" : "\n ]");
}
