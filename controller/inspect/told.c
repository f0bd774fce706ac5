/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/told.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/wire/message.h"

static enum sp_rc set(char **place, const char *text)
{
    if (*place) {
        return SP_E_INVALID;
    }
    *place = sp_strdup(text);
    return *place ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc begin(struct sp_told_list *list, const char *name)
{
    if (list->n == SP_TOLD_FACTS_MAX) {
        return SP_E_INVALID;
    }
    if (sp_grow((void **)&list->at, list->n, &list->cap, sizeof(*list->at)) != 0) {
        return SP_E_NOMEM;
    }
    struct sp_told *fact = &list->at[list->n++];
    *fact = (struct sp_told){0};
    return set(&fact->name, name);
}

static enum sp_rc add_value(struct sp_told *fact, const char *value)
{
    if (fact->unknown || !fact->source) {
        return SP_E_INVALID;
    }
    if (sp_grow((void **)&fact->values, fact->nvalues, &fact->cap, sizeof(*fact->values)) != 0) {
        return SP_E_NOMEM;
    }
    fact->values[fact->nvalues] = NULL;
    return set(&fact->values[fact->nvalues++], value);
}

static enum sp_rc take(struct sp_told_list *list, const char *key, const char *value)
{
    struct sp_told *fact = list->n > 0 ? &list->at[list->n - 1] : NULL;
    if (strcmp(key, "error") == 0) {
        return set(&list->error, value);
    }
    if (strcmp(key, "fact") == 0) {
        return begin(list, value);
    }
    if (!fact) {
        return SP_E_INVALID;
    }
    if (strcmp(key, "of") == 0) {
        return set(&fact->of, value);
    }
    if (strcmp(key, "source") == 0) {
        return set(&fact->source, value);
    }
    if (strcmp(key, "value") == 0) {
        return add_value(fact, value);
    }
    if (strcmp(key, "unknown") == 0) {
        return fact->nvalues > 0 ? SP_E_INVALID : set(&fact->unknown, value);
    }
    fact->is_cut = fact->is_cut || strcmp(key, "cut") == 0;
    return SP_OK; /* a newer probe may tell more */
}

/* Each fact once, and each with its source. */
static bool is_sound(const struct sp_told_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct sp_told *fact = &list->at[i];
        if (!fact->source || sp_told_find(list, fact->name, fact->of) != fact) {
            return false;
        }
    }
    return true;
}

enum sp_rc sp_told_read(const char *text, size_t len, struct sp_told_list *list)
{
    struct sp_fields fields;
    enum sp_rc rc = SP_OK;
    sp_fields_init(&fields, text, len);
    while (rc == SP_OK && sp_fields_next(&fields)) {
        rc = fields.value.rc != SP_OK ? fields.value.rc
                                      : take(list, fields.key, sp_buf_text(&fields.value));
    }
    if (rc == SP_OK && (fields.is_bad || !is_sound(list))) {
        rc = fields.value.rc != SP_OK ? fields.value.rc : SP_E_INVALID;
    }
    sp_fields_release(&fields);
    return rc;
}

void sp_told_release(struct sp_told_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct sp_told *fact = &list->at[i];
        for (size_t k = 0; k < fact->nvalues; k++) {
            sp_free(fact->values[k]);
        }
        sp_free(fact->values);
        sp_free(fact->name);
        sp_free(fact->of);
        sp_free(fact->source);
        sp_free(fact->unknown);
    }
    sp_free(list->at);
    sp_free(list->error);
    *list = (struct sp_told_list){0};
}

const struct sp_told *sp_told_find(const struct sp_told_list *list, const char *name,
                                   const char *of)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct sp_told *fact = &list->at[i];
        bool same_of = of && fact->of ? strcmp(fact->of, of) == 0 : of == fact->of;
        if (same_of && strcmp(fact->name, name) == 0) {
            return fact;
        }
    }
    return NULL;
}
