/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of the least trusted process of a probe, from arbitrary bytes, judged as an open and as a
 * closed endpoint: something is always said, and closed never holds without a control. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/inspect/endpoint_judge.h"
#include "topologies/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char world[] =
    "segproof: 1\nname: e\nnetworks: { n: { cidr: 10.0.0.0/8 } }\n"
    "hosts: { h: { network: n, address: 10.0.0.1, probe: { via: local } } }\n"
    "endpoints:\n  open: { host: a.example, ports: tcp/443, tls: { alpn: h2, issuer: O=Good }, "
    "http: { path: / }, redirects: b.example, dns: { transport: [udp, tcp] } }\n"
    "  shut: { host: a.example, ports: tcp/443, expect: closed }\n";

static void judge(const struct sp_model *model, size_t endpoint,
                  const struct sp_endpoint_seen *seen)
{
    struct sp_claims claims = {0};
    const struct sp_endpoint_case what = {.model = model,
                                          .endpoint = &model->endpoints[endpoint],
                                          .port = 443,
                                          .now_s = 1795435200,
                                          .is_first = true};
    if (sp_endpoint_judge(&what, seen, &claims) != SP_OK || claims.n == 0) {
        abort();
    }
    for (size_t i = 0; i < claims.n; i++) {
        bool holds = claims.at[i].verdict == SP_CLAIM_HOLDS;
        if (holds && (!seen->is_read || strcmp(claims.at[i].check, "closed") == 0)) {
            abort();
        }
    }
    sp_claims_release(&claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_endpoint_seen seen;
    struct sp_model *model = NULL;
    struct sp_problems problems = {0};
    char words[64];
    if (sp_topology_load_text("w.yaml", world, sizeof(world) - 1, &model, &problems) != SP_OK ||
        sp_endpoint_read((const char *)data, size, &seen) != SP_OK) {
        abort();
    }
    judge(model, 0, &seen);
    judge(model, 1, &seen);
    (void)sp_endpoint_control(&seen, words, sizeof(words));
    sp_model_free(model);
    sp_problems_release(&problems);
    return 0;
}
