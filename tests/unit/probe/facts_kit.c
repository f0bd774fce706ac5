/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe/facts_kit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/facts/facts.h"
#include "probe/wire/message.h"
#include "tests/support/sp_cmocka.h"

void host_init(struct host *host)
{
    *host = (struct host){.root = "/tmp/segproof-facts-XXXXXX"};
    assert_non_null(mkdtemp(host->root));
    sp_buf_init(&host->told, SP_MESSAGE_MAX);
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void host_release(struct host *host)
{
    assert_int_equal(nftw(host->root, forget, 16, FTW_DEPTH | FTW_PHYS), 0);
    sp_buf_release(&host->told);
}

static void whole_path(const struct host *host, const char *path, char out[static 1024])
{
    int n = snprintf(out, 1024, "%s%s", host->root, path);
    assert_true(n > 0 && n < 1024);
}

/* Every folder on the way to path. */
static void make_way(const struct host *host, const char *path)
{
    char at[1024];
    whole_path(host, path, at);
    for (char *slash = at + strlen(host->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(at, 0755);
        *slash = '/';
    }
}

void host_folder(struct host *host, const char *path)
{
    char at[1024];
    make_way(host, path);
    whole_path(host, path, at);
    (void)mkdir(at, 0755);
}

void host_bytes(struct host *host, const char *path, const void *bytes, size_t len)
{
    char at[1024];
    make_way(host, path);
    whole_path(host, path, at);
    int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

void host_file(struct host *host, const char *path, const char *text)
{
    host_bytes(host, path, text, strlen(text));
}

void host_link(struct host *host, const char *path, const char *to)
{
    char at[1024];
    make_way(host, path);
    whole_path(host, path, at);
    (void)unlink(at);
    assert_int_equal(symlink(to, at), 0);
}

void host_remove(struct host *host, const char *path)
{
    char at[1024];
    whole_path(host, path, at);
    assert_int_equal(nftw(at, forget, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void host_usual(struct host *host)
{
    static const char sockets[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
        "retrnsmt   uid  timeout inode\n";
    static const char *const empty[] = {"/proc/self/net/tcp6", "/proc/self/net/udp",
                                        "/proc/self/net/udp6"};
    char text[1024];
    host_file(host, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    host_file(host, "/etc/os-release",
              "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=\"12\"\n");
    host_file(host, "/proc/sys/crypto/fips_enabled", "1\n");
    host_file(host, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    host_file(host, "/sys/kernel/security/lsm", "lockdown,capability,yama,apparmor,selinux\n");
    host_file(host, "/sys/fs/selinux/enforce", "1");
    host_bytes(host, "/proc/self/attr/current", "docker-default (enforce)\n\0", 26);
    host_file(host, "/sys/devices/system/cpu/vulnerabilities/meltdown", "Mitigation: PTI\n");
    host_file(host, "/sys/devices/system/cpu/vulnerabilities/l1tf", "Not affected\n");
    host_file(host, "/proc/cpuinfo",
              "processor\t: 0\nflags\t\t: fpu hypervisor sse\n\nprocessor\t: 1\n");
    host_file(host, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
    host_file(host, "/proc/meminfo", "MemTotal:        4045324 kB\nMemFree: 1 kB\n");
    host_file(host, "/sys/devices/system/cpu/online", "0-3,6\n");
    host_file(host, "/proc/modules",
              "nf_conntrack 200 1 nf_nat, Live 0x0\nnf_nat 1 0 - Live 0x0\n");
    host_folder(host, "/sys/module/nf_conntrack");
    host_file(host, "/lib/modules/6.1.0-18-amd64/modules.builtin",
              "kernel/fs/ext4/ext4.ko\nkernel/net/br-netfilter.ko\n");
    host_file(host, "/etc/segproof/zone", "eu-1a\n");
    host_file(host, "/proc/self/net/if_inet6", "");
    (void)snprintf(text, sizeof(text),
                   "%s   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 "
                   "    0        0 4711 1 0\n"
                   "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 "
                   " 1000        0 4712 1 0\n"
                   "   2: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000 "
                   " 1000        0 4713 1 0\n",
                   sockets);
    host_file(host, "/proc/self/net/tcp", text);
    for (size_t i = 0; i < SP_ARRAY_LEN(empty); i++) {
        host_file(host, empty[i], sockets);
    }
    host_file(host, "/proc/77/comm", "sshd\n");
    host_link(host, "/proc/77/fd/3", "socket:[4711]");
    host_file(host, "/proc/sys/net/ipv4/conf/all/rp_filter", "0\n");
    host_file(host, "/proc/sys/net/ipv4/conf/default/rp_filter", "0\n");
    host_file(host, "/proc/sys/net/ipv4/conf/lo/rp_filter", "0\n");
    host_file(host, "/proc/sys/net/ipv4/conf/eth0/rp_filter", "1\n");
    host_file(host, "/proc/sys/net/ipv4/conf/all/forwarding", "0\n");
    host_file(host, "/proc/sys/net/ipv4/conf/default/forwarding", "1\n");
    host_file(host, "/proc/sys/net/ipv4/conf/lo/forwarding", "0\n");
    host_file(host, "/proc/sys/net/ipv4/conf/eth0/forwarding", "0\n");
    host_file(host, "/proc/sys/net/ipv6/conf/all/forwarding", "0\n");
    host_file(host, "/proc/sys/net/ipv6/conf/eth0/forwarding", "1\n");
    host_file(host, "/proc/sys/net/netfilter/nf_conntrack_count", "12\n");
    host_file(host, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
    host_file(host, "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    host_file(host, "/proc/sys/net/ipv4/ip_local_reserved_ports", "40000,50000-50010\n");
}

void host_ask(struct host *host, const char *question)
{
    sp_buf_clear(&host->told);
    sp_facts_tell(host->root, question ? question : "", question ? strlen(question) : 0,
                  &host->told);
}

const char *host_fact(struct host *host, const char *fact, const char *of)
{
    static char text[SP_MESSAGE_MAX];
    struct sp_fields fields;
    bool is_right = false;
    bool is_named = false;
    bool is_found = false;
    size_t n = 0;
    text[0] = '\0';
    sp_fields_init(&fields, sp_buf_text(&host->told), host->told.len);
    while (sp_fields_next(&fields)) {
        const char *value = sp_buf_text(&fields.value);
        if (strcmp(fields.key, "fact") == 0) {
            if (is_found) {
                break;
            }
            is_named = strcmp(value, fact) == 0;
            is_right = is_named && !of;
        } else if (strcmp(fields.key, "of") == 0) {
            is_right = is_named && of && strcmp(value, of) == 0;
        } else if (strcmp(fields.key, "source") == 0) {
            is_found = is_right;
            assert_true(value[0] == '/');
        } else if (is_found && strcmp(fields.key, "value") == 0) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? "|" : "", value);
        } else if (is_found && strcmp(fields.key, "unknown") == 0) {
            (void)snprintf(text, sizeof(text), "?%s", value);
        } else if (is_found && strcmp(fields.key, "cut") == 0) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "...");
        }
    }
    assert_false(fields.is_bad);
    sp_fields_release(&fields);
    return is_found ? text : NULL;
}

static const char *must_tell(struct host *host, const char *fact, const char *of)
{
    const char *told = host_fact(host, fact, of);
    if (!told) {
        fail_msg("%s %s: nothing is said of it", fact, of ? of : "");
    }
    return told ? told : "";
}

void host_tells(struct host *host, const char *fact, const char *of, const char *wanted)
{
    const char *told = must_tell(host, fact, of);
    if (strcmp(told, wanted) != 0) {
        fail_msg("%s %s: '%s', not '%s'", fact, of ? of : "", told, wanted);
    }
}

void host_lacks(struct host *host, const char *fact, const char *of, const char *words)
{
    const char *told = must_tell(host, fact, of);
    if (told[0] != '?' || !strstr(told, words)) {
        fail_msg("%s %s: '%s', not unknown: %s", fact, of ? of : "", told, words);
    }
}
