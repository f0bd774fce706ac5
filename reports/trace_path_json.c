/* SPDX-License-Identifier: Apache-2.0
 *
 * The same facts as trace_path_text.c, as members of a trace's JSON. */
#include "reports/formats/json_out.h"
#include "reports/trace_priv.h"

static void add_addr(struct sp_json *json, const char *key, const struct sp_addr *addr)
{
    char text[SP_ADDR_STRLEN];
    sp_json_str(json, key, addr->family ? sp_addr_str(addr, text) : NULL);
}

void sp_trace_hop_paths_json(struct sp_json *to, const struct sp_trace_hop *hop)
{
    char text[SP_ADDR_STRLEN];
    cJSON *list = sp_json_array(to, "answerers");
    for (size_t i = 0; i < hop->npaths; i++) {
        sp_json_append(to, list, sp_addr_str(&hop->paths[i], text));
    }
    sp_json_u64(to, "flows", hop->path_answers);
}

static void add_flows(struct sp_json *to, const struct sp_trace *t)
{
    const struct sp_trace_flows *f = &t->flows;
    struct sp_json flows = sp_json_begin();
    struct sp_json first = sp_json_begin();
    sp_json_u64(&flows, "of", f->n);
    sp_json_u64(&flows, "times", f->times);
    sp_json_u64(&flows, "always", f->passed);
    sp_json_u64(&flows, "never", f->lost);
    sp_json_u64(&flows, "sometimes", f->mixed);
    if (f->is_located) {
        sp_json_u64(&flows, "last_hop", f->hop == SIZE_MAX ? 0 : f->hop + 1);
        add_addr(&flows, "last", &f->last);
        add_addr(&flows, "others", &f->other);
        sp_json_bool(&flows, "last_is_parallel", f->is_member);
    }
    sp_json_object(to, "flows", &flows);
    sp_json_u64(&first, "of", f->firsts);
    sp_json_u64(&first, "took_one", (uint64_t)f->firsts - f->first_lost);
    sp_json_u64(&first, "took_two", f->again_passed);
    sp_json_object(to, "first_packets", &first);
}

static void add_rates(struct sp_json *to, const struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    uint32_t through;
    struct sp_json rates = sp_json_begin();
    cJSON *list = sp_json_array(&rates, "trains");
    for (size_t i = 0; i < t->nrates; i++) {
        struct sp_json one = sp_json_begin();
        sp_json_u64(&one, "per_second", t->rates[i].pps);
        sp_json_u64(&one, "sent", t->rates[i].sent);
        sp_json_u64(&one, "arrived", t->rates[i].arrived);
        sp_json_append_object(&rates, list, &one);
    }
    sp_json_str(&rates, "not_measured", t->no_rates);
    if (sp_trace_knee(t, &good, &bad, &through)) {
        sp_json_u64(&rates, "without_loss", good);
        if (bad > 0) {
            sp_json_u64(&rates, "with_loss", bad);
            sp_json_u64(&rates, "come_through", through);
        }
    }
    sp_json_object(to, "rates", &rates);
}

static void add_silence(struct sp_json *to, const struct sp_trace *t)
{
    uint32_t good;
    uint32_t bad;
    bool is_reset;
    struct sp_json silence = sp_json_begin();
    cJSON *list = sp_json_array(&silence, "conversations");
    for (size_t i = 0; i < t->nidle; i++) {
        struct sp_json one = sp_json_begin();
        sp_json_u64(&one, "silent_ms", t->idle[i].silent_ms);
        sp_json_u64(&one, "opened", t->idle[i].opened);
        sp_json_u64(&one, "survived", t->idle[i].survived);
        sp_json_u64(&one, "reset", t->idle[i].reset);
        sp_json_append_object(&silence, list, &one);
    }
    sp_json_str(&silence, "not_measured", t->no_idle);
    if (sp_trace_silences(t, &good, &bad, &is_reset)) {
        sp_json_u64(&silence, "survived_ms", good);
        if (bad > 0) {
            sp_json_u64(&silence, "cut_ms", bad);
            sp_json_str(&silence, "cut", is_reset ? "reset" : "silent");
        }
    }
    sp_json_object(to, "silence", &silence);
}

static void add_interface(struct sp_json *json, const char *key, const char *name)
{
    sp_json_str(json, key, name[0] ? name : NULL);
}

static void add_interfaces(struct sp_json *to, const struct sp_trace *t)
{
    struct sp_json one = sp_json_begin();
    add_interface(&one, "left", t->left_by);
    add_interface(&one, "answered", t->answer_by);
    add_interface(&one, "arrived", t->arrived_by);
    add_interface(&one, "replied", t->reply_by);
    sp_json_bool(&one, "asymmetric", sp_trace_turns_at_sender(t) || sp_trace_turns_at_receiver(t));
    sp_json_object(to, "interfaces", &one);
}

void sp_trace_path_json(struct sp_json *to, const struct sp_trace *t)
{
    add_interfaces(to, t);
    if (t->flows.n > 0) {
        add_flows(to, t);
    }
    if (t->nrates > 0 || t->no_rates) {
        add_rates(to, t);
    }
    if (t->nidle > 0 || t->no_idle) {
        add_silence(to, t);
    }
}
