/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/journal_priv.h"
#include "controller/state_dir.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

bool sp_journal_default_folder(char *out, size_t size)
{
    return sp_state_path("runs/", out, size);
}

bool sp_journal_is_id(const char *text, const char *rest)
{
    size_t n = strspn(text, "0123456789abcdef");
    return n == SP_JOURNAL_ID_LEN && strcmp(text + n, rest) == 0;
}

char *sp_journal_path(const char *folder, const char *name, const char *suffix)
{
    size_t room = strlen(folder) + strlen(name) + strlen(suffix) + 2;
    char *path = sp_calloc(room, 1);
    if (path) {
        (void)snprintf(path, room, "%s/%s%s", folder, name, suffix);
    }
    return path;
}

bool sp_journal_is_locked(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) != 0;
}

/* Nobody has written to it for long, and nobody does now. */
static void prune_one(const char *folder, const char *name)
{
    struct stat st;
    char *path = sp_journal_path(folder, name, "");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    uint64_t now = sp_wall_s();
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime > 0 &&
        now > (uint64_t)st.st_mtime && now - (uint64_t)st.st_mtime > SP_JOURNAL_KEEP_S &&
        !sp_journal_is_locked(fd)) {
        (void)unlink(path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    sp_free(path);
}

void sp_journal_prune(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (sp_journal_is_id(entry->d_name, SP_JOURNAL_SUFFIX)) {
            prune_one(folder, entry->d_name);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

void sp_journal_list(const char *folder, void (*told)(void *arg, const char *run_id), void *arg)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (sp_journal_is_id(entry->d_name, SP_JOURNAL_SUFFIX)) {
            char id[SP_JOURNAL_ID_LEN + 1];
            memcpy(id, entry->d_name, SP_JOURNAL_ID_LEN);
            id[SP_JOURNAL_ID_LEN] = '\0';
            told(arg, id);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}
