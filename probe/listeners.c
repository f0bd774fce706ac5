/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/listeners.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/attr.h"
#include "probe/base/proto.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Exactly n hexadecimal digits; moves *text on. */
static bool hex(const char **text, int n, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) {
        int d = hex_digit((*text)[i]);
        if (d < 0) {
            return false;
        }
        v = v << 4 | (uint32_t)d;
    }
    *text += n;
    *ret = v;
    return true;
}

/* "  0: 0100007F:0035 00000000:0000 07 ...": addresses are 32-bit words in host byte order. */
bool sp_listener_parse(const char *line, uint8_t proto, uint8_t family,
                       struct sp_listener_seen *ret_seen)
{
    const char *p = strchr(line, ':');
    struct sp_listener_seen seen = {.proto = proto, .addr = {.family = family}};
    uint32_t port;
    uint32_t peer_port;
    uint32_t state;
    int words = family == SP_FAMILY_IPV4 ? 1 : 4;
    if (!p || p[1] != ' ') {
        return false;
    }
    p += 2;
    for (int i = 0; i < words; i++) {
        uint32_t word;
        if (!hex(&p, 8, &word)) {
            return false;
        }
        memcpy(seen.addr.bytes + (size_t)i * 4, &word, 4);
    }
    if (*p++ != ':' || !hex(&p, 4, &port) || *p++ != ' ' ||
        strnlen(p, 41) < (size_t)words * 8 + 5) {
        return false;
    }
    p += (size_t)words * 8;
    if (*p++ != ':' || !hex(&p, 4, &peer_port) || *p++ != ' ' || !hex(&p, 2, &state)) {
        return false;
    }
    /* TCP: state LISTEN. UDP: a bound socket without a peer. */
    if (proto == SP_PROTO_TCP ? state != 0x0a : peer_port != 0) {
        return false;
    }
    seen.port = (uint16_t)port;
    *ret_seen = seen;
    return true;
}

void sp_listeners_read(void (*fn)(const struct sp_listener_seen *seen, void *arg), void *arg)
{
    static const struct {
        const char *path;
        uint8_t proto, family;
    } files[] = {
        {"/proc/self/net/tcp", SP_PROTO_TCP, SP_FAMILY_IPV4},
        {"/proc/self/net/tcp6", SP_PROTO_TCP, SP_FAMILY_IPV6},
        {"/proc/self/net/udp", SP_PROTO_UDP, SP_FAMILY_IPV4},
        {"/proc/self/net/udp6", SP_PROTO_UDP, SP_FAMILY_IPV6},
    };
    unsigned told = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        char line[512];
        FILE *f = fopen(files[i].path, "re");
        if (!f) {
            continue;
        }
        while (told < SP_LISTENERS_MAX && fgets(line, sizeof(line), f)) {
            struct sp_listener_seen seen;
            if (sp_listener_parse(line, files[i].proto, files[i].family, &seen)) {
                fn(&seen, arg);
                told++;
            }
        }
        (void)fclose(f);
    }
}
