/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_ATTR_H
#define SP_BASE_ATTR_H

/* Attributes used on declarations. */
#define SP_MUST_CHECK   __attribute__((warn_unused_result))
#define SP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SP_NORETURN     __attribute__((noreturn))
#define SP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
