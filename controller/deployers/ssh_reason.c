/* SPDX-License-Identifier: Apache-2.0
 *
 * The words are those of OpenSSH's client (since 7.x), of sudo (since 1.8) and of our own script.
 * An unknown end is told with the last line that was written. */
#include "controller/deployers/ssh_reason.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define SP_SSH_FAILED 255 /* ssh's own exit code when the connection failed */

struct rule {
    const char *needle;
    const char *reason; /* %s is the target; NULL: the line itself after the needle */
};

/* The first that any line contains wins: causes before what follows from them. */
static const struct rule rules[] = {
    {"segproof: ", NULL},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED",
     "the host key of %s has changed: another machine may pretend to be it. If it was replaced on "
     "purpose, remove the old key (ssh-keygen -R) and connect once by hand"},
    {"REVOKED HOST KEY", "the host key of %s is revoked: do not use this host"},
    {"Host key verification failed",
     "the host key of %s, or of a jump host before it, is not known: connect once by hand (ssh "
     "%s), or add it to known_hosts"},
    {"Permission denied (", "%s: permission denied: wrong user, or no key that it accepts. ssh -o "
                            "BatchMode=yes %s must work without a question"},
    {"Too many authentication failures", "%s refused every key that was offered: name the right "
                                         "one in ~/.ssh/config (IdentityFile, IdentitiesOnly)"},
    {"Could not resolve hostname", "the name of %s is not known: write its address, or give it a "
                                   "HostName in ~/.ssh/config"},
    {"Connection refused", "%s: connection refused: no ssh server listens there, or on another "
                           "port"},
    {"onnection timed out", "%s does not answer (connection timed out): wrong address, or a "
                            "firewall drops ssh"},
    {"timed out", "%s does not answer (connection timed out): wrong address, or a firewall drops "
                  "ssh"},
    {"No route to host", "there is no route to %s: wrong address, or it is down"},
    {"Network is unreachable", "there is no route to %s: wrong address, or no network here"},
    {"a password is required", "sudo wants a password on %s: allow its user NOPASSWD in sudoers, "
                               "or log in as root"},
    {"no tty present", "sudo wants a password on %s: allow its user NOPASSWD in sudoers, or log "
                       "in as root"},
    {"you must have a tty", "sudo wants a terminal on %s: take requiretty out of sudoers for its "
                            "user"},
    {"is not in the sudoers file", "the user of %s may not use sudo there: add a rule with "
                                   "NOPASSWD to sudoers, or log in as root"},
    {"is not allowed to execute", "the user of %s may not run a probe with sudo there: add a rule "
                                  "with NOPASSWD to sudoers, or log in as root"},
    {"may not run sudo", "the user of %s may not use sudo there: add a rule with NOPASSWD to "
                         "sudoers, or log in as root"},
    {"Bad owner or permissions on", NULL},
    {"ad configuration option", NULL},
    {"Can't open user config file", NULL},
};

/* What ssh writes when a connection that worked is cut. */
static const struct rule cuts[] = {
    {"Timeout, server", "nothing was heard from it any more"},
    {"timed out", "nothing was heard from it any more"},
    {"closed by", "its ssh server closed it"},
    {"reset by", "it was reset"},
    {"Broken pipe", "it broke"},
    {"segproof: ", NULL},
};

/* The line of words that contains a needle, printable; false when there is none. */
static bool find_line(const char *words, const struct rule *rule, char *out, size_t size)
{
    const char *at = strstr(words, rule->needle);
    if (!at) {
        return false;
    }
    size_t begin = (size_t)(at - words);
    if (strcmp(rule->needle, "segproof: ") == 0) {
        begin += strlen(rule->needle);
    } else {
        while (begin > 0 && words[begin - 1] != '\n') {
            begin--;
        }
    }
    (void)snprintf(out, size, "%.*s", (int)strcspn(words + begin, "\r\n"), words + begin);
    return true;
}

static void last_line(const char *words, char *out, size_t size)
{
    size_t end = strlen(words);
    while (end > 0 && (words[end - 1] == '\n' || words[end - 1] == '\r')) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && words[begin - 1] != '\n') {
        begin--;
    }
    (void)snprintf(out, size, "%.*s", (int)(end - begin), words + begin);
}

static void put_target(const char *reason, const char *target, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = reason; *p && n + 1 < size; p++) {
        if (p[0] == '%' && p[1] == 's') {
            int len = snprintf(out + n, size - n, "%s", target);
            n += len > 0 ? (size_t)len : 0;
            p++;
        } else {
            out[n++] = *p;
        }
    }
    out[n < size ? n : size - 1] = '\0';
}

static void explain_cut(const char *target, const struct sp_ended *ended, char *out, size_t size)
{
    const char *words = ended->words;
    char line[300];
    for (size_t i = 0; i < SP_ARRAY_LEN(cuts); i++) {
        if (find_line(words, &cuts[i], line, sizeof(line))) {
            (void)snprintf(out, size, "the connection to %s was lost: %s", target,
                           cuts[i].reason ? cuts[i].reason : line);
            return;
        }
    }
    last_line(words, line, sizeof(line));
    if (!line[0] && ended->status != -1 && WIFSIGNALED(ended->status)) {
        (void)snprintf(line, sizeof(line), "ssh was killed (signal %d)", WTERMSIG(ended->status));
    } else if (!line[0]) { /* ssh tells of its keepalives at a log level that we don't ask for */
        (void)snprintf(line, sizeof(line), "%s", cuts[0].reason);
    }
    (void)snprintf(out, size, "the connection to %s was lost: %s", target, line);
}

/* Without any words. */
static void explain_status(const char *target, const struct sp_ended *ended, char *out, size_t size)
{
    if (ended->noise[0]) {
        (void)snprintf(out, size, "no probe could be started on %s; its login says: %s", target,
                       ended->noise);
    } else if (ended->status != -1 && WIFSIGNALED(ended->status)) {
        (void)snprintf(out, size, "the connection to %s was lost: ssh was killed (signal %d)",
                       target, WTERMSIG(ended->status));
    } else if (ended->status != -1 && WIFEXITED(ended->status)) {
        (void)snprintf(out, size, "no probe could be started on %s: the shell there ended with %d",
                       target, WEXITSTATUS(ended->status));
    } else {
        (void)snprintf(out, size, "no probe could be started on %s", target);
    }
}

void sp_ssh_reason(const struct sp_host *host, const struct sp_ended *ended, char *out, size_t size)
{
    const char *target = host->target ? host->target : host->name;
    char line[400];
    bool cut = ended->status == -1 || WIFSIGNALED(ended->status) ||
               (WIFEXITED(ended->status) && WEXITSTATUS(ended->status) == SP_SSH_FAILED);
    if (ended->was_ready && cut) {
        explain_cut(target, ended, out, size);
        return;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(rules); i++) {
        if (find_line(ended->words, &rules[i], line, sizeof(line))) {
            put_target(rules[i].reason ? rules[i].reason : line, target, out, size);
            return;
        }
    }
    last_line(ended->words, line, sizeof(line));
    if (ended->was_ready) {
        (void)snprintf(out, size, "its probe ended%s%s", line[0] ? ": " : " (killed there)", line);
    } else if (line[0]) {
        (void)snprintf(out, size, "no probe could be started on %s: %s", target, line);
    } else {
        explain_status(target, ended, out, size);
    }
}
