/* SPDX-License-Identifier: Apache-2.0
 *
 * Security modules of the kernel: which are active, whether they enforce, and what confines the
 * probe itself. securityfs is often not mounted: then only those are known that tell elsewhere. */
#include <stdio.h>
#include <string.h>

#include "probe/facts/reader.h"

/* "[none] integrity confidentiality" */
void sp_fact_lockdown(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char *text = sp_fact_read_line(reader, path);
    const char *open = text ? strchr(text, '[') : NULL;
    char *end = open ? strchr(open, ']') : NULL;
    if (end) {
        *end = '\0';
    }
    if (end && (strcmp(open + 1, "none") == 0 || strcmp(open + 1, "integrity") == 0 ||
                strcmp(open + 1, "confidentiality") == 0)) {
        sp_fact_known(reader, fact, NULL, path, open + 1);
    } else {
        sp_fact_unknown(reader, fact, NULL, path,
                        text ? "it tells no known state" : reader->reason);
    }
}

/* SELinux has one mode for the host. "" = it does not tell. */
static const char *selinux_mode(struct sp_fact_reader *reader)
{
    uint64_t enforce = 0;
    if (!sp_fact_read_number(reader, "/sys/fs/selinux/enforce", &enforce) || enforce > 1) {
        return "";
    }
    return enforce == 1 ? "enforcing" : "permissive";
}

/* AppArmor has a mode per profile; this is the one for all, which few may read. */
static const char *apparmor_mode(struct sp_fact_reader *reader)
{
    const char *mode = sp_fact_read_line(reader, "/sys/module/apparmor/parameters/mode");
    return !mode                          ? ""
           : strcmp(mode, "enforce") == 0 ? "enforcing"
           : strcmp(mode, "kill") == 0    ? "enforcing"
                                          : "permissive";
}

static void tell_active(struct sp_fact_reader *reader, const char *fact, const char *name,
                        const char *source)
{
    const char *mode = strcmp(name, "selinux") == 0    ? selinux_mode(reader)
                       : strcmp(name, "apparmor") == 0 ? apparmor_mode(reader)
                                                       : "";
    sp_fact_begin(reader, fact, name, source);
    (void)sp_fact_value(reader, "active");
    if (*mode) {
        (void)sp_fact_value(reader, mode);
    }
}

/* Without the list: the two that tell of themselves elsewhere. */
static void tell_without_list(struct sp_fact_reader *reader, const char *fact)
{
    static const char apparmor[] = "/sys/module/apparmor/parameters/enabled";
    static const char selinux[] = "/sys/fs/selinux/enforce";
    const char *enabled = sp_fact_read_line(reader, apparmor);
    if (enabled && strcmp(enabled, "Y") == 0) {
        tell_active(reader, fact, "apparmor", apparmor);
    } else if (enabled && strcmp(enabled, "N") == 0) {
        sp_fact_known(reader, fact, "apparmor", apparmor, "absent");
    }
    if (*selinux_mode(reader)) {
        tell_active(reader, fact, "selinux", selinux);
    }
}

/* of: a module; "active", and its mode where it has one. The fact without `of` is the list. */
void sp_fact_lsm(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    char names[SP_FACT_LINE_MAX];
    const char *text = sp_fact_read_line(reader, path);
    if (!text || strlen(text) >= sizeof(names)) {
        sp_fact_unknown(reader, fact, NULL, path, reader->reason);
        tell_without_list(reader, fact);
        return;
    }
    memcpy(names, text, strlen(text) + 1);
    for (char *p = names; *p; p++) {
        *p = *p == ',' ? ' ' : *p;
    }
    sp_fact_begin(reader, fact, NULL, path);
    unsigned n = 0;
    char *rest = names;
    char again[sizeof(names)];
    memcpy(again, names, sizeof(names));
    for (const char *name; n < 32 && (name = sp_fact_word(&rest)) != NULL; n++) {
        (void)sp_fact_value(reader, name);
    }
    rest = again;
    for (const char *name; n > 0 && (name = sp_fact_word(&rest)) != NULL; n--) {
        tell_active(reader, fact, name, path);
    }
}

void sp_fact_label(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char apparmor[] = "/proc/self/attr/apparmor/current";
    const char *source = path;
    const char *text = sp_fact_read_line(reader, path);
    if (!text && sp_fact_exists(reader, apparmor)) {
        source = apparmor;
        text = sp_fact_read_line(reader, apparmor);
    }
    if (text) {
        sp_fact_known(reader, fact, NULL, source, text);
    } else {
        sp_fact_unknown(reader, fact, NULL, source, reader->reason);
    }
}
