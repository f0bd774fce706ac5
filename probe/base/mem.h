/* SPDX-License-Identifier: Apache-2.0
 *
 * All memory of the libraries goes through here: sizes cannot overflow, and tests can make any
 * allocation fail. What these return is freed with sp_free(). */
#ifndef SP_BASE_MEM_H
#define SP_BASE_MEM_H

#include <stddef.h>

#include "probe/base/attr.h"

/* n zeroed elements of size bytes each; NULL when out of memory or n * size overflows. n == 0 gives
 * one byte. */
void *sp_calloc(size_t n, size_t size) SP_MUST_CHECK;
/* Resizes to n elements; on failure returns NULL and old stays valid. New bytes are not zeroed. */
void *sp_reallocarray(void *old, size_t n, size_t size) SP_MUST_CHECK;
char *sp_strdup(const char *s) SP_MUST_CHECK;
char *sp_strndup(const char *s, size_t max) SP_MUST_CHECK;
void *sp_memdup(const void *p, size_t len) SP_MUST_CHECK;
void sp_free(void *p);

/* Makes room for one more element in an array that grows by doubling: after it *array has at least
 * n + 1 places. Returns 0 on success, -1 when out of memory (array unchanged). */
int sp_grow(void **array, size_t n, size_t *capacity, size_t size) SP_MUST_CHECK;

/* Torture tests: the nth allocation from now (1 = the next) fails, and every later one too when
 * sticky. 0 switches it off. Returns how many allocations were asked for since the last call. */
size_t sp_mem_fail_at(size_t nth, int sticky);

#endif
