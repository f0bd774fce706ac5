/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of words and numbers that a topology is made of: how each is called, its pattern in the
 * schema, and its exact check. */
#include <string.h>

#include "probe/base/str.h"
#include "topologies/field.h"
#include "topologies/floor.h"
#include "topologies/problem.h"

#define MAX_NAME 63U
#define MAX_TEXT 1000U

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool made_of(const char *text, const char *first, const char *rest)
{
    return *text && strchr(first, *text) && text[strspn(text, rest)] == '\0';
}

static bool is_text(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    if (strlen(text) > MAX_TEXT) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is longer than %u bytes", MAX_TEXT);
        return false;
    }
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            (void)sp_fail(why, SP_E_INVALID, NULL, "holds a control character");
            return false;
        }
    }
    return *text != '\0';
}

static bool is_name(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    if (strcmp(text, "any") == 0) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is reserved: it selects everything");
        return false;
    }
    if (strlen(text) > MAX_NAME) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is longer than %u characters", MAX_NAME);
        return false;
    }
    return made_of(text, ALNUM, ALNUM "_.-");
}

static bool is_label_key(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    (void)why;
    return strlen(text) <= 253 && made_of(text, ALNUM, ALNUM "_./-");
}

static bool is_label_value(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    (void)why;
    return strlen(text) <= 253 && made_of(text, ALNUM "_", ALNUM "_./:@+-");
}

static bool is_enum(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    struct sp_suggest suggest;
    char hint[SP_SUGGEST_LEN];
    sp_suggest_init(&suggest, text);
    for (const char *const *v = shape->values; *v; v++) {
        if (strcmp(*v, text) == 0) {
            return true;
        }
        sp_suggest_try(&suggest, *v);
    }
    if (shape->what) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is unknown here: use %s", shape->what);
        return false;
    }
    char list[128] = "";
    size_t n = 0;
    for (const char *const *v = shape->values; *v; v++) {
        const char *between = v == shape->values ? "" : v[1] ? ", " : " or ";
        size_t need = strlen(between) + strlen(*v);
        if (n + need < sizeof(list)) {
            memcpy(list + n, between, strlen(between));
            memcpy(list + n + strlen(between), *v, strlen(*v) + 1);
            n += need;
        }
    }
    (void)sp_fail(why, SP_E_INVALID, NULL, "is unknown here: use %s%s", list,
                  sp_suggest_str(&suggest, hint));
    return false;
}

static bool is_int(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    uint64_t v = 0;
    enum sp_rc rc = sp_parse_uint(text, shape->max, &v);
    if (rc == SP_E_LIMIT || (rc == SP_OK && v < shape->min)) {
        if (shape->min == shape->max) {
            (void)sp_fail(why, SP_E_INVALID, NULL, "is not known here: it must be %s",
                          shape->what ? shape->what : "another number");
        } else {
            (void)sp_fail(why, SP_E_INVALID, NULL, "is out of range: use %llu to %llu",
                          (unsigned long long)shape->min, (unsigned long long)shape->max);
        }
        return false;
    }
    return rc == SP_OK;
}

bool sp_parse_ratio(const char *text, double *ret_value)
{
    double value = 0;
    double scale = 1;
    const char *p = text;
    size_t whole = strspn(p, "0123456789");
    if (whole == 0 || whole > 9) {
        return false;
    }
    for (size_t i = 0; i < whole; i++) {
        value = value * 10 + (*p++ - '0');
    }
    if (*p == '.') {
        p++;
        size_t fraction = strspn(p, "0123456789");
        if (fraction == 0 || fraction > 12) {
            return false;
        }
        for (size_t i = 0; i < fraction; i++) {
            value = value * 10 + (*p++ - '0');
            scale *= 10;
        }
    }
    if (*p) {
        return false;
    }
    *ret_value = value / scale;
    return true;
}

static bool is_ratio(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    double v = 0;
    if (!sp_parse_ratio(text, &v)) {
        return false;
    }
    if (v > 1) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is out of range: use 0 to 1");
        return false;
    }
    return true;
}

static bool is_addr(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    struct sp_addr addr;
    if (sp_addr_parse(text, &addr) != SP_OK) {
        return false;
    }
    if (sp_addr_is_special(&addr)) {
        (void)sp_fail(why, SP_E_INVALID, NULL,
                      "is a loopback, link-local, multicast or unspecified address, which cannot "
                      "be tested");
        return false;
    }
    return true;
}

static bool is_path(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    size_t n = 0;
    (void)shape;
    (void)why;
    while (text[n] > ' ' && text[n] <= '~') {
        n++;
    }
    return text[0] == '/' && text[n] == '\0' && n <= 64;
}

/* An address that the provider has not given yet. */
static bool is_vip(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    return strcmp(text, "pending") == 0 || is_addr(shape, text, why);
}

static bool is_prefix(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    struct sp_prefix prefix;
    struct sp_addr addr;
    if (sp_prefix_parse(text, &prefix) == SP_OK) {
        return true;
    }
    /* The usual slip is an address with bits behind the prefix. */
    char host[SP_ADDR_STRLEN];
    const char *slash = strchr(text, '/');
    uint64_t bits = 0;
    size_t n = slash ? (size_t)(slash - text) : 0;
    if (n == 0 || n >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    if (sp_addr_parse(host, &addr) != SP_OK) {
        return false;
    }
    if (sp_parse_uint(slash + 1, sp_addr_len(&addr) * 8, &bits) != SP_OK) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "has no length of 0 to %zu after the slash",
                      sp_addr_len(&addr) * 8);
        return false;
    }
    for (size_t i = 0; i < sp_addr_len(&addr); i++) {
        size_t keep = bits > i * 8 ? (size_t)bits - i * 8 : 0;
        addr.bytes[i] &= keep >= 8 ? 0xff : (uint8_t)(0xff00U >> keep);
    }
    (void)sp_fail(why, SP_E_INVALID, NULL, "has bits behind its prefix: write %s/%u",
                  sp_addr_str(&addr, host), (unsigned)bits);
    return false;
}

static bool is_port(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    struct sp_portspec spec;
    struct sp_diag diag = {0};
    char quoted[SP_QUOTE_LEN];
    if (strlen(text) > 64) {
        return false;
    }
    if (sp_portspec_parse(text, &spec, &diag) == SP_OK) {
        return true;
    }
    /* Its words quote a part of the text as it is. */
    (void)sp_fail(why, SP_E_INVALID, "whole", "%s: %s", sp_quote(text, quoted), diag.text);
    return false;
}

static bool is_port_or_service(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    /* A word without a slash may name a service; build_rules.c knows which there are. */
    return made_of(text, ALNUM, ALNUM "_.-") || is_port(shape, text, why);
}

static bool is_duration(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    uint64_t ms = 0;
    enum sp_rc rc = sp_parse_duration_ms(text, &ms);
    if (rc == SP_E_LIMIT) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is longer than 365 days");
    }
    return rc == SP_OK;
}

/* Two or four digits. */
static unsigned digits(const char *text, size_t n)
{
    unsigned v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    return v;
}

static bool is_date(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const char like[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof(like); i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (like[i] == 'd' ? !is_digit : text[i] != like[i]) {
            return false;
        }
    }
    unsigned year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
        (month == 2 && day == 29 && !is_leap)) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is not in the calendar");
        return false;
    }
    return true;
}

static bool is_selector(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    if (strncmp(text, "not:", 4) == 0) {
        text += 4;
    }
    if (strcmp(text, "any") == 0) {
        return true;
    }
    if (strncmp(text, "label:", 6) != 0) {
        return is_name(shape, text, why);
    }
    char key[254];
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) - 6 : 0;
    if (n == 0 || n >= sizeof(key)) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is not complete: write label:key=value");
        return false;
    }
    memcpy(key, text + 6, n);
    key[n] = '\0';
    return is_label_key(shape, key, why) && is_label_value(shape, equals + 1, why);
}

static bool is_ssh_target(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    (void)why;
    /* It becomes an argument of ssh: it must not be taken for an option. */
    return strlen(text) <= 253 && made_of(text, ALNUM "_[", ALNUM "_.@:[]/%-");
}

static bool is_interface(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    (void)why;
    return strlen(text) <= 15 && made_of(text, ALNUM "_", ALNUM "_.:@-");
}

static bool is_flag(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    (void)why;
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static bool is_version(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    (void)shape;
    if (text[0] == '>' || text[0] == '<' || text[0] == '=') {
        if (strncmp(text, ">=", 2) != 0) {
            (void)sp_fail(why, SP_E_INVALID, NULL, "compares in another way than >=");
            return false;
        }
        text += 2;
    }
    return strlen(text) <= 64 && made_of(text, "0123456789", ALNUM "._+~-");
}

static bool is_size(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    uint64_t bytes = 0;
    (void)shape;
    (void)why;
    return sp_size_parse(text, &bytes) == SP_OK;
}

static bool is_percent(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    unsigned percent = 0;
    (void)shape;
    (void)why;
    return sp_percent_parse(text, &percent) == SP_OK;
}

static bool is_range(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    uint16_t low = 0;
    uint16_t high = 0;
    (void)shape;
    (void)why;
    return sp_range_parse(text, &low, &high) == SP_OK;
}

static bool is_disk(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    if (strcmp(text, "provider") == 0) {
        return true;
    }
    if (strlen(text) > 255) {
        (void)sp_fail(why, SP_E_INVALID, NULL, "is longer than 255 bytes");
        return false;
    }
    return text[0] == '/' && is_text(shape, text, why);
}

bool sp_parse_mac(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 17; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = text[i];
        if (i % 3 == 2) {
            if (c != ':') {
                return false;
            }
            continue;
        }
        c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        const char *digit = c ? strchr(digits, c) : NULL;
        if (!digit) {
            return false;
        }
        value = value << 4 | (uint64_t)(digit - digits);
    }
    if (text[17] != '\0' || value == 0 || (value >> 40 & 1) != 0) {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool is_mac(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    uint64_t value;
    (void)shape;
    (void)why;
    return sp_parse_mac(text, &value);
}

const struct sp_scalar_kind *sp_scalar_kind(enum sp_shape_kind kind)
{
    static const struct sp_scalar_kind kinds[SP_SHAPE_SCALARS] = {
        [SP_SHAPE_TEXT] = {"a text of one line", NULL, is_text},
        [SP_SHAPE_NAME] = {"a name: letters, digits, '-', '_' and '.', beginning with a letter or "
                           "digit",
                           "^(?!any$)[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", is_name},
        [SP_SHAPE_LABEL_KEY] = {"a label's key: letters, digits, '-', '_', '.' and '/'",
                                "^[A-Za-z0-9][A-Za-z0-9_./-]{0,252}$", is_label_key},
        [SP_SHAPE_LABEL_VALUE] = {"a label's value: letters, digits and any of - _ . / : @ +",
                                  "^[A-Za-z0-9_][A-Za-z0-9_./:@+-]{0,252}$", is_label_value},
        [SP_SHAPE_ENUM] = {"one of the known words", NULL, is_enum},
        [SP_SHAPE_INT] = {"a whole number", NULL, is_int},
        [SP_SHAPE_RATIO] = {"a number from 0 to 1, such as 0.05", NULL, is_ratio},
        [SP_SHAPE_ADDR] = {"an IPv4 or IPv6 address such as 10.0.0.1 or fd00::1",
                           "^[0-9A-Fa-f:.]{2,45}$", is_addr},
        [SP_SHAPE_VIP] = {"an IPv4 or IPv6 address such as 10.0.0.1 or fd00::1, or pending",
                          "^([0-9A-Fa-f:.]{2,45}|pending)$", is_vip},
        [SP_SHAPE_PREFIX] = {"a network such as 10.0.0.0/8 or fd00::/8",
                             "^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$", is_prefix},
        [SP_SHAPE_PORT] =
            {"a port such as tcp/443, udp/53, tcp/8000-8100, icmp/echo, gre, ip/47 "
             "or any",
             "^(any|[a-z]+|(tcp|udp|icmp6?|sctp|ip)/(\\*|[0-9]+(-[0-9]+)?|[0-9]+\\.[0-9]+|[a-z-]+))$",
             is_port},
        [SP_SHAPE_PORTS] =
            {"a service's name, or a port such as tcp/443, icmp/echo or any",
             "^([A-Za-z0-9][A-Za-z0-9_.-]{0,62}|(tcp|udp|icmp6?|sctp|ip)/(\\*|[0-9]+(-[0-9]+)?|"
             "[0-9]+\\.[0-9]+|[a-z-]+))$",
             is_port_or_service},
        [SP_SHAPE_DURATION] = {"a time such as 250ms, 5s, 10m or 1h", "^[0-9]+(ms|s|m|h)?$",
                               is_duration},
        [SP_SHAPE_DATE] = {"a day such as 2027-06-30", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", is_date},
        [SP_SHAPE_SELECTOR] = {"a selector: a name, label:key=value, any, or not: before one of "
                               "these",
                               "^(not:)?(label:[A-Za-z0-9][A-Za-z0-9_./-]*=[A-Za-z0-9_]"
                               "[A-Za-z0-9_./:@+-]*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$",
                               is_selector},
        [SP_SHAPE_SSH_TARGET] = {"user@host, or a name of the ssh configuration",
                                 "^[A-Za-z0-9_\\[][A-Za-z0-9_.@:\\[\\]/%-]{0,252}$", is_ssh_target},
        [SP_SHAPE_PATH] = {"the path of an HTTP request such as /healthz, at most 64 characters",
                           "^/[!-~]{0,63}$", is_path},
        [SP_SHAPE_INTERFACE] = {"the name of an interface, at most 15 characters",
                                "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$", is_interface},
        [SP_SHAPE_FLAG] = {"true or false", NULL, is_flag},
        [SP_SHAPE_VERSION] = {"a version such as \">=5.15\", or a whole release",
                              "^(>=)?[0-9][A-Za-z0-9._+~-]{0,63}$", is_version},
        [SP_SHAPE_SIZE] = {"a size such as 4GiB, 512MiB or 16GB",
                           "^[0-9]+(KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$", is_size},
        [SP_SHAPE_PERCENT] = {"a share such as 20%", "^(100|[1-9]?[0-9])%$", is_percent},
        [SP_SHAPE_RANGE] = {"a range of ports such as 32768-60999", "^[0-9]{1,5}-[0-9]{1,5}$",
                            is_range},
        [SP_SHAPE_DISK] = {"an absolute path such as /var, or `provider`", "^(/.{0,254}|provider)$",
                           is_disk},
        [SP_SHAPE_MAC] = {"a device's own Ethernet address such as 02:00:5e:10:00:01",
                          "^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$", is_mac},
    };
    return &kinds[kind];
}
