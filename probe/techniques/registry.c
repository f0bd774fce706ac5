/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/registry.h"

#include <string.h>

#include "probe/base/addr.h"
#include "probe/base/attr.h"
#include "probe/base/proto.h"

static const struct sp_technique_info table[] = {
#define SP_ENTRY(name, hazard, families, proto, verdict, packets, summary)                         \
    {#name, hazard, families, proto, verdict, packets, summary},
#include "probe/techniques/registry.def"
#undef SP_ENTRY
};

size_t sp_technique_count(void)
{
    return SP_ARRAY_LEN(table);
}

const struct sp_technique_info *sp_technique_at(size_t index)
{
    return index < SP_ARRAY_LEN(table) ? &table[index] : NULL;
}

const struct sp_technique_info *sp_technique_find(const char *name)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

const struct sp_technique_info *sp_technique_for(uint8_t proto, uint8_t family)
{
    if ((proto == SP_PROTO_ICMP && family != SP_FAMILY_IPV4) ||
        (proto == SP_PROTO_ICMP6 && family != SP_FAMILY_IPV6)) {
        return NULL;
    }
    uint8_t want = proto == SP_PROTO_ICMP6 ? (uint8_t)SP_PROTO_ICMP : proto;
    uint8_t bit = family == SP_FAMILY_IPV4 ? SP_TECH_IPV4 : SP_TECH_IPV6;
    for (size_t i = 0; i < SP_ARRAY_LEN(table); i++) {
        if (table[i].proto == want && (table[i].families & bit) != 0 &&
            table[i].verdict == SP_TECH_VERDICT_FLOW) {
            return &table[i];
        }
    }
    return NULL;
}

const struct sp_technique_info *sp_technique_at_point(uint8_t proto, uint8_t family, uint16_t port)
{
    const struct sp_technique_info *info = sp_technique_for(proto, family);
    uint16_t echo = proto == SP_PROTO_ICMP6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO;
    bool icmp = proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6;
    return info && icmp && port != echo ? sp_technique_find("icmp_type") : info;
}

bool sp_technique_is_one_way(size_t index)
{
    return index < SP_ARRAY_LEN(table) && strcmp(table[index].name, "icmp_type") == 0;
}

size_t sp_technique_index(const struct sp_technique_info *info)
{
    return (size_t)(info - table);
}

bool sp_technique_talks(size_t index)
{
    return index < SP_ARRAY_LEN(table) && table[index].verdict == SP_TECH_VERDICT_CONVERSATION;
}

static bool has_prefix(size_t index, const char *prefix)
{
    return index < SP_ARRAY_LEN(table) && strncmp(table[index].name, prefix, strlen(prefix)) == 0;
}

bool sp_technique_needs_link(size_t index)
{
    return has_prefix(index, "frag_") || sp_technique_forges(index);
}

bool sp_technique_forges(size_t index)
{
    return has_prefix(index, "spoof_");
}

uint8_t sp_technique_outer(size_t index)
{
    static const struct {
        const char *name;
        uint8_t ip_proto;
    } outers[] = {{"encap_6in4", 41},
                  {"encap_geneve", 17},
                  {"encap_gre", 47},
                  {"encap_ipip", 4},
                  {"encap_vxlan", 17}};
    for (size_t i = 0; index < SP_ARRAY_LEN(table) && i < SP_ARRAY_LEN(outers); i++) {
        if (strcmp(table[index].name, outers[i].name) == 0) {
            return outers[i].ip_proto;
        }
    }
    return 0;
}

bool sp_technique_is_bypass(size_t index)
{
    return index < SP_ARRAY_LEN(table) && table[index].verdict == SP_TECH_VERDICT_BYPASS;
}

/* What stateless rules let back in: FTP data, DNS, DHCP, Kerberos, NTP, IKE and its NAT traversal,
 * web servers (techniques.md T11). */
static const uint16_t trusted[] = {20, 53, 67, 80, 88, 123, 443, 500, 4500};

const uint16_t *sp_technique_sports(size_t index, size_t *ret_n)
{
    const struct sp_technique_info *info = sp_technique_at(index);
    bool is_sport =
        info && (strcmp(info->name, "tcp_sport") == 0 || strcmp(info->name, "udp_sport") == 0);
    *ret_n = is_sport ? SP_ARRAY_LEN(trusted) : 0;
    return is_sport ? trusted : NULL;
}
