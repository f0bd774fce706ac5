/* SPDX-License-Identifier: Apache-2.0
 *
 * What lines 19 to 39 of the check list are made of: load balancers, availability, keys, logs. The
 * parts of a line stand together, in the order of the lines. */
#include "reports/checklist_priv.h"

#define CLAIMS(line, of, checks)                                                                   \
    .item = (line), .kind = SP_PART_CLAIMS, .claim_kind = (of), .names = (checks)
#define NODE(line, checks)     CLAIMS(line, SP_CLAIM_NODE, checks)
#define ENDPOINT(line, checks) CLAIMS(line, SP_CLAIM_ENDPOINT, checks)
#define BALANCER(line, checks) CLAIMS(line, SP_CLAIM_BALANCER, checks)
#define CLOSED(line, ports)    .item = (line), .kind = SP_PART_CLOSED, .names = (ports)
#define OPEN(line, ports)      .item = (line), .kind = SP_PART_OPEN, .names = (ports)
#define LOOK(line, fn)         .item = (line), .kind = SP_PART_LOOK, .look = (fn)

#define FLOORS   "declare under nodes: what each role must be"
#define BEHAVIOR "declare under load_balancers: listeners: of each balancer"
#define DENY     "deny these ports by a rule, and give hosts probes"
#define CONTROL  "control-plane controlplane master"
#define KEYS     "kms vault"

const struct sp_part_def sp_parts_more[] = {
    {.item = 19,
     .kind = SP_PART_OPEN,
     .pair = sp_take_to_balancer,
     .what = "clients reach declared backends through each balancer",
     .hint = "declare load_balancers: with listeners and backends, and give these probes"},
    {LOOK(19, sp_look_addresses), .what = "each address of each balancer was reached",
     .hint = "give a client of the balancer a probe"},
    {LOOK(19, sp_look_round),
     .what = "backends are closed to those clients but through the balancer",
     .hint = "deny the backends' ports to the clients by a rule, and give both probes"},
    {BALANCER(19, "address_present"), .flags = SP_PART_OPTIONAL, .what = "the balancer is there"},

    {ENDPOINT(20, "dns tcp tls"), .flags = SP_PART_ANY | SP_PART_TWO,
     .subject = "!" SP_REPOSITORIES,
     .what = "names lead to declared addresses that answer, seen from two networks",
     .hint = "declare under endpoints: the global name, from hosts of two networks"},

    {BALANCER(21, "failover"), .flags = SP_PART_BALANCERS,
     .what = "traffic goes on in time when a backend is gone",
     .hint = BEHAVIOR ": failover_within"},

    {LOOK(22, sp_word_reserved), .flags = SP_PART_BY_WORD,
     .what = "no listener has a reserved port", .hint = "declare load_balancers: with listeners"},
    {BALANCER(22, "reserved_port"), .flags = SP_PART_OPTIONAL,
     .what = "nor one that its backends or provider use"},
    {NODE(22, "port_range"), .what = "nor one in the range of the nodes' own ports",
     .hint = FLOORS ": port_range"},

    {LOOK(23, sp_word_pool), .flags = SP_PART_BY_WORD,
     .what = "addresses of balancers come from their pools",
     .hint = "declare load_balancers: with address and pool"},
    {LOOK(23, sp_look_addresses), .what = "each of them was reached",
     .hint = "give a client of the balancer a probe"},
    {BALANCER(23, "address_pool address_present"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "and is there as declared"},

    {BALANCER(24, "hairpin source health_path idle_timeout"), .flags = SP_PART_BALANCERS,
     .what = "hairpin, source address, health check and idle timeout",
     .hint = BEHAVIOR ": hairpin, source, health, idle_timeout"},
    {.item = 24,
     .kind = SP_PART_CLOSED,
     .pair = sp_take_to_balancer,
     .what = "whoever is not declared as a client is kept out",
     .hint = "declare from: of each balancer, and give other hosts probes"},

    {BALANCER(25, "skew"), .flags = SP_PART_BALANCERS, .what = "connections are spread as declared",
     .hint = BEHAVIOR ": max_skew or weights"},
    {BALANCER(25, "cross_zone"), .flags = SP_PART_OPTIONAL,
     .what = "each zone's address reaches the other zones"},

    {BALANCER(26, "tls_mode"), .flags = SP_PART_BALANCERS,
     .what = "bytes pass unchanged, or TLS ends there, as declared", .hint = BEHAVIOR ": tls"},
    {BALANCER(26, "proxy_protocol"), .flags = SP_PART_BALANCERS,
     .what = "the PROXY header is there exactly when declared",
     .hint = BEHAVIOR ": proxy_protocol"},

    {LOOK(27, sp_word_replicas), .flags = SP_PART_BY_WORD,
     .what = "two members at least of each role and behind each listener",
     .hint = "give hosts their roles: control-plane, mgmt, edge, and so on"},
    {BALANCER(27, "failover"), .flags = SP_PART_BALANCERS,
     .what = "required flows go on without one of them", .hint = BEHAVIOR ": failover_within"},
    {.item = 27,
     .kind = SP_PART_OPEN,
     .who = "dr standby",
     .what = "the site for disaster recovery reaches what it will need",
     .hint = "give the hosts of that site the role dr, and allow what they need"},

    {LOOK(28, sp_word_zones), .flags = SP_PART_BY_WORD,
     .what = "two zones at least, none of which holds all hosts of a role",
     .hint = "declare zone: for the networks of nodes"},
    {NODE(28, "zone"), .flags = SP_PART_OPTIONAL, .what = "nodes tell the zone that is declared"},
    {.item = 28,
     .kind = SP_PART_OPEN,
     .pair = sp_take_zones,
     .what = "allowed flows between zones pass",
     .hint = "allow flows between zones, and give both ends probes"},

    {.item = 29,
     .kind = SP_PART_OPEN,
     .who = CONTROL,
     .to = KEYS,
     .what = "the control plane reaches the key management service",
     .hint = "give its host the role kms, and allow tcp/443 or tcp/8200 from the control plane"},
    {.item = 29,
     .kind = SP_PART_CLOSED,
     .to = KEYS,
     .flags = SP_PART_WAYS,
     .what = "whoever is not allowed does not",
     .hint = "give other hosts probes"},
    {.item = 29,
     .kind = SP_PART_ASK,
     .what = "what is stored in etcd is encrypted",
     .hint = "show the configuration of encryption, and a secret as etcd stores it"},

    {ENDPOINT(30, "tls_chain tls_name tls_expiry"),
     .what = "chain, name and expiry of certificates",
     .hint = "declare under endpoints: each TLS port with its authority, name and days to expiry"},
    {ENDPOINT(30, "cleartext"), .if_open = "tcp/9900", .subject = ":9900",
     .what = "tcp/9900 refuses clear text",
     .hint = "declare under endpoints: port 9900 of the management server with TLS required"},
    {ENDPOINT(30, "cleartext tls_issuer"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "clear text is refused, and issuers are as declared"},

    {CLOSED(31, "tcp/6379 tcp/2379 tcp/8090 tcp/10101"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS | SP_PART_MAY,
     .what = "Redis, etcd and the dashboard are closed to all others",
     .hint = DENY ": tcp/6379, tcp/2379, tcp/8090, tcp/10101"},
    {ENDPOINT(31, "closed cleartext"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .subject = ":6379 :2379 :8090 :10101", .what = "and refuse who does not log in"},

    {LOOK(32, sp_word_sinks), .flags = SP_PART_BY_WORD,
     .what = "each network with nodes has a sink for logs or metrics",
     .hint = "allow from each network with nodes what its logs and metrics need"},
    {OPEN(32, SP_SINK_PORTS), .flags = SP_PART_OPTIONAL, .what = "and reaches it"},

    {OPEN(33, "tcp/15020 tcp/15090 tcp/9091"), .what = "metrics of proxies are reached",
     .hint = "allow tcp/15020, tcp/15090 or tcp/9091 from the collector"},
    {CLOSED(33, "tcp/15020 tcp/15090 tcp/9091"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS | SP_PART_MAY, .what = "and closed to others",
     .hint = DENY ": tcp/15020, tcp/15090, tcp/9091"},
    {OPEN(33, "tcp/4317"), .what = "collectors reach the telemetry gateway",
     .hint = "allow tcp/4317 from the collectors"},

    {NODE(34, "kernel os"), .flags = SP_PART_NODES, .what = "versions of kernel and system",
     .hint = FLOORS ": kernel, os"},
    {NODE(34, "drift mitigations"), .flags = SP_PART_OPTIONAL | SP_PART_ANY,
     .what = "alike on all nodes of a role, with mitigations on"},
    {.item = 34,
     .kind = SP_PART_ASK,
     .what = "no known vulnerability in these versions",
     .hint = "show a scan of images and nodes, of the time of this run"},

    {OPEN(35, "tcp/9100 tcp/10250"),
     .who = "monitoring prometheus collector control-plane "
            "controlplane master",
     .what = "monitoring reaches metrics of nodes",
     .hint = "allow tcp/9100 or tcp/10250 from hosts with the role monitoring"},
    {CLOSED(35, "tcp/9100 tcp/10250"), .flags = SP_PART_ON_NODES | SP_PART_WAYS,
     .who = "monitoring prometheus collector control-plane controlplane master",
     .what = "others do not", .hint = DENY ": tcp/9100, tcp/10250"},
    {OPEN(35, SP_SINK_PORTS), .what = "nodes reach the sink of their logs",
     .hint = "allow what logs and metrics need: tcp/6514, tcp/4317, udp/514"},

    {OPEN(36, SP_SINK_PORTS " tcp/443"), .who = CONTROL,
     .what = "the control plane reaches the sink of its audit log",
     .hint = "allow from hosts with the role control-plane what the audit log needs"},
    {.item = 36,
     .kind = SP_PART_CLOSED,
     .to = SP_SINK_ROLES,
     .what = "whoever is not allowed cannot write there",
     .hint = "give the host of the sink the role logs, and other hosts probes"},
    {NODE(36, "kube_bench"), .what = "the API server writes an audit log",
     .hint = "declare under nodes: kube_bench, with the result of kube-bench on the control plane"},

    {.item = 37,
     .kind = SP_PART_OPEN,
     .pair = sp_take_to_balancer,
     .what = "requests that can be found in the balancer's log",
     .hint = "declare load_balancers:, and give their clients probes"},
    {.item = 37,
     .kind = SP_PART_ASK,
     .what = "the log tells of them",
     .hint = "show the log of the time of this run; the report tells sources and times"},

    {CLOSED(38, "tcp/9090 tcp/8090 tcp/10101 tcp/8888"),
     .flags = SP_PART_ON_NODES | SP_PART_WAYS | SP_PART_MAY,
     .what = "Prometheus, the dashboard and the collectors' own metrics are closed to others",
     .hint = DENY ": tcp/9090, tcp/8090, tcp/10101, tcp/8888"},
    {OPEN(38, "tcp/4317"), .what = "telemetry is pushed",
     .hint = "allow tcp/4317 from the collectors"},
    {ENDPOINT(38, "tls tls_name tls_chain"), .flags = SP_PART_ANY, .if_open = "tcp/4317",
     .subject = ":4317", .what = "over TLS",
     .hint = "declare under endpoints: port 4317 of the telemetry gateway with TLS and its name"},

    {LOOK(39, sp_look_causes), .what = "each finding has a cause, a repair and a command",
     .hint = "test something"},
    {LOOK(39, sp_look_evidence), .what = "packets are kept for each finding",
     .hint = "run with --evidence DIR"},
};
const size_t sp_nparts_more = SP_ARRAY_LEN(sp_parts_more);
