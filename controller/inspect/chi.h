/* SPDX-License-Identifier: Apache-2.0
 *
 * Pearson's chi-square test of counts against weights (Pearson, 1900): how likely is it that a
 * balancer with these shares spreads connections like this, or worse? Pure. */
#ifndef SP_CONTROLLER_INSPECT_CHI_H
#define SP_CONTROLLER_INSPECT_CHI_H

#include <stddef.h>
#include <stdint.h>

/* Below this p-value shares are told to be other than declared: one healthy balancer that draws
 * lots in a thousand. */
#define SP_CHI_SIGNIFICANCE 0.001

struct sp_chi {
    double statistic; /* sum of (counted - expected)^2 / expected */
    double p;         /* of the counts, or worse ones, by chance; 1 where nothing was counted */
    double worst;     /* the largest |counted / expected - 1| */
    size_t at;        /* whose that is */
    double error;     /* by how much that is uncertain: one standard deviation */
    unsigned freedom; /* how many can vary: n - 1 */
};

/* The upper tail of the chi-square distribution. */
double sp_chi_tail(double statistic, unsigned freedom);
/* weights NULL: 1 each. */
struct sp_chi sp_chi_test(const uint32_t *counts, const uint32_t *weights, size_t n);
/* How many connections show that the smallest share is off by the part `skew` of it, at
 * SP_CHI_SIGNIFICANCE, in 99 of 100 cases; UINT32_MAX: more than can be counted. */
uint32_t sp_chi_sample(const uint32_t *weights, size_t n, double skew);

#endif
