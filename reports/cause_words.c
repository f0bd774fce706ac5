/* SPDX-License-Identifier: Apache-2.0
 *
 * Causes in words: what is likely wrong, and the change that repairs it. They are told as likely.
 * "@" stands for the host or load balancer that sp_cause_subject() names; what nftables calls it
 * stands between backquotes. */
#include "reports/group.h"

static const struct {
    const char *cause, *remedy;
} words[SP_CAUSE_COUNT] = {
    [SP_CAUSE_ELSEWHERE] = {"the packets end at another host: address translation or routing "
                            "sends them there",
                            "look for a translation or route that matches this destination"},
    [SP_CAUSE_REWRITTEN] = {"something on the path rewrites addresses or ports",
                            "remove the translation, or declare it with nat: or seen_as:"},
    [SP_CAUSE_TWIN_IPV6] = {"the IPv6 rules do not match the IPv4 rules",
                            "write the IPv4 rule for IPv6 as well"},
    [SP_CAUSE_TWIN_IPV4] = {"the IPv4 rules do not match the IPv6 rules",
                            "write the IPv6 rule for IPv4 as well"},
    [SP_CAUSE_NO_FILTER] = {"nothing filters these flows, so the declared rules are not enforced "
                            "here: every port that was tested and that no rule opens gets through",
                            "put a default deny on the path (nftables: `policy drop`), or send "
                            "this traffic through the firewall"},
    [SP_CAUSE_NO_IPV6] = {"nothing filters IPv6 where IPv4 is filtered",
                          "write the rules for both families (nftables: a table of family inet), "
                          "with a default deny"},
    [SP_CAUSE_TOO_WIDE] = {"the range that a rule opens is one port too wide",
                           "compare the ends of the range with the declared ones"},
    [SP_CAUSE_TOO_FAR] = {"the range that a rule opens goes further than declared",
                          "compare the ends of the range with the declared ones"},
    [SP_CAUSE_OTHER_PROTOCOL] = {"a rule for the same port opens more protocols than declared",
                                 "name the protocol in the rule"},
    [SP_CAUSE_BOTH_WAYS] = {"the rule that opens this port for the other direction works both "
                            "ways",
                            "bind the rule to one direction, and let only established flows back"},
    [SP_CAUSE_ANY_SOURCE] = {"the rule that opens this port for others does not limit its sources",
                             "name the sources in the rule"},
    [SP_CAUSE_HOST_OPEN] = {"the receiver's own firewall lets it in",
                            "close it in the host's firewall"},
    [SP_CAUSE_LET_THROUGH] =
        {"a rule on the path lets it through, or none stops it",
         "find the rule that matches this flow (nftables: `meta nftrace set 1`, `nft monitor "
         "trace`), and narrow it"},
    [SP_CAUSE_SENDER_POLICY] = {"the sender's own firewall refuses to send it",
                                "open it in the sender's outbound rules"},
    [SP_CAUSE_TOO_NARROW] = {"the range that a rule opens is too short at its end",
                             "compare the ends of the range with the declared ones"},
    [SP_CAUSE_REJECTED] = {"a device answers for the receiver and rejects it",
                           "add the declared rule on the device that answers"},
    [SP_CAUSE_NOT_FROM_HERE] =
        {"others reach the same port, and packets from this source are dropped: the rule for it is "
         "missing (a test from elsewhere would have passed)",
         "add the declared rule for this source, on the firewall between the two or in the route "
         "back to it"},
    [SP_CAUSE_NOT_TO_HERE] =
        {"a neighbour in the receiver's segment is reached, and this host is not: a route or a "
         "rule does not cover its address",
         "look for routes, peerings and rules that name a part of the segment's addresses only"},
    [SP_CAUSE_IP_PROTOCOL] = {"the path drops this IP protocol, and passes others between the same "
                              "two hosts",
                              "allow the IP protocol itself on the firewall or in the security "
                              "group (rules for ports do not match it), or ask the provider "
                              "whether it carries it at all"},
    [SP_CAUSE_NO_ADDRESS] = {"a router answers that nobody has this address, or that it knows no "
                             "route to it",
                             "check that the address is assigned where it should be, then the "
                             "routes to it"},
    [SP_CAUSE_NO_WAY] = {"none of the allowed flows of this protocol gets through on this path",
                         "check the route, and that the firewall between them has these rules"},
    [SP_CAUSE_DROPPED] = {"a device on the path drops it: the declared rule is missing there",
                          "add the declared rule on the firewall between the two"},
    [SP_CAUSE_HOST_FILTER] = {"the receiver's own firewall drops it: it reached the interface, "
                              "not the host",
                              "open it in the host's firewall; if no rule there drops it, look at "
                              "its reverse path filter (rp_filter) and at its full tables"},
    [SP_CAUSE_REVERSE_PATH] =
        {"it reached the receiver's interface, not the host: its reverse path filter is strict, "
         "and drops what comes in where answers would not go out (asymmetric routes)",
         "let the routes back leave by the interface that it comes in on, or set rp_filter to 2 "
         "(loose) there; else look at the host's firewall"},
    [SP_CAUSE_NO_ANSWER] = {"the receiver gets it and sends no answer",
                            "look for an outbound rule on the receiver, or for a service that "
                            "stays silent"},
    [SP_CAUSE_WAY_BACK] = {"the answer leaves the receiver and is lost: the way back is blocked",
                           "let established flows back, and check that both ways use one "
                           "stateful firewall"},
    [SP_CAUSE_LOSS] = {"the path loses packets: overload, a rate limit, or parallel paths with "
                       "different rules",
                       "compare the rules of the parallel paths, then look for rate limits"},
    [SP_CAUSE_LOSS_BACK] =
        {"everything arrives, and some answers are lost on the way back: they take another path, "
         "past the load balancer, translation or firewall that the flow came through",
         "make answers return the way that their flows come: source translation at the balancer, "
         "or routes of the receivers that lead back to it"},
    [SP_CAUSE_LOSS_UDP] = {"datagrams are lost where TCP of the same port passes: a limit of UDP, "
                           "or a race in connection tracking",
                           "look for rate limits of UDP, and at insert_failed in `conntrack -S` "
                           "of the hosts and routers on the path"},
    [SP_CAUSE_PROXY] = {"something on the path answers in place of the receiver",
                        "find the proxy that answers and close the flow there, or declare it"},
    [SP_CAUSE_PROXY_PASSES] = {"a SYN proxy answers, and lets the connection through once it is "
                               "completed",
                               "close the flow in the rules of the device that runs the SYN proxy: "
                               "a proxy does not filter"},
    [SP_CAUSE_PROXY_ENDS] =
        {"a SYN proxy answers, and never lets the connection through",
         "drop the flow before the SYN proxy if it is denied, open the way behind "
         "it if it is allowed"},
    [SP_CAUSE_PROXY_BLIND] = {"a SYN proxy answers, and nothing shows whether it lets the "
                              "connection through",
                              "give the target a probe, which tells what arrives"},
    [SP_CAUSE_RELAY] = {"a relay answers, and calls the receiver itself",
                        "find the relay that answers and close the flow there"},
    [SP_CAUSE_STATELESS] = {"packets outside any connection get through: the filter is stateless, "
                            "or picks up flows in the middle",
                            "let only a SYN open a connection, and drop the rest (nftables: `ct "
                            "state invalid drop`, nf_conntrack_tcp_loose=0)"},
    [SP_CAUSE_BAD_CHECKSUM] = {"packets with a wrong checksum get past the filter, which no host "
                               "would accept",
                               "let the filter verify checksums (nf_conntrack_checksum=1) and drop "
                               "what is wrong (nftables: `ct state invalid drop`)"},
    [SP_CAUSE_SOURCE_PORT] = {"a rule trusts the source port @, which every sender can choose",

                              "let answers back by state, not by source port (nftables: `ct state "
                              "established accept` in place of `sport`)"},
    [SP_CAUSE_FRAGMENTS] =
        {"fragments get past the filter, which decides before they are put "
         "together",
         "put fragments together before the rules (nftables: any `ct` rule does), "
         "or drop them (`ip frag-off & 0x3fff != 0 drop`)"},
    [SP_CAUSE_FRAGMENT_HEADS] =
        {"a filter on the path decides fragment by fragment, and passes the first of one that it "
         "should have stopped",
         "put fragments together before the rules (nftables: any `ct` rule does)"},
    [SP_CAUSE_FRAGMENT_TAILS] =
        {"fragments without a head pass: a filter on the path lets later fragments through "
         "unseen, though nobody can put these together",
         "put fragments together before the rules (nftables: any `ct` rule does), or drop those "
         "that begin in the middle (`ip frag-off & 0x1fff != 0 drop`)"},
    [SP_CAUSE_IP_OPTIONS] = {"packets with IP options get past the filter",
                             "drop packets with options (nftables: `ip hdrlength > 5 drop`)"},
    [SP_CAUSE_SOURCE_ROUTE] = {"packets that choose their own route get past the filter",
                               "drop source routes (nftables: `ip option lsrr exists drop`, `ip "
                               "option ssrr exists drop`; accept_source_route=0)"},
    [SP_CAUSE_EXT_HEADERS] = {"IPv6 extension headers hide the port from the filter",
                              "match the protocol behind them (nftables: `meta l4proto`, not `ip6 "
                              "nexthdr`), and drop headers that nobody needs"},
    [SP_CAUSE_SPOOFED] = {"packets with a forged source get through",
                          "check sources where they enter (nftables: `fib saddr . iif oif missing "
                          "drop`, or rp_filter=1)"},
    [SP_CAUSE_OTHER_PROTOCOLS] = {"the filter stops TCP and UDP, and lets other IP protocols "
                                  "through",
                                  "deny every protocol by default (nftables: `policy drop`), and "
                                  "accept those that are declared"},
    [SP_CAUSE_ENCAPSULATED] = {"a tunnel carries denied flows past the filter",
                               "close the tunnel's protocol or port on the filter, or filter again "
                               "where the tunnel ends"},
    [SP_CAUSE_ICMP_TYPES] = {"the filter lets through ICMP types that nobody declared",
                             "name the ICMP types in the rule (nftables: `icmp type echo-request "
                             "accept`)"},
    [SP_CAUSE_ICMP_FORGED] = {"the filter lets through ICMP errors that belong to no flow",
                              "accept ICMP errors by state alone (nftables: `ct state related "
                              "accept`)"},
    [SP_CAUSE_BYPASS] = {"a filter on the path stops ordinary packets, and passes those of this "
                         "technique",
                         "find the rule that this packet slips past, and match every packet of the "
                         "flow there"},
    [SP_CAUSE_KNOWN_ADDRESS] = {"@ answers, though it is denied: the rules for the rest of the "
                                "network do not cover this address",
                                "deny this address by itself, on the node or in the policy: it is "
                                "served by the provider, beside the network's own firewalls"},
    [SP_CAUSE_MASQUERADED] =
        {"something on the path rewrites the source (SNAT, masquerade): it arrives as coming from "
         "@, so rules for the real sender do not match",
         "exclude these networks from the translation, or declare it with nat: or seen_as:"},
    [SP_CAUSE_ONE_ADDRESS] = {"the address @ is not reached, though another address of the same "
                              "host is",
                              "check the routes and rules for @"},
    [SP_CAUSE_AROUND] =
        {"it goes around the load balancer @: its backend's port is open to clients",
         "let only @ reach the backend's port"},
    [SP_CAUSE_BALANCER_PORT] = {"the load balancer's address takes a port that it does not declare",
                                "remove the listener of @ that takes it, or declare it"},
    [SP_CAUSE_BALANCER_CLIENT] = {"the load balancer serves clients that its `from` does not name",
                                  "limit the clients of @ in front of it or in its own rules"},
    [SP_CAUSE_BALANCER_SILENT] =
        {"nothing comes from the load balancer's address: it is down, does "
         "not listen there, or the path to it is closed",
         "check that @ runs and listens there, then the firewall before it"},
    [SP_CAUSE_BALANCER_ADDRESS] =
        {"one address of the load balancer, @, never answers, and its others do: clients that pick "
         "this one time out",
         "bring @ back (a dead zone, no target behind it, or a firewall that does not know it), or "
         "take it out of the name and the topology"},
    [SP_CAUSE_BALANCER_REFUSES] =
        {"the load balancer's address refuses connections: nothing listens there yet, or it has "
         "nobody to pass them on to (a filter would be silent)",
         "check that @ has a listener for this port and a backend that is ready"},
    [SP_CAUSE_BACKENDS_DEAD] = {"the load balancer answers and no backend gets anything: it has "
                                "nobody to pass it on to",
                                "check that the backends of @ are in rotation and pass its health "
                                "check, and that it may reach their port"},
    [SP_CAUSE_BACKEND_MISSED] =
        {"the load balancer never passes a flow to @: dead, out of rotation, "
         "closed by its own firewall, or failing the health check",
         "check that @ is in the pool and passes the health check, and that "
         "its firewall lets the load balancer in"},
    [SP_CAUSE_BACKEND_FOREIGN] =
        {"the load balancer passes flows to @, which is no backend of this "
         "listener",
         "take @ out of the pool, or declare it as a backend"},
    [SP_CAUSE_BACKEND_UNKNOWN] = {"answered by somebody who is no declared backend",
                                  "look for members of the pool of @ that are not declared"},
    [SP_CAUSE_SOURCE_REWRITTEN] = {"the load balancer rewrites the source that it should "
                                   "preserve",
                                   "make @ keep the client's address, or declare `source: "
                                   "rewritten`"},
    [SP_CAUSE_SOURCE_OTHER] = {"it reaches the backend with other addresses or ports than the load "
                               "balancer's declaration says",
                               "compare how it arrived with `sources`, `source` and `backend_port` "
                               "of @"},
};

const char *sp_cause_str(enum sp_cause cause)
{
    return cause < SP_CAUSE_COUNT ? words[cause].cause : "unknown";
}

const char *sp_cause_remedy(enum sp_cause cause)
{
    return cause < SP_CAUSE_COUNT ? words[cause].remedy : "";
}
