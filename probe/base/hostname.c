/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/hostname.h"

#include <stddef.h>
#include <string.h>

bool sp_hostname_normal(const char *text, char out[static SP_HOSTNAME_STRLEN])
{
    size_t len = strnlen(text, SP_HOSTNAME_STRLEN + 1);
    size_t label = 0;
    bool is_number = true;
    len -= len > 1 && text[len - 1] == '.';
    if (len == 0 || len >= SP_HOSTNAME_STRLEN) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_digit = c >= '0' && c <= '9';
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if (c == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            is_number = true;
        } else if ((!is_digit && !(c >= 'a' && c <= 'z') && c != '_' && c != '-') || ++label > 63 ||
                   (c == '-' && label == 1)) {
            return false;
        } else {
            is_number = is_number && is_digit;
        }
        out[i] = c;
    }
    out[len] = '\0';
    return label > 0 && !is_number;
}
