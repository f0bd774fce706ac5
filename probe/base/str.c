/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/str.h"

#include <string.h>

enum sp_rc sp_parse_uint(const char *text, uint64_t max, uint64_t *ret_value)
{
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return SP_E_INVALID;
    }
    uint64_t v = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') {
            return SP_E_INVALID;
        }
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return SP_E_LIMIT;
        }
        v = v * 10 + digit;
    }
    if (v > max) {
        return SP_E_LIMIT;
    }
    *ret_value = v;
    return SP_OK;
}

enum sp_rc sp_parse_duration_ms(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
    static const uint64_t max_ms = 365ULL * 24 * 3600000;
    char digits[24];
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n >= sizeof(digits)) {
        return SP_E_INVALID;
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    for (size_t i = 0; i < SP_ARRAY_LEN(units); i++) {
        if (strcmp(text + n, units[i].unit) == 0) {
            uint64_t v = 0;
            enum sp_rc rc = sp_parse_uint(digits, max_ms / units[i].ms, &v);
            if (rc == SP_OK) {
                *ret_ms = v * units[i].ms;
            }
            return rc;
        }
    }
    return SP_E_INVALID;
}

size_t sp_utf8_len(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    if (len == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    size_t need = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                  : (s[0] & 0xf0) == 0xe0        ? 3
                  : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                 : 0;
    if (need == 0 || need > len) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool too_high = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || too_high ? 0 : need;
}

bool sp_utf8_valid(const char *bytes, size_t len)
{
    while (len) {
        size_t n = sp_utf8_len(bytes, len);
        if (n == 0) {
            return false;
        }
        bytes += n;
        len -= n;
    }
    return true;
}

size_t sp_edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    size_t row[64];
    if (la > 63 || lb > 63) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = up + 1 < best ? up + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[lb];
}

void sp_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}
