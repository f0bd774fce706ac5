/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/remove_self.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Splits an absolute path: its last two parts become *ret_folder and *ret_file, what is left is the
 * path of the folder's own folder. */
static bool split(char *path, char **ret_folder, char **ret_file)
{
    char *slash = strrchr(path, '/');
    if (path[0] != '/' || !slash || slash == path || slash[1] == '\0') {
        return false;
    }
    *slash = '\0';
    *ret_file = slash + 1;
    slash = strrchr(path, '/');
    *ret_folder = slash + 1;
    *slash = '\0';
    return true;
}

/* Every step goes through a descriptor, so that nobody can put another folder in its place. */
static enum sp_rc remove_in(int folder, const char *file, const struct stat *own,
                            struct sp_diag *diag)
{
    struct stat st;
    if (fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return sp_fail_errno(diag, "--remove-self", "cannot look at %s", file);
    }
    if (st.st_dev != own->st_dev || st.st_ino != own->st_ino) {
        return sp_fail(diag, SP_E_DENIED, "--remove-self",
                       "%s is another file by now: nothing was removed", file);
    }
    return unlinkat(folder, file, 0) == 0
               ? SP_OK
               : sp_fail_errno(diag, "--remove-self", "cannot remove %s", file);
}

enum sp_rc sp_remove_self(const char *exe, struct sp_diag *diag)
{
    char path[4096];
    char *folder_name;
    char *file;
    struct stat own;
    ssize_t n = readlink(exe, path, sizeof(path) - 1);
    if (n <= 0 || stat(exe, &own) != 0) {
        return sp_fail_errno(diag, "--remove-self", "cannot read %s", exe);
    }
    path[n] = '\0';
    if (!split(path, &folder_name, &file) ||
        strncmp(folder_name, SP_CARRIED_PREFIX, strlen(SP_CARRIED_PREFIX)) != 0) {
        return sp_fail(diag, SP_E_DENIED, "--remove-self",
                       "only a program in a folder of its own, called %s*, may remove itself",
                       SP_CARRIED_PREFIX);
    }
    int above = open(path[0] ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int folder =
        above < 0 ? -1 : openat(above, folder_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum sp_rc rc =
        folder < 0 ? sp_fail_errno(diag, "--remove-self", "cannot open its folder %s", folder_name)
                   : remove_in(folder, file, &own, diag);
    if (rc == SP_OK) {
        /* What else lies in it is not ours; whoever started us looks after the folder then. */
        (void)unlinkat(above, folder_name, AT_REMOVEDIR);
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    if (above >= 0) {
        (void)close(above);
    }
    return rc;
}
