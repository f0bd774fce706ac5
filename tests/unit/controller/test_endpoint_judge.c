/* SPDX-License-Identifier: Apache-2.0
 *
 * From answers of probes to claims: every way in which something is not as declared, and that
 * nothing unseen, late or broken is ever a pass. */
#include "controller/inspect/endpoint_judge.h"

#include <stdio.h>

#include "controller/inspect/endpoint_ask.h"
#include "tests/unit/topologies/topo.h"

#define NOW 1795435200U /* topo.h */

#define WORLD                                                                                      \
    "segproof: 1\nname: e\nnetworks: { n: { cidr: 10.0.0.0/8 } }\n"                                \
    "hosts:\n  h: { network: n, address: 10.0.0.1, probe: { via: local } }\n"                      \
    "  old: { network: n, address: 10.0.0.2, probe: none }\n"                                      \
    "endpoints:\n"                                                                                 \
    "  open: { host: a.example, ports: tcp/443, tls: { ca: ca.crt, alpn: [h2, http/1.1], issuer: " \
    "O=Good, min_days: 10 }, http: { path: /, status: [200, 302] }, redirects: b.example }\n"      \
    "  shut: { host: a.example, ports: tcp/443, expect: closed }\n"                                \
    "  addr: { host: 192.0.2.1, ports: tcp/80 }\n"                                                 \
    "  clear: { host: 192.0.2.1, ports: tcp/80, http: { path: / } }\n"                             \
    "  fixed: { host: 192.0.2.1, ports: tcp/80, expect: closed }\n"

enum { OPEN, SHUT, ADDR, CLEAR, FIXED };

#define LOOKUP(type, again)                                                                        \
    "lookup=" type "\nlookup.transport=udp\nlookup.again=" again "\nlookup.state=answered\n"       \
    "lookup.server=10.0.0.53\nlookup.own=0\nlookup.rcode=0\n"
#define NAMES                                                                                      \
    LOOKUP("a", "0")                                                                               \
    "lookup.total=1\nlookup.addr=192.0.2.1\n" LOOKUP("aaaa", "0") "lookup.total=0\n"
#define NAMES_AGAIN                                                                                \
    LOOKUP("a", "1")                                                                               \
    "lookup.total=1\nlookup.addr=192.0.2.1\n" LOOKUP("aaaa", "1") "lookup.total=0\n"
#define TALK(mode, reached, stop)                                                                  \
    "talk=" mode "\ntalk.addr=192.0.2.1\ntalk.reached=" reached "\ntalk.stop=" stop "\n"
#define CERT                                                                                       \
    "tls.version=TLSv1.3\ntls.cipher=X\ntls.alpn=h2\ncert.subject=CN=a\ncert.issuer=CN=x,O=Good\n" \
    "cert.name=a.example\ncert.names=1\ncert.from=1700000000\ncert.until=1800000000\n"             \
    "cert.fits=1\nchain.store=given\nchain.good=1\nchain.why=ok\n"
#define REQUEST(mode, status)                                                                      \
    TALK(mode, "answer", "done") "talk.kind=http\ntalk.status=" status "\n"
#define REFUSED                                                                                    \
    TALK("clear", "tcp", "closed")                                                                 \
    "talk.kind=none\ntalk.status=0\n" TALK("h2", "tcp", "rst") "talk.kind=none\ntalk.status=0\n"
#define END  "left=0\ndone=1\n"
#define GOOD NAMES TALK("tls", "tls", "done") CERT REQUEST("https", "200") REFUSED NAMES_AGAIN END

struct judged {
    struct topo topo;
    struct sp_claims claims;
};

static struct judged judge_as(unsigned endpoint, const char *answer, const char *control,
                              const char *trouble)
{
    struct judged j = {.topo = topo_load(WORLD)};
    struct sp_endpoint_seen *seen = sp_calloc(1, sizeof(*seen));
    assert_non_null(seen);
    if (j.topo.rc != SP_OK) {
        topo_print_all(&j.topo);
    }
    assert_int_equal(j.topo.rc, SP_OK);
    if (answer) {
        assert_int_equal(sp_endpoint_read(answer, strlen(answer), seen), SP_OK);
    }
    const struct sp_endpoint_case what = {.model = j.topo.model,
                                          .endpoint = &j.topo.model->endpoints[endpoint],
                                          .host = 0,
                                          .port = j.topo.model->endpoints[endpoint].ports[0],
                                          .now_s = NOW,
                                          .is_first = true,
                                          .control = control,
                                          .trouble = trouble};
    assert_int_equal(sp_endpoint_judge(&what, seen, &j.claims), SP_OK);
    sp_free(seen);
    return j;
}

static void release(struct judged *j)
{
    sp_claims_release(&j->claims);
    topo_release(&j->topo);
}

/* The one claim of a check, or NULL. */
static const struct sp_claim *claim_of(const struct judged *j, const char *check)
{
    const struct sp_claim *found = NULL;
    for (size_t i = 0; i < j->claims.n; i++) {
        if (strcmp(j->claims.at[i].check, check) == 0) {
            assert_null(found);
            found = &j->claims.at[i];
        }
    }
    return found;
}

static void expect(unsigned endpoint, const char *answer, const char *control, const char *check,
                   enum sp_claim_verdict verdict, const char *words)
{
    struct judged j = judge_as(endpoint, answer, control, NULL);
    const struct sp_claim *claim = claim_of(&j, check);
    char all[2000] = "";
    if (!claim) {
        fail_msg("nothing is said of %s", check);
        return;
    }
    (void)snprintf(all, sizeof(all), "%s %s", claim->observed ? claim->observed : "",
                   claim->cause ? claim->cause : "");
    if (claim->verdict != verdict || !strstr(all, words)) {
        fail_msg("%s: %s: %s", check, sp_claim_verdict_str(claim->verdict), all);
    }
    release(&j);
}

static void all_is_well(void **state)
{
    static const char *const checks[] = {"dns",       "tcp",        "tls",        "alpn",
                                         "tls_name",  "tls_expiry", "tls_issuer", "tls_chain",
                                         "cleartext", "http_status"};
    struct judged j = judge_as(OPEN, GOOD, NULL, NULL);
    (void)state;
    assert_int_equal(j.claims.n, SP_ARRAY_LEN(checks));
    for (size_t i = 0; i < SP_ARRAY_LEN(checks); i++) {
        const struct sp_claim *claim = claim_of(&j, checks[i]);
        assert_non_null(claim);
        if (claim->verdict != SP_CLAIM_HOLDS) {
            fail_msg("%s: %s", checks[i], claim->cause);
        }
        assert_string_equal(claim->subject, "a.example:443");
        assert_null(claim->remedy);
    }
    release(&j);
}

/* With one line of the good answer written otherwise. */
static void other(const char *line, const char *instead, const char *check,
                  enum sp_claim_verdict verdict, const char *words)
{
    char text[8192];
    const char *at = strstr(GOOD, line);
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, instead,
                   at + strlen(line));
    expect(OPEN, text, NULL, check, verdict, words);
}

static void certificates(void **state)
{
    (void)state;
    other("tls.alpn=h2\n", "", "alpn", SP_CLAIM_FAILS, "no protocol");
    other("tls.alpn=h2\n", "tls.alpn=spdy\n", "alpn", SP_CLAIM_FAILS, "spdy");
    other("chain.good=1\nchain.why=ok\n", "chain.good=0\nchain.why=self-signed\n", "tls_chain",
          SP_CLAIM_FAILS, "self-signed");
    other("chain.good=1\n", "", "tls_chain", SP_CLAIM_UNKNOWN, "");
    other("chain.store=given\n", "chain.store=none\n", "tls_chain", SP_CLAIM_UNKNOWN, "no cert");
    other("cert.fits=1\n", "cert.fits=0\n", "tls_name", SP_CLAIM_FAILS, "a.example");
    other("cert.fits=1\n", "", "tls_name", SP_CLAIM_UNKNOWN, "");
    other("cert.until=1800000000\n", "cert.until=1795435199\n", "tls_expiry", SP_CLAIM_FAILS,
          "expired");
    other("cert.until=1800000000\n", "cert.until=1796299199\n", "tls_expiry", SP_CLAIM_FAILS,
          "too soon");
    other("cert.until=1800000000\n", "cert.until=1796299200\n", "tls_expiry", SP_CLAIM_HOLDS, "");
    other("cert.from=1700000000\n", "cert.from=1795435201\n", "tls_expiry", SP_CLAIM_FAILS,
          "not valid yet");
    other("cert.until=1800000000\n", "", "tls_expiry", SP_CLAIM_UNKNOWN, "");
    other("chain.why=ok\n", "chain.from=1\nchain.until=2\n", "tls_expiry", SP_CLAIM_FAILS,
          "expired");
    other("O=Good", "O=Proxy", "tls_issuer", SP_CLAIM_FAILS, "O=Proxy");
    other("cert.issuer=CN=x,O=Good\n", "", "tls_issuer", SP_CLAIM_UNKNOWN, "");
}

static void clear_text(void **state)
{
    static const char request[] = TALK("clear", "tcp", "closed") "talk.kind=none\ntalk.status=0\n";
    (void)state;
    other(request, TALK("clear", "answer", "done") "talk.kind=http\ntalk.status=200\n", "cleartext",
          SP_CLAIM_FAILS, "status 200");
    other(request, TALK("clear", "answer", "done") "talk.kind=other\n", "cleartext", SP_CLAIM_FAILS,
          "other bytes");
    other(request, TALK("clear", "answer", "done") "talk.kind=tls\n", "cleartext", SP_CLAIM_HOLDS,
          "");
    other(request, TALK("clear", "tcp", "silent") "talk.kind=none\n", "cleartext", SP_CLAIM_UNKNOWN,
          "");
    other(request, TALK("clear", "nothing", "rst") "talk.kind=none\n", "cleartext",
          SP_CLAIM_UNKNOWN, "");
    other("talk=h2", "talk=tcp", "cleartext", SP_CLAIM_UNKNOWN, "not made");
    other(TALK("h2", "tcp", "rst") "talk.kind=none\n",
          TALK("h2", "answer", "done") "talk.kind=h2\n", "cleartext", SP_CLAIM_FAILS, "HTTP/2");
    /* A 400 in clear is a refusal only where TLS gets another status. */
    other(request, TALK("clear", "answer", "done") "talk.kind=http\ntalk.status=400\n", "cleartext",
          SP_CLAIM_HOLDS, "400");
    expect(OPEN,
           NAMES TALK("tls", "tls", "done") CERT REQUEST("https", "400") REQUEST("clear", "400")
               REQUEST("h2", "400") NAMES_AGAIN END,
           NULL, "cleartext", SP_CLAIM_UNKNOWN, "");
    /* No TLS there: a refusal in clear is nothing. */
    expect(OPEN, NAMES TALK("tls", "tcp", "closed") REFUSED NAMES_AGAIN END, NULL, "cleartext",
           SP_CLAIM_UNKNOWN, "");
}

static void how_far_it_got(void **state)
{
    static const struct {
        const char *reached, *stop, *check, *words;
        enum sp_claim_verdict verdict;
    } rows[] = {
        {"nothing", "rst", "tcp", "refused (RST)", SP_CLAIM_FAILS},
        {"nothing", "silent", "tcp", "silence", SP_CLAIM_FAILS},
        {"nothing", "no_route", "tcp", "no route", SP_CLAIM_FAILS},
        {"nothing", "special", "tcp", "no endpoint", SP_CLAIM_FAILS},
        {"nothing", "local", "tcp", "could not send", SP_CLAIM_UNKNOWN},
        {"nothing", "silent", "tls", "no connection", SP_CLAIM_UNKNOWN},
        {"tcp", "closed", "tls", "without a word", SP_CLAIM_FAILS},
        {"tcp", "rst", "tls", "reset (RST)", SP_CLAIM_FAILS},
        {"tcp", "alert", "tls", "alert", SP_CLAIM_FAILS},
        {"tcp", "broken", "tls", "no sense", SP_CLAIM_FAILS},
        {"tcp", "slow", "tls", "not to the end", SP_CLAIM_FAILS},
        {"tcp", "silent", "tls", "silence", SP_CLAIM_FAILS},
        {"tcp", "local", "tls", "", SP_CLAIM_UNKNOWN},
        {"tcp", "done", "tls", "", SP_CLAIM_UNKNOWN},
        {"tls", "done", "http_status", "no request", SP_CLAIM_UNKNOWN},
    };
    char text[4096];
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        (void)snprintf(text, sizeof(text),
                       "%stalk=tls\ntalk.addr=192.0.2.1\ntalk.reached=%s\ntalk.stop=%s\n%s", NAMES,
                       rows[i].reached, rows[i].stop, NAMES_AGAIN END);
        expect(OPEN, text, NULL, rows[i].check, rows[i].verdict, rows[i].words);
    }
    expect(ADDR, TALK("tcp", "nothing", "icmp") "talk.icmp=3/13\ntalk.from=10.9.9.9\n" END, NULL,
           "tcp", SP_CLAIM_FAILS, "ICMP 3/13 from 10.9.9.9");
    expect(CLEAR, TALK("tcp", "tcp", "done") TALK("http", "tcp", "closed") "talk.kind=none\n" END,
           NULL, "http_status", SP_CLAIM_FAILS, "connected, no answer");
    expect(CLEAR, TALK("tcp", "tcp", "done") TALK("http", "tcp", "slow") "talk.kind=other\n" END,
           NULL, "http_status", SP_CLAIM_FAILS, "no HTTP/1.1");
}

static void answers_and_redirects(void **state)
{
    (void)state;
    other("talk.status=200\n", "talk.status=500\n", "http_status", SP_CLAIM_FAILS, "500");
    other("talk.status=200\n", "talk.status=302\ntalk.location=https://b.example/x\n", "redirect",
          SP_CLAIM_HOLDS, "b.example");
    other("talk.status=200\n", "talk.status=302\ntalk.location=https://c.example/x\n", "redirect",
          SP_CLAIM_FAILS, "not declared");
    other("talk.status=200\n", "talk.status=302\ntalk.location=http://b.example/x\n", "redirect",
          SP_CLAIM_FAILS, "out of TLS");
    other("talk.status=200\n", "talk.status=302\ntalk.location=//b.example/\n", "redirect",
          SP_CLAIM_UNKNOWN, "understood");
    struct judged j =
        judge_as(OPEN,
                 NAMES TALK("tls", "tls", "done")
                     CERT REQUEST("https", "302") "talk.location=/there\n" REFUSED NAMES_AGAIN END,
                 NULL, NULL);
    assert_null(claim_of(&j, "redirect")); /* the same host */
    release(&j);
}

static void names(void **state)
{
    (void)state;
    other("lookup.rcode=0\nlookup.total=1\nlookup.addr=192.0.2.1\n", "lookup.rcode=3\n", "dns",
          SP_CLAIM_FAILS, "NXDOMAIN");
    other("lookup.total=1\nlookup.addr=192.0.2.1\n", "lookup.total=0\n", "dns", SP_CLAIM_FAILS,
          "no address");
    other("lookup.state=answered\n", "lookup.state=silent\n", "dns", SP_CLAIM_FAILS, "in time");
    other("lookup.state=answered\n", "lookup.state=refused\n", "dns", SP_CLAIM_FAILS, "refuses");
    other("lookup.state=answered\n", "lookup.state=broken\n", "dns", SP_CLAIM_FAILS, "no answer");
    other("lookup.state=answered\n", "lookup.state=local\n", "dns", SP_CLAIM_UNKNOWN, "");
    other("lookup.again=1\nlookup.state=answered\n", "lookup.again=1\nlookup.state=silent\n", "dns",
          SP_CLAIM_UNKNOWN, "a moment later");
    expect(OPEN, END, NULL, "dns", SP_CLAIM_UNKNOWN, "not looked up");
    expect(OPEN, END, NULL, "tcp", SP_CLAIM_UNKNOWN, "no address");
}

static void nothing_unseen_holds(void **state)
{
    static const char *const bad[] = {"error=no\n",
                                      "talk=tcp\n",
                                      "nonsense\n",
                                      "talk=fly\n",
                                      "x=y\n",
                                      "talk.addr=192.0.2.1\n",
                                      TALK("tcp", "everything", "done") END,
                                      (TALK("tcp", "tcp", "done") "talk.icmp=900/1\n" END),
                                      (TALK("tcp", "tcp", "done") "talk.reason=%1b[2J\n" END),
                                      LOOKUP("a", "2") END,
                                      "lookup=a\n" END};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        for (unsigned e = OPEN; e <= FIXED; e++) {
            struct judged j = judge_as(e, bad[i], "10.0.0.9", NULL);
            assert_true(j.claims.n > 0);
            for (size_t k = 0; k < j.claims.n; k++) {
                assert_int_equal(j.claims.at[k].verdict, SP_CLAIM_UNKNOWN);
            }
            release(&j);
        }
    }
    for (unsigned e = OPEN; e <= FIXED; e++) {
        struct judged j = judge_as(e, NULL, "10.0.0.9", "the probe was lost");
        assert_true(j.claims.n > 0);
        for (size_t k = 0; k < j.claims.n; k++) {
            assert_int_equal(j.claims.at[k].verdict, SP_CLAIM_UNKNOWN);
            assert_string_equal(j.claims.at[k].cause, "the probe was lost");
        }
        release(&j);
    }
    /* What did not come to its end is not whole. */
    struct judged j = judge_as(ADDR, TALK("tcp", "tcp", "done") "left=0\ndone=0\n", NULL, NULL);
    assert_int_equal(j.claims.n, 2);
    release(&j);
    j = judge_as(ADDR, TALK("tcp", "tcp", "done") "left=3\ndone=1\n", NULL, NULL);
    assert_int_equal(j.claims.n, 2);
    release(&j);
}

static void closed(void **state)
{
    static const struct {
        const char *how, *words;
        enum sp_claim_verdict verdict;
    } rows[] = {
        {TALK("tcp", "nothing", "silent"), "silence", SP_CLAIM_HOLDS},
        {TALK("tcp", "nothing", "icmp") "talk.icmp=3/13\ntalk.from=10.9.9.9\n", "10.9.9.9",
         SP_CLAIM_HOLDS},
        {TALK("tcp", "nothing", "icmp") "talk.icmp=3/3\ntalk.from=192.0.2.1\n", "own address",
         SP_CLAIM_UNKNOWN},
        {TALK("tcp", "nothing", "icmp") "talk.icmp=3/3\ntalk.from=10.0.0.1\ntalk.reason=self\n",
         "host itself", SP_CLAIM_UNKNOWN},
        {TALK("tcp", "nothing", "rst"), "own address", SP_CLAIM_UNKNOWN},
        {TALK("tcp", "nothing", "local"), "failed on this host", SP_CLAIM_UNKNOWN},
        {TALK("tcp", "nothing", "no_route"), "no route", SP_CLAIM_UNKNOWN},
        {TALK("tcp", "nothing", "special"), "not tried", SP_CLAIM_UNKNOWN},
        {TALK("tcp", "tcp", "done"), "connected", SP_CLAIM_FAILS},
        {"", "nothing was tried", SP_CLAIM_UNKNOWN},
    };
    char text[4096];
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s", NAMES, rows[i].how, NAMES_AGAIN END);
        expect(SHUT, text, "10.0.0.53", "closed", rows[i].verdict, rows[i].words);
        if (rows[i].verdict == SP_CLAIM_HOLDS) {
            expect(SHUT, text, NULL, "closed", SP_CLAIM_UNKNOWN, "nothing shows");
            expect(FIXED, rows[i].how, "10.0.0.53", "closed", SP_CLAIM_UNKNOWN, "time ran out");
        }
    }
    expect(FIXED, TALK("tcp", "nothing", "silent") END, "10.0.0.53", "closed", SP_CLAIM_HOLDS, "");
    expect(FIXED, TALK("tcp", "nothing", "silent") "left=1\ndone=1\n", "10.0.0.53", "closed",
           SP_CLAIM_UNKNOWN, "more addresses");
    /* The name over one family only, or once only, says nothing of the rest. */
    expect(SHUT, NAMES TALK("tcp", "nothing", "silent") END, "10.0.0.53", "closed",
           SP_CLAIM_UNKNOWN, "not looked up");
}

static void controls(void **state)
{
    struct sp_endpoint_seen *seen = sp_calloc(1, sizeof(*seen));
    char words[64];
    (void)state;
    assert_non_null(seen);
    static const struct {
        const char *answer;
        bool is_control;
    } rows[] = {{NAMES NAMES_AGAIN END, true},
                {NAMES END, false},
                {NAMES_AGAIN END, false},
                {"", false},
                {TALK("tcp", "tcp", "done") END, true},
                {TALK("tcp", "tcp", "done") "talk.own=1\n" END, false},
                {TALK("tcp", "nothing", "rst") END, false},
                {LOOKUP("a", "0") "lookup.own=1\n" LOOKUP("a", "1") "lookup.own=1\n" END, false},
                {LOOKUP("a", "0") "lookup.server=127.0.0.53\n" LOOKUP(
                     "a", "1") "lookup.server=127.0.0.53\n" END,
                 false}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        assert_int_equal(sp_endpoint_read(rows[i].answer, strlen(rows[i].answer), seen), SP_OK);
        assert_true(seen->is_read);
        if (sp_endpoint_control(seen, words, sizeof(words)) != rows[i].is_control) {
            fail_msg("row %zu", i);
        }
    }
    sp_free(seen);
}

static void locations(void **state)
{
    static const char *const bad[] = {"",
                                      "/a",
                                      "//a.example/",
                                      "ftp://a.example/",
                                      "https://",
                                      "https:///",
                                      "https://u@a.example/",
                                      "https://a.example:0/",
                                      "https://a.example:99999/",
                                      "https://a.example:1x/",
                                      "https://[::1]/",
                                      "https://10.0.0.1/"};
    struct sp_redirect r;
    (void)state;
    assert_true(sp_redirect_parse("https://A.example.:8443/b?c#d", &r));
    assert_string_equal(r.host, "a.example");
    assert_int_equal(r.port, 8443);
    assert_string_equal(r.path, "/b?c");
    assert_true(r.is_tls);
    assert_true(sp_redirect_parse("http://a.example?x", &r));
    assert_int_equal(r.port, 80);
    assert_string_equal(r.path, "/?x");
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (sp_redirect_parse(bad[i], &r)) {
            fail_msg("'%s' is understood", bad[i]);
        }
    }
}

static void questions(void **state)
{
    struct topo t = topo_load(WORLD);
    struct sp_buf out;
    struct sp_buf ca;
    struct sp_diag diag = {0};
    (void)state;
    sp_buf_init(&out, 65536);
    sp_buf_init(&ca, 65536);
    assert_non_null(t.model);
    sp_endpoint_ask(&t.model->endpoints[OPEN], 443, "x\n", 2, &out);
    assert_string_equal(sp_buf_text(&out),
                        "name=a.example\nport=443\nstep_ms=5000\ntransport=udp\npath=/\ntls=1\n"
                        "alpn=h2\nalpn=http/1.1\nclear=1\nca=x%0A\n");
    sp_buf_clear(&out);
    sp_endpoint_ask(&t.model->endpoints[FIXED], 80, NULL, 0, &out);
    assert_string_equal(sp_buf_text(&out),
                        "addr=192.0.2.1\nport=80\nstep_ms=5000\ntransport=udp\n");
    assert_int_equal(sp_endpoint_read_ca(t.model, &t.model->endpoints[FIXED], &ca, &diag), SP_OK);
    assert_int_equal(sp_endpoint_read_ca(t.model, &t.model->endpoints[OPEN], &ca, &diag),
                     SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "cannot be opened"));
    sp_buf_release(&out);
    sp_buf_release(&ca);
    topo_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_is_well),
                                       cmocka_unit_test(certificates),
                                       cmocka_unit_test(clear_text),
                                       cmocka_unit_test(how_far_it_got),
                                       cmocka_unit_test(answers_and_redirects),
                                       cmocka_unit_test(names),
                                       cmocka_unit_test(nothing_unseen_holds),
                                       cmocka_unit_test(closed),
                                       cmocka_unit_test(controls),
                                       cmocka_unit_test(locations),
                                       cmocka_unit_test(questions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
