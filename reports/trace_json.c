/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace as JSON, "segproof-trace/1": one object per traced pair of addresses. Members are only
 * ever added. */
#include "probe/base/mem.h"
#include "reports/formats/json_out.h"
#include "reports/group.h"
#include "reports/trace_priv.h"

static void add_addr(struct sp_json *json, const char *key, const struct sp_addr *addr)
{
    char text[SP_ADDR_STRLEN];
    sp_json_str(json, key, addr->family ? sp_addr_str(addr, text) : NULL);
}

static void add_tuple(struct sp_json *json, const struct sp_tuple *tuple)
{
    add_addr(json, "src", &tuple->src);
    add_addr(json, "dst", &tuple->dst);
    sp_json_u64(json, "sport", tuple->sport);
    sp_json_u64(json, "dport", tuple->dport);
}

static const char *name_of(const struct sp_trace *t, uint32_t target)
{
    return target < sp_model_ntargets(t->model) ? sp_model_target_name(t->model, target) : NULL;
}

static void add_passes(struct sp_json *to, const struct sp_trace *t, uint32_t host)
{
    cJSON *list = sp_json_array(to, "passed");
    for (size_t i = 0; i < t->npasses; i++) {
        const struct sp_trace_pass *pass = &t->passes[i];
        if (pass->host != host) {
            continue;
        }
        struct sp_json one = sp_json_begin();
        sp_json_str(&one, "interface", pass->iface);
        sp_json_str(&one, "direction", pass->is_out ? "out" : "in");
        sp_json_str(&one, "what", pass->answer ? sp_answer_str(pass->answer) : "flow");
        sp_json_u64(&one, "packets", pass->count);
        add_tuple(&one, &pass->tuple);
        sp_json_append_object(to, list, &one);
    }
}

static void add_hops(struct sp_json *to, const struct sp_trace *t)
{
    cJSON *list = sp_json_array(to, "hops");
    for (size_t i = 0; i < t->nhops; i++) {
        const struct sp_trace_hop *hop = &t->hops[i];
        struct sp_json one = sp_json_begin();
        sp_json_u64(&one, "ttl", i + 1);
        add_addr(&one, "address", &hop->addr);
        sp_json_str(&one, "host", name_of(t, hop->host));
        sp_json_u64(&one, "answers", hop->asked);
        sp_json_u64(&one, "reference_answers", hop->reference);
        sp_trace_hop_paths_json(&one, hop);
        sp_json_bool(&one, "watched", hop->is_watched);
        if (hop->is_translated) {
            struct sp_json quoted = sp_json_begin();
            add_addr(&quoted, "dst", &hop->quoted.dst);
            sp_json_u64(&quoted, "sport", hop->quoted.sport);
            sp_json_u64(&quoted, "dport", hop->quoted.dport);
            sp_json_object(&one, "quoted", &quoted);
        }
        if (hop->is_watched) {
            add_passes(&one, t, hop->host);
        }
        sp_json_append_object(to, list, &one);
    }
}

static void add_ends(struct sp_json *to, const struct sp_trace *t)
{
    struct sp_json sender = sp_json_begin();
    add_addr(&sender, "address", &t->pair->src);
    sp_json_u64(&sender, "sent", t->tries);
    sp_json_u64(&sender, "left", t->left);
    sp_json_u64(&sender, "errno", t->send_err);
    sp_json_str(&sender, "answer", sp_answer_str(t->answer));
    sp_json_u64(&sender, "answer_code", t->answer_code);
    sp_json_u64(&sender, "answered", t->answered);
    add_addr(&sender, "answerer", &t->answerer);
    sp_json_object(to, "sender", &sender);
    struct sp_json receiver = sp_json_begin();
    add_addr(&receiver, "address", &t->pair->own);
    sp_json_bool(&receiver, "probe", !t->pair->one_sided);
    sp_json_u64(&receiver, "interface", t->nic);
    sp_json_u64(&receiver, "host", t->host);
    sp_json_str(&receiver, "answer", sp_answer_str(t->egress));
    sp_json_u64(&receiver, "answer_left", t->answer_left);
    sp_json_u64(&receiver, "errno", t->egress_err);
    sp_json_object(to, "receiver", &receiver);
    sp_json_str(to, "elsewhere", name_of(t, t->elsewhere));
    if (t->captured.src.family) {
        struct sp_json captured = sp_json_begin();
        add_tuple(&captured, &t->captured);
        sp_json_object(to, "captured", &captured);
    }
}

static void add_facts(struct sp_json *to, const struct sp_trace *t)
{
    cJSON *list = sp_json_array(to, "sizes");
    for (size_t i = 0; i < t->nsizes; i++) {
        const struct sp_trace_size *size = &t->sizes[i];
        struct sp_json one = sp_json_begin();
        sp_json_u64(&one, "bytes", size->bytes);
        sp_json_u64(&one, "sent", size->tries);
        sp_json_u64(&one, "arrived", size->arrived);
        sp_json_u64(&one, "mtu", size->mtu);
        add_addr(&one, "says", &size->who);
        sp_json_append_object(to, list, &one);
    }
    struct sp_json mss = sp_json_begin();
    sp_json_u64(&mss, "sent", t->mss_sent);
    sp_json_u64(&mss, "arrived", t->mss_seen);
    sp_json_object(to, "mss", &mss);
    if (t->back_hops) {
        sp_json_u64(to, "routers_back", t->back_hops - 1U);
    }
    sp_trace_path_json(to, t);
    list = sp_json_array(to, "packets");
    for (size_t i = 0; i < t->npackets; i++) {
        const struct sp_trace_packet *p = &t->packets[i];
        struct sp_json one = sp_json_begin();
        sp_json_u64(&one, "at_us", p->at_us);
        sp_json_str(&one, "host", name_of(t, p->host));
        sp_json_str(&one, "interface", p->iface);
        sp_json_str(&one, "packet", p->text);
        sp_json_append_object(to, list, &one);
    }
}

static void add_cause(struct sp_json *to, const struct sp_trace *t)
{
    char name[SP_TRACE_NAME_MAX];
    struct sp_json cause = sp_json_begin();
    sp_json_str(&cause, "kind", sp_trace_cause_str(t->cause));
    sp_json_str(&cause, "text", t->sentence);
    sp_json_str(&cause, "remedy", t->remedy[0] ? t->remedy : NULL);
    switch (t->place) {
    case SP_TRACE_AT_SENDER:
        sp_json_str(&cause, "at", name_of(t, t->pair->from));
        break;
    case SP_TRACE_AT_RECEIVER:
        sp_json_str(&cause, "at", name_of(t, t->pair->to));
        break;
    case SP_TRACE_AT_HOP:
        sp_json_u64(&cause, "hop", t->hop + 1);
        sp_json_str(&cause, "at", sp_trace_hop_str(t, t->hop, name));
        break;
    case SP_TRACE_BEFORE_HOP:
        sp_json_u64(&cause, "hop", t->hop);
        sp_json_str(&cause, "after",
                    t->hop ? sp_trace_hop_str(t, t->hop - 1, name) : name_of(t, t->pair->from));
        sp_json_str(&cause, "before", sp_trace_hop_str(t, t->hop, name));
        break;
    case SP_TRACE_ON_WAY_BACK:
    case SP_TRACE_NOWHERE:
        break;
    }
    sp_json_object(to, "cause", &cause);
}

static void add_trace(const struct sp_trace *t, size_t index, struct sp_buf *out)
{
    char port[SP_PORTSPEC_STRLEN];
    struct sp_json json = sp_json_begin();
    char *line = sp_rule_line(t->model, t->test->rule);
    sp_json_str(&json, "from", name_of(t, t->pair->from));
    sp_json_str(&json, "to", name_of(t, t->pair->to));
    sp_json_str(&json, "family", sp_family_str(t->pair->family));
    sp_json_str(&json, "protocol", sp_proto_str(t->test->proto));
    sp_json_str(&json, "port", sp_proto_port_str(t->test->proto, t->test->port, port));
    sp_json_str(&json, "expected", sp_expect_str(t->test->expect));
    sp_json_str(&json, "policy", sp_rule_name(t->model, t->test->rule, t->test->expect));
    sp_json_str(&json, "line", line);
    sp_free(line);
    sp_json_str(&json, "technique", sp_technique_name(t->test->technique));
    sp_json_str(&json, "verdict",
                sp_verdict_str(t->is_tested ? t->outcome->judged.verdict : SP_VERDICT_NOT_TESTED));
    sp_json_str(&json, "reason",
                t->is_tested && t->outcome->judged.verdict == SP_VERDICT_INCONCLUSIVE
                    ? sp_unsound_str(t->outcome->judged.reason)
                    : NULL);
    sp_json_u64(&json, "attempts", t->outcome->seen.attempts);
    sp_json_u64(&json, "delivered", t->outcome->seen.nic);
    sp_json_str(&json, "control", sp_grade_str(t->outcome->grade));
    sp_json_str(&json, "reference", t->has_reference ? t->reference : NULL);
    add_ends(&json, t);
    add_hops(&json, t);
    add_cause(&json, t);
    add_facts(&json, t);
    sp_json_add_line(out, &json, index);
}

void sp_trace_json(const struct sp_trace_head *head, const struct sp_trace *const *traces, size_t n,
                   struct sp_buf *out)
{
    struct sp_json run = sp_json_begin();
    sp_json_str(&run, "id", head->run_id);
    sp_json_str(&run, "topology", head->model->name);
    sp_json_str(&run, "topology_sha256", head->model->sha256);
    sp_json_str(&run, "version", head->version);
    sp_json_bool(&run, "interrupted", head->interrupted);
    sp_buf_str(out, "{\"format\":\"segproof-trace/1\",\n\"run\":");
    sp_json_print(&run, out);
    sp_json_open_array(out, "traces");
    for (size_t i = 0; i < n; i++) {
        add_trace(traces[i], i, out);
    }
    sp_json_close_array(out, n);
    sp_buf_str(out, "\n}\n");
}
