/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of a made-up host: what is told of good files, and that nothing is ever known from a file
 * that is missing, odd, huge or none. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/wire/message.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/facts_kit.h"

static int set_up(void **state)
{
    struct host *host = sp_calloc(1, sizeof(*host));
    assert_non_null(host);
    host_init(host);
    host_usual(host);
    *state = host;
    return 0;
}

static int tear_down(void **state)
{
    host_release(*state);
    sp_free(*state);
    return 0;
}

static void test_usual(void **state)
{
    struct host *host = *state;
    host_ask(host, "module=nf_conntrack\nmodule=br_netfilter\nmodule=ext4\nmodule=dccp\n"
                   "module=../../etc\n");
    assert_int_equal(host->told.rc, SP_OK);
    host_tells(host, "kernel", NULL, "6.1.0-18-amd64");
    host_tells(host, "os", NULL, "debian-12|debian");
    host_tells(host, "fips", NULL, "1");
    host_tells(host, "lockdown", NULL, "integrity");
    host_tells(host, "lsm", NULL, "lockdown|capability|yama|apparmor|selinux");
    host_tells(host, "lsm", "apparmor", "active");
    host_tells(host, "lsm", "selinux", "active|enforcing");
    host_tells(host, "lsm_label", NULL, "docker-default (enforce)");
    host_tells(host, "mitigations", NULL, "l1tf Not affected|meltdown Mitigation: PTI");
    host_tells(host, "virtualisation", NULL, "virtual|QEMU");
    host_tells(host, "memory", NULL, "4142411776");
    host_tells(host, "cpus", NULL, "5");
    host_tells(host, "modules", NULL, "nf_conntrack|nf_nat");
    host_tells(host, "modules", "nf_conntrack", "present");
    host_tells(host, "modules", "br_netfilter", "built in");
    host_tells(host, "modules", "ext4", "built in");
    host_tells(host, "modules", "dccp", "absent");
    host_lacks(host, "modules", "../../etc", "no name of a module");
    host_tells(host, "zone", NULL, "eu-1a");
    host_tells(host, "listeners", "tcp", "tcp/22 0.0.0.0 0 sshd|tcp/8080 127.0.0.1 1000 ");
    host_tells(host, "listeners", "udp6", "");
    host_tells(host, "sshd", NULL, "listens");
    host_tells(host, "rp_filter", NULL, "eth0 1");
    host_tells(host, "forwarding", "ipv4", "none");
    host_tells(host, "forwarding", "ipv6", "some");
    host_tells(host, "conntrack", NULL, "12|262144");
    host_tells(host, "port_range", NULL, "32768-60999|40000,50000-50010");
}

/* Every file missing at once: everything is unknown, or known to be none for want of something. */
static void test_nothing(void **state)
{
    static const char *const facts[] = {"kernel", "os",        "fips",        "lockdown",
                                        "lsm",    "lsm_label", "mitigations", "virtualisation",
                                        "memory", "cpus",      "modules",     "zone",
                                        "sshd",   "rp_filter", "conntrack",   "port_range"};
    struct host *host = *state;
    host_remove(host, "/proc");
    host_remove(host, "/sys");
    host_remove(host, "/etc");
    host_ask(host, "module=ext4\ndisk=/\n");
    assert_int_equal(host->told.rc, SP_OK);
    for (size_t i = 0; i < SP_ARRAY_LEN(facts); i++) {
        host_lacks(host, facts[i], NULL, "");
    }
    host_lacks(host, "modules", "ext4", "");
    host_lacks(host, "disk_encryption", "/", "no such file");
    host_lacks(host, "forwarding", "ipv4", "no such file");
    host_lacks(host, "forwarding", "ipv6", "");
    host_lacks(host, "listeners", "tcp", "no such file");
}

/* One file after the other is odd: empty, of bytes, huge, a folder, a pipe, a link to nowhere or to
 * something without an end. */
static void test_odd_files(void **state)
{
    static const struct {
        const char *path, *fact, *of;
    } files[] = {
        {"/proc/sys/kernel/osrelease", "kernel", NULL},
        {"/etc/os-release", "os", NULL},
        {"/proc/sys/crypto/fips_enabled", "fips", NULL},
        {"/sys/kernel/security/lockdown", "lockdown", NULL},
        {"/sys/kernel/security/lsm", "lsm", NULL},
        {"/proc/self/attr/current", "lsm_label", NULL},
        {"/proc/cpuinfo", "virtualisation", NULL},
        {"/proc/meminfo", "memory", NULL},
        {"/sys/devices/system/cpu/online", "cpus", NULL},
        {"/etc/segproof/zone", "zone", NULL},
        {"/proc/self/net/tcp", "listeners", "tcp"},
        {"/proc/self/net/tcp", "sshd", NULL},
        {"/proc/self/net/udp6", "listeners", "udp6"},
        {"/proc/sys/net/ipv4/conf/all/rp_filter", "rp_filter", NULL},
        {"/proc/sys/net/ipv4/conf/eth0/forwarding", "forwarding", "ipv4"},
        {"/proc/sys/net/netfilter/nf_conntrack_max", "conntrack", NULL},
        {"/proc/sys/net/ipv4/ip_local_port_range", "port_range", NULL},
    };
    static const size_t huge = (4U << 20) + 1;
    struct host *host = *state;
    char whole[256];
    char *bytes = sp_calloc(huge, 1);
    assert_non_null(bytes);
    memset(bytes, '7', huge);
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        const char *path = files[i].path;
        (void)snprintf(whole, sizeof(whole), "%s%s", host->root, path);
        for (unsigned kind = 0; kind < 7; kind++) {
            host_remove(host, path);
            switch (kind) {
            case 0:
                host_bytes(host, path, "", 0);
                break;
            case 1:
                host_bytes(host, path, "\0\1\2\0x\n\n\xff", 8);
                break;
            case 2:
                host_bytes(host, path, bytes, huge);
                break;
            case 3:
                host_folder(host, path);
                break;
            case 4:
                assert_int_equal(mkfifo(whole, 0644), 0);
                break;
            case 5:
                host_link(host, path, "/dev/zero");
                break;
            default:
                host_link(host, path, "no/such");
                break;
            }
            host_ask(host, NULL);
            assert_int_equal(host->told.rc, SP_OK);
            host_lacks(host, files[i].fact, files[i].of, "");
        }
        host_remove(host, path);
        host_usual(host); /* whole again; links of processes exist already */
    }
    sp_free(bytes);
}

static void test_words(void **state)
{
    static const struct {
        const char *path, *text, *fact, *of, *told;
    } cases[] = {
        {"/proc/sys/crypto/fips_enabled", "yes\n", "fips", NULL, "?it holds no number"},
        {"/proc/sys/crypto/fips_enabled", "0\n", "fips", NULL, "0"},
        {"/sys/kernel/security/lockdown", "[none] integrity\n", "lockdown", NULL, "none"},
        {"/sys/kernel/security/lockdown", "[all]\n", "lockdown", NULL, "?it tells no known state"},
        {"/sys/kernel/security/lockdown", "none integrity\n", "lockdown", NULL,
         "?it tells no known state"},
        {"/etc/os-release", "ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", "os", NULL, "rocky-9.4|rocky"},
        {"/etc/os-release", "ID=arch\n", "os", NULL, "arch|arch"},
        {"/etc/os-release", "ID=$(reboot)\nVERSION_ID=1\n", "os", NULL, "?it names no ID"},
        {"/proc/cpuinfo", "flags : fpu sse\n", "virtualisation", NULL, "physical|QEMU"},
        {"/proc/cpuinfo", "processor: 0\nFeatures: fp asimd\n", "virtualisation", NULL,
         "?this processor's flags do not tell whether it is virtual"},
        {"/sys/devices/system/cpu/online", "3-1\n", "cpus", NULL,
         "?it holds no list of processors"},
        {"/sys/devices/system/cpu/online", "0-99999999\n", "cpus", NULL,
         "?it holds no list of processors"},
        {"/proc/meminfo", "MemTotal: 99999999999999999999 kB\n", "memory", NULL,
         "?it tells no MemTotal"},
        {"/proc/sys/net/ipv4/ip_local_port_range", "60999 32768\n", "port_range", NULL,
         "?it holds no two ports"},
        {"/proc/sys/net/ipv4/conf/all/rp_filter", "2\n", "rp_filter", NULL, "eth0 2"},
        {"/proc/sys/net/ipv4/conf/eth0/rp_filter", "odd\n", "rp_filter", NULL, "eth0 ?"},
        {"/proc/sys/net/ipv4/conf/all/forwarding", "1\n", "forwarding", "ipv4", "all"},
        {"/sys/fs/selinux/enforce", "0", "lsm", "selinux", "active|permissive"},
        {"/sys/module/apparmor/parameters/mode", "complain\n", "lsm", "apparmor",
         "active|permissive"},
        {"/proc/self/net/tcp", "no sockets here\n", "listeners", "tcp",
         "?it is no list of sockets"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct host *host = *state;
        host_release(host);
        host_init(host);
        host_usual(host);
        host_file(host, cases[i].path, cases[i].text);
        host_ask(host, NULL);
        host_tells(host, cases[i].fact, cases[i].of, cases[i].told);
    }
}

/* Security modules without securityfs: what they tell of themselves, and nothing else. */
static void test_without_securityfs(void **state)
{
    struct host *host = *state;
    host_remove(host, "/sys/kernel");
    host_ask(host, NULL);
    host_lacks(host, "lsm", NULL, "no such file");
    host_tells(host, "lsm", "selinux", "active|enforcing");
    assert_null(host_fact(host, "lsm", "apparmor"));
    host_file(host, "/sys/module/apparmor/parameters/enabled", "Y\n");
    host_ask(host, NULL);
    host_tells(host, "lsm", "apparmor", "active");
    host_file(host, "/sys/module/apparmor/parameters/enabled", "N\n");
    host_ask(host, NULL);
    host_tells(host, "lsm", "apparmor", "absent");
}

static void test_zone_of_cloud_init(void **state)
{
    struct host *host = *state;
    host_remove(host, "/etc/segproof");
    host_file(host, "/run/cloud-init/instance-data.json",
              "{\"v1\": {\"availability_zone\": \"us-2b\"}}");
    host_ask(host, NULL);
    host_tells(host, "zone", NULL, "us-2b");
    host_file(host, "/run/cloud-init/instance-data.json", "{\"availability_zone\": null}");
    host_ask(host, NULL);
    host_lacks(host, "zone", NULL, "no availability zone");
}

static void test_sshd(void **state)
{
    struct host *host = *state;
    host_file(host, "/proc/self/net/tcp", "  sl  local_address rem_address\n");
    host_ask(host, NULL);
    host_tells(host, "sshd", NULL, "runs");
    host_file(host, "/proc/77/comm", "bash\n");
    host_ask(host, NULL);
    host_tells(host, "sshd", NULL, "none");
    /* A dead one that nobody has buried. */
    host_file(host, "/proc/77/comm", "sshd\n");
    host_file(host, "/proc/77/stat", "77 (sshd) Z 1 77 77 0\n");
    host_ask(host, NULL);
    host_tells(host, "sshd", NULL, "none");
    host_file(host, "/proc/77/stat", "77 (sshd) S 1 77 77 0\n");
    host_ask(host, NULL);
    host_tells(host, "sshd", NULL, "runs");
    /* One of another network namespace has another list of sockets. */
    host_file(host, "/proc/77/comm", "sshd\n");
    host_file(host, "/proc/77/net/tcp", "  sl  local_address rem_address\n");
    host_ask(host, NULL);
    host_tells(host, "sshd", NULL, "none");
}

/* Lists without an end are cut, and say so; the whole answer stays within its bound. */
static void test_long_lists(void **state)
{
    struct host *host = *state;
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, "  sl  local_address rem_address   st\n");
    for (unsigned i = 1; i < 5000; i++) {
        sp_buf_fmt(&text, " %u: 00000000:%04X 00000000:0000 0A 0:0 00:0 0 0 0 %u 1\n", i, i, i);
    }
    host_file(host, "/proc/self/net/tcp", sp_buf_text(&text));
    sp_buf_clear(&text);
    for (unsigned i = 0; i < 5000; i++) {
        sp_buf_fmt(&text, "module_%u 1 0 - Live 0x0\n", i);
        char path[128];
        if (i < 600) {
            (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/veth%08u/rp_filter", i);
            host_file(host, path, "1\n");
            (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/bug%u", i);
            host_file(host, path, "\x01\x02Mitigation: something long, of which there is a lot\n");
        }
    }
    host_file(host, "/proc/modules", sp_buf_text(&text));
    host_ask(host, "module=a\nmodule=b\n");
    assert_int_equal(host->told.rc, SP_OK);
    assert_true(host->told.len < SP_MESSAGE_MAX);
    assert_non_null(strstr(host_fact(host, "listeners", "tcp"), "..."));
    assert_non_null(strstr(host_fact(host, "modules", NULL), "..."));
    assert_non_null(strstr(host_fact(host, "rp_filter", NULL), "..."));
    assert_non_null(strstr(host_fact(host, "mitigations", NULL), "..."));
    sp_buf_release(&text);
}

static void test_torture(void **state)
{
    struct host *host = *state;
    host_file(host, "/proc/self/mountinfo", "1 0 254:0 / / rw - ext4 /dev/vda rw\n");
    for (size_t nth = 1;; nth++) {
        sp_buf_release(&host->told);
        sp_buf_init(&host->told, SP_MESSAGE_MAX);
        (void)sp_mem_fail_at(nth, 0);
        host_ask(host, "module=ext4\ndisk=/\ndisk=/etc\n");
        bool all = sp_mem_fail_at(0, 0) < nth;
        if (all) {
            assert_int_equal(host->told.rc, SP_OK);
            host_tells(host, "kernel", NULL, "6.1.0-18-amd64");
            break;
        }
        /* Lost, or nobody needed it: never a wrong fact. */
        assert_true(host->told.rc == SP_OK || host->told.rc == SP_E_NOMEM);
        assert_true(nth < 5000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_usual, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_securityfs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zone_of_cloud_init, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sshd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torture, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
