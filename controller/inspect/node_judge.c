/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/node_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "reports/summary.h"

#define TEXT_MAX 4096U /* claims cut their texts anyway */

void sp_node_look_init(struct sp_node_look *look)
{
    look->verdict = SP_CLAIM_HOLDS;
    look->source = NULL;
    look->remedy = NULL;
    sp_buf_init(&look->observed, TEXT_MAX);
    sp_buf_init(&look->cause, TEXT_MAX);
}

void sp_node_look_release(struct sp_node_look *look)
{
    sp_buf_release(&look->observed);
    sp_buf_release(&look->cause);
}

void sp_node_is(struct sp_node_look *look, enum sp_claim_verdict verdict)
{
    /* From bad to good; what cannot be observed at all is between unknown and holds. */
    static const uint8_t badness[SP_CLAIM_VERDICT_COUNT] = {
        [SP_CLAIM_FAILS] = 3, [SP_CLAIM_UNKNOWN] = 2, [SP_CLAIM_NOT_OBSERVABLE] = 1};
    if (badness[verdict] > badness[look->verdict]) {
        look->verdict = (uint8_t)verdict;
        sp_buf_clear(&look->cause);
    }
}

static void add(struct sp_buf *buf, const char *between, const char *fmt, va_list ap)
{
    char text[600];
    if (vsnprintf(text, sizeof(text), fmt, ap) > 0 && buf->len + sizeof(text) + 2 < TEXT_MAX) {
        sp_buf_str(buf, buf->len > 0 ? between : "");
        sp_buf_str(buf, text);
    }
}

void sp_node_observe(struct sp_node_look *look, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(&look->observed, ", ", fmt, ap);
    va_end(ap);
}

void sp_node_because(struct sp_node_look *look, const char *fmt, ...)
{
    va_list ap;
    if (look->cause.len == 0) {
        va_start(ap, fmt);
        add(&look->cause, "", fmt, ap);
        va_end(ap);
    }
}

const struct sp_told *sp_node_known(struct sp_node_look *look, const char *name, const char *of)
{
    const struct sp_told *fact = sp_told_find(look->told, name, of);
    if (fact && !fact->unknown && fact->nvalues > 0) {
        look->source = fact->source;
        return fact;
    }
    sp_node_is(look, SP_CLAIM_UNKNOWN);
    if (look->verdict == SP_CLAIM_UNKNOWN) {
        look->source = fact ? fact->source : NULL;
        if (fact && fact->unknown) {
            sp_node_because(look, "%s%s%s: %s", of ? of : "", of ? ": " : "", fact->source,
                            fact->unknown);
        } else {
            sp_node_because(look, "its probe tells nothing of it");
        }
    }
    return NULL;
}

bool sp_node_wants(const struct sp_node_look *look, const char *word)
{
    for (size_t i = 0; i < look->line->nwords; i++) {
        if (strcmp(look->line->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static const char *first(const struct sp_node_look *look)
{
    return look->line->nwords > 0 ? look->line->words[0] : "";
}

static void fail_unless(struct sp_node_look *look, bool good, const char *cause)
{
    if (!good) {
        sp_node_is(look, SP_CLAIM_FAILS);
        if (cause) {
            sp_node_because(look, "%s", cause);
        }
    }
}

/* ---- the system ---- */

static void judge_kernel(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "kernel", NULL);
    bool good = false;
    for (size_t i = 0; fact && i < look->line->nwords; i++) {
        good = good || sp_version_fits(fact->values[0], look->line->words[i]);
    }
    if (fact) {
        sp_node_observe(look, "%s", fact->values[0]);
        fail_unless(look, good, "its kernel is none of those declared");
        look->remedy = good ? NULL : "update its kernel and restart it, or declare this one";
    }
}

/* "debian" is any of it, "rhel-9" also rhel-9.4. */
static void judge_os(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "os", NULL);
    bool good = false;
    if (!fact) {
        return;
    }
    const char *have = fact->values[0];
    const char *id = fact->values[fact->nvalues - 1];
    for (size_t i = 0; i < look->line->nwords; i++) {
        const char *word = look->line->words[i];
        size_t len = strlen(word);
        good = good || strcmp(word, id) == 0 || strcmp(word, have) == 0 ||
               (len > strlen(id) + 1 && strncmp(have, word, len) == 0 && have[len] == '.');
    }
    sp_node_observe(look, "%s", have);
    fail_unless(look, good, "its system is none of those declared");
}

static void judge_fips(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "fips", NULL);
    if (fact) {
        bool is_on = strcmp(fact->values[0], "0") != 0;
        sp_node_observe(look, is_on ? "on" : "off");
        fail_unless(look, is_on == sp_node_wants(look, "true"), NULL);
        look->remedy = is_on ? NULL : "start its kernel with fips=1, on a system made for it";
    }
}

static unsigned lockdown_rank(const char *word)
{
    return strcmp(word, "confidentiality") == 0 ? 2 : strcmp(word, "integrity") == 0 ? 1 : 0;
}

static void judge_lockdown(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "lockdown", NULL);
    if (fact) {
        sp_node_observe(look, "%s", fact->values[0]);
        fail_unless(look, lockdown_rank(fact->values[0]) >= lockdown_rank(first(look)), NULL);
        look->remedy = "start its kernel with lockdown=integrity or lockdown=confidentiality";
    }
}

/* One module: active, and where it has a mode for the whole host, not permissive. */
static void judge_one_lsm(struct sp_node_look *look, const char *name)
{
    const struct sp_told *list = sp_told_find(look->told, "lsm", NULL);
    const struct sp_told *fact = sp_told_find(look->told, "lsm", name);
    bool has_list = list && !list->unknown && list->nvalues > 0 && !list->is_cut;
    if (!fact && has_list) {
        look->source = list->source;
        sp_node_observe(look, "%s is not active", name);
        fail_unless(look, false, "the kernel does not have it among its active modules");
    } else if (!fact || fact->unknown || fact->nvalues == 0) {
        (void)sp_node_known(look, "lsm", NULL);
        sp_node_is(look, SP_CLAIM_UNKNOWN);
    } else if (strcmp(fact->values[0], "active") != 0) {
        look->source = fact->source;
        sp_node_observe(look, "%s is not active", name);
        fail_unless(look, false, NULL);
    } else if (fact->nvalues > 1) {
        look->source = fact->source;
        sp_node_observe(look, "%s %s", name, fact->values[1]);
        fail_unless(look, strcmp(fact->values[1], "permissive") != 0,
                    "it only writes down what it would refuse");
    } else if (strcmp(name, "selinux") == 0) {
        sp_node_observe(look, "%s active", name);
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "/sys/fs/selinux/enforce cannot be read: it may be permissive");
    } else {
        look->source = fact->source;
        sp_node_observe(look, "%s active", name);
    }
}

static void judge_lsm(struct sp_node_look *look)
{
    for (size_t i = 0; i < look->line->nwords; i++) {
        judge_one_lsm(look, look->line->words[i]);
    }
}

/* The type of an SELinux context, user:role:type; NULL when it is none. */
static const char *selinux_type(const char *label)
{
    const char *role = strchr(label, ':');
    const char *type = role ? strchr(role + 1, ':') : NULL;
    return type ? type + 1 : NULL;
}

static void judge_confined(struct sp_node_look *look, const char *label)
{
    static const char *const free_types[] = {"unconfined", "kernel_t", "initrc_t", "init_t",
                                             "spc_t"};
    size_t len = strlen(label);
    const char *type = selinux_type(label);
    const struct sp_told *selinux = sp_told_find(look->told, "lsm", "selinux");
    if (strcmp(label, "unconfined") == 0 || strstr(label, "(complain)") ||
        strstr(label, "(unconfined)")) {
        fail_unless(look, false, "nothing confines the probe's own process");
    } else if (len > 9 && strcmp(label + len - 9, "(enforce)") == 0) {
        return;
    } else if (!type || !selinux || selinux->nvalues < 2) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "whether this label confines anything cannot be told");
    } else {
        for (size_t i = 0; i < SP_ARRAY_LEN(free_types); i++) {
            fail_unless(look, strncmp(type, free_types[i], strlen(free_types[i])) != 0,
                        "a process of this type is not confined");
        }
        fail_unless(look, strcmp(selinux->values[1], "enforcing") == 0,
                    "selinux is permissive: the label confines nothing");
    }
}

static void judge_label(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "lsm_label", NULL);
    if (!fact) {
        return;
    }
    sp_node_observe(look, "%s", fact->values[0]);
    if (sp_node_wants(look, "confined")) {
        judge_confined(look, fact->values[0]);
    } else {
        fail_unless(look, sp_node_wants(look, fact->values[0]),
                    "the probe's own label is none of those declared");
    }
}

static bool is_virtual(const struct sp_node_look *look)
{
    const struct sp_told *fact = sp_told_find(look->told, "virtualisation", NULL);
    return fact && fact->nvalues > 0 && strcmp(fact->values[0], "virtual") == 0;
}

/* "Mitigation: Clear CPU buffers; SMT vulnerable" is not whole; what the kernel of a virtual
 * machine cannot know is for its provider to tell. */
static void judge_mitigations(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "mitigations", NULL);
    unsigned n = 0;
    for (size_t i = 0; fact && i < fact->nvalues; i++) {
        const char *text = strchr(fact->values[i], ' ');
        text = text ? text + 1 : "";
        if (strncmp(text, "Not affected", 12) == 0) {
            n++;
        } else if (strstr(text, "ulnerable")) {
            sp_node_observe(look, "%s", fact->values[i]);
            fail_unless(look, false, "the kernel says that this processor is vulnerable");
            look->remedy = "update kernel and microcode, or switch simultaneous multithreading off "
                           "(mitigations=auto,nosmt)";
        } else if (strstr(text, "nknown") && *text) {
            sp_node_observe(look, "%s", fact->values[i]);
            sp_node_is(look, is_virtual(look) ? SP_CLAIM_NOT_OBSERVABLE : SP_CLAIM_UNKNOWN);
            sp_node_because(look, is_virtual(look)
                                      ? "a virtual machine does not see what its host does"
                                      : "the kernel itself does not know");
            look->remedy = look->verdict == SP_CLAIM_NOT_OBSERVABLE
                               ? "ask the provider of the machine which mitigations its host has"
                               : look->remedy;
        } else if (strncmp(text, "Mitigation:", 11) == 0) {
            n++;
        } else {
            sp_node_observe(look, "%s", fact->values[i]);
            sp_node_is(look, SP_CLAIM_UNKNOWN);
            sp_node_because(look, "the kernel tells nothing of it that is known here");
        }
    }
    if (fact && fact->is_cut) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "the list is longer than its probe tells");
    }
    if (fact && look->verdict == SP_CLAIM_HOLDS) {
        sp_node_observe(look, "%u of %u not vulnerable", n, n);
    }
}

static void judge_virtual(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "virtualisation", NULL);
    for (size_t i = 0; fact && i < fact->nvalues; i++) {
        sp_node_observe(look, "%s", fact->values[i]);
    }
    fail_unless(look, !fact || sp_node_wants(look, fact->values[0]), NULL);
}

/* A number that must not be below what is declared. */
static bool number(struct sp_node_look *look, const struct sp_told *fact, size_t i, uint64_t *ret)
{
    if (i < fact->nvalues && sp_parse_uint(fact->values[i], UINT64_MAX, ret) == SP_OK) {
        return true;
    }
    sp_node_is(look, SP_CLAIM_UNKNOWN);
    sp_node_because(look, "its probe told no number");
    return false;
}

static void judge_memory(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "memory", NULL);
    uint64_t have = 0;
    uint64_t want = UINT64_MAX;
    if (!fact || !number(look, fact, 0, &have)) {
        return;
    }
    bool good = sp_size_parse(first(look), &want) == SP_OK && have >= want;
    sp_node_observe(look, "%llu MiB", (unsigned long long)(have >> 20));
    fail_unless(look, good,
                have >= want / 10 * 9 ? "MemTotal leaves out what the kernel keeps for itself: a "
                                        "little less than the machine has is to be declared"
                                      : NULL);
}

static void judge_cpus(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "cpus", NULL);
    uint64_t have = 0;
    uint64_t want = UINT64_MAX;
    if (fact && number(look, fact, 0, &have)) {
        sp_node_observe(look, "%llu", (unsigned long long)have);
        fail_unless(look, sp_parse_uint(first(look), UINT64_MAX, &want) == SP_OK && have >= want,
                    NULL);
    }
}

static void judge_disks(struct sp_node_look *look)
{
    if (sp_node_wants(look, "provider")) {
        sp_node_is(look, SP_CLAIM_NOT_OBSERVABLE);
        sp_node_because(look, "what encrypts below its devices cannot be seen from a host");
        look->remedy = "ask the provider of the disks for evidence: that each volume is encrypted, "
                       "and who holds the key";
        return;
    }
    for (size_t i = 0; i < look->line->nwords; i++) {
        const char *path = look->line->words[i];
        const struct sp_told *fact = sp_node_known(look, "disk_encryption", path);
        if (!fact) {
            continue;
        }
        bool good = strcmp(fact->values[0], "encrypted") == 0;
        sp_node_observe(look, "%s: %s (%s)", path, fact->values[0],
                        fact->nvalues > 1 ? fact->values[1] : "?");
        fail_unless(look, good,
                    "no dm-crypt lies between its file system and the device in brackets");
        look->remedy = good ? look->remedy
                            : "encrypt it with LUKS, or declare disk_encryption: provider where "
                              "somebody else does";
    }
}

static void judge_modules(struct sp_node_look *look)
{
    for (size_t i = 0; i < look->line->nwords; i++) {
        const char *name = look->line->words[i];
        const struct sp_told *fact = sp_node_known(look, "modules", name);
        if (fact) {
            bool is_absent = strcmp(fact->values[0], "absent") == 0;
            sp_node_observe(look, "%s %s", name, fact->values[0]);
            fail_unless(look, !is_absent, "the kernel has it neither loaded nor built in");
            look->remedy =
                is_absent ? "load it at the start: a line in /etc/modules-load.d" : look->remedy;
        }
    }
}

static const char *network_zone(const struct sp_model *m, uint32_t host)
{
    uint32_t at = m->hosts[host].network;
    while (at < m->nnetworks && !m->networks[at].zone) {
        at = m->networks[at].parent;
    }
    return at < m->nnetworks ? m->networks[at].zone : NULL;
}

static void judge_zone(struct sp_node_look *look)
{
    const struct sp_told *fact = sp_node_known(look, "zone", NULL);
    const char *zone = network_zone(look->model, look->host);
    if (!fact) {
        look->remedy = "write its zone into /etc/segproof/zone when it is installed";
        return;
    }
    sp_node_observe(look, "%s", fact->values[0]);
    if (sp_node_wants(look, fact->values[0]) ||
        (sp_node_wants(look, "network") && zone && strcmp(zone, fact->values[0]) == 0)) {
        return;
    }
    if (sp_node_wants(look, "network") && !zone) {
        sp_node_is(look, SP_CLAIM_UNKNOWN);
        sp_node_because(look, "its network declares no zone");
    } else {
        sp_node_is(look, SP_CLAIM_FAILS);
        sp_node_because(look, "it says that it stands in another zone than is declared");
    }
}

/* ---- the table ---- */

static const struct {
    const char *name; /* of the claim */
    uint8_t severity;
    const char *before, *between;
    const char *yes, *no; /* in place of true and false */
    void (*judge)(struct sp_node_look *look);
} checks[SP_FLOOR_COUNT] = {
    [SP_FLOOR_KERNEL] = {"kernel", SP_SEVERITY_MEDIUM, "", " or ", NULL, NULL, judge_kernel},
    [SP_FLOOR_OS] = {"os", SP_SEVERITY_MEDIUM, "", " or ", NULL, NULL, judge_os},
    [SP_FLOOR_FIPS] = {"fips", SP_SEVERITY_MEDIUM, "", "", "FIPS mode", "no FIPS mode", judge_fips},
    [SP_FLOOR_LOCKDOWN] = {"lockdown", SP_SEVERITY_MEDIUM, "at least ", "", NULL, NULL,
                           judge_lockdown},
    [SP_FLOOR_LSM] = {"lsm", SP_SEVERITY_HIGH, "active: ", ", ", NULL, NULL, judge_lsm},
    [SP_FLOOR_LSM_LABEL] = {"lsm_label", SP_SEVERITY_MEDIUM, "", " or ", NULL, NULL, judge_label},
    [SP_FLOOR_MITIGATIONS] = {"mitigations", SP_SEVERITY_MEDIUM, "", "",
                              "no known vulnerability of the processor", NULL, judge_mitigations},
    [SP_FLOOR_VIRTUALISATION] = {"virtualisation", SP_SEVERITY_MEDIUM, "", "", NULL, NULL,
                                 judge_virtual},
    [SP_FLOOR_MEMORY] = {"memory", SP_SEVERITY_LOW, "at least ", "", NULL, NULL, judge_memory},
    [SP_FLOOR_CPUS] = {"cpus", SP_SEVERITY_LOW, "at least ", "", NULL, NULL, judge_cpus},
    [SP_FLOOR_DISK_ENCRYPTION] = {"disk_encryption", SP_SEVERITY_MEDIUM, "encrypted: ", ", ", NULL,
                                  NULL, judge_disks},
    [SP_FLOOR_LISTENERS] = {"listeners", SP_SEVERITY_HIGH, "none but ", ", ", NULL, NULL,
                            sp_node_judge_listeners},
    [SP_FLOOR_SSHD] = {"sshd", SP_SEVERITY_HIGH, "", "", "an ssh server", "no ssh server",
                       sp_node_judge_sshd},
    [SP_FLOOR_RP_FILTER] = {"rp_filter", SP_SEVERITY_MEDIUM, "", "", NULL, NULL,
                            sp_node_judge_rp_filter},
    [SP_FLOOR_FORWARDING] = {"forwarding", SP_SEVERITY_MEDIUM, "", "", "it forwards packets",
                             "it forwards no packets", sp_node_judge_forwarding},
    [SP_FLOOR_CONNTRACK] = {"conntrack", SP_SEVERITY_MEDIUM, "free: ", "", NULL, NULL,
                            sp_node_judge_conntrack},
    [SP_FLOOR_PORT_RANGE] = {"port_range", SP_SEVERITY_LOW, "within ", "", NULL, NULL,
                             sp_node_judge_port_range},
    [SP_FLOOR_PUBLIC_ADDRESS] = {"public_address", SP_SEVERITY_HIGH, "", "", "a public address",
                                 "no public address", sp_node_judge_public},
    [SP_FLOOR_ZONE] = {"zone", SP_SEVERITY_LOW, "", " or ", NULL, NULL, judge_zone},
    [SP_FLOOR_MODULES] = {"modules", SP_SEVERITY_LOW, "", ", ", NULL, NULL, judge_modules},
    [SP_FLOOR_DRIFT] = {"drift", SP_SEVERITY_LOW, "", ", ", NULL, NULL, NULL},
    [SP_FLOOR_KUBE_BENCH] = {"kube_bench", SP_SEVERITY_MEDIUM, "", ", ", NULL, NULL, NULL},
};

const char *sp_node_check_name(unsigned check)
{
    return check < SP_FLOOR_COUNT ? checks[check].name : NULL;
}

uint8_t sp_node_severity(unsigned check)
{
    return check < SP_FLOOR_COUNT ? checks[check].severity : (uint8_t)SP_SEVERITY_LOW;
}

void sp_node_expected(const struct sp_floor_line *line, struct sp_buf *out)
{
    const char *word = line->nwords > 0 ? line->words[0] : "";
    const char *yes = checks[line->check].yes;
    const char *no = checks[line->check].no;
    if (yes || no) {
        sp_buf_str(out, yes && strcmp(word, "true") == 0 ? yes : no ? no : word);
        return;
    }
    if (line->nwords == 0) {
        sp_buf_str(out, "none");
        return;
    }
    sp_buf_str(out, checks[line->check].before);
    for (size_t i = 0; i < line->nwords; i++) {
        sp_buf_str(out, i > 0 ? checks[line->check].between : "");
        sp_buf_str(out, line->words[i]);
    }
}

enum sp_rc sp_node_judge(struct sp_node_look *look)
{
    checks[look->line->check].judge(look);
    look->remedy = look->verdict == SP_CLAIM_HOLDS ? NULL : look->remedy;
    return look->observed.rc != SP_OK ? look->observed.rc : look->cause.rc;
}
