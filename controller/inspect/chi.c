/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/chi.h"

#include <math.h>

#define STEPS          500
#define TINY           1e-300
/* Of the normal distribution: 0.001 on two sides, 0.01 on one. */
#define Z_SIGNIFICANCE 3.2905
#define Z_POWER        2.3263

/* The lower part of the incomplete gamma function, by its series (Abramowitz and Stegun 6.5.29). */
static double lower(double a, double x)
{
    double term = 1 / a;
    double sum = term;
    for (int i = 1; i < STEPS && fabs(term) > fabs(sum) * 1e-15; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum * exp(a * log(x) - x - lgamma(a));
}

/* The upper part, by its continued fraction (6.5.31), after Lentz. */
static double upper(double a, double x)
{
    double b = x + 1 - a;
    double c = 1 / TINY;
    double d = 1 / b;
    double h = d;
    for (int i = 1; i < STEPS; i++) {
        double an = -i * (i - a);
        b += 2;
        d = an * d + b;
        d = fabs(d) < TINY ? TINY : d;
        c = b + an / c;
        c = fabs(c) < TINY ? TINY : c;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15) {
            break;
        }
    }
    return h * exp(a * log(x) - x - lgamma(a));
}

double sp_chi_tail(double statistic, unsigned freedom)
{
    double a = freedom / 2.0;
    double x = statistic / 2;
    if (freedom == 0 || !(x > 0)) {
        return 1;
    }
    double p = x < a + 1 ? 1 - lower(a, x) : upper(a, x);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

static double weight(const uint32_t *weights, size_t i)
{
    return weights ? weights[i] : 1;
}

struct sp_chi sp_chi_test(const uint32_t *counts, const uint32_t *weights, size_t n)
{
    struct sp_chi chi = {.p = 1};
    double all = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        all += counts[i];
        sum += weight(weights, i);
    }
    if (all <= 0 || n < 2) {
        return chi;
    }
    for (size_t i = 0; i < n; i++) {
        double expected = all * weight(weights, i) / sum;
        double off = counts[i] - expected;
        chi.statistic += off * off / expected;
        if (fabs(off) / expected > chi.worst) {
            chi.worst = fabs(off) / expected;
            chi.at = i;
            chi.error = sqrt((1 - weight(weights, i) / sum) / expected);
        }
    }
    chi.freedom = (unsigned)(n - 1);
    chi.p = sp_chi_tail(chi.statistic, chi.freedom);
    return chi;
}

uint32_t sp_chi_sample(const uint32_t *weights, size_t n, double skew)
{
    double sum = 0;
    double least = n > 0 ? weight(weights, 0) : 1;
    for (size_t i = 0; i < n; i++) {
        sum += weight(weights, i);
        least = weight(weights, i) < least ? weight(weights, i) : least;
    }
    double share = n > 1 ? least / sum : 1;
    double z = Z_SIGNIFICANCE + Z_POWER;
    double need = skew > 0 ? ceil(z * z * (1 - share) / (share * skew * skew)) : UINT32_MAX;
    /* A few are expected of each, or the distribution is no chi-square. */
    double least_need = ceil(10 / share);
    need = need < least_need ? least_need : need;
    return need < UINT32_MAX ? (uint32_t)need : UINT32_MAX;
}
