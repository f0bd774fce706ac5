/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/floor.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"

void sp_floor_release(struct sp_floor *floor)
{
    for (size_t i = 0; i < floor->nlines; i++) {
        for (size_t k = 0; k < floor->lines[i].nwords; k++) {
            sp_free(floor->lines[i].words[k]);
        }
        sp_free(floor->lines[i].words);
    }
    sp_free(floor->lines);
    sp_free(floor->name);
    sp_bits_release(&floor->hosts);
}

const char *sp_floor_key(unsigned check)
{
    static const char *const keys[SP_FLOOR_COUNT] = {
        [SP_FLOOR_KERNEL] = "kernel",
        [SP_FLOOR_OS] = "os",
        [SP_FLOOR_FIPS] = "fips",
        [SP_FLOOR_LOCKDOWN] = "lockdown",
        [SP_FLOOR_LSM] = "lsm",
        [SP_FLOOR_LSM_LABEL] = "lsm_label",
        [SP_FLOOR_MITIGATIONS] = "mitigations",
        [SP_FLOOR_VIRTUALISATION] = "virtualisation",
        [SP_FLOOR_MEMORY] = "memory",
        [SP_FLOOR_CPUS] = "cpus",
        [SP_FLOOR_DISK_ENCRYPTION] = "disk_encryption",
        [SP_FLOOR_LISTENERS] = "listeners",
        [SP_FLOOR_SSHD] = "sshd",
        [SP_FLOOR_RP_FILTER] = "rp_filter",
        [SP_FLOOR_FORWARDING] = "forwarding",
        [SP_FLOOR_CONNTRACK] = "conntrack_free",
        [SP_FLOOR_PORT_RANGE] = "port_range",
        [SP_FLOOR_PUBLIC_ADDRESS] = "public_address",
        [SP_FLOOR_ZONE] = "zone",
        [SP_FLOOR_MODULES] = "modules",
        [SP_FLOOR_DRIFT] = "drift",
        [SP_FLOOR_KUBE_BENCH] = "kube_bench",
    };
    return check < SP_FLOOR_COUNT ? keys[check] : NULL;
}

const struct sp_floor_line *sp_floor_find(const struct sp_floor *floor, unsigned check)
{
    for (size_t i = 0; i < floor->nlines; i++) {
        if (floor->lines[i].check == check) {
            return &floor->lines[i];
        }
    }
    return NULL;
}

bool sp_floor_counts(const struct sp_model *model, const struct sp_floor *floor, unsigned check,
                     uint32_t host)
{
    const char *role = model->hosts[host].role;
    if (!sp_bits_get(&floor->hosts, host) || !sp_floor_find(floor, check)) {
        return false;
    }
    /* Edge hosts are there to have public addresses: only what is said of them alone counts. */
    if (check == SP_FLOOR_PUBLIC_ADDRESS && floor->level < SP_LEVEL_ROLE && role &&
        strcmp(role, "edge") == 0) {
        return false;
    }
    for (size_t i = 0; i < model->nfloors; i++) {
        const struct sp_floor *other = &model->floors[i];
        if (other->level > floor->level && sp_bits_get(&other->hosts, host) &&
            sp_floor_find(other, check)) {
            return false;
        }
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next number of a version; *is_candidate: it counts a release candidate. False at the end, and
 * at what is no number ("-generic"). */
static bool next_number(const char **text, uint64_t *ret_number, bool *is_candidate)
{
    const char *p = *text;
    *is_candidate = false;
    p += *p == '.' || *p == '-' || *p == '_' || *p == '+';
    if (p[0] == 'r' && p[1] == 'c' && is_digit(p[2])) {
        *is_candidate = true;
        p += 2;
    }
    if (!is_digit(*p)) {
        return false;
    }
    uint64_t n = 0;
    for (; is_digit(*p); p++) {
        n = n < UINT64_MAX / 100 ? n * 10 + (uint64_t)(*p - '0') : n;
    }
    *ret_number = n;
    *text = p;
    return true;
}

bool sp_version_at_least(const char *have, const char *want)
{
    uint64_t a = 0;
    uint64_t b = 0;
    bool a_candidate = false;
    bool b_candidate = false;
    while (next_number(&want, &b, &b_candidate)) {
        if (!next_number(&have, &a, &a_candidate)) {
            a = 0;
            a_candidate = false;
            have = "";
        }
        if (a_candidate != b_candidate) {
            return b_candidate;
        }
        if (a != b) {
            return a > b;
        }
    }
    /* 6.1.0-rc4 is not yet 6.1, however many zeros lie between. */
    while (!b_candidate && next_number(&have, &a, &a_candidate)) {
        if (a_candidate) {
            return false;
        }
        if (a > 0) {
            return true;
        }
    }
    return true;
}

bool sp_version_fits(const char *have, const char *declared)
{
    if (strncmp(declared, ">=", 2) == 0) {
        return is_digit(*have) && sp_version_at_least(have, declared + 2);
    }
    return strcmp(have, declared) == 0;
}

enum sp_rc sp_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1},
                 {"KiB", UINT64_C(1) << 10},
                 {"MiB", UINT64_C(1) << 20},
                 {"GiB", UINT64_C(1) << 30},
                 {"TiB", UINT64_C(1) << 40},
                 {"kB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", UINT64_C(1000000000000)}};
    char digits[24];
    uint64_t n = 0;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof(digits)) {
        return SP_E_INVALID;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    for (size_t i = 0; i < SP_ARRAY_LEN(units); i++) {
        if (strcmp(text + len, units[i].unit) == 0) {
            enum sp_rc rc = sp_parse_uint(digits, UINT64_MAX / units[i].bytes, &n);
            if (rc == SP_OK) {
                *ret_bytes = n * units[i].bytes;
            }
            return rc;
        }
    }
    return SP_E_INVALID;
}

enum sp_rc sp_percent_parse(const char *text, unsigned *ret_percent)
{
    char digits[4];
    uint64_t n = 0;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof(digits) || strcmp(text + len, "%") != 0) {
        return SP_E_INVALID;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    enum sp_rc rc = sp_parse_uint(digits, 100, &n);
    if (rc == SP_OK) {
        *ret_percent = (unsigned)n;
    }
    return rc;
}

enum sp_rc sp_range_parse(const char *text, uint16_t *ret_low, uint16_t *ret_high)
{
    char first[6];
    uint64_t low = 0;
    uint64_t high = 0;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof(first) || text[len] != '-') {
        return SP_E_INVALID;
    }
    memcpy(first, text, len);
    first[len] = '\0';
    if (sp_parse_uint(first, 65535, &low) != SP_OK ||
        sp_parse_uint(text + len + 1, 65535, &high) != SP_OK || low > high) {
        return SP_E_INVALID;
    }
    *ret_low = (uint16_t)low;
    *ret_high = (uint16_t)high;
    return SP_OK;
}
