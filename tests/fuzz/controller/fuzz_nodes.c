/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from elsewhere about nodes. The first byte chooses: an odd one, what a probe told of
 * its host, judged by every line of a floor that there can be; an even one, results of kube-bench.
 * Whatever comes is read or refused, and what is not told never holds. */
#include <stdlib.h>
#include <string.h>

#include "controller/inspect/kube_bench.h"
#include "controller/inspect/node_judge.h"
#include "topologies/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char declared[] =
    "segproof: 1\nname: t\nnetworks: { web: { cidr: [10.1.0.0/24, 'fd00::/64'], zone: z1 } }\n"
    "hosts: { a: { network: web, address: [10.1.0.1, 'fd00::1'], probe: { via: local } } }\n"
    "nodes: { a: { kernel: ['>=5.15', 4.18], os: [debian-12, rhel-9], fips: true, lockdown: integrity,"
    " lsm: [apparmor, selinux], lsm_label: confined, mitigations: true, virtualisation: physical,"
    " memory: 4GiB, cpus: 2, disk_encryption: [/, /var], listeners: [tcp/22, udp/50-60],"
    " sshd: false, rp_filter: strict, forwarding: false, conntrack_free: 20%,"
    " port_range: 32768-60999, zone: network, modules: [nf_conntrack] } }\n";

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void judge(const struct sp_model *model, const struct sp_told_list *told)
{
    for (size_t i = 0; i < model->floors[0].nlines; i++) {
        struct sp_node_look look = {
            .model = model, .line = &model->floors[0].lines[i], .told = told};
        sp_node_look_init(&look);
        must(sp_node_judge(&look) == SP_OK);
        must(look.verdict < SP_CLAIM_VERDICT_COUNT && look.verdict != SP_CLAIM_NOTE);
        must(look.verdict != SP_CLAIM_HOLDS || told->n > 0);
        must(look.verdict != SP_CLAIM_UNKNOWN || look.cause.len > 0);
        sp_node_look_release(&look);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_model *model; /* read once */
    struct sp_problems problems = {0};
    struct sp_diag diag = {0};
    if (!model) {
        must(sp_topology_load_text("t", declared, strlen(declared), &model, &problems) == SP_OK);
        sp_problems_release(&problems);
    }
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    if (data[0] % 2 == 1) {
        struct sp_told_list told = {0};
        if (sp_told_read(text, size - 1, &told) == SP_OK) {
            judge(model, &told);
        }
        sp_told_release(&told);
    } else {
        struct sp_kube_bench bench = {0};
        enum sp_rc rc = sp_kube_bench_read(text, size - 1, &bench, &diag);
        must(rc == SP_OK ? bench.n > 0 : diag.text[0] != '\0');
        sp_kube_bench_release(&bench);
    }
    return 0;
}
