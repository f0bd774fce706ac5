/* SPDX-License-Identifier: Apache-2.0
 *
 * What lines 1 to 18 of the check list are made of: nodes and networking. The parts of a line stand
 * together, in the order of the lines. Ports are those of Kubernetes, Istio and Gloo by default. */
#include "reports/checklist_priv.h"

#define CLAIMS(line, of, checks)                                                                   \
    .item = (line), .kind = SP_PART_CLAIMS, .claim_kind = (of), .names = (checks)
#define NODE(line, checks)     CLAIMS(line, SP_CLAIM_NODE, checks)
#define ENDPOINT(line, checks) CLAIMS(line, SP_CLAIM_ENDPOINT, checks)
#define CLOSED(line, ports)    .item = (line), .kind = SP_PART_CLOSED, .names = (ports)
#define OPEN(line, ports)      .item = (line), .kind = SP_PART_OPEN, .names = (ports)
#define LOOK(line, fn)         .item = (line), .kind = SP_PART_LOOK, .look = (fn)

#define FLOORS "declare under nodes: what each role must be"
#define ASK_ALL                                                                                    \
    "deny these ports by a rule, so that every pair of hosts is asked, and give hosts probes"

const struct sp_part_def sp_parts_nodes[] = {
    {LOOK(1, sp_word_named), .flags = SP_PART_BY_WORD,
     .what = "each network has an owner, the provider",
     .hint = "declare owner: for each network that stands in no other"},
    {LOOK(1, sp_word_inside), .flags = SP_PART_BY_WORD,
     .what = "hosts stand in the ranges of their networks",
     .hint = "declare the cidr: of each network"},
    {LOOK(1, sp_look_probes), .what = "each probe came up where it is declared",
     .hint = "start the probes again; the report names the host"},
    {NODE(1, "virtualisation"), .flags = SP_PART_NODES,
     .what = "each node runs on the kind of machine that is declared",
     .hint = FLOORS ": virtualisation"},

    {LOOK(2, sp_look_matrix), .what = "every flow of the run is as declared",
     .hint = "repeat the tests that have no conclusion"},
    {LOOK(2, sp_look_reach), .what = "the run reached all that is declared",
     .hint = "run without --from, --to, --only and --skip, with a probe on every host"},

    {.item = 3,
     .kind = SP_PART_ITEMS,
     .names = "*",
     .what = "all other lines",
     .hint = "see the lines"},

    {NODE(4, "cpus memory"), .flags = SP_PART_NODES, .what = "processors and memory of each node",
     .hint = FLOORS ": cpus, memory"},

    {LOOK(5, sp_word_clusters), .flags = SP_PART_BY_WORD,
     .what = "clusters have legal names, one of them holds the management server",
     .hint = "give hosts the roles mgmt and node"},
    {LOOK(5, sp_look_clusters), .what = "each cluster has a probe that took part",
     .hint = "give a host of each cluster a probe"},

    {.item = 6,
     .kind = SP_PART_ITEMS,
     .names = "7 8 9 10 11 12",
     .what = "lines 7 to 12",
     .hint = "see the lines"},

    {NODE(7, "virtualisation"), .flags = SP_PART_NODES,
     .what = "each node runs on the kind of machine that is declared",
     .hint = FLOORS ": virtualisation"},
    {NODE(7, "mitigations"), .flags = SP_PART_NODES,
     .what = "each node's kernel mitigates what tenants of one processor could do",
     .hint = FLOORS ": mitigations"},
    {.item = 7,
     .kind = SP_PART_ASK,
     .what = "no other tenant on the same machine",
     .hint = "show how instances are placed: dedicated hosts, placement groups"},

    {NODE(8, "kernel"), .flags = SP_PART_NODES, .what = "the kernel of each node",
     .hint = FLOORS ": kernel"},
    {NODE(8, "os fips lockdown modules drift"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "system, FIPS mode, modules, and nodes of one role are alike"},

    {NODE(9, "lsm"), .flags = SP_PART_NODES, .what = "the declared module is active and enforces",
     .hint = FLOORS ": lsm"},
    {NODE(9, "lsm_label"), .flags = SP_PART_OPTIONAL, .what = "the probe itself is confined by it"},

    {CLOSED(10, "tcp/10255 tcp/10249 tcp/10257 tcp/10259"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS,
     .what = "read-only kubelet, kube-proxy metrics, controller manager, scheduler are closed",
     .hint = ASK_ALL ": tcp/10249, tcp/10255, tcp/10257, tcp/10259"},
    {CLOSED(10, "tcp/2379 tcp/2380"), .flags = SP_PART_ON_NODES | SP_PART_WAYS,
     .who = "control-plane controlplane master etcd",
     .what = "etcd is closed but for the control plane", .hint = ASK_ALL ": tcp/2379-2380"},
    {ENDPOINT(10, "http_status closed"), .flags = SP_PART_ANY, .subject = ":10250",
     .if_open = "tcp/10250", .what = "the kubelet refuses whoever does not log in",
     .hint = "declare under endpoints: port 10250 of the nodes with status 401"},
    {NODE(10, "kube_bench listeners"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "what kube-bench and the nodes tell"},

    {CLOSED(11, "tcp/22"), .flags = SP_PART_ON_NODES | SP_PART_WAYS, .who = "bastion jump",
     .what = "tcp/22 is closed but for the bastion",
     .hint = "deny tcp/22 by a rule, give the bastion the role bastion, and hosts probes"},
    {OPEN(11, "tcp/22"), .flags = SP_PART_OPTIONAL, .who = "bastion jump",
     .what = "tcp/22 is open from the bastion where that is declared"},
    {NODE(11, "sshd"), .flags = SP_PART_OPTIONAL, .what = "sshd listens as declared"},

    {NODE(12, "disk_encryption"), .flags = SP_PART_NODES, .what = "disks of each node",
     .hint = FLOORS ": disk_encryption"},

    {.item = 13,
     .kind = SP_PART_OPEN,
     .flags = SP_PART_OPTIONAL,
     .takes = sp_take_preset,
     .what = "flows that presets need are open"},
    {OPEN(13, "tcp/9900 tcp/4317 tcp/15443 tcp/15012 tcp/15017 tcp/15021 tcp/15008"),
     .what = "the ports of the gateway are open where that is declared",
     .hint = "declare use: [gloo-mesh-gateway] with roles, or rules that allow tcp/9900, tcp/4317, "
             "tcp/15443 and so on"},
    {.item = 13,
     .kind = SP_PART_CLOSED,
     .flags = SP_PART_OPTIONAL,
     .takes = sp_take_preset,
     .what = "flows that presets forbid are closed"},
    {CLOSED(13, "tcp/15000 tcp/15002 tcp/15004 tcp/15053"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS,
     .what = "ports of sidecars for their own pod are closed",
     .hint = ASK_ALL ": tcp/15000, tcp/15002, tcp/15004, tcp/15053"},
    {CLOSED(13, "tcp/15010 tcp/15014 tcp/9977 tcp/9988"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS | SP_PART_MAY,
     .what = "ports inside a cluster are closed to others",
     .hint = ASK_ALL ": tcp/15010, tcp/15014, tcp/9977, tcp/9988"},
    {LOOK(13, sp_look_presets), .flags = SP_PART_OPTIONAL,
     .what = "each line of the presets was tested", .hint = "give the hosts of its roles probes"},

    {ENDPOINT(14, "dns tcp tls tls_chain tls_name tls_expiry tls_issuer alpn http_status redirect "
                  "closed"),
     .flags = SP_PART_ANY | SP_PART_PLACES, .subject = SP_REPOSITORIES,
     .what = "registries answer each network with nodes, or are closed where that is declared",
     .hint = "declare the registries under endpoints:, from every network with nodes"},
    {ENDPOINT(14, "tls_chain tls_issuer closed"), .flags = SP_PART_ANY, .subject = SP_REPOSITORIES,
     .what = "nobody on the way replaces their certificates",
     .hint = "declare the authority of the registries under endpoints:"},

    {.item = 15,
     .kind = SP_PART_ITEMS,
     .names = "16 17 18",
     .what = "lines 16 to 18",
     .hint = "see the lines"},

    {LOOK(16, sp_word_overlap), .flags = SP_PART_BY_WORD, .what = "ranges do not overlap",
     .hint = "declare the cidr: of each network"},
    {.item = 16,
     .kind = SP_PART_CLOSED,
     .flags = SP_PART_WAYS | SP_PART_INSIDE,
     .what = "whatever is not allowed is closed, between all hosts",
     .hint = "run without --from and --to, with a probe on every host"},
    {LOOK(16, sp_look_protocols), .what = "TCP, UDP and ICMP were asked, over each family",
     .hint = "run without --only and --skip"},
    {NODE(16, "forwarding"), .flags = SP_PART_OPTIONAL,
     .what = "nodes do not pass on what is not theirs"},

    {LOOK(17, sp_look_layers), .what = "firewalls and policies on hosts are declared and tested",
     .hint = "declare under enforcement: the firewalls, and the policies with layer: host"},
    {.item = 17,
     .kind = SP_PART_CLOSED,
     .what = "they stop what they must",
     .flags = SP_PART_INSIDE,
     .hint = "give hosts probes"},
    {.item = 17,
     .kind = SP_PART_OPEN,
     .what = "allowed flows pass, there and back",
     .hint = "declare what is allowed, and give hosts probes"},
    {.item = 17,
     .kind = SP_PART_CLOSED,
     .pair = sp_take_reverse,
     .what = "the way back takes answers only, no new connections",
     .hint = "give both ends of allowed flows probes"},
    {NODE(17, "rp_filter conntrack"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "reverse path filter and connection tracking of nodes"},

    {.item = 18,
     .kind = SP_PART_CLOSED,
     .flags = SP_PART_OUTSIDE | SP_PART_WAYS,
     .what = "whatever is not allowed from outside is closed",
     .hint = "give a host of an external network a probe"},
    {CLOSED(18, "tcp/22 tcp/2379 tcp/10250 tcp/10255 tcp/30000 tcp/32767"),
     .flags = SP_PART_ON_NODES | SP_PART_OUTSIDE | SP_PART_WAYS | SP_PART_NO_EDGE,
     .what = "management ports and NodePorts of other nodes are closed from outside",
     .hint = "deny tcp/22, tcp/2379, tcp/10250, tcp/10255, tcp/30000-32767 from outside by a rule, "
             "and give a host of an external network a probe"},
    {NODE(18, "public_address"), .flags = SP_PART_NODES | SP_PART_NO_EDGE,
     .what = "other nodes have no public address", .hint = FLOORS ": public_address"},
};
const size_t sp_nparts_nodes = SP_ARRAY_LEN(sp_parts_nodes);
