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
    uint32_t rule;  /* index into model->rules, SP_NONE = no rule: denied by default, or permitted
                       by default inside a network that says `within: open`, or that says nothing
                       of itself and where only presets name the two */
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
/* The interval that holds a point; NULL when the point is not on the axis of the list. */
const struct sp_interval *sp_intervals_find(struct sp_intervals list, uint16_t port);
/* The interval that decides one point; NULL when memory is out or the point is not on the
 * protocol's axis (tcp/0, ip/256). */
const struct sp_interval *sp_policy_decide(struct sp_policy *policy, uint32_t from, uint32_t to,
                                           uint8_t proto, uint16_t port);
/* Whether an ordered pair is tested at all. NULL = yes; else why not, in words. Two hosts of one
 * network that says neither `within: closed` nor `within: open` are tested only when a policy names
 * them: any rule that applies from one to the other and does not select every host on both sides.
 * `closed` judges them like strangers, `open` permits whatever no rule decides. */
const char *sp_policy_untested(const struct sp_policy *policy, uint32_t from, uint32_t to);

size_t sp_policy_classes(const struct sp_policy *policy);
uint32_t sp_policy_class_of(const struct sp_policy *policy, uint32_t target);

#endif
