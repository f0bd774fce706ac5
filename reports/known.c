/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of known_ports.def, and what it adds to a finding's cause. */
#include "reports/known.h"

#include <string.h>

#include "reports/group.h"

static const struct sp_known known[] = {
#define SP_KNOWN_PORT(protocol, port, word, name, closed, opened)                                  \
    {SP_PROTO_##protocol, port, NULL, word, name, closed, opened},
#define SP_KNOWN_ADDRESS(address, name, closed, opened)                                            \
    {SP_PROTO_COUNT, 0, address, "", name, closed, opened},
#include "reports/known_ports.def"
#undef SP_KNOWN_PORT
#undef SP_KNOWN_ADDRESS
};

const struct sp_known *sp_known_port(uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(known); i++) {
        if (!known[i].address && known[i].proto == proto && known[i].port == port) {
            return &known[i];
        }
    }
    return NULL;
}

const struct sp_known *sp_known_address(const struct sp_addr *addr)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(known); i++) {
        struct sp_addr parsed;
        if (known[i].address && sp_addr_parse(known[i].address, &parsed) == SP_OK &&
            sp_addr_eq(&parsed, addr)) {
            return &known[i];
        }
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sp_known_says(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; text && *text; text++) {
        size_t same = 0;
        while (same < length && lower(text[same]) == lower(word[same])) {
            same++; /* ends at the text's NUL */
        }
        if (same == length) {
            return true;
        }
    }
    return length == 0;
}

/* ------------------------------------------------------------------ of a finding */

/* The declared rule speaks of it, or the number alone tells enough. */
static bool applies(const struct sp_known *entry, const struct sp_model *model, uint32_t rule)
{
    if (!entry->word[0]) {
        return true;
    }
    return rule < model->nrules && (sp_known_says(model->rules[rule].name, entry->word) ||
                                    sp_known_says(model->rules[rule].why, entry->word));
}

/* The segment, which has one firewall for all its hosts; a balancer by its own name. */
static const char *side(const struct sp_model *model, uint32_t target)
{
    uint32_t network = sp_model_target_network(model, target);
    return target < model->nhosts && network < model->nnetworks
               ? model->networks[network].name
               : sp_model_target_name(model, target);
}

/* "tcp/22", "esp", "ip/47". */
static void add_port(struct sp_buf *out, uint8_t proto, uint16_t port)
{
    struct sp_portspec spec = {.proto = proto, .lo = port, .hi = port};
    char text[SP_PORTSPEC_STRLEN];
    sp_buf_str(out, sp_portspec_str(&spec, text));
}

static void tell_closed(const struct sp_model *model, const struct sp_finding *finding,
                        const struct sp_known *entry, uint16_t port, bool is_first,
                        struct sp_buf *out)
{
    bool sometimes = finding->verdict == SP_VERDICT_PARTIAL;
    if (is_first) {
        sp_buf_fmt(out, "; so %s does not %sreach ", side(model, finding->from),
                   sometimes ? "always " : "");
    } else {
        sp_buf_str(out, "; nor ");
    }
    add_port(out, finding->proto, port);
    sp_buf_fmt(out, " of %s, %s: %s", side(model, finding->to), entry->name, entry->closed);
}

static void tell_opened(const struct sp_finding *finding, const struct sp_known *entry,
                        uint16_t port, struct sp_buf *out)
{
    sp_buf_str(out, "; ");
    add_port(out, finding->proto, port);
    sp_buf_fmt(out, " is %s: %s", entry->name, entry->opened);
}

static bool is_few(const struct sp_finding *finding)
{
    uint32_t ports = 0;
    for (size_t i = 0; i < finding->nspans && ports <= SP_KNOWN_MOST_PORTS; i++) {
        ports += (uint32_t)(finding->spans[i].hi - finding->spans[i].lo) + 1;
    }
    return ports <= SP_KNOWN_MOST_PORTS;
}

void sp_known_tell(const struct sp_result *result, const struct sp_finding *finding,
                   struct sp_buf *out)
{
    const struct sp_model *model = result->model;
    bool deny = finding->expect == SP_EXPECT_DENY;
    const struct sp_test *sample = &result->tests[finding->sample];
    const struct sp_known *at = sp_known_address(&result->plan->pairs[sample->pair].dst);
    if (at && deny && at->opened[0]) {
        sp_buf_fmt(out, "; %s is %s: %s", at->address, at->name, at->opened);
        return;
    }
    size_t told = 0;
    if (!is_few(finding)) {
        return;
    }
    for (size_t i = 0; i < finding->nspans; i++) {
        for (uint32_t port = finding->spans[i].lo;
             port <= finding->spans[i].hi && told < SP_KNOWN_MOST_NAMES; port++) {
            const struct sp_known *entry = sp_known_port(finding->proto, (uint16_t)port);
            const char *text = !entry ? "" : deny ? entry->opened : entry->closed;
            if (!text[0] || !applies(entry, model, finding->rule)) {
                continue;
            }
            if (deny) {
                tell_opened(finding, entry, (uint16_t)port, out);
            } else {
                tell_closed(model, finding, entry, (uint16_t)port, told == 0, out);
            }
            told++;
        }
    }
}
