/* SPDX-License-Identifier: Apache-2.0
 *
 * What kube-bench wrote with --json, read in. Its items pass, fail, or are left to people (WARN,
 * INFO). A file that is no such result, or contradicts itself, is refused whole. */
#ifndef SP_INSPECT_KUBE_BENCH_H
#define SP_INSPECT_KUBE_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

#define SP_KUBE_BENCH_MAX_BYTES (16U << 20)
#define SP_KUBE_BENCH_ITEM      24U /* bytes of an item's number, with its NUL */

enum sp_kube_status { SP_KUBE_PASS, SP_KUBE_FAIL, SP_KUBE_WARN, SP_KUBE_INFO };

struct sp_kube_item {
    char number[SP_KUBE_BENCH_ITEM]; /* "4.2.6" */
    uint8_t status;                  /* enum sp_kube_status */
};

/* Starts zeroed. */
struct sp_kube_bench {
    struct sp_kube_item *items;
    size_t n, cap;
    size_t count[4]; /* by status */
};

enum sp_rc sp_kube_bench_read(const char *text, size_t len, struct sp_kube_bench *bench,
                              struct sp_diag *diag) SP_MUST_CHECK;
enum sp_rc sp_kube_bench_read_file(const char *file, struct sp_kube_bench *bench,
                                   struct sp_diag *diag) SP_MUST_CHECK;
void sp_kube_bench_release(struct sp_kube_bench *bench);

/* Items that kube-bench passes where nothing is set, though the default may leave a port open: the
 * packet is the better evidence. The port of an item, 0 = none. */
uint16_t sp_kube_bench_port(const char *number);

#endif
