/* SPDX-License-Identifier: Apache-2.0
 *
 * On a host that is reached by ssh: OpenSSH's own client runs, so that ~/.ssh/config, jump hosts,
 * agents and known_hosts count. One connection: it carries the script, then the probe, then the
 * records. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/deployers/ssh_reason.h"
#include "controller/deployers/ssh_script.h"
#include "controller/spawn.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"

/* Looks through the absolute folders of PATH. */
static bool find_ssh(char out[static PATH_MAX])
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t len = strcspn(p, ":");
        if (p[0] == '/' && len + 5 < PATH_MAX) {
            (void)snprintf(out, PATH_MAX, "%.*s/ssh", (int)len, p);
            if (access(out, X_OK) == 0) {
                return true;
            }
        }
        p += len + (p[len] == ':');
    }
    return false;
}

/* Never asks, never shares a connection, forwards nothing; a dead link is noticed within about the
 * time that probes have to get ready. */
static void make_options(const struct sp_deploy_help *help, char connect[static 40],
                         char interval[static 40])
{
    uint64_t seconds = help->timeout_ms / 1000;
    uint64_t wait = seconds * 3 / 4 > 0 ? seconds * 3 / 4 : 1;
    uint64_t every = seconds / 4 > 0 ? seconds / 4 : 1;
    (void)snprintf(connect, 40, "ConnectTimeout=%llu",
                   (unsigned long long)(wait < 3600 ? wait : 3600));
    (void)snprintf(interval, 40, "ServerAliveInterval=%llu",
                   (unsigned long long)(every < 60 ? every : 60));
}

static enum sp_rc start_ssh(const struct sp_host *host, const struct sp_deploy_help *help,
                            const char *command, struct sp_deployed *ret_deployed,
                            struct sp_diag *diag)
{
    char program[PATH_MAX];
    char connect[40];
    char interval[40];
    const char *argv[40];
    size_t n = 0;
    if (!find_ssh(program)) {
        return sp_fail(diag, SP_E_NOTFOUND, host->name,
                       "there is no ssh on this machine: install the OpenSSH client");
    }
    make_options(help, connect, interval);
    argv[n++] = program;
    if (help->ssh_config) {
        argv[n++] = "-F";
        argv[n++] = help->ssh_config;
    }
    static const char *const flags[] = {"-T", "-x", "-a"};
    for (size_t i = 0; i < SP_ARRAY_LEN(flags); i++) {
        argv[n++] = flags[i];
    }
    const char *const options[] = {"BatchMode=yes",
                                   "ControlMaster=no",
                                   "ControlPath=none",
                                   "ClearAllForwardings=yes",
                                   "PermitLocalCommand=no",
                                   "RemoteCommand=none",
                                   "LogLevel=ERROR",
                                   "ServerAliveCountMax=3",
                                   interval,
                                   connect};
    for (size_t i = 0; i < SP_ARRAY_LEN(options); i++) {
        argv[n++] = "-o";
        argv[n++] = options[i];
    }
    argv[n++] = "--";
    argv[n++] = host->target;
    argv[n++] = command;
    argv[n] = NULL;
    char *const *args; /* exec's type; it leaves the texts alone */
    const char *const *from = argv;
    memcpy(&args, &from, sizeof(args));
    return sp_spawn(args, -1, ret_deployed, diag);
}

static enum sp_rc start(const struct sp_host *host, char *const *argv,
                        const struct sp_deploy_help *help, struct sp_deployed *ret_deployed,
                        struct sp_diag *diag)
{
    uint8_t random[16];
    char nonce[sizeof(random) * 2 + 1];
    struct sp_buf script;
    struct sp_buf command;
    if (!help->image || !host->target) {
        return sp_fail(diag, SP_E_INVALID, host->name, "via: ssh needs a target and a probe");
    }
    sp_random_bytes(random, sizeof(random));
    sp_hex(random, sizeof(random), nonce);
    const struct sp_ssh_order order = {.image = help->image,
                                       .nonce = nonce,
                                       .become = host->become,
                                       .limit_s = sp_ssh_upload_s(help->image, help->timeout_ms),
                                       .argv = argv};
    sp_buf_init(&script, SP_SSH_SCRIPT_MAX);
    sp_buf_init(&command, 1024);
    sp_ssh_script(&order, &script);
    sp_ssh_command(script.len, &command);
    enum sp_rc rc = script.rc != SP_OK ? script.rc : command.rc;
    if (rc != SP_OK) {
        rc = sp_fail(diag, rc, host->name, "%s", sp_rc_str(rc));
    } else {
        rc = start_ssh(host, help, sp_buf_text(&command), ret_deployed, diag);
    }
    if (rc == SP_OK) {
        ret_deployed->lead_len = script.len;
        ret_deployed->lead = sp_buf_take(&script);
        (void)snprintf(ret_deployed->marker, sizeof(ret_deployed->marker), SP_SSH_MARKER "%s ",
                       nonce);
    }
    sp_buf_release(&command);
    sp_buf_release(&script);
    return rc;
}

static enum sp_marker on_marker(const char *text, const char **ret_privilege)
{
    static const char *const ways[] = {"root login", "sudo", "file capability",
                                       "inherited capability"};
    if (strcmp(text, SP_SSH_UP) == 0) {
        return SP_MARKER_UP;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(ways); i++) {
        size_t len = strlen(SP_SSH_RUN);
        if (strncmp(text, SP_SSH_RUN, len) == 0 && strcmp(text + len, ways[i]) == 0) {
            *ret_privilege = ways[i];
            return SP_MARKER_RUN;
        }
    }
    return SP_MARKER_UNKNOWN;
}

const struct sp_deployer sp_dep_ssh = {
    .name = "ssh",
    .summary = "on a host that is reached by ssh",
    .is_remote = true,
    .start = start,
    .on_marker = on_marker,
    .explain = sp_ssh_reason,
};
