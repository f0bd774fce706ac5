/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t fail_at;
static size_t asked;
static int fail_sticky;

static int must_fail(void)
{
    asked++;
    if (fail_at == 0) {
        return 0;
    }
    return fail_sticky ? asked >= fail_at : asked == fail_at;
}

size_t sp_mem_fail_at(size_t nth, int sticky)
{
    size_t was = asked;
    asked = 0;
    fail_at = nth;
    fail_sticky = sticky;
    return was;
}

void *sp_calloc(size_t n, size_t size)
{
    if (must_fail()) {
        return NULL;
    }
    if (n == 0 || size == 0) {
        return calloc(1, 1);
    }
    if (n > SIZE_MAX / size) {
        return NULL;
    }
    return calloc(n, size);
}

void *sp_reallocarray(void *old, size_t n, size_t size)
{
    if (must_fail() || (size != 0 && n > SIZE_MAX / size)) {
        return NULL;
    }
    size_t bytes = n * size;
    return realloc(old, bytes ? bytes : 1);
}

void *sp_memdup(const void *p, size_t len)
{
    void *copy = sp_calloc(len ? len : 1, 1);
    if (copy && len) {
        memcpy(copy, p, len);
    }
    return copy;
}

char *sp_strndup(const char *s, size_t max)
{
    size_t len = strnlen(s, max);
    char *copy = sp_calloc(len + 1, 1);
    if (copy) {
        memcpy(copy, s, len);
    }
    return copy;
}

char *sp_strdup(const char *s)
{
    return sp_strndup(s, strlen(s));
}

void sp_free(void *p)
{
    free(p);
}

int sp_grow(void **array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) {
        return 0;
    }
    size_t want = *capacity;
    while (want <= n) {
        if (want > SIZE_MAX / 2) {
            return -1;
        }
        want = want ? want * 2 : 8;
    }
    void *bigger = sp_reallocarray(*array, want, size);
    if (!bigger) {
        return -1;
    }
    *array = bigger;
    *capacity = want;
    return 0;
}
