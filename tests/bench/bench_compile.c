/* SPDX-License-Identifier: Apache-2.0
 *
 * How long it takes to compile a large topology, and how much memory: a seeded generator makes 500
 * networks (50 VPCs of 9 subnets), 2,000 hosts with an IPv4 and an IPv6 address and 10,000 rules,
 * 20 % of them with `any` or a label on a side; then every pair of classes is compiled for every
 * protocol. Prints numbers; never fails on time.
 *
 *   bench_compile [seed] [percent of rules that name single hosts, default 2] */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/base/clock.h"
#include "probe/base/hash.h"
#include "tests/support/model_builder.h"
#include "topologies/plan.h"

#define SP_BENCH_VPCS    50U
#define SP_BENCH_SUBNETS 9U
#define SP_BENCH_HOSTS   2000U
#define SP_BENCH_RULES   10000U

static uint32_t below(struct sp_rng *rng, uint32_t n)
{
    return (uint32_t)sp_rng_below(rng, n);
}

static void make_networks(struct sp_model *model)
{
    char name[32], in[32], cidr[64];
    for (unsigned v = 0; v < SP_BENCH_VPCS; v++) {
        (void)snprintf(name, sizeof(name), "vpc-%u", v);
        (void)snprintf(cidr, sizeof(cidr), "10.%u.0.0/16,fd00:%x::/32", v, v + 1);
        (void)sp_mb_network(model, name, NULL, SP_NET_VPC, cidr);
    }
    for (unsigned n = 0; n < SP_BENCH_VPCS * SP_BENCH_SUBNETS; n++) {
        unsigned v = n % SP_BENCH_VPCS, s = n / SP_BENCH_VPCS;
        (void)snprintf(in, sizeof(in), "vpc-%u", v);
        (void)snprintf(name, sizeof(name), "net-%u-%u", v, s);
        (void)snprintf(cidr, sizeof(cidr), "10.%u.%u.0/24,fd00:%x:%x::/64", v, s, v + 1, s);
        (void)sp_mb_network(model, name, in, SP_NET_SUBNET, cidr);
    }
}

/* Hosts of one subnet carry the same app label; one host in fifty is a bastion besides. */
static void make_hosts(struct sp_model *model)
{
    char name[32], network[32], addrs[64], app[16];
    for (unsigned h = 0; h < SP_BENCH_HOSTS; h++) {
        unsigned n = h % (SP_BENCH_VPCS * SP_BENCH_SUBNETS);
        unsigned v = n % SP_BENCH_VPCS, s = n / SP_BENCH_VPCS;
        unsigned k = 10 + h / (SP_BENCH_VPCS * SP_BENCH_SUBNETS);
        (void)snprintf(name, sizeof(name), "host-%u", h);
        (void)snprintf(network, sizeof(network), "net-%u-%u", v, s);
        (void)snprintf(addrs, sizeof(addrs), "10.%u.%u.%u,fd00:%x:%x::%x", v, s, k, v + 1, s, k);
        (void)snprintf(app, sizeof(app), "app%u", n % 20);
        uint32_t host = sp_mb_host(model, name, network, addrs, "tls");
        sp_mb_label(model, host, "app", app);
        if (h % 50 == 0) {
            sp_mb_label(model, host, "role", "bastion");
        }
    }
}

static void pick(struct sp_rng *rng, char *out, size_t size, bool wide, unsigned host_percent)
{
    uint32_t kind = below(rng, 100);
    if (wide && kind < 50) {
        (void)snprintf(out, size, "any");
    } else if (wide && kind < 55) {
        (void)snprintf(out, size, "label:role=bastion");
    } else if (wide) {
        (void)snprintf(out, size, "label:app=app%u", below(rng, 20));
    } else if (kind < host_percent) {
        (void)snprintf(out, size, "host-%u", below(rng, SP_BENCH_HOSTS));
    } else if (kind < host_percent + 10) {
        (void)snprintf(out, size, "vpc-%u", below(rng, SP_BENCH_VPCS));
    } else {
        (void)snprintf(out, size, "net-%u-%u", below(rng, SP_BENCH_VPCS),
                       below(rng, SP_BENCH_SUBNETS));
    }
}

static void pick_ports(struct sp_rng *rng, char *out, size_t size)
{
    uint32_t kind = below(rng, 100);
    uint32_t port = 1 + below(rng, 20000);
    if (kind < 45) {
        (void)snprintf(out, size, "tcp/%u", port);
    } else if (kind < 60) {
        (void)snprintf(out, size, "tcp/%u-%u", port, port + 1 + below(rng, 1000));
    } else if (kind < 75) {
        (void)snprintf(out, size, "udp/%u", port);
    } else if (kind < 85) {
        (void)snprintf(out, size, "tcp/%u,udp/%u", port, port);
    } else if (kind < 94) {
        (void)snprintf(out, size, "icmp/echo,icmp6/echo");
    } else if (kind < 97) {
        (void)snprintf(out, size, "tcp/*");
    } else if (kind < 99) {
        (void)snprintf(out, size, "sctp/%u,ip/47", port);
    } else {
        (void)snprintf(out, size, "any");
    }
}

static void make_rules(struct sp_model *model, struct sp_rng *rng, unsigned host_percent)
{
    char name[32], from[48], to[48], ports[48];
    for (unsigned r = 0; r < SP_BENCH_RULES; r++) {
        bool wide = below(rng, 100) < 20;
        uint32_t side = below(rng, 25); /* one side is wide, in 4 % of them both */
        pick(rng, from, sizeof(from), wide && side <= 12, host_percent);
        pick(rng, to, sizeof(to), wide && side >= 12, host_percent);
        do {
            pick_ports(rng, ports, sizeof(ports));
        } while (wide && (strcmp(ports, "any") == 0 || strcmp(ports, "tcp/*") == 0));
        (void)snprintf(name, sizeof(name), "rule-%u", r);
        uint32_t kind = below(rng, 100);
        enum sp_rule_kind what = kind < 70   ? SP_RULE_ALLOW
                                 : kind < 80 ? SP_RULE_PERMIT
                                 : kind < 98 ? SP_RULE_DENY
                                             : SP_RULE_ISOLATION;
        if (what == SP_RULE_ISOLATION && wide) {
            what = SP_RULE_DENY;
        }
        (void)sp_mb_rule(model, what, name, from, to, ports);
    }
}

static double heap_mb(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd) / (1 << 20);
}

static double peak_mb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* From one host to everybody, at standard depth. */
static void plan_one_host(const struct sp_model *model, struct sp_policy *policy)
{
    struct sp_bits from = {0};
    struct sp_plan *plan = NULL;
    struct sp_diag diag = {0};
    uint64_t t0 = sp_mono_us();
    enum sp_rc rc = sp_select(model, "host-0", &from, &diag);
    if (rc == SP_OK) {
        struct sp_plan_options options = {.depth = SP_DEPTH_STANDARD, .seed = 1, .from = &from};
        rc = sp_plan_new(policy, model, &options, &plan, &diag);
    }
    if (rc == SP_OK) {
        uint64_t us = sp_mono_us() - t0;
        (void)printf("plan     %8.1f ms   %zu pairs of addresses, %zu tests, %.0f ns per test\n",
                     (double)us / 1000, plan->npairs, plan->ntests,
                     (double)us * 1000 / (double)(plan->ntests ? plan->ntests : 1));
    } else {
        (void)printf("plan: %s\n", diag.text);
    }
    sp_plan_free(plan);
    sp_bits_release(&from);
}

int main(int argc, char **argv)
{
    struct sp_rng rng = {.state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1};
    unsigned host_percent = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
    struct sp_model *model = sp_mb_new();
    make_networks(model);
    make_hosts(model);
    make_rules(model, &rng, host_percent);
    double heap_before = heap_mb(), peak_before = peak_mb();
    uint64_t t0 = sp_mono_us();
    struct sp_policy *policy = NULL;
    if (sp_policy_new(model, &policy) != SP_OK) {
        (void)fprintf(stderr, "bench_compile: out of memory\n");
        return 1;
    }
    uint64_t t1 = sp_mono_us();
    size_t n = sp_policy_classes(policy), lists = 0, intervals = 0;
    uint32_t *member = calloc(n, sizeof(*member));
    for (uint32_t t = 0; member && t < sp_model_ntargets(model); t++) {
        member[sp_policy_class_of(policy, t)] = t;
    }
    for (size_t a = 0; member && a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
                struct sp_intervals list = sp_policy_pair(policy, member[a], member[b], proto);
                lists += list.n > 0;
                intervals += list.n;
            }
        }
    }
    uint64_t t2 = sp_mono_us();
    (void)printf("networks %zu, hosts %zu, rules %zu, classes %zu\n", model->nnetworks,
                 model->nhosts, model->nrules, n);
    (void)printf("new      %8.1f ms\n", (double)(t1 - t0) / 1000);
    (void)printf("compile  %8.1f ms   %zu lists asked, %zu intervals, %.0f ns per list\n",
                 (double)(t2 - t1) / 1000, lists, intervals,
                 (double)(t2 - t1) * 1000 / (double)(lists ? lists : 1));
    (void)printf("memory   %8.1f MB   (peak of the process grew by %.1f MB)\n",
                 heap_mb() - heap_before, peak_mb() - peak_before);
    free(member);
    plan_one_host(model, policy);
    sp_policy_free(policy);
    sp_mb_free(model);
    return 0;
}
