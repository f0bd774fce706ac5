/* SPDX-License-Identifier: Apache-2.0
 *
 * Intent compiled: for an ordered pair of targets and a protocol, the maximal port intervals with
 * one verdict and one deciding rule. Rules are a set: isolation and deny beat allow and permit,
 * allow beats permit, the rest is denied. Targets that are matched by the same rules share one
 * class, and pairs matched by the same rules share one interval list, so memory grows with classes,
 * not with hosts. */
#ifndef SP_TOPOLOGIES_POLICY_H
#define SP_TOPOLOGIES_POLICY_H

#include "topologies/model.h"

enum sp_expect { SP_EXPECT_DENY, SP_EXPECT_ALLOW, SP_EXPECT_PERMIT };

struct sp_interval {
    uint16_t lo, hi;
    uint8_t expect; /* enum sp_expect */
    uint32_t rule;  /* index into model->rules, SP_NONE = default deny */
};

struct sp_intervals {
    const struct sp_interval *at; /* sorted, without gaps, from sp_proto_min to sp_proto_max */
    size_t n;
};

struct sp_policy;

/* The model must outlive the policy. */
enum sp_rc sp_policy_new(const struct sp_model *model, struct sp_policy **ret_policy) SP_MUST_CHECK;
void sp_policy_free(struct sp_policy *policy);

/* Borrowed until the policy is freed; computed on first use. n == 0 only when memory is out. */
struct sp_intervals sp_policy_pair(struct sp_policy *policy, uint32_t from, uint32_t to,
                                   uint8_t proto);
/* The interval that decides one point; NULL only when memory is out. */
const struct sp_interval *sp_policy_decide(struct sp_policy *policy, uint32_t from, uint32_t to,
                                           uint8_t proto, uint16_t port);
/* Whether an ordered pair is tested at all. NULL = yes; else why not ("same subnet and no
 * `within:`"). */
const char *sp_policy_untested(const struct sp_policy *policy, uint32_t from, uint32_t to);

size_t sp_policy_classes(const struct sp_policy *policy);
uint32_t sp_policy_class_of(const struct sp_policy *policy, uint32_t target);

#endif
