/* SPDX-License-Identifier: Apache-2.0
 *
 * The 39 lines in our own words, how each is checked, and whom to ask for what no run can tell.
 * Source: Solo.io, Gloo Mesh Gateway, security, "Infrastructure provider".
 * Letters: P packets, N facts read on nodes, T the declared topology, D declared, X the provider.
 */
#include "reports/checklist_priv.h"

#define CLOUD "the cloud or hardware provider"

const struct sp_item_def sp_items[SP_ITEM_COUNT] = {
    {"The gateway runs on Kubernetes, on machines of a known provider", "T N", CLOUD},
    {"The provider affects the security of the applications: intent is measured", "P", NULL},
    {"General guidelines are reviewed, and the provider is consulted", "P N T X", CLOUD},
    {"Nodes are as large as required", "N", NULL},
    {"As many clusters as required, with legal names", "T P", NULL},
    {"Cluster features of the provider (lines 7 to 12)", "P N X", CLOUD},
    {"Compute isolation: node tenancy", "N X", CLOUD " (dedicated hosts, placement of instances)"},
    {"Kernels and images comply", "N", NULL},
    {"Mandatory access control in the kernel", "N", NULL},
    {"CIS Kubernetes benchmark, as the network shows it", "P N", NULL},
    {"SSH is blocked, but for the bastion", "P N", NULL},
    {"Disks are encrypted", "N X", CLOUD " (encryption of volumes)"},
    {"Firewalls give access to the required ports, and to no others", "P", NULL},
    {"Firewalls give access to the required repositories", "P", NULL},
    {"Network features of the provider (lines 16 to 18)", "P N T", NULL},
    {"Nodes and VPCs are segmented and isolated", "T P", NULL},
    {"Firewalls and network policies both work", "P N", NULL},
    {"Edge nodes alone are attached to public networks", "P N", NULL},
    {"Gateways stand behind a separate load balancer", "P", NULL},
    {"Global load balancing", "P", "the provider of DNS or global load balancing"},
    {"Failover of load balancers", "P", NULL},
    {"Reserved ports of load balancers", "T N", CLOUD " (its own reserved ports)"},
    {"Addresses of load balancers", "T P", NULL},
    {"Other networking rules of load balancers", "P", NULL},
    {"Load balancers spread traffic for performance", "P", NULL},
    {"Load balancers pass raw TCP as declared", "P", NULL},
    {"High availability and disaster recovery", "T P", NULL},
    {"Nodes are spread across zones", "T N P", NULL},
    {"Kubernetes secrets are encrypted", "P X",
     "whoever runs the control plane (--encryption-provider-config, KMS key of etcd)"},
    {"Certificates are issued by the right authority", "P", NULL},
    {"Other stores that secure data", "P", NULL},
    {"Logs and metrics of infrastructure are planned, not those of applications only", "T P", NULL},
    {"Metrics and logs of containers and applications", "P", NULL},
    {"Versions and vulnerabilities of Kubernetes and the system", "N D",
     "a scanner of images and packages (its report on the versions that were seen here)"},
    {"Metrics and logs of nodes and clusters", "P", NULL},
    {"Audit logs of the API server, logs of kube-system", "P N",
     "whoever runs the control plane (audit policy and sink)"},
    {"Metrics of load balancers and logs of ingress", "P X",
     "whoever runs the load balancer (its access log at the time of this run)"},
    {"Observability tools of Gloo", "P", NULL},
    {"Troubleshooting: what fails is explained, with evidence for support", "P", NULL},
};
