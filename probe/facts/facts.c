/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/facts/facts.h"

#include "probe/base/mem.h"
#include "probe/facts/reader.h"

/* A fact is a line here: its name on the wire, the file it begins with, who reads it. */
static const struct {
    const char *name, *path;
    void (*tell)(struct sp_fact_reader *reader, const char *fact, const char *path);
} registry[] = {
    {"kernel", "/proc/sys/kernel/osrelease", sp_fact_line},
    {"os", "/etc/os-release", sp_fact_os},
    {"fips", "/proc/sys/crypto/fips_enabled", sp_fact_number},
    {"lockdown", "/sys/kernel/security/lockdown", sp_fact_lockdown},
    {"lsm", "/sys/kernel/security/lsm", sp_fact_lsm},
    {"lsm_label", "/proc/self/attr/current", sp_fact_label},
    {"mitigations", "/sys/devices/system/cpu/vulnerabilities", sp_fact_mitigations},
    {"virtualisation", "/proc/cpuinfo", sp_fact_virtual},
    {"memory", "/proc/meminfo", sp_fact_memory},
    {"cpus", "/sys/devices/system/cpu/online", sp_fact_cpus},
    {"modules", "/proc/modules", sp_fact_modules},
    {"zone", "/etc/segproof/zone", sp_fact_zone},
    {"disk_encryption", "/proc/self/mountinfo", sp_fact_disks},
    {"listeners", "/proc/self/net", sp_fact_listeners},
    {"sshd", "/proc", sp_fact_sshd},
    {"rp_filter", "/proc/sys/net/ipv4/conf", sp_fact_rp_filter},
    {"forwarding", "/proc/sys/net", sp_fact_forwarding},
    {"conntrack", "/proc/sys/net/netfilter", sp_fact_conntrack},
    {"port_range", "/proc/sys/net/ipv4", sp_fact_port_range},
};

void sp_facts_tell(const char *root, const char *question, size_t len, struct sp_buf *out)
{
    struct sp_fact_reader reader = {
        .root = root, .out = out, .question = question, .question_len = len};
    sp_buf_init(&reader.text, SP_FACT_LINE_MAX);
    for (size_t i = 0; i < SP_ARRAY_LEN(registry) && out->rc == SP_OK; i++) {
        registry[i].tell(&reader, registry[i].name, registry[i].path);
    }
    sp_buf_release(&reader.text);
}
