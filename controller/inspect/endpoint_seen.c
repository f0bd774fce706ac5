/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/endpoint_seen.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/str.h"
#include "probe/wire/message.h"

static const char *const lookup_states[] = {"answered", "silent", "refused",
                                            "broken",   "local",  NULL};
static const char *const modes[] = {"tcp", "tls", "http", "https", "clear", "h2", NULL};
static const char *const reaches[] = {"nothing", "tcp", "tls", "answer", NULL};
static const char *const stops[] = {"done",  "rst",    "icmp",  "silent", "slow",    "no_route",
                                    "local", "closed", "alert", "broken", "special", NULL};
static const char *const kinds[] = {"none", "http", "h2", "h2_away", "tls", "other", NULL};
_Static_assert(SP_ARRAY_LEN(lookup_states) == SP_SEEN_LOOKUP_STATES + 1, "one word each");
_Static_assert(SP_ARRAY_LEN(modes) == SP_SEEN_MODES + 1, "one word each");
_Static_assert(SP_ARRAY_LEN(reaches) == SP_SEEN_REACHES + 1, "one word each");
_Static_assert(SP_ARRAY_LEN(stops) == SP_SEEN_STOPS + 1, "one word each");
_Static_assert(SP_ARRAY_LEN(kinds) == SP_SEEN_BYTES + 1, "one word each");

static bool word(const char *const *words, const char *value, uint8_t *ret)
{
    for (uint8_t i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool flag(const char *value, bool *ret)
{
    *ret = value[0] == '1';
    return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
}

/* Printable ASCII that fits; longer ones are cut. */
static bool copy(const char *value, char *out, size_t size)
{
    for (const char *p = value; *p; p++) {
        if (*p < 0x20 || *p >= 0x7f) {
            return false;
        }
    }
    (void)snprintf(out, size, "%s", value);
    return true;
}

static bool number(const char *value, uint64_t max, uint64_t *ret)
{
    return sp_parse_uint(value, max, ret) == SP_OK;
}

static bool number32(const char *value, uint32_t *ret)
{
    uint64_t v = 0;
    bool is_good = number(value, UINT32_MAX, &v);
    *ret = (uint32_t)v;
    return is_good;
}

static bool take_lookup(struct sp_seen_lookup *at, const char *key, const char *value)
{
    uint64_t v = 0;
    if (strcmp(key, "transport") == 0) {
        at->by_tcp = strcmp(value, "tcp") == 0;
        return at->by_tcp || strcmp(value, "udp") == 0;
    }
    if (strcmp(key, "again") == 0) {
        return flag(value, &at->is_again);
    }
    if (strcmp(key, "own") == 0) {
        return flag(value, &at->is_own);
    }
    if (strcmp(key, "state") == 0) {
        at->has_state = true;
        return word(lookup_states, value, &at->state);
    }
    if (strcmp(key, "server") == 0) {
        return sp_addr_parse(value, &at->server) == SP_OK;
    }
    if (strcmp(key, "rcode") == 0) {
        bool is_good = number(value, 15, &v);
        at->rcode = (uint8_t)v;
        return is_good;
    }
    if (strcmp(key, "total") == 0) {
        return number32(value, &at->total);
    }
    if (strcmp(key, "addr") == 0) {
        struct sp_addr *addr = &at->addrs[at->naddrs];
        if (at->naddrs == SP_SEEN_ADDRS || sp_addr_parse(value, addr) != SP_OK) {
            return false;
        }
        at->naddrs++;
        return (addr->family == SP_FAMILY_IPV6) == at->is_v6;
    }
    bool ignored = false;
    return strcmp(key, "over_tcp") == 0 && flag(value, &ignored);
}

static bool take_icmp(struct sp_seen_talk *at, const char *value)
{
    unsigned type = 0;
    unsigned code = 0;
    char end = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): three digits cannot overflow. */
    if (sscanf(value, "%3u/%3u%c", &type, &code, &end) != 2 || type > 255 || code > 255) {
        return false;
    }
    at->icmp_type = (uint8_t)type;
    at->icmp_code = (uint8_t)code;
    return true;
}

static bool take_talk(struct sp_seen_talk *at, const char *key, const char *value)
{
    uint64_t v = 0;
    if (strcmp(key, "addr") == 0) {
        return sp_addr_parse(value, &at->addr) == SP_OK;
    }
    if (strcmp(key, "reached") == 0) {
        return word(reaches, value, &at->reached);
    }
    if (strcmp(key, "stop") == 0) {
        at->has_end = true;
        return word(stops, value, &at->stop);
    }
    if (strcmp(key, "icmp") == 0) {
        return take_icmp(at, value);
    }
    if (strcmp(key, "from") == 0) {
        return sp_addr_parse(value, &at->icmp_from) == SP_OK;
    }
    if (strcmp(key, "reason") == 0) {
        return copy(value, at->reason, sizeof(at->reason));
    }
    if (strcmp(key, "ms") == 0) {
        return number32(value, &at->ms);
    }
    if (strcmp(key, "own") == 0) {
        return flag(value, &at->is_own);
    }
    if (strcmp(key, "kind") == 0) {
        return word(kinds, value, &at->bytes);
    }
    if (strcmp(key, "status") == 0) {
        bool is_good = number(value, 999, &v);
        at->status = (unsigned)v;
        return is_good;
    }
    return strcmp(key, "location") == 0 && copy(value, at->location, sizeof(at->location));
}

static bool take_tls(struct sp_seen_talk *at, const char *key, const char *value)
{
    if (strcmp(key, "tls.version") == 0) {
        return copy(value, at->version, sizeof(at->version));
    }
    if (strcmp(key, "tls.cipher") == 0) {
        return copy(value, at->cipher, sizeof(at->cipher));
    }
    if (strcmp(key, "tls.alpn") == 0) {
        return copy(value, at->alpn, sizeof(at->alpn));
    }
    if (strcmp(key, "cert.subject") == 0) {
        return copy(value, at->subject, sizeof(at->subject));
    }
    if (strcmp(key, "cert.issuer") == 0) {
        return copy(value, at->issuer, sizeof(at->issuer));
    }
    if (strcmp(key, "cert.name") == 0) {
        size_t len = strlen(at->names);
        return copy(len ? ", " : "", at->names + len, sizeof(at->names) - len) &&
               copy(value, at->names + strlen(at->names), sizeof(at->names) - strlen(at->names));
    }
    if (strcmp(key, "cert.names") == 0) {
        return number(value, UINT32_MAX, &at->nnames);
    }
    if (strcmp(key, "cert.from") == 0) {
        return number(value, INT64_MAX, &at->from);
    }
    if (strcmp(key, "cert.until") == 0) {
        at->has_dates = number(value, INT64_MAX, &at->until);
        return at->has_dates;
    }
    if (strcmp(key, "cert.fits") == 0) {
        at->has_fits = true;
        return flag(value, &at->fits);
    }
    return false;
}

static bool take_chain(struct sp_seen_talk *at, const char *key, const char *value)
{
    uint64_t ignored = 0;
    if (strcmp(key, "chain.store") == 0) {
        return copy(value, at->store, sizeof(at->store));
    }
    if (strcmp(key, "chain.good") == 0) {
        at->has_good = true;
        return flag(value, &at->is_good);
    }
    if (strcmp(key, "chain.why") == 0) {
        return copy(value, at->why, sizeof(at->why));
    }
    if (strcmp(key, "chain.top") == 0) {
        return copy(value, at->top, sizeof(at->top));
    }
    if (strcmp(key, "chain.issuer") == 0) {
        return copy(value, at->top_issuer, sizeof(at->top_issuer));
    }
    if (strcmp(key, "chain.from") == 0) {
        return number(value, INT64_MAX, &at->chain_from);
    }
    if (strcmp(key, "chain.until") == 0) {
        at->has_chain_dates = number(value, INT64_MAX, &at->chain_until);
        return at->has_chain_dates;
    }
    return strcmp(key, "chain.n") == 0 && number(value, UINT32_MAX, &ignored);
}

/* The section that a line belongs to. */
struct reader {
    struct sp_endpoint_seen *seen;
    struct sp_seen_lookup *lookup;
    struct sp_seen_talk *talk;
};

static bool begin_lookup(struct reader *r, const char *value)
{
    r->talk = NULL;
    if (r->seen->nlookups == SP_SEEN_LOOKUPS) {
        return false;
    }
    r->lookup = &r->seen->lookups[r->seen->nlookups++];
    r->lookup->is_v6 = strcmp(value, "aaaa") == 0;
    return r->lookup->is_v6 || strcmp(value, "a") == 0;
}

static bool begin_talk(struct reader *r, const char *value)
{
    r->lookup = NULL;
    if (r->seen->ntalks == SP_SEEN_TALKS) {
        return false;
    }
    r->talk = &r->seen->talks[r->seen->ntalks++];
    return word(modes, value, &r->talk->mode);
}

static bool take(struct reader *r, const char *key, const char *value)
{
    if (strcmp(key, "lookup") == 0) {
        return begin_lookup(r, value);
    }
    if (strcmp(key, "talk") == 0) {
        return begin_talk(r, value);
    }
    if (strcmp(key, "left") == 0) {
        return number32(value, &r->seen->left);
    }
    if (strcmp(key, "done") == 0) {
        return flag(value, &r->seen->is_whole);
    }
    if (strcmp(key, "error") == 0) {
        (void)copy(value, r->seen->error, sizeof(r->seen->error));
        return false;
    }
    if (strncmp(key, "lookup.", 7) == 0) {
        return r->lookup && take_lookup(r->lookup, key + 7, value);
    }
    if (!r->talk) {
        return false;
    }
    return strncmp(key, "talk.", 5) == 0    ? take_talk(r->talk, key + 5, value)
           : strncmp(key, "chain.", 6) == 0 ? take_chain(r->talk, key, value)
                                            : take_tls(r->talk, key, value);
}

static bool is_complete(const struct sp_endpoint_seen *seen)
{
    bool is_good = true;
    for (size_t i = 0; i < seen->nlookups; i++) {
        is_good = is_good && seen->lookups[i].has_state;
    }
    for (size_t i = 0; i < seen->ntalks; i++) {
        is_good = is_good && seen->talks[i].has_end && seen->talks[i].addr.family != SP_FAMILY_NONE;
    }
    return is_good;
}

enum sp_rc sp_endpoint_read(const char *text, size_t len, struct sp_endpoint_seen *ret_seen)
{
    struct reader reader = {.seen = ret_seen};
    struct sp_fields fields;
    bool is_good = true;
    *ret_seen = (struct sp_endpoint_seen){0};
    sp_fields_init(&fields, text, len);
    while (is_good && sp_fields_next(&fields)) {
        is_good = strlen(sp_buf_text(&fields.value)) == fields.value.len &&
                  take(&reader, fields.key, sp_buf_text(&fields.value));
    }
    enum sp_rc rc = fields.value.rc == SP_E_NOMEM ? SP_E_NOMEM : SP_OK;
    is_good = is_good && !fields.is_bad && is_complete(ret_seen);
    sp_fields_release(&fields);
    if (!is_good) {
        char error[sizeof(ret_seen->error)];
        (void)snprintf(error, sizeof(error), "%s",
                       ret_seen->error[0] ? ret_seen->error : "its answer cannot be understood");
        *ret_seen = (struct sp_endpoint_seen){0};
        (void)snprintf(ret_seen->error, sizeof(ret_seen->error), "%s", error);
        return rc;
    }
    ret_seen->is_read = true;
    return rc;
}
