/* SPDX-License-Identifier: Apache-2.0
 *
 * What may stand at a place of the command line, for the completion of shells. The tables of
 * options and the registries are the only source: the scripts of cmd_completion.c know no option
 * and no name, they ask `segproof completion --candidates N WORD...`.
 *
 * The answer is text. Its first line is "KIND SKIP": KIND is words, files, folders, topologies or
 * nothing; SKIP is how many bytes of the word stand before the value ("--depth=" of "--depth=q",
 * "web," of "web,da"). With words there follows a line "VALUE<tab>HELP" for each; a value that ends
 * in '=', ':' or '/' is the beginning of one. Nobody filters them: shells differ in what matches.
 *
 * It sends nothing, changes nothing and never complains; of a topology on the line it reads the
 * names, even while it is wrong. Names that a shell would take for more than a word are left out.
 */
#ifndef SP_CONTROLLER_COMPLETE_H
#define SP_CONTROLLER_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/base/buf.h"

/* words[0] is the program, words[at] the word under the cursor as far as the cursor; the others
 * stand as they were typed, quotes and all. A failure is in out->rc. */
void sp_complete(size_t at, size_t n, char *const *words, struct sp_buf *out);

/* Is it known what values this metavar stands for ("FILE", "SELECTOR", "N")? Every one in a table
 * of options must be. */
bool sp_complete_knows(const char *metavar);

/* The shells that cmd_completion.c has a script for; ends with NULL. */
extern const char *const sp_completion_shells[];

/* complete_names.c: "NAME<tab>KIND" for everything in the topology that a selector may name. */
void sp_complete_selectors(const char *file, struct sp_buf *out);
/* The same for the names of its services. */
void sp_complete_services(const char *file, struct sp_buf *out);

#endif
