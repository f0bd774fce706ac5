/* SPDX-License-Identifier: Apache-2.0
 *
 * Who listens on this host, in the probe's network namespace. The kernel tells anybody which ports
 * are open; which process has them it tells only the process's own user, so names are often
 * missing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/base/str.h"
#include "probe/facts/reader.h"
#include "probe/listeners.h"

#define SP_FACT_SOCKETS_MAX (4U << 20) /* bytes of one file of sockets */
#define SP_FACT_OWNED_MAX   2048U      /* sockets whose process is known */
#define SP_FACT_FDS_MAX     1024U      /* of one process */

struct owned {
    uint64_t inode;
    char name[16];
};

struct sockets {
    struct sp_fact_reader *reader;
    struct owned *owned;
    size_t nowned, cap;
    unsigned looked; /* descriptors of the current process */
    const char *pid;
    char name[16];
    bool has_ssh, has_sshd;
    bool is_silent; /* only has_ssh is asked for */
    ino_t net;      /* of this namespace's list of sockets, 0 = not known */
};

static bool is_pid(const char *name)
{
    return *name && strspn(name, "0123456789") == strlen(name) && strlen(name) < 12;
}

/* One descriptor: "socket:[12345]". */
static bool see_fd(void *arg, const char *fd)
{
    struct sockets *s = arg;
    char path[SP_FACT_PATH];
    char link[64];
    struct owned owned = {0};
    if (s->looked++ == SP_FACT_FDS_MAX || s->nowned == SP_FACT_OWNED_MAX) {
        return false;
    }
    if (!sp_fact_path(s->reader, path, "/proc/%s/fd/%s", s->pid, fd)) {
        return true;
    }
    ssize_t n = readlink(path, link, sizeof(link) - 1);
    if (n < 10 || strncmp(link, "socket:[", 8) != 0) {
        return true;
    }
    link[n - 1] = '\0';
    if (sp_parse_uint(link + 8, UINT64_MAX, &owned.inode) != SP_OK) {
        return true;
    }
    memcpy(owned.name, s->name, sizeof(owned.name));
    if (sp_grow((void **)&s->owned, s->nowned, &s->cap, sizeof(*s->owned)) != 0) {
        s->reader->out->rc = SP_E_NOMEM;
        return false;
    }
    s->owned[s->nowned++] = owned;
    return true;
}

/* One process: its name, whether it is an sshd here, its sockets if they may be read. */
static bool see_process(void *arg, const char *pid)
{
    struct sockets *s = arg;
    char path[SP_FACT_PATH];
    char whole[SP_FACT_PATH];
    struct stat st;
    if (!is_pid(pid)) {
        return true;
    }
    (void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    const char *comm = sp_fact_read_line(s->reader, path);
    if (!comm) {
        return s->reader->out->rc == SP_OK; /* it may have ended */
    }
    (void)snprintf(s->name, sizeof(s->name), "%.15s", comm);
    if (strcmp(s->name, "sshd") == 0 && sp_fact_path(s->reader, whole, "/proc/%s/net/tcp", pid)) {
        /* Each network namespace has lists of its own. */
        bool is_elsewhere = s->net != 0 && stat(whole, &st) == 0 && st.st_ino != s->net;
        s->has_sshd = s->has_sshd || !is_elsewhere;
    }
    s->pid = pid;
    s->looked = 0;
    (void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    (void)sp_fact_each_name(s->reader, path, see_fd, s); /* most are not readable */
    return s->reader->out->rc == SP_OK;
}

static const char *owner_of(const struct sockets *s, uint64_t inode)
{
    for (size_t i = 0; inode > 0 && i < s->nowned; i++) {
        if (s->owned[i].inode == inode) {
            return s->owned[i].name;
        }
    }
    return "";
}

/* The word at a place of a line, counted from 0; "" past the end. */
static void word_at(const char *line, unsigned place, char out[static 24])
{
    for (unsigned i = 0;; i++) {
        line += strspn(line, " \t");
        size_t n = strcspn(line, " \t\r\n");
        if (n == 0 || i == place) {
            n = n < 24 ? n : 0;
            memcpy(out, line, n);
            out[n] = '\0';
            return;
        }
        line += n;
    }
}

/* "tcp/22 0.0.0.0 0 sshd": port, address, user, process where known. */
static bool tell_socket(struct sockets *s, const char *line, uint8_t proto, uint8_t family)
{
    struct sp_listener_seen seen;
    char addr[SP_ADDR_STRLEN];
    char uid[24];
    char number[24];
    char text[128];
    uint64_t inode = 0;
    if (!sp_listener_parse(line, proto, family, &seen)) {
        return true;
    }
    word_at(line, 7, uid);
    word_at(line, 9, number);
    if (sp_parse_uint(number, UINT64_MAX, &inode) != SP_OK) {
        inode = 0;
    }
    s->has_ssh = s->has_ssh ||
                 (proto == SP_PROTO_TCP && seen.port == 22 && !sp_addr_is_loopback(&seen.addr));
    (void)snprintf(text, sizeof(text), "%s/%u %s %s %s", proto == SP_PROTO_TCP ? "tcp" : "udp",
                   (unsigned)seen.port, sp_addr_str(&seen.addr, addr), *uid ? uid : "?",
                   owner_of(s, inode));
    return s->is_silent || sp_fact_value(s->reader, text);
}

static void scan_processes(struct sockets *s)
{
    char path[SP_FACT_PATH];
    struct stat st;
    if (sp_fact_path(s->reader, path, "/proc/self/net/tcp") && stat(path, &st) == 0) {
        s->net = st.st_ino;
    }
    (void)sp_fact_each_name(s->reader, "/proc", see_process, s); /* names are extra */
}

static const struct {
    const char *name;
    uint8_t proto, family;
} files[] = {
    {"tcp", SP_PROTO_TCP, SP_FAMILY_IPV4},
    {"tcp6", SP_PROTO_TCP, SP_FAMILY_IPV6},
    {"udp", SP_PROTO_UDP, SP_FAMILY_IPV4},
    {"udp6", SP_PROTO_UDP, SP_FAMILY_IPV6},
};

/* False: not a file of sockets; reason tells. A kernel without IPv6 has no file of that family. */
static bool each_socket(struct sockets *s, const char *folder, size_t i)
{
    char path[SP_FACT_PATH];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
    if (files[i].family == SP_FAMILY_IPV6 && !sp_fact_exists(s->reader, path) &&
        !sp_fact_exists(s->reader, "/proc/self/net/if_inet6")) {
        return true;
    }
    char *text = sp_fact_read(s->reader, path, SP_FACT_SOCKETS_MAX);
    const char *line = text ? sp_fact_next_line(&text) : NULL;
    if (!line || !strstr(line, "local_address")) {
        if (text) {
            (void)snprintf(s->reader->reason, sizeof(s->reader->reason),
                           "it is no list of sockets");
        }
        return false;
    }
    while ((line = sp_fact_next_line(&text)) != NULL) {
        if (!tell_socket(s, line, files[i].proto, files[i].family)) {
            break;
        }
    }
    return true;
}

void sp_fact_listeners(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    struct sockets s = {.reader = reader};
    scan_processes(&s);
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        char source[64];
        (void)snprintf(source, sizeof(source), "%s/%s", path, files[i].name);
        size_t before = reader->out->len;
        sp_fact_begin(reader, fact, files[i].name, source);
        if (!each_socket(&s, path, i) && reader->out->rc == SP_OK) {
            reader->out->len = before; /* begun as known */
            reader->out->data[before] = '\0';
            sp_fact_unknown(reader, fact, files[i].name, source, reader->reason);
        }
    }
    sp_free(s.owned);
}

/* "listens" on tcp/22 beyond loopback, "runs" (an sshd that has another port, or none), or "none".
 */
void sp_fact_sshd(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    static const char folder[] = "/proc/self/net";
    struct sockets s = {.reader = reader, .is_silent = true};
    scan_processes(&s);
    if (!each_socket(&s, folder, 0) || !each_socket(&s, folder, 1)) {
        sp_fact_unknown(reader, fact, NULL, folder, reader->reason);
    } else {
        sp_fact_known(reader, fact, NULL, s.has_ssh ? folder : path,
                      s.has_ssh    ? "listens"
                      : s.has_sshd ? "runs"
                                   : "none");
    }
    sp_free(s.owned);
}
