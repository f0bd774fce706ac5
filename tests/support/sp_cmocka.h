/* SPDX-License-Identifier: Apache-2.0
 * cmocka needs its headers in this order; include this file instead. */
#ifndef SP_SUPPORT_CMOCKA_H
#define SP_SUPPORT_CMOCKA_H
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#endif
