/* SPDX-License-Identifier: Apache-2.0
 *
 * An explanation in words. */
#include <stdio.h>

#include "probe/base/buf.h"
#include "topologies/explain.h"
#include "topologies/plan_priv.h"

#define SP_PIECE_STRLEN   48
#define SP_NAMED_MEMBERS  4U
#define SP_NAMED_BACKENDS 8U

/* "tcp/22", "tcp/1-21", "icmp/echo", "icmp/0.0-7.255". */
static const char *piece_str(uint8_t proto, uint16_t lo, uint16_t hi,
                             char out[static SP_PIECE_STRLEN])
{
    char a[SP_PORTSPEC_STRLEN], b[SP_PORTSPEC_STRLEN];
    bool icmp = proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6;
    if (icmp && (lo & 0xff) == 0 && hi == (lo | 0xff)) {
        struct sp_portspec type = {.proto = proto, .lo = lo, .hi = hi};
        (void)snprintf(out, SP_PIECE_STRLEN, "%s", sp_portspec_str(&type, a));
    } else if (icmp) {
        (void)snprintf(out, SP_PIECE_STRLEN, "%s/%u.%u", sp_proto_str(proto), lo >> 8U, lo & 0xffU);
        if (lo != hi) {
            (void)snprintf(out, SP_PIECE_STRLEN, "%s/%u.%u-%u.%u", sp_proto_str(proto), lo >> 8U,
                           lo & 0xffU, hi >> 8U, hi & 0xffU);
        }
    } else if (lo == hi) {
        (void)snprintf(out, SP_PIECE_STRLEN, "%s/%s", sp_proto_str(proto),
                       sp_proto_port_str(proto, lo, a));
    } else {
        (void)snprintf(out, SP_PIECE_STRLEN, "%s/%s-%s", sp_proto_str(proto),
                       sp_proto_port_str(proto, lo, a), sp_proto_port_str(proto, hi, b));
    }
    return out;
}

static const char *expect_word(uint8_t expect)
{
    return expect == SP_EXPECT_ALLOW    ? "allowed: it must work"
           : expect == SP_EXPECT_PERMIT ? "permitted: it may work"
                                        : "denied";
}

static const char *kind_word(enum sp_rule_kind kind)
{
    switch (kind) {
    case SP_RULE_DENY:
        return "deny";
    case SP_RULE_ALLOW:
        return "allow";
    case SP_RULE_PERMIT:
        return "permit";
    case SP_RULE_ISOLATION:
        break;
    }
    return "isolation";
}

/* allow "web-to-db" (shop.yaml:30) or isolation:prod-dev (shop.yaml:41) */
static void print_rule(const struct sp_model *model, uint32_t index, struct sp_buf *out)
{
    const struct sp_rule *rule = &model->rules[index];
    if (rule->kind == SP_RULE_ISOLATION) {
        sp_buf_str(out, rule->name);
    } else {
        sp_buf_fmt(out, "%s \"%s\"", kind_word(rule->kind), rule->name);
    }
    sp_buf_fmt(out, " (%s:%u)", model->file, (unsigned)rule->pos.line);
}

static void print_decision(const struct sp_explain_piece *piece, const struct sp_model *model,
                           struct sp_buf *out)
{
    if (piece->rule == SP_NONE) {
        sp_buf_fmt(out, "  %s\n", piece->by_default);
    } else {
        const struct sp_rule *rule = &model->rules[piece->rule];
        sp_buf_str(out, "  by ");
        print_rule(model, piece->rule, out);
        if (rule->kind == SP_RULE_ALLOW && piece->expect == SP_EXPECT_PERMIT) {
            sp_buf_str(out, "; a wildcard only permits");
        }
        if (rule->why) {
            sp_buf_fmt(out, "; why: %s", rule->why);
        }
        if (rule->source) {
            sp_buf_fmt(out, " (source: %s)", rule->source);
        }
        if (rule->is_expired && rule->expires) {
            sp_buf_fmt(out, "; expired %s, but an expired rule still counts", rule->expires);
        }
        sp_buf_char(out, '\n');
    }
    for (size_t i = 0; i < piece->nmatches; i++) {
        if (!piece->matches[i].decides) {
            sp_buf_str(out, "  would match too: ");
            print_rule(model, piece->matches[i].rule, out);
            sp_buf_fmt(out, ", but %s\n", piece->matches[i].loses);
        }
    }
}

/* Who has to receive what of the flows to a balancer. */
static void print_listener(const struct sp_explain_piece *piece, const struct sp_model *model,
                           struct sp_buf *out)
{
    const struct sp_listener *listener = piece->listener;
    char port[SP_PIECE_STRLEN];
    (void)piece_str(piece->proto, listener->backend_port, listener->backend_port, port);
    size_t blind = 0;
    sp_buf_str(out, "  a load balancer passes it on to ");
    for (size_t i = 0; i < listener->nbackends; i++) {
        const struct sp_host *host = &model->hosts[listener->backends[i]];
        blind += host->via == NULL;
        if (i < SP_NAMED_BACKENDS) {
            sp_buf_fmt(out, "%s%s",
                       i == 0                         ? ""
                       : i + 1 == listener->nbackends ? " or "
                                                      : ", ",
                       host->name);
        }
    }
    if (listener->nbackends > SP_NAMED_BACKENDS) {
        sp_buf_fmt(out, " or %zu more", listener->nbackends - SP_NAMED_BACKENDS);
    }
    sp_buf_fmt(out, " at %s (mode %s, source %s)\n", port, listener->mode ? listener->mode : "l4",
               listener->source ? listener->source : "preserved");
    if (piece->untested) {
        return;
    }
    if (blind == listener->nbackends) {
        sp_buf_str(out, "  tested: the address must answer; no backend has a probe\n");
        return;
    }
    sp_buf_fmt(out,
               "  tested: by %s;\n  with %u flows or more, every backend%s must receive at "
               "least one, and nobody else any\n",
               piece->talks ? "conversations (a handshake, tagged data, a reset)"
                            : "tagged packets",
               piece->flows, blind > 0 ? " with a probe" : "");
    if (sp_listener_data_ok(model, listener)) {
        sp_buf_str(out, "  the data goes to the service behind it, which is marked `data: ok`, or "
                        "to a stand-in\n  listener where nothing listens\n");
    } else if (piece->talks) {
        sp_buf_str(out, "  the data goes to stand-in listeners on the backends (hazard class B); "
                        "where a real\n  service listens it is not tested, unless the service is "
                        "marked `data: ok`\n");
    } else {
        sp_buf_str(out, "  where a real service listens it is not tested, unless the service is "
                        "marked `data: ok`\n");
    }
}

static void print_tested(const struct sp_explain_piece *piece, const struct sp_model *model,
                         struct sp_buf *out)
{
    char text[SP_PIECE_STRLEN];
    if (piece->listener) {
        print_listener(piece, model, out);
    }
    if (piece->untested) {
        sp_buf_fmt(out, "  not tested: %s\n", piece->untested);
        return;
    }
    if (piece->listener) {
        return;
    }
    bool icmp = piece->proto == SP_PROTO_ICMP || piece->proto == SP_PROTO_ICMP6;
    const struct sp_interval *iv = &piece->interval;
    uint16_t echo = piece->proto == SP_PROTO_ICMP6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO;
    if (icmp && piece->lo <= echo && echo <= piece->hi) {
        sp_buf_str(out, "  tested: by an echo request\n");
    } else if (piece->proto == SP_PROTO_IP) {
        sp_buf_fmt(out, "  tested: by samples of %s, each in one direction per run\n",
                   piece_str(piece->proto, iv->lo, iv->hi, text));
    } else if (icmp && piece->tested_itself) {
        sp_buf_str(out, "  tested: this very type and code, at standard depth\n");
    } else if (piece->tested_itself) {
        sp_buf_str(out, "  tested: this very port, at standard depth\n");
    } else {
        sp_buf_fmt(out, "  tested: by samples of %s%s\n",
                   piece_str(piece->proto, iv->lo, iv->hi, text),
                   piece->lo == piece->hi ? ", not surely this very port" : "");
    }
}

static void print_paths(const struct sp_explain_answer *answer, const struct sp_model *model,
                        struct sp_buf *out)
{
    char a[SP_ADDR_STRLEN], b[SP_ADDR_STRLEN];
    for (size_t i = 0; answer->nmembers == 1 && i < answer->npaths; i++) {
        const struct sp_pair *pair = &answer->paths[i].pair;
        sp_buf_fmt(out, "  %s: %s -> %s", sp_family_str(pair->family), sp_addr_str(&pair->src, a),
                   sp_addr_str(&pair->dst, b));
        if (!sp_addr_eq(&pair->dst, &pair->own)) {
            sp_buf_fmt(out, ", which is %s there", sp_addr_str(&pair->own, b));
        }
        if (!sp_addr_eq(&pair->src, &pair->src_seen)) {
            sp_buf_fmt(out, ", seen as coming from %s", sp_addr_str(&pair->src_seen, b));
        }
        if (answer->paths[i].untested) {
            sp_buf_fmt(out, " (not tested: %s)", answer->paths[i].untested);
        }
        sp_buf_char(out, '\n');
    }
    const struct sp_enforcement *point = answer->enforcement;
    const char *layer = point && point->layer == SP_LAYER_HOST
                            ? "behind the receiver's own firewall"
                            : "at the receiver's network card";
    if (point) {
        sp_buf_fmt(out, "  enforced by %s (%s:%u); a denied packet is looked for %s\n", point->name,
                   model->file, (unsigned)point->pos.line, layer);
    } else {
        sp_buf_fmt(out, "  no enforcement point is declared; a denied packet is looked for %s\n",
                   layer);
    }
    if (answer->npaths > 0 && answer->paths[0].pair.one_sided) {
        sp_buf_str(out, "  the receiver has no probe: evidence from the sender's side only\n");
    }
}

/* Who the answer is about: the words of the question when there is one answer for all. */
static void print_who(const struct sp_explanation *explanation,
                      const struct sp_explain_answer *answer, const struct sp_model *model,
                      struct sp_buf *out)
{
    if (explanation->nanswers == 1) {
        sp_buf_fmt(out, "%s -> %s", explanation->from, explanation->to);
        return;
    }
    for (size_t i = 0; i < answer->nmembers && i < SP_NAMED_MEMBERS; i++) {
        sp_buf_fmt(out, "%s%s -> %s", i > 0 ? ", " : "",
                   sp_model_target_name(model, answer->members[i].from),
                   sp_model_target_name(model, answer->members[i].to));
    }
    if (answer->nmembers > SP_NAMED_MEMBERS) {
        size_t more = answer->nmembers - SP_NAMED_MEMBERS;
        sp_buf_fmt(out, " and %zu more pair%s", more, more == 1 ? "" : "s");
    }
}

void sp_explanation_print(const struct sp_explanation *explanation, const struct sp_model *model,
                          struct sp_buf *out)
{
    char text[SP_PIECE_STRLEN];
    for (size_t i = 0; i < explanation->nanswers; i++) {
        const struct sp_explain_answer *answer = &explanation->answers[i];
        for (size_t k = 0; k < answer->npieces; k++) {
            const struct sp_explain_piece *piece = &answer->pieces[k];
            print_who(explanation, answer, model, out);
            sp_buf_fmt(out, " %s: %s\n", piece_str(piece->proto, piece->lo, piece->hi, text),
                       expect_word(piece->expect));
            print_decision(piece, model, out);
            print_tested(piece, model, out);
        }
        print_paths(answer, model, out);
    }
    if (explanation->nanswers == 0) {
        sp_buf_fmt(out, "%s -> %s: nothing to explain, no two different hosts\n", explanation->from,
                   explanation->to);
    }
}
