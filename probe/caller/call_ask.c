/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/call_ask.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "probe/wire/message.h"

#define STEP_MS 5000U

/* Goes into a request as it is: nothing that could end a line or a field. */
static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return false;
        }
    }
    return len > 0;
}

static bool add_addr(struct sp_addr *addrs, size_t *n, size_t max, const char *text)
{
    return *n < max && sp_addr_parse(text, &addrs[*n]) == SP_OK && ++*n > 0;
}

static bool add_alpn(struct sp_call_ask *ask, const char *text, size_t len)
{
    if (len == 0 || len > 255 || ask->alpn_len + 1 + len > sizeof(ask->alpn)) {
        return false;
    }
    ask->alpn[ask->alpn_len++] = (unsigned char)len;
    memcpy(ask->alpn + ask->alpn_len, text, len);
    ask->alpn_len += len;
    return true;
}

static bool set_path(struct sp_call_ask *ask, const char *text, size_t len)
{
    if (len > SP_CALL_PATH_MAX || text[0] != '/' || !is_printable(text, len)) {
        return false;
    }
    memcpy(ask->path, text, len + 1);
    ask->is_http = true;
    return true;
}

static bool set_ca(struct sp_call_ask *ask, const char *text, size_t len)
{
    sp_free(ask->ca);
    ask->ca = sp_memdup(text, len + 1);
    ask->ca_len = len;
    return ask->ca != NULL;
}

static bool set_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    return sp_parse_uint(text, max, ret) == SP_OK && *ret >= min;
}

/* One field; false: it is wrong, or unknown. */
static bool take(struct sp_call_ask *ask, const char *key, const char *value, size_t len)
{
    uint64_t number = 0;
    bool is_one = strcmp(value, "1") == 0;
    if (strlen(value) != len) {
        return false; /* a NUL inside */
    }
    if (strcmp(key, "name") == 0) {
        return sp_hostname_normal(value, ask->name);
    }
    if (strcmp(key, "sni") == 0) {
        return sp_hostname_normal(value, ask->sni);
    }
    if (strcmp(key, "addr") == 0) {
        return add_addr(ask->addrs, &ask->naddrs, SP_CALL_ADDRS, value);
    }
    if (strcmp(key, "server") == 0) {
        return add_addr(ask->servers, &ask->nservers, SP_LOOKUP_SERVERS, value);
    }
    if (strcmp(key, "port") == 0) {
        bool is_good = set_number(value, 1, UINT16_MAX, &number);
        ask->port = (uint16_t)number;
        return is_good;
    }
    if (strcmp(key, "step_ms") == 0) {
        bool is_good = set_number(value, SP_CALL_STEP_MIN_MS, SP_CALL_STEP_MAX_MS, &number);
        ask->step_ms = (uint32_t)number;
        return is_good;
    }
    if (strcmp(key, "transport") == 0) {
        ask->by_udp = ask->by_udp || strcmp(value, "udp") == 0;
        ask->by_tcp = ask->by_tcp || strcmp(value, "tcp") == 0;
        return ask->by_udp || ask->by_tcp;
    }
    if (strcmp(key, "alpn") == 0) {
        return add_alpn(ask, value, len);
    }
    if (strcmp(key, "ca") == 0) {
        return set_ca(ask, value, len);
    }
    if (strcmp(key, "path") == 0) {
        return set_path(ask, value, len);
    }
    ask->is_tls = ask->is_tls || (strcmp(key, "tls") == 0 && is_one);
    ask->is_clear = ask->is_clear || (strcmp(key, "clear") == 0 && is_one);
    return strcmp(key, "tls") == 0 || strcmp(key, "clear") == 0;
}

static enum sp_rc check_bounds(const struct sp_call_bounds *bounds, const struct sp_call_ask *ask,
                               struct sp_diag *diag)
{
    char text[SP_ADDR_STRLEN];
    if (ask->name[0] && !sp_call_may_name(bounds, ask->name, ask->port)) {
        return sp_fail(diag, SP_E_DENIED, "name",
                       "this probe may not talk to %.200s:%u (--allow-endpoint)", ask->name,
                       (unsigned)ask->port);
    }
    for (size_t i = 0; i < ask->naddrs; i++) {
        if (!sp_call_may_addr(bounds, &ask->addrs[i], ask->port)) {
            return sp_fail(diag, SP_E_DENIED, "addr",
                           "this probe may not talk to %s port %u (--allow-endpoint)",
                           sp_addr_str(&ask->addrs[i], text), (unsigned)ask->port);
        }
    }
    for (size_t i = 0; i < ask->nservers; i++) {
        if (!sp_call_may_server(bounds, &ask->servers[i])) {
            return sp_fail(diag, SP_E_DENIED, "server",
                           "this probe may not ask the name server %s (--allow-nameserver)",
                           sp_addr_str(&ask->servers[i], text));
        }
    }
    return SP_OK;
}

enum sp_rc sp_call_ask_read(const struct sp_call_bounds *bounds, const char *text, size_t len,
                            struct sp_call_ask *ret_ask, struct sp_diag *diag)
{
    struct sp_call_ask ask = {.step_ms = STEP_MS};
    struct sp_fields fields;
    enum sp_rc rc = SP_OK;
    sp_fields_init(&fields, text, len);
    while (rc == SP_OK && sp_fields_next(&fields)) {
        if (!take(&ask, fields.key, sp_buf_text(&fields.value), fields.value.len)) {
            rc = sp_fail(diag, SP_E_INVALID, fields.key, "the question's %s cannot be understood",
                         fields.key);
        }
    }
    if (rc == SP_OK && (fields.is_bad || ask.port == 0 || (!ask.name[0] && ask.naddrs == 0))) {
        rc = sp_fail(diag, SP_E_INVALID, "call", "the question is not complete");
    }
    sp_fields_release(&fields);
    ask.by_udp = ask.by_udp || !ask.by_tcp;
    rc = rc == SP_OK ? check_bounds(bounds, &ask, diag) : rc;
    if (rc != SP_OK) {
        sp_call_ask_release(&ask);
        return rc;
    }
    *ret_ask = ask;
    return SP_OK;
}

void sp_call_ask_release(struct sp_call_ask *ask)
{
    sp_free(ask->ca);
    ask->ca = NULL;
}
