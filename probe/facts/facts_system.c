/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine and its system are: kernel, distribution, processor, memory, modules. */
#include <stdio.h>
#include <string.h>

#include "probe/base/str.h"
#include "probe/facts/facts.h"
#include "probe/facts/reader.h"
#include "probe/wire/message.h"

#define SP_FACT_OS_MAX      65536U
#define SP_FACT_CPUINFO_MAX (1U << 20)
#define SP_FACT_LOADED_MAX  (1U << 20)
#define SP_FACT_BUILTIN_MAX (1U << 20)
#define SP_FACT_CLOUD_MAX   (1U << 20)

void sp_fact_line(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    const char *text = sp_fact_read_line(reader, path);
    if (text) {
        sp_fact_known(reader, fact, NULL, path, text);
    } else {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
    }
}

void sp_fact_number(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char number[24];
    uint64_t value = 0;
    if (sp_fact_read_number(reader, path, &value)) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
        sp_fact_known(reader, fact, NULL, path, number);
    } else {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
    }
}

/* The value of KEY=value or KEY="value" (os-release(5)); the last one counts. */
static bool os_field(char *line, const char *key, char out[static 64])
{
    size_t len = strlen(key);
    if (strncmp(line, key, len) != 0 || line[len] != '=') {
        return false;
    }
    char *value = line + len + 1;
    size_t n = strlen(value);
    bool quoted = n >= 2 && (*value == '"' || *value == '\'') && value[n - 1] == *value;
    value += quoted;
    n -= quoted ? 2 : 0;
    if (n == 0 || n >= 64 || strcspn(value, " \t\\$`") < n) {
        return false;
    }
    memcpy(out, value, n);
    out[n] = '\0';
    return true;
}

void sp_fact_os(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char second[] = "/usr/lib/os-release";
    char id[64] = "";
    char version[64] = "";
    char both[sizeof(id) + sizeof(version)];
    const char *source = path;
    char *text = sp_fact_read(reader, path, SP_FACT_OS_MAX);
    if (!text && !sp_fact_exists(reader, path)) {
        source = second;
        text = sp_fact_read(reader, second, SP_FACT_OS_MAX);
    }
    if (!text) {
        sp_fact_unknown(reader, fact, NULL, source, reader->reason);
        return;
    }
    for (char *line; (line = sp_fact_next_line(&text)) != NULL;) {
        (void)(os_field(line, "ID", id) || os_field(line, "VERSION_ID", version));
    }
    if (!id[0]) {
        sp_fact_unknown(reader, fact, NULL, source, "it names no ID");
        return;
    }
    (void)snprintf(both, sizeof(both), "%s%s%s", id, version[0] ? "-" : "", version);
    sp_fact_begin(reader, fact, NULL, source);
    (void)(sp_fact_value(reader, both) && sp_fact_value(reader, id));
}

/* "meltdown Mitigation: PTI"; the name alone when its file cannot be read. */
static bool tell_mitigation(void *arg, const char *name)
{
    struct sp_fact_reader *reader = arg;
    char path[SP_FACT_PATH];
    char value[SP_FACT_VALUE_MAX + 1];
    (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%.255s", name);
    const char *text = sp_fact_read_line(reader, path);
    if (text && strlen(name) + strlen(text) + 1 > SP_FACT_VALUE_MAX) {
        text = NULL; /* what is cut off may be the word that counts */
    }
    (void)snprintf(value, sizeof(value), "%s %s", name, text ? text : "");
    return sp_fact_value(reader, value);
}

static bool count_name(void *arg, const char *name)
{
    (void)name;
    ++*(size_t *)arg;
    return true;
}

void sp_fact_mitigations(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    size_t n = 0;
    if (!sp_fact_each_name(reader, path, count_name, &n) || n == 0) {
        sp_fact_unknown(reader, fact, NULL, path,
                        n == 0 ? "there are no such files" : reader->reason);
        return;
    }
    sp_fact_begin(reader, fact, NULL, path);
    if (!sp_fact_each_name(reader, path, tell_mitigation, reader)) {
        sp_fact_cut(reader);
    }
}

/* "virtual" or "physical", then who made the machine where that is told. */
void sp_fact_virtual(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char *const names[] = {"/sys/class/dmi/id/sys_vendor",
                                        "/sys/class/dmi/id/product_name"};
    bool has_flags = false;
    bool is_virtual = false;
    char *text = sp_fact_read(reader, path, SP_FACT_CPUINFO_MAX);
    if (!text) {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
        return;
    }
    for (char *line; !is_virtual && (line = sp_fact_next_line(&text)) != NULL;) {
        char *word = strncmp(line, "flags", 5) == 0 ? strchr(line, ':') : NULL;
        if (!word) {
            continue;
        }
        has_flags = true;
        for (word++; word && !is_virtual;) {
            const char *flag = sp_fact_word(&word);
            is_virtual = flag && strcmp(flag, "hypervisor") == 0;
            word = flag ? word : NULL;
        }
    }
    if (!has_flags) {
        sp_fact_unknown(reader, fact, NULL, path,
                        "this processor's flags do not tell whether it is virtual");
        return;
    }
    sp_fact_begin(reader, fact, NULL, path);
    (void)sp_fact_value(reader, is_virtual ? "virtual" : "physical");
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        const char *name = sp_fact_read_line(reader, names[i]);
        if (name) {
            (void)sp_fact_value(reader, name);
        }
    }
}

void sp_fact_memory(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char *text = sp_fact_read(reader, path, SP_FACT_OS_MAX);
    if (!text) {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
        return;
    }
    for (char *line; (line = sp_fact_next_line(&text)) != NULL;) {
        uint64_t kib = 0;
        char number[24];
        if (strncmp(line, "MemTotal:", 9) != 0) {
            continue;
        }
        char *rest = line + 9;
        const char *value = sp_fact_word(&rest);
        const char *unit = sp_fact_word(&rest);
        if (value && unit && strcmp(unit, "kB") == 0 &&
            sp_parse_uint(value, UINT64_MAX / 1024, &kib) == SP_OK) {
            (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)(kib * 1024));
            sp_fact_known(reader, fact, NULL, path, number);
            return;
        }
    }
    sp_fact_unknown(reader, fact, NULL, path, "it tells no MemTotal");
}

/* "0-3,6" as how many; 0 = it is no such list. */
static uint64_t count_list(char *text)
{
    uint64_t n = 0;
    while (*text) {
        uint64_t low = 0;
        uint64_t high = 0;
        char *item = text;
        text += strcspn(text, ",");
        if (*text) {
            *text++ = '\0';
        }
        char *dash = strchr(item, '-');
        if (dash) {
            *dash = '\0';
        }
        if (sp_parse_uint(item, 1U << 20, &low) != SP_OK ||
            sp_parse_uint(dash ? dash + 1 : item, 1U << 20, &high) != SP_OK || high < low) {
            return 0;
        }
        n += high - low + 1;
    }
    return n;
}

void sp_fact_cpus(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char number[24];
    char *text = sp_fact_read_line(reader, path);
    uint64_t n = text ? count_list(text) : 0;
    if (n == 0) {
        sp_fact_unknown(reader, fact, NULL, path,
                        text ? "it holds no list of processors" : reader->reason);
        return;
    }
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
    sp_fact_known(reader, fact, NULL, path, number);
}

/* ---- modules ---- */

/* Modules are told with '_' where their files have '-'. */
static bool is_module_name(char *name)
{
    size_t len = strlen(name);
    for (char *p = name; *p; p++) {
        *p = *p == '-' ? '_' : *p;
    }
    return len > 0 && len < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                        "XYZ0123456789_") == len;
}

/* kernel/net/netfilter/nf_conntrack.ko, line by line. */
static bool is_builtin(char *text, const char *wanted)
{
    for (char *line; (line = sp_fact_next_line(&text)) != NULL;) {
        char *slash = strrchr(line, '/');
        char *name = slash ? slash + 1 : line;
        char *dot = strchr(name, '.');
        if (dot) {
            *dot = '\0';
        }
        if (is_module_name(name) && strcmp(name, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether one module is there: "present" (loaded, or built in with settings of its own), "built
 * in", or "absent". */
static void tell_module(struct sp_fact_reader *reader, const char *fact, const char *asked)
{
    char name[64];
    char path[SP_FACT_PATH];
    if (strlen(asked) >= sizeof(name)) {
        return;
    }
    memcpy(name, asked, strlen(asked) + 1);
    if (!is_module_name(name)) {
        sp_fact_unknown(reader, fact, asked, "/sys/module", "that is no name of a module");
        return;
    }
    (void)snprintf(path, sizeof(path), "/sys/module/%s", name);
    if (sp_fact_exists(reader, path)) {
        sp_fact_known(reader, fact, asked, path, "present");
        return;
    }
    char release[256] = "";
    const char *line = sp_fact_read_line(reader, "/proc/sys/kernel/osrelease");
    if (line) {
        (void)snprintf(release, sizeof(release), "%s", line);
    }
    (void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", release);
    char *text = release[0] && !strchr(release, '/')
                     ? sp_fact_read(reader, path, SP_FACT_BUILTIN_MAX)
                     : NULL;
    if (text && is_builtin(text, name)) {
        sp_fact_known(reader, fact, asked, path, "built in");
    } else if (!text || !sp_fact_exists(reader, "/sys/module")) {
        /* Without the list it may be built in, and built-in ones need not show in /sys. */
        sp_fact_unknown(reader, fact, asked, path, reader->reason);
    } else {
        sp_fact_known(reader, fact, asked, "/sys/module", "absent");
    }
}

void sp_fact_modules(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char *text = sp_fact_read(reader, path, SP_FACT_LOADED_MAX);
    if (text) {
        sp_fact_begin(reader, fact, NULL, path);
        for (char *line; (line = sp_fact_next_line(&text)) != NULL;) {
            char *rest = line;
            const char *name = sp_fact_word(&rest);
            if (name && !sp_fact_value(reader, name)) {
                break;
            }
        }
    } else {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
    }
    struct sp_fields fields;
    unsigned asked = 0;
    sp_fields_init(&fields, reader->question, reader->question_len);
    while (asked < SP_FACTS_MODULES_MAX && sp_fields_next(&fields)) {
        if (strcmp(fields.key, "module") == 0) {
            tell_module(reader, fact, sp_buf_text(&fields.value));
            asked++;
        }
    }
    sp_fields_release(&fields);
}

/* ---- zone ---- */

/* What cloud-init wrote down at the first start: "availability_zone": "eu-1a". Not parsed as JSON:
 * the names are looked for, and both spellings stand at several places with one value. */
static bool cloud_zone(const char *text, char out[static 64])
{
    static const char *const keys[] = {"\"availability_zone\"", "\"availability-zone\""};
    for (size_t i = 0; i < SP_ARRAY_LEN(keys); i++) {
        for (const char *at = text; (at = strstr(at, keys[i])) != NULL;) {
            at += strlen(keys[i]);
            at += strspn(at, " \t");
            if (*at++ != ':') {
                return false;
            }
            at += strspn(at, " \t");
            size_t n = *at == '"' ? strcspn(at + 1, "\"\\\n") : 0;
            if (n > 0 && n < 64 && at[n + 1] == '"') {
                memcpy(out, at + 1, n);
                out[n] = '\0';
                return true;
            }
        }
    }
    return false;
}

void sp_fact_zone(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char cloud[] = "/run/cloud-init/instance-data.json";
    char zone[64];
    const char *line = sp_fact_read_line(reader, path);
    if (line) {
        sp_fact_known(reader, fact, NULL, path, line);
        return;
    }
    if (sp_fact_exists(reader, path)) {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
        return;
    }
    const char *text = sp_fact_read(reader, cloud, SP_FACT_CLOUD_MAX);
    if (text && cloud_zone(text, zone)) {
        sp_fact_known(reader, fact, NULL, cloud, zone);
    } else if (text) {
        sp_fact_unknown(reader, fact, NULL, cloud, "it names no availability zone");
    } else {
        sp_fact_unknown(reader, fact, NULL, path, "there is no such file, and none of cloud-init");
    }
}
