/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel does with packets, as its settings tell (ip-sysctl of the kernel's documents). */
#include <stdio.h>
#include <string.h>

#include "probe/base/str.h"
#include "probe/facts/reader.h"

#define SP_FACT_IFACES_MAX 256U

struct filters {
    struct sp_fact_reader *reader;
    const char *path;
    uint64_t all;
    unsigned n;
};

/* "eth0 1": the higher of the interface's own and the one for all counts; "eth0 ?" is not known. */
static bool tell_filter(void *arg, const char *name)
{
    struct filters *f = arg;
    char path[SP_FACT_PATH];
    char text[64];
    uint64_t own = 0;
    if (strcmp(name, "all") == 0 || strcmp(name, "default") == 0 || strcmp(name, "lo") == 0) {
        return true;
    }
    (void)snprintf(path, sizeof(path), "%s/%.64s/rp_filter", f->path, name);
    if (sp_fact_read_number(f->reader, path, &own)) {
        (void)snprintf(text, sizeof(text), "%.32s %llu", name,
                       (unsigned long long)(own > f->all ? own : f->all));
    } else {
        (void)snprintf(text, sizeof(text), "%.32s ?", name);
    }
    f->n++;
    return sp_fact_value(f->reader, text);
}

static bool count_name(void *arg, const char *name)
{
    unsigned *n = arg;
    *n += strcmp(name, "all") != 0 && strcmp(name, "default") != 0 && strcmp(name, "lo") != 0;
    return true;
}

void sp_fact_rp_filter(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    struct filters filters = {.reader = reader, .path = path};
    char all[SP_FACT_PATH];
    unsigned n = 0;
    (void)snprintf(all, sizeof(all), "%s/all/rp_filter", path);
    if (!sp_fact_read_number(reader, all, &filters.all)) {
        sp_fact_unknown(reader, fact, NULL, all, reader->reason);
    } else if (!sp_fact_each_name(reader, path, count_name, &n)) {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
    } else if (n == 0) {
        sp_fact_unknown(reader, fact, NULL, path, "there is no interface but loopback");
    } else {
        sp_fact_begin(reader, fact, NULL, path);
        if (!sp_fact_each_name(reader, path, tell_filter, &filters) || filters.n != n) {
            sp_fact_cut(reader);
        }
    }
}

struct forwarding {
    struct sp_fact_reader *reader;
    const char *folder;
    bool all, some, is_bad;
    unsigned n;
};

static bool see_forwarding(void *arg, const char *name)
{
    struct forwarding *f = arg;
    char path[SP_FACT_PATH];
    uint64_t value = 0;
    if (strcmp(name, "default") == 0 || strcmp(name, "lo") == 0) {
        return true; /* of interfaces that are to come; and of none that leads anywhere */
    }
    (void)snprintf(path, sizeof(path), "%s/%.64s/forwarding", f->folder, name);
    if (f->n++ > SP_FACT_IFACES_MAX || !sp_fact_read_number(f->reader, path, &value)) {
        f->is_bad = true;
        return false;
    }
    f->some = f->some || value != 0;
    f->all = f->all || (value != 0 && strcmp(name, "all") == 0);
    return true;
}

/* Per family: "all", "some" (interfaces) or "none". */
void sp_fact_forwarding(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char *const families[] = {"ipv4", "ipv6"};
    for (size_t i = 0; i < SP_ARRAY_LEN(families); i++) {
        char folder[SP_FACT_PATH];
        struct forwarding f = {.reader = reader, .folder = folder};
        (void)snprintf(folder, sizeof(folder), "%s/%s/conf", path, families[i]);
        if (i == 1 && !sp_fact_exists(reader, folder) &&
            sp_fact_exists(reader, "/proc/sys/net/ipv4") &&
            !sp_fact_exists(reader, "/proc/self/net/if_inet6")) {
            sp_fact_known(reader, fact, families[i], folder, "absent"); /* a kernel without IPv6 */
        } else if (!sp_fact_each_name(reader, folder, see_forwarding, &f) || f.is_bad || f.n == 0) {
            sp_fact_unknown(reader, fact, families[i], folder,
                            f.n == 0 && !f.is_bad ? "there is no such setting" : reader->reason);
        } else {
            sp_fact_known(reader, fact, families[i], folder,
                          f.all    ? "all"
                          : f.some ? "some"
                                   : "none");
        }
    }
}

void sp_fact_conntrack(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char *const names[] = {"nf_conntrack_count", "nf_conntrack_max"};
    uint64_t values[2] = {0};
    char text[48];
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        char file[SP_FACT_PATH];
        (void)snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        if (!sp_fact_read_number(reader, file, &values[i])) {
            sp_fact_unknown(reader, fact, NULL, file, reader->reason);
            return;
        }
    }
    sp_fact_begin(reader, fact, NULL, "/proc/sys/net/netfilter/nf_conntrack_count, _max");
    for (size_t i = 0; i < SP_ARRAY_LEN(values); i++) {
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)values[i]);
        (void)sp_fact_value(reader, text);
    }
}

/* "32768-60999", then the reserved ports as "40000,50000-50010" where there are some. */
void sp_fact_port_range(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char range[SP_FACT_PATH];
    char reserved[SP_FACT_PATH];
    char told[32];
    uint64_t low = 0;
    uint64_t high = 0;
    (void)snprintf(range, sizeof(range), "%s/ip_local_port_range", path);
    (void)snprintf(reserved, sizeof(reserved), "%s/ip_local_reserved_ports", path);
    char *text = sp_fact_read_line(reader, range);
    if (!text) {
        sp_fact_unknown(reader, fact, NULL, range, reader->reason);
        return;
    }
    const char *first = sp_fact_word(&text);
    const char *second = sp_fact_word(&text);
    if (!first || !second || sp_fact_word(&text) || sp_parse_uint(first, 65535, &low) != SP_OK ||
        sp_parse_uint(second, 65535, &high) != SP_OK || high < low) {
        sp_fact_unknown(reader, fact, NULL, range, "it holds no two ports");
        return;
    }
    (void)snprintf(told, sizeof(told), "%u-%u", (unsigned)low, (unsigned)high);
    sp_fact_begin(reader, fact, NULL, range);
    (void)sp_fact_value(reader, told);
    const char *list = sp_fact_read(reader, reserved, SP_FACT_LINE_MAX);
    if (list && *list) {
        (void)sp_fact_value(reader, list);
    }
}
