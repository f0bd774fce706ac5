/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a host what is declared of it? Every line of a floor with facts that hold, that fail, and that
 * leave it open; what is not told never holds. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/node_judge.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/loader.h"

static const char *const words[] = {[SP_CLAIM_HOLDS] = "holds",
                                    [SP_CLAIM_FAILS] = "fails",
                                    [SP_CLAIM_UNKNOWN] = "unknown",
                                    [SP_CLAIM_NOT_OBSERVABLE] = "not observable"};

/* declared: a line of YAML for the host; facts: "name[.of] = value|value" or "= ?reason", one a
 * line;
 * "..." ends a list that is cut. */
static void add_facts(struct sp_buf *text, const char *facts)
{
    while (*facts) {
        char line[512];
        size_t n = strcspn(facts, "\n");
        assert_true(n < sizeof(line));
        memcpy(line, facts, n);
        line[n] = '\0';
        facts += n + (facts[n] == '\n');
        char *values = strstr(line, " = ");
        assert_non_null(values);
        *values = '\0';
        values += 3;
        char *of = strchr(line, '.');
        if (of) {
            *of++ = '\0';
        }
        sp_buf_fmt(text, "fact=%s\n", line);
        if (of) {
            sp_buf_fmt(text, "of=%s\n", of);
        }
        sp_buf_str(text, "source=/proc/x\n");
        if (*values == '?') {
            sp_buf_fmt(text, "unknown=%s\n", values + 1);
            continue;
        }
        for (char *value = values; value;) {
            char *next = strchr(value, '|');
            if (next) {
                *next++ = '\0';
            }
            sp_buf_fmt(text, strcmp(value, "...") == 0 ? "cut=1\n" : "value=%s\n", value);
            value = next;
        }
    }
}

static enum sp_rc judge(struct sp_model *model, const char *facts, const char *addr,
                        struct sp_node_look *look, struct sp_told_list *told)
{
    static struct sp_addr own;
    struct sp_buf text;
    sp_buf_init(&text, 1U << 16);
    add_facts(&text, facts);
    assert_int_equal(sp_told_read(sp_buf_text(&text), text.len, told), SP_OK);
    sp_buf_release(&text);
    *look = (struct sp_node_look){
        .model = model, .line = &model->floors[0].lines[0], .told = told, .addrs = &own};
    if (addr) {
        assert_int_equal(sp_addr_parse(addr, &own), SP_OK);
        look->naddrs = 1;
    }
    sp_node_look_init(look);
    return sp_node_judge(look);
}

static struct sp_model *declare(const char *line)
{
    char text[1024];
    struct sp_model *model = NULL;
    struct sp_problems problems = {0};
    (void)snprintf(text, sizeof(text),
                   "segproof: 1\nname: t\nnetworks: { web: { cidr: 10.1.0.0/24, zone: z1 } }\n"
                   "hosts: { a: { network: web, address: 10.1.0.1, probe: { via: local } } }\n"
                   "nodes: { a: { %s } }\n",
                   line);
    if (sp_topology_load_text("t", text, strlen(text), &model, &problems) != SP_OK) {
        fail_msg("%s: %s", line, problems.n > 0 ? problems.at[0].text : "?");
    }
    sp_problems_release(&problems);
    return model;
}

/* observed and cause hold these words. */
static void check(const char *line, const char *facts, const char *addr, unsigned verdict,
                  const char *said)
{
    struct sp_model *model = declare(line);
    struct sp_told_list told = {0};
    struct sp_node_look look;
    struct sp_buf expected;
    assert_int_equal(judge(model, facts, addr, &look, &told), SP_OK);
    if (look.verdict != verdict ||
        (!strstr(sp_buf_text(&look.observed), said) && !strstr(sp_buf_text(&look.cause), said))) {
        fail_msg("%s\n  %s\n  %s, not %s: %s (%s), wanted '%s'", line, facts, words[look.verdict],
                 words[verdict], sp_buf_text(&look.observed), sp_buf_text(&look.cause), said);
    }
    assert_true(look.verdict != SP_CLAIM_HOLDS || !look.remedy);
    sp_buf_init(&expected, 4096);
    sp_node_expected(look.line, &expected);
    assert_true(expected.len > 0);
    sp_buf_release(&expected);
    sp_node_look_release(&look);
    sp_told_release(&told);
    /* Nothing told, or all of it unknown: never held, but where nobody on the host could tell. */
    if (!addr && verdict != SP_CLAIM_NOT_OBSERVABLE) {
        told = (struct sp_told_list){0};
        assert_int_equal(judge(model, "", NULL, &look, &told), SP_OK);
        assert_int_equal(look.verdict, SP_CLAIM_UNKNOWN);
        assert_true(look.cause.len > 0);
        sp_node_look_release(&look);
        sp_told_release(&told);
    }
    sp_model_free(model);
}

#define HOLDS(line, facts, said) check(line, facts, NULL, SP_CLAIM_HOLDS, said)
#define FAILS(line, facts, said) check(line, facts, NULL, SP_CLAIM_FAILS, said)
#define OPEN(line, facts, said)  check(line, facts, NULL, SP_CLAIM_UNKNOWN, said)

static void test_system(void **state)
{
    (void)state;
    HOLDS("kernel: '>=5.15'", "kernel = 6.1.0-18-amd64", "6.1.0-18");
    FAILS("kernel: '>=5.15'", "kernel = 5.4.0", "none of those declared");
    HOLDS("kernel: ['>=6', 5.4.0]", "kernel = 5.4.0", "5.4.0");
    OPEN("kernel: '>=5.15'", "kernel = ?gone", "/proc/x: gone");
    HOLDS("os: [ubuntu-22.04, debian-12]", "os = debian-12|debian", "debian-12");
    HOLDS("os: rhel-9", "os = rhel-9.4|rhel", "rhel-9.4");
    HOLDS("os: debian", "os = debian-12|debian", "");
    FAILS("os: rhel-9", "os = rhel-90|rhel", "rhel-90");
    FAILS("os: debian-1", "os = debian-12|debian", "");
    FAILS("os: deb", "os = debian-12|debian", "");
    HOLDS("fips: true", "fips = 1", "on");
    FAILS("fips: true", "fips = 0", "off");
    HOLDS("fips: false", "fips = 0", "off");
    FAILS("fips: false", "fips = 1", "on");
    HOLDS("lockdown: integrity", "lockdown = confidentiality", "");
    FAILS("lockdown: integrity", "lockdown = none", "none");
    HOLDS("lockdown: none", "lockdown = none", "none");
    HOLDS("memory: 4GiB", "memory = 4294967296", "4096 MiB");
    FAILS("memory: 4GiB", "memory = 4294967295", "MemTotal leaves out");
    FAILS("memory: 4GiB", "memory = 1000", "0 MiB");
    OPEN("memory: 4GiB", "memory = much", "no number");
    HOLDS("cpus: 2", "cpus = 2", "2");
    FAILS("cpus: 2", "cpus = 1", "1");
    HOLDS("virtualisation: virtual", "virtualisation = virtual|QEMU", "virtual, QEMU");
    FAILS("virtualisation: physical", "virtualisation = virtual|QEMU", "");
    HOLDS("zone: network", "zone = z1", "z1");
    HOLDS("zone: [z2, z3]", "zone = z3", "z3");
    FAILS("zone: network", "zone = z2", "another zone");
    HOLDS("modules: [a, b]", "modules.a = present\nmodules.b = built in", "b built in");
    FAILS("modules: [a, b]", "modules.a = present\nmodules.b = absent", "b absent");
    FAILS("modules: [a, b]", "modules.a = ?why\nmodules.b = absent", "b absent");
    OPEN("modules: [a, b]", "modules.a = present\nmodules.b = ?why", "b: /proc/x: why");
}

static void test_security(void **state)
{
    (void)state;
    HOLDS("lsm: apparmor", "lsm = yama|apparmor\nlsm.apparmor = active", "apparmor active");
    HOLDS("lsm: selinux", "lsm = selinux\nlsm.selinux = active|enforcing", "enforcing");
    FAILS("lsm: selinux", "lsm = selinux\nlsm.selinux = active|permissive", "permissive");
    OPEN("lsm: selinux", "lsm = selinux\nlsm.selinux = active", "cannot be read");
    FAILS("lsm: apparmor", "lsm = yama", "not active");
    FAILS("lsm: apparmor", "lsm = ?gone\nlsm.apparmor = absent", "not active");
    OPEN("lsm: apparmor", "lsm = ?gone", "gone");
    OPEN("lsm: apparmor", "lsm = yama|...", "does not tell");
    OPEN("fips: true", "fips = 7", "odd");
    OPEN("forwarding: false", "forwarding.ipv4 = nine\nforwarding.ipv6 = none", "odd");
    OPEN("modules: a", "modules.a = perhaps", "odd");
    FAILS("lsm: [apparmor, yama]", "lsm = yama\nlsm.yama = active", "apparmor is not active");
    HOLDS("lsm_label: confined", "lsm_label = docker-default (enforce)", "");
    FAILS("lsm_label: confined", "lsm_label = unconfined", "nothing confines");
    FAILS("lsm_label: confined", "lsm_label = x (complain)", "");
    OPEN("lsm_label: confined", "lsm_label = whatever", "cannot be told");
    OPEN("lsm_label: confined", "lsm_label = system_u:system_r:container_t:s0", "cannot be told");
    HOLDS("lsm_label: confined",
          "lsm_label = system_u:system_r:container_t:s0\nlsm.selinux = active|enforcing", "");
    FAILS("lsm_label: confined",
          "lsm_label = system_u:system_r:container_t:s0\nlsm.selinux = active|permissive",
          "selinux is permissive");
    FAILS("lsm_label: confined", "lsm_label = u:r:unconfined_t:s0\nlsm.selinux = active|enforcing",
          "not confined");
    HOLDS("lsm_label: [x, y]", "lsm_label = y", "y");
    FAILS("lsm_label: [x, y]", "lsm_label = z", "z");
    HOLDS("mitigations: true", "mitigations = a Not affected|b Mitigation: PTI", "2 of 2");
    FAILS("mitigations: true", "mitigations = a Vulnerable|b Mitigation: PTI", "a Vulnerable");
    FAILS("mitigations: true", "mitigations = a Mitigation: Clear; SMT vulnerable", "SMT vuln");
    FAILS("mitigations: true", "mitigations = a KVM: Vulnerable", "");
    OPEN("mitigations: true", "mitigations = a Mitigation: Clear; SMT Host state unknown",
         "does not know");
    OPEN("mitigations: true", "mitigations = a |b Not affected", "nothing of it");
    OPEN("mitigations: true", "mitigations = a Not affected|...", "longer");
    FAILS("mitigations: true", "mitigations = a Vulnerable|...", "");
    check("mitigations: true",
          "virtualisation = virtual\nmitigations = a Mitigation: Clear; SMT Host state unknown",
          NULL, SP_CLAIM_NOT_OBSERVABLE, "virtual machine");
    FAILS("mitigations: true",
          "virtualisation = virtual\nmitigations = a Unknown: No mitigations|b Vulnerable",
          "vulnerable");
    HOLDS("disk_encryption: /", "disk_encryption./ = encrypted|dm-0:CRYPT-LUKS2", "dm-0");
    FAILS("disk_encryption: [/, /var]",
          "disk_encryption./ = ?why\ndisk_encryption./var = plain|sda", "/var: plain (sda)");
    OPEN("disk_encryption: [/, /var]",
         "disk_encryption./ = encrypted|dm-0\ndisk_encryption./var = ?why", "/var: /proc/x: why");
    OPEN("disk_encryption: [/, /var]", "disk_encryption./ = encrypted|dm-0", "nothing of it");
    check("disk_encryption: provider", "", NULL, SP_CLAIM_NOT_OBSERVABLE, "cannot be seen");
}

#define NO6 "listeners.tcp6 = ?x\nlisteners.udp = ?x\nlisteners.udp6 = ?x\n"
#define GOOD                                                                                       \
    "listeners.tcp6 = tcp/22 :: 0 \nlisteners.udp = udp/68 127.0.0.1 0 \nlisteners.udp6 = "        \
    "udp/546 ::1 0 \n"

static void test_listeners(void **state)
{
    (void)state;
    HOLDS("listeners: tcp/22", GOOD "listeners.tcp = tcp/22 0.0.0.0 0 sshd", "no other");
    HOLDS("listeners: tcp/20-30", GOOD "listeners.tcp = tcp/25 127.0.0.2 0 ", "");
    FAILS("listeners: tcp/22", GOOD "listeners.tcp = tcp/80 0.0.0.0 33 nginx", "tcp/80 (nginx)");
    FAILS("listeners: udp/22", GOOD "listeners.tcp = tcp/9 127.0.0.2 0 ", "tcp/22");
    FAILS("listeners: []", NO6 "listeners.tcp = tcp/80 10.1.0.1 33 ", "tcp/80");
    OPEN("listeners: tcp/80", NO6 "listeners.tcp = tcp/80 10.1.0.1 33 ", "tcp6: /proc/x: x");
    OPEN("listeners: tcp/22", GOOD "listeners.tcp = tcp/22 0.0.0.0 0 |...", "more listeners");
    OPEN("listeners: tcp/22", GOOD "listeners.tcp = junk", "odd listener");
    HOLDS("listeners: tcp/22", GOOD "listeners.tcp = tcp/80 127.0.0.1 0 ", "");
    HOLDS("sshd: false", "sshd = none", "");
    FAILS("sshd: false", "sshd = listens", "listens");
    OPEN("sshd: false", "sshd = runs", "which port it has");
    HOLDS("sshd: true", "sshd = listens", "");
    FAILS("sshd: true", "sshd = none", "");
    OPEN("sshd: true", "sshd = runs", "");
}

static void test_settings(void **state)
{
    (void)state;
    HOLDS("rp_filter: strict", "rp_filter = eth0 1|eth1 1", "so on 2 interfaces");
    FAILS("rp_filter: strict", "rp_filter = eth0 1|eth1 2", "eth1: loose");
    HOLDS("rp_filter: loose", "rp_filter = eth0 1|eth1 2", "");
    FAILS("rp_filter: loose", "rp_filter = eth0 0", "eth0: off");
    HOLDS("rp_filter: 'off'", "rp_filter = eth0 0", "");
    OPEN("rp_filter: strict", "rp_filter = eth0 ?", "could not be read");
    OPEN("rp_filter: strict", "rp_filter = eth0 1|...", "more interfaces");
    FAILS("rp_filter: strict", "rp_filter = eth0 0|...", "eth0");
    HOLDS("forwarding: false", "forwarding.ipv4 = none\nforwarding.ipv6 = absent", "ipv6: no");
    FAILS("forwarding: false", "forwarding.ipv4 = none\nforwarding.ipv6 = some", "ipv6: between");
    OPEN("forwarding: false", "forwarding.ipv4 = none\nforwarding.ipv6 = ?why", "why");
    HOLDS("forwarding: true", "forwarding.ipv4 = all", "ipv4: yes"); /* it has no IPv6 address */
    FAILS("forwarding: true", "forwarding.ipv4 = some", "");
    HOLDS("conntrack_free: 20%", "conntrack = 80|100", "80 of 100");
    FAILS("conntrack_free: 20%", "conntrack = 81|100", "81 of 100");
    FAILS("conntrack_free: 20%", "conntrack = 200|100", "");
    OPEN("conntrack_free: 20%", "conntrack = 1|0", "no plausible");
    OPEN("conntrack_free: 20%", "conntrack = 1", "no plausible");
    HOLDS("port_range: 32768-60999", "port_range = 32768-60999", "");
    FAILS("port_range: 32768-60999", "port_range = 30000-60999", "port 30000");
    HOLDS("port_range: 32768-60999", "port_range = 30000-60999|30000-32766,32767", "without");
    FAILS("port_range: 32768-60999", "port_range = 30000-60999|30000-32766", "port 32767");
    OPEN("port_range: 32768-60999", "port_range = 30000-60999|junk", "no plausible");
    OPEN("port_range: 32768-60999", "port_range = 70000-80000", "no plausible");
}

static void test_public(void **state)
{
    static const char *const private[] = {
        "10.1.2.3",       "172.16.0.1", "172.31.255.255",  "192.168.1.1",  "100.64.0.1",
        "169.254.1.1",    "127.0.0.1",  "192.0.2.1",       "198.51.100.1", "203.0.113.9",
        "198.18.0.1",     "224.0.0.1",  "255.255.255.255", "::1",          "fe80::1",
        "fd00::1",        "fc00::1",    "2001:db8::1",     "3fff::1",      "ff02::1",
        "::ffff:8.8.8.8", "64:ff9b::1"};
    static const char *const public[] = {"8.8.8.8",        "11.0.0.1",     "172.32.0.1",
                                         "100.128.0.1",    "2a00:1450::1", "2600::1",
                                         "2001:4860::8888"};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(private); i++) {
        check("public_address: false", "", private[i], SP_CLAIM_HOLDS, "none");
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(public); i++) {
        check("public_address: false", "", public[i], SP_CLAIM_FAILS, public[i]);
        check("public_address: true", "", public[i], SP_CLAIM_HOLDS, public[i]);
    }
    check("public_address: true", "", "10.0.0.1", SP_CLAIM_FAILS, "private");
    OPEN("public_address: false", "", "no address at all");
}

static void test_torture(void **state)
{
    struct sp_model *model = declare("lsm: [apparmor, selinux]");
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct sp_told_list told = {0};
        struct sp_node_look look = {
            .model = model, .line = &model->floors[0].lines[0], .told = &told};
        sp_node_look_init(&look);
        (void)sp_mem_fail_at(nth, 0);
        enum sp_rc rc = sp_node_judge(&look);
        bool all = sp_mem_fail_at(0, 0) < nth;
        assert_int_equal(rc, all ? SP_OK : SP_E_NOMEM);
        sp_node_look_release(&look);
        if (all) {
            break;
        }
    }
    sp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system),    cmocka_unit_test(test_security),
        cmocka_unit_test(test_listeners), cmocka_unit_test(test_settings),
        cmocka_unit_test(test_public),    cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
