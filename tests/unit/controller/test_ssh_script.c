/* SPDX-License-Identifier: Apache-2.0
 *
 * The script of the ssh deployer, run by every shell of this machine as sshd would run it: the
 * command line to a login shell, script and probe on standard input. The probe is a small shell
 * script; programs that the script calls are replaced through PATH. */
#include "controller/deployers/ssh_script.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define NONCE "00112233445566778899aabbccddeeff"

/* Says what it was started with, then repeats its input. */
#define SELF_REMOVING                                                                              \
    "#!/bin/sh\n"                                                                                  \
    "if [ \"$1\" = --remove-self ]; then rm \"$0\"; rmdir \"${0%/*}\"; shift; fi\n"                \
    "for a; do printf '<%s>' \"$a\"; done\necho\ncat\nexit 7\n"
#define STAYING "#!/bin/sh\ncat\nexit 7\n"

static char root[] = "/tmp/sp-ssh-script-XXXXXX";
static char bin[48], room[48], path[4400];

struct done {
    char out[8192], err[4096];
    int code;
};

struct how {
    const char *login;      /* "bash -c", split at spaces; NULL: sh -c */
    const char *probe;      /* its text; NULL: SELF_REMOVING */
    const char *sha256;     /* NULL: the right one */
    const char *without[6]; /* programs that seem not to be there */
    const char *become;
    const char *machines; /* NULL: any */
    size_t cut;           /* so many bytes at the end never arrive */
    size_t script_cut;    /* so many bytes of the script, and the probe, never arrive */
    unsigned limit_s;     /* not 0: what is cut leaves the input open */
    char *const *argv;
};

/* ---- a place of its own ---- */

static void put(const char *folder, const char *name, const char *text)
{
    char file[160];
    (void)snprintf(file, sizeof(file), "%s/%s", folder, name);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void drop(const char *name)
{
    char file[160];
    (void)snprintf(file, sizeof(file), "%s/%s", bin, name);
    (void)unlink(file);
}

static size_t count_files(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(root)) {
        return -1;
    }
    const char *old = getenv("PATH");
    (void)snprintf(bin, sizeof(bin), "%s/bin", root);
    (void)snprintf(room, sizeof(room), "%s/room", root);
    (void)snprintf(path, sizeof(path), "%s:%s", bin, old ? old : "/usr/bin:/bin");
    return mkdir(bin, 0755) == 0 && mkdir(room, 0700) == 0 ? 0 : -1;
}

/* With what login shells put into their home. */
static int tear_down(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/rm", "rm", "-rf", root, (char *)NULL);
        _exit(99);
    }
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* ---- one run ---- */

static void write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* it ended early: that is for the caller to see */
        }
        p += n;
        len -= (size_t)n;
    }
}

/* Reads what there is; false at the end. */
static bool read_some(int fd, char *into, size_t size)
{
    size_t have = strlen(into);
    ssize_t n = read(fd, into + have, size - 1 - have);
    into[have + (n > 0 ? (size_t)n : 0)] = '\0';
    return n > 0;
}

static void child(const struct how *how, const char *command, int io, int err)
{
    char words[64];
    char *argv[8];
    size_t n = 0;
    (void)snprintf(words, sizeof(words), "%s", how->login ? how->login : "sh -c");
    char *save = NULL;
    for (char *w = strtok_r(words, " ", &save); w && n < 6; w = strtok_r(NULL, " ", &save)) {
        argv[n++] = w;
    }
    char *text = sp_strdup(command);
    argv[n++] = text;
    argv[n] = NULL;
    (void)dup2(io, 0);
    (void)dup2(io, 1);
    (void)dup2(err, 2);
    (void)setenv("PATH", path, 1);
    (void)setenv("XDG_RUNTIME_DIR", room, 1);
    (void)setenv("HOME", root, 1);
    (void)execvp(argv[0], argv);
    _exit(99);
}

static void talk(int io, int err, struct done *done)
{
    bool asked = false;
    bool open_io = true;
    bool open_err = true;
    for (int i = 0; i < 2000 && (open_io || open_err); i++) {
        struct pollfd p[2] = {{.fd = open_io ? io : -1, .events = POLLIN},
                              {.fd = open_err ? err : -1, .events = POLLIN}};
        (void)poll(p, 2, 10);
        if (p[0].revents) {
            open_io = read_some(io, done->out, sizeof(done->out));
        }
        if (p[1].revents) {
            open_err = read_some(err, done->err, sizeof(done->err));
        }
        if (!asked && strstr(done->out, NONCE " run ")) {
            asked = true; /* records go to a probe only */
            write_all(io, "ping\n", 5);
            (void)shutdown(io, SHUT_WR);
        }
    }
}

static void hide(struct sp_buf *script, const char *program)
{
    char needle[40];
    (void)snprintf(needle, sizeof(needle), "has %s;", program);
    char *at = strcmp(program, "any tool") == 0 ? strstr(script->data, "has $tool ||") : NULL;
    if (at) {
        memcpy(at, "false    ", 9);
    }
    while ((at = strstr(script->data, needle)) != NULL) {
        memset(at, ' ', strlen(needle) - 1);
        memcpy(at, "!", 1);
        memcpy(at + 2, ":", 1); /* "! :" is false */
    }
}

static struct done run(const struct how *how)
{
    static char *const no_args[] = {NULL};
    const char *probe = how->probe ? how->probe : SELF_REMOVING;
    struct done done = {0};
    struct sp_image *image = NULL;
    struct sp_diag diag = {0};
    struct sp_buf script;
    struct sp_buf command;
    int io[2];
    int err[2];
    int status = -1;
    /* The checksums come from the code under test; the programs of this machine must agree. */
    put(root, "probe", probe);
    char file[64];
    (void)snprintf(file, sizeof(file), "%s/probe", root);
    if (sp_image_read(file, &image, &diag) != SP_E_INVALID || image) {
        fail_msg("a shell script was taken for a program");
    }
    struct sp_image made = {.bytes = (uint8_t *)(uintptr_t)probe,
                            .len = strlen(probe),
                            .machine = "test",
                            .machines = how->machines ? how->machines : "*"};
    assert_int_equal(sp_image_sum(&made), SP_OK);
    if (how->sha256) {
        (void)snprintf(made.sha256, sizeof(made.sha256), "%s", how->sha256);
        made.cksum++;
    }
    (void)unlink(file);
    const struct sp_ssh_order order = {.image = &made,
                                       .nonce = NONCE,
                                       .become = how->become,
                                       .limit_s = how->limit_s ? how->limit_s : 10,
                                       .argv = how->argv ? how->argv : no_args};
    sp_buf_init(&script, SP_SSH_SCRIPT_MAX);
    sp_buf_init(&command, 1024);
    sp_ssh_script(&order, &script);
    for (size_t i = 0; how->without[i]; i++) {
        hide(&script, how->without[i]);
    }
    sp_ssh_command(script.len, &command);
    assert_int_equal(script.rc, SP_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child(how, sp_buf_text(&command), io[1], err[1]);
    }
    (void)close(io[1]);
    (void)close(err[1]);
    assert_true(how->script_cut < script.len);
    write_all(io[0], script.data, script.len - how->script_cut);
    write_all(io[0], made.bytes, how->script_cut ? 0 : made.len - how->cut);
    if ((how->cut || how->script_cut) && !how->limit_s) {
        (void)shutdown(io[0], SHUT_WR);
    }
    talk(io[0], err[0], &done);
    (void)close(io[0]);
    (void)close(err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    done.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    sp_buf_release(&script);
    sp_buf_release(&command);
    assert_int_equal(count_files(room), 0); /* however it went */
    return done;
}

static void fails(const struct how *how, const char *words)
{
    struct done done = run(how);
    if (!strstr(done.err, words)) {
        fail_msg("not '%s' but: %s (standard output: %s)", words, done.err, done.out);
    }
    assert_int_equal(strncmp(done.err, "segproof: ", 10), 0);
    assert_null(strstr(done.out, " run "));
    assert_int_equal(done.code, 65);
}

/* ---- tests ---- */

static void as_root(void)
{
    put(bin, "id", "#!/bin/sh\necho 0\n");
}

static bool has_program(const char *name)
{
    char command[80];
    (void)snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Every login shell, with every sh that may be behind it. */
static void every_shell(void **state)
{
    (void)state;
    static const char *const logins[] = {"sh -c",  "bash -c", "dash -c", "busybox sh -c",
                                         "csh -c", "tcsh -c", "fish -c", "zsh -c",
                                         "ksh -c", "mksh -c"};
    static const char *const shells[] = {"sh", "dash", "bash", "busybox"};
    char one[] = "--stdio";
    char two[] = "it's $HOME `id` \"x\" \\ ! *\n;";
    char name[] = "segproof-probe";
    char *argv[] = {name, one, two, NULL};
    size_t ran = 0;
    as_root();
    for (size_t s = 0; s < SP_ARRAY_LEN(shells); s++) {
        char text[64];
        if (!has_program(shells[s])) {
            continue;
        }
        /* As `sh` it has to be POSIX: a link tells bash and busybox so. */
        drop("sh");
        (void)snprintf(text, sizeof(text), "%s/sh", bin);
        char target[64];
        (void)snprintf(target, sizeof(target), "/bin/%s", shells[s]);
        assert_int_equal(symlink(access(target, X_OK) == 0 ? target : "/usr/bin/busybox", text), 0);
        for (size_t l = 0; l < SP_ARRAY_LEN(logins); l++) {
            char first[16];
            (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(logins[l], " "), logins[l]);
            if (!has_program(first)) {
                continue;
            }
            const struct how how = {.login = logins[l], .argv = argv};
            struct done done = run(&how);
            assert_string_equal(done.err, "");
            assert_string_equal(done.out,
                                "segproof-" NONCE " up\nsegproof-" NONCE " run root login\n"
                                "<--stdio><it's $HOME `id` \"x\" \\ ! *\n;>\nping\n");
            assert_int_equal(done.code, 7);
            ran++;
        }
    }
    drop("sh");
    assert_true(ran >= 2);
}

/* One that does not remove itself is removed after its end. */
static void a_probe_that_stays(void **state)
{
    (void)state;
    as_root();
    const struct how how = {.probe = STAYING};
    struct done done = run(&how);
    assert_non_null(strstr(done.out, "\nping\n"));
    assert_int_equal(done.code, 7);
}

/* SHA-256 by another program, or cksum: each accepts the right bytes and refuses wrong ones. */
static void every_checksum(void **state)
{
    (void)state;
    static const char *const wrong =
        "0000000000000000000000000000000000000000000000000000000000000000";
    static const struct how rows[] = {
        {.without = {NULL}},
        {.without = {"sha256sum", NULL}},
        {.without = {"sha256sum", "shasum", NULL}},
        {.without = {"sha256sum", "shasum", "openssl", NULL}},
    };
    as_root();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct how how = rows[i];
        struct done done = run(&how);
        assert_string_equal(done.err, "");
        assert_int_equal(done.code, 7);
        how.sha256 = wrong;
        fails(&how, "the probe arrived damaged (its checksum differs)");
    }
    const struct how none = {.without = {"sha256sum", "shasum", "openssl", "cksum", NULL}};
    fails(&none, "none of sha256sum, shasum, openssl and cksum");
}

static void without_head_or_timeout(void **state)
{
    (void)state;
    as_root();
    put(bin, "head", "#!/bin/sh\nexit 1\n");
    const struct how how = {.without = {NULL}};
    struct done done = run(&how);
    drop("head");
    assert_string_equal(done.err, "");
    assert_int_equal(done.code, 7);
}

static void wrong_hosts(void **state)
{
    (void)state;
    as_root();
    const struct how arch = {.machines = "vax|pdp-11"};
    const struct how plain = {.without = {NULL}};
    put(bin, "uname", "#!/bin/sh\n[ $1 = -s ] && echo Linux || echo aarch64\n");
    fails(&arch, "that host is aarch64, this probe is test: give the probe of its kind");
    put(bin, "uname", "#!/bin/sh\n[ $1 = -s ] && echo OpenBSD || echo amd64\n");
    fails(&plain, "that host runs OpenBSD; a probe needs Linux");
    drop("uname");
}

static void bare_hosts(void **state)
{
    (void)state;
    as_root();
    const struct how how = {.without = {"any tool", NULL}};
    fails(&how,
          "lacks the programs it takes to start a probe: chmod df id mktemp rm rmdir uname wc");
}

static void no_room(void **state)
{
    (void)state;
    const struct how how = {.without = {NULL}};
    as_root();
    put(bin, "df", "#!/bin/sh\necho x\necho /dev/x 100 90 10 90% /\n");
    fails(&how, "/tmp: full (10 KiB free)");
    put(bin, "df", "#!/bin/sh\necho what\nexit 1\n"); /* says nothing: try, and see */
    struct done done = run(&how);
    assert_int_equal(done.code, 7);
    drop("df");
    put(bin, "mktemp", "#!/bin/sh\nexit 1\n");
    fails(&how, "/tmp: not writable");
    drop("mktemp");
    /* The disk fills up while the probe arrives. */
    put(bin, "head",
        "#!/bin/sh\n[ $2 = 2 ] && { printf ab; exit; }\ncat >/dev/null &\n"
        "echo \"head: error writing 'standard output': No space left on device\" >&2\nexit 1\n");
    fails(&how, "could not be written to ");
    fails(&how, ": No space left on device");
    drop("head");
}

static void the_input_is_cut(void **state)
{
    (void)state;
    const struct how how = {.cut = 20};
    as_root();
    fails(&how, " of the probe arrived");
    char words[64];
    (void)snprintf(words, sizeof(words), "only %zu of %zu bytes", strlen(SELF_REMOVING) - 20,
                   strlen(SELF_REMOVING));
    fails(&how, words);
}

/* A connection that was cut without a word: the input stays open, and nothing more comes. */
static void the_input_stops(void **state)
{
    (void)state;
    const struct how how = {.cut = 20, .limit_s = 1};
    as_root();
    fails(&how, "the probe did not arrive within 1 s");
}

/* A script that arrived in part does nothing at all. */
static void the_script_is_cut(void **state)
{
    (void)state;
    as_root();
    for (size_t cut = 2; cut < 4000; cut += 131) {
        const struct how how = {.script_cut = cut};
        struct done done = run(&how);
        assert_string_equal(done.out, "");
    }
}

static void users(void **state)
{
    (void)state;
    put(bin, "id", "#!/bin/sh\n[ \"$1\" = -u ] && echo 1000 || echo admin\n");
    put(bin, "sudo", "#!/bin/sh\n[ \"$1 $2\" = '-n --' ] || exit 9\nshift 2\nexec \"$@\"\n");
    const struct how sudo = {.become = "sudo"};
    struct done done = run(&sudo);
    assert_non_null(strstr(done.out, " run sudo\n"));
    assert_int_equal(done.code, 7);
    put(bin, "sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n");
    done = run(&sudo);
    assert_string_equal(done.err, "sudo: a password is required\n");
    assert_int_equal(done.code, 1);
    drop("sudo");
    const struct how absent = {.become = "sudo", .without = {NULL}};
    if (!has_program("sudo")) {
        fails(&absent, "sudo is not installed there");
    }
    as_root(); /* who is root needs no sudo */
    done = run(&sudo);
    assert_non_null(strstr(done.out, " run root login\n"));
}

/* Nothing that csh or fish would read in their own way. */
static void the_command_line_is_plain(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, 1024);
    sp_ssh_command(123456, &out);
    assert_string_equal(sp_buf_text(&out),
                        "exec sh -c 'eval \"$(dd bs=1 count=123456 2>/dev/null)\"'");
    sp_buf_release(&out);
}

static void out_of_memory(void **state)
{
    (void)state;
    char name[] = "p";
    char arg[] = "--x";
    char *argv[] = {name, arg, NULL};
    struct sp_image image = {.len = 5, .machine = "x", .machines = "x"};
    const struct sp_ssh_order order = {.image = &image, .nonce = NONCE, .limit_s = 1, .argv = argv};
    for (size_t n = 1;; n++) {
        struct sp_buf out;
        sp_buf_init(&out, SP_SSH_SCRIPT_MAX);
        (void)sp_mem_fail_at(n, 1);
        sp_ssh_script(&order, &out);
        (void)sp_mem_fail_at(0, 0);
        enum sp_rc rc = out.rc;
        sp_buf_release(&out);
        if (rc == SP_OK) {
            assert_true(n > 1);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
    }
    assert_int_equal(sp_ssh_upload_s(&image, 10000), 11);
    image.len = 65536UL * 20;
    assert_int_equal(sp_ssh_upload_s(&image, 500), 21);
    assert_int_equal(sp_ssh_upload_s(&image, UINT64_MAX), 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shell),     cmocka_unit_test(a_probe_that_stays),
        cmocka_unit_test(every_checksum),  cmocka_unit_test(without_head_or_timeout),
        cmocka_unit_test(wrong_hosts),     cmocka_unit_test(bare_hosts),
        cmocka_unit_test(no_room),         cmocka_unit_test(the_input_is_cut),
        cmocka_unit_test(the_input_stops), cmocka_unit_test(the_script_is_cut),
        cmocka_unit_test(users),           cmocka_unit_test(the_command_line_is_plain),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("ssh_script", tests, set_up, tear_down);
}
