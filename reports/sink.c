/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"

/* What an errno asks the reader to do. */
static const char *advice(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk or choose another folder";
    case EFBIG:
        return "the file size limit is too low for this report";
    case EACCES:
    case EPERM:
    case EROFS:
        return "choose a folder that you may write to";
    case ENOENT:
    case ENOTDIR:
        return "make the folder first";
    case EISDIR:
        return "this is a folder: name a file in it";
    case EPIPE:
        return "whoever read it has stopped";
    default:
        return "the report was not written";
    }
}

static enum sp_rc fail(struct sp_diag *diag, const char *path, const char *what)
{
    int error = errno;
    enum sp_rc rc =
        sp_fail(diag, error == ENOMEM ? SP_E_NOMEM : SP_E_SYSTEM, path,
                "cannot %s the report: %s; %s", what, strerrordesc_np(error), advice(error));
    if (diag) {
        diag->saved_errno = error;
    }
    return rc;
}

static int write_all(int fd, const struct sp_buf *buf)
{
    const char *at = sp_buf_text(buf);
    size_t left = buf->len;
    while (left > 0) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

/* Devices and pipes; also what cannot be synced. */
static enum sp_rc write_straight(const char *path, const struct sp_buf *buf, struct sp_diag *diag)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail(diag, path, "open");
    }
    if (write_all(fd, buf) != 0) {
        enum sp_rc rc = fail(diag, path, "write");
        (void)close(fd);
        return rc;
    }
    return close(fd) == 0 ? SP_OK : fail(diag, path, "write");
}

/* Opens a new file in target's folder, ".segproof-<random>.tmp"; its name is in *ret_name, owned by
 * the caller. */
static int open_beside(const char *target, const struct stat *old, char **ret_name)
{
    const char *slash = strrchr(target, '/');
    size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
    size_t room = folder + 40;
    char *name = sp_calloc(room, 1);
    if (!name) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(name, target, folder);
    for (int tries = 0; tries < 8; tries++) {
        uint64_t random;
        sp_random_bytes(&random, sizeof(random));
        (void)snprintf(name + folder, room - folder, ".segproof-%016llx.tmp",
                       (unsigned long long)random);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0) {
            if (old) {
                (void)fchmod(fd, old->st_mode & 07777); /* not ours: then it gets our own mode */
            }
            *ret_name = name;
            return fd;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    int saved = errno;
    sp_free(name);
    errno = saved;
    return -1;
}

/* Makes the new name survive a crash; the report itself is safe already, so failing is no error. */
static void sync_folder(const char *target)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(target, '/');
    size_t len = slash ? (size_t)(slash - target) : 0;
    if (len >= sizeof(folder)) {
        return;
    }
    memcpy(folder, target, len);
    folder[len] = '\0';
    int fd = open(!slash ? "." : len == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static enum sp_rc write_and_rename(const char *path, const char *target, const struct stat *old,
                                   const struct sp_buf *buf, struct sp_diag *diag)
{
    char *name = NULL;
    int fd = open_beside(target, old, &name);
    if (fd < 0) {
        return fail(diag, path, "create");
    }
    enum sp_rc rc = SP_OK;
    if (write_all(fd, buf) != 0 || fsync(fd) != 0) {
        rc = fail(diag, path, "write");
    }
    if (close(fd) != 0 && rc == SP_OK) {
        rc = fail(diag, path, "write");
    }
    if (rc == SP_OK && rename(name, target) != 0) {
        rc = fail(diag, path, "replace");
    }
    if (rc != SP_OK) {
        (void)unlink(name);
    } else {
        sync_folder(target);
    }
    sp_free(name);
    return rc;
}

enum sp_rc sp_sink_write_file(const char *path, const struct sp_buf *buf, struct sp_diag *diag)
{
    struct stat st;
    if (buf->rc != SP_OK) {
        return sp_fail(diag, buf->rc, path, "the report is not complete: %s", sp_rc_str(buf->rc));
    }
    if (strcmp(path, "-") == 0) {
        return write_all(STDOUT_FILENO, buf) == 0 ? SP_OK : fail(diag, "standard output", "write");
    }
    if (path[0] == '\0') {
        return sp_fail(diag, SP_E_INVALID, "", "the report has no file name");
    }
    if (stat(path, &st) != 0) {
        return write_and_rename(path, path, NULL, buf, diag);
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail(diag, path, "write");
    }
    if (!S_ISREG(st.st_mode)) {
        return write_straight(path, buf, diag);
    }
    char target[PATH_MAX];
    if (!realpath(path, target)) {
        return fail(diag, path, "open");
    }
    return write_and_rename(path, target, &st, buf, diag);
}
