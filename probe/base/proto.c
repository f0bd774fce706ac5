/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/proto.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/str.h"

static const char *const proto_names[SP_PROTO_COUNT] = {"tcp",   "udp",  "icmp",
                                                        "icmp6", "sctp", "ip"};

/* IP protocols with a name of their own (IANA "Assigned Internet Protocol Numbers"). */
static const struct {
    const char *name;
    uint16_t number;
} ip_names[] = {
    {"ipip", 4}, {"ipv6", 41}, {"gre", 47},  {"esp", 50},
    {"ah", 51},  {"ospf", 89}, {"pim", 103}, {"vrrp", 112},
};

/* ICMP types with a name (RFC 792, RFC 4443). Only those that a policy names in practice. */
static const struct {
    const char *name;
    uint8_t proto;
    uint8_t type;
} icmp_names[] = {
    {"echo", SP_PROTO_ICMP, 8},          {"echo-reply", SP_PROTO_ICMP, 0},
    {"unreachable", SP_PROTO_ICMP, 3},   {"time-exceeded", SP_PROTO_ICMP, 11},
    {"timestamp", SP_PROTO_ICMP, 13},    {"echo", SP_PROTO_ICMP6, 128},
    {"echo-reply", SP_PROTO_ICMP6, 129}, {"unreachable", SP_PROTO_ICMP6, 1},
    {"too-big", SP_PROTO_ICMP6, 2},      {"time-exceeded", SP_PROTO_ICMP6, 3},
};

const char *sp_proto_str(uint8_t proto)
{
    return proto < SP_PROTO_COUNT ? proto_names[proto] : "any";
}

uint16_t sp_proto_max(uint8_t proto)
{
    return proto == SP_PROTO_IP ? 255 : 65535;
}

uint16_t sp_proto_min(uint8_t proto)
{
    return proto == SP_PROTO_TCP || proto == SP_PROTO_UDP || proto == SP_PROTO_SCTP ? 1 : 0;
}

static int is_icmp(uint8_t proto)
{
    return proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6;
}

static const char *icmp_type_name(uint8_t proto, unsigned type)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(icmp_names); i++) {
        if (icmp_names[i].proto == proto && icmp_names[i].type == type) {
            return icmp_names[i].name;
        }
    }
    return NULL;
}

const char *sp_proto_port_str(uint8_t proto, uint16_t port, char out[static SP_PORTSPEC_STRLEN])
{
    const char *name =
        is_icmp(proto) && (port & 0xff) == 0 ? icmp_type_name(proto, port >> 8) : NULL;
    if (name) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s", name);
    } else if (is_icmp(proto)) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%u.%u", (unsigned)port >> 8,
                       (unsigned)port & 0xff);
    } else {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%u", (unsigned)port);
    }
    return out;
}

/* One decimal number at *text, moving it on; -1 when there is none or it is above max. */
static long number(const char **text, unsigned long max)
{
    char digits[8];
    size_t n = strspn(*text, "0123456789");
    uint64_t v = 0;
    if (n == 0 || n >= sizeof(digits)) {
        return -1;
    }
    memcpy(digits, *text, n);
    digits[n] = '\0';
    if (sp_parse_uint(digits, max, &v) != SP_OK) {
        return -1;
    }
    *text += n;
    return (long)v;
}

static enum sp_rc parse_icmp(uint8_t proto, const char *rest, struct sp_portspec *spec,
                             struct sp_diag *diag)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(icmp_names); i++) {
        if (icmp_names[i].proto == proto && strcmp(icmp_names[i].name, rest) == 0) {
            spec->lo = (uint16_t)((unsigned)icmp_names[i].type << 8);
            spec->hi = spec->lo | 0xff;
            return SP_OK;
        }
    }
    const char *p = rest;
    long type = number(&p, 255);
    if (type < 0) {
        return sp_fail(diag, SP_E_INVALID, NULL,
                       "'%s' is not an ICMP type: use a name such as echo, or 3.4", rest);
    }
    spec->lo = (uint16_t)(type << 8);
    spec->hi = spec->lo | 0xff;
    if (*p == '.') {
        p++;
        long code = number(&p, 255);
        if (code < 0) {
            return sp_fail(diag, SP_E_INVALID, NULL, "'%s' is not an ICMP type and code", rest);
        }
        spec->lo = spec->hi = (uint16_t)(type << 8 | code);
    }
    return *p == '\0' ? SP_OK : sp_fail(diag, SP_E_INVALID, NULL, "'%s' is not an ICMP type", rest);
}

/* ip/6 would be a second, silent spelling of tcp that judges nothing: a "deny: ip/6" must not leave
 * tcp open. Numbers: IANA "Assigned Internet Protocol Numbers". */
static enum sp_rc check_ip_numbers(const struct sp_portspec *spec, struct sp_diag *diag)
{
    static const struct {
        uint8_t proto;
        uint8_t number;
    } own[] = {{SP_PROTO_ICMP, 1},
               {SP_PROTO_TCP, 6},
               {SP_PROTO_UDP, 17},
               {SP_PROTO_ICMP6, 58},
               {SP_PROTO_SCTP, 132}};
    for (size_t i = 0; i < SP_ARRAY_LEN(own); i++) {
        if (spec->lo <= own[i].number && own[i].number <= spec->hi) {
            const char *name = sp_proto_str(own[i].proto);
            return sp_fail(diag, SP_E_INVALID, NULL,
                           "ip/%u is %s: write %s/* for it, and leave it out of ip/",
                           (unsigned)own[i].number, name, name);
        }
    }
    return SP_OK;
}

static enum sp_rc parse_range(uint8_t proto, const char *rest, struct sp_portspec *spec,
                              struct sp_diag *diag)
{
    const char *p = rest;
    long lo = number(&p, sp_proto_max(proto));
    long hi = lo;
    if (lo >= 0 && *p == '-') {
        p++;
        hi = number(&p, sp_proto_max(proto));
    }
    if (lo < sp_proto_min(proto) || hi < 0 || *p != '\0') {
        return sp_fail(diag, SP_E_INVALID, NULL,
                       "'%s' is not a %s: use %u to %u, or a range such as 8000-8100", rest,
                       proto == SP_PROTO_IP ? "protocol number" : "port",
                       (unsigned)sp_proto_min(proto), (unsigned)sp_proto_max(proto));
    }
    if (hi < lo) {
        return sp_fail(diag, SP_E_INVALID, NULL, "the range '%s' runs backwards", rest);
    }
    spec->lo = (uint16_t)lo;
    spec->hi = (uint16_t)hi;
    return proto == SP_PROTO_IP ? check_ip_numbers(spec, diag) : SP_OK;
}

static enum sp_rc parse_bare(const char *text, struct sp_portspec *spec, struct sp_diag *diag)
{
    if (strcmp(text, "any") == 0) {
        *spec = (struct sp_portspec){.proto = SP_PROTO_COUNT, .is_wild = 1, .lo = 0, .hi = 65535};
        return SP_OK;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(ip_names); i++) {
        if (strcmp(ip_names[i].name, text) == 0) {
            *spec = (struct sp_portspec){
                .proto = SP_PROTO_IP, .lo = ip_names[i].number, .hi = ip_names[i].number};
            return SP_OK;
        }
    }
    return sp_fail(
        diag, SP_E_INVALID, NULL,
        "'%s' is not a port: write tcp/443, udp/53, tcp/8000-8100, icmp/echo, gre, ip/47 or any",
        text);
}

enum sp_rc sp_portspec_parse(const char *text, struct sp_portspec *ret_spec, struct sp_diag *diag)
{
    struct sp_portspec spec = {0};
    const char *slash = strchr(text, '/');
    enum sp_rc rc;
    if (!slash) {
        rc = parse_bare(text, &spec, diag);
    } else {
        uint8_t proto = 0;
        while (proto < SP_PROTO_COUNT &&
               (strlen(proto_names[proto]) != (size_t)(slash - text) ||
                strncmp(proto_names[proto], text, (size_t)(slash - text)) != 0)) {
            proto++;
        }
        if (proto == SP_PROTO_COUNT) {
            return sp_fail(
                diag, SP_E_INVALID, NULL,
                "'%.*s' is not a protocol: use tcp, udp, icmp, icmp6, sctp, ip, gre or esp",
                (int)(slash - text), text);
        }
        spec.proto = proto;
        if (strcmp(slash + 1, "*") == 0) {
            spec.is_wild = 1;
            spec.lo = sp_proto_min(proto);
            spec.hi = sp_proto_max(proto);
            rc = SP_OK;
        } else if (is_icmp(proto)) {
            rc = parse_icmp(proto, slash + 1, &spec, diag);
        } else {
            rc = parse_range(proto, slash + 1, &spec, diag);
        }
    }
    if (rc == SP_OK) {
        *ret_spec = spec;
    }
    return rc;
}

const char *sp_portspec_str(const struct sp_portspec *spec, char out[static SP_PORTSPEC_STRLEN])
{
    if (spec->proto >= SP_PROTO_COUNT) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "any");
        return out;
    }
    const char *proto = sp_proto_str(spec->proto);
    if (spec->is_wild) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/*", proto);
    } else if (is_icmp(spec->proto) && spec->hi == (spec->lo | 0xff) && (spec->lo & 0xff) == 0) {
        const char *name = icmp_type_name(spec->proto, spec->lo >> 8);
        if (name) {
            (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%s", proto, name);
        } else {
            (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%u", proto, (unsigned)spec->lo >> 8);
        }
    } else if (is_icmp(spec->proto) && spec->lo != spec->hi) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%u.%u-%u.%u", proto, (unsigned)spec->lo >> 8,
                       (unsigned)spec->lo & 0xff, (unsigned)spec->hi >> 8,
                       (unsigned)spec->hi & 0xff);
    } else if (is_icmp(spec->proto)) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%u.%u", proto, (unsigned)spec->lo >> 8,
                       (unsigned)spec->lo & 0xff);
    } else if (spec->lo == spec->hi) {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%u", proto, (unsigned)spec->lo);
    } else {
        (void)snprintf(out, SP_PORTSPEC_STRLEN, "%s/%u-%u", proto, (unsigned)spec->lo,
                       (unsigned)spec->hi);
    }
    return out;
}
