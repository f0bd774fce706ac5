/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof completion`: the script that teaches a shell to complete the command line. The scripts
 * are as good as empty: they ask `segproof completion --candidates N WORD...` (complete.h; not for
 * people, so no option table names it) and so can never be older than the program. */
#include <stdio.h>
#include <string.h>

#include "controller/commands/cmd.h"
#include "controller/commands/complete.h"
#include "probe/base/str.h"

#define SP_CANDIDATES_MAX_BYTES (16U << 20)

struct options {
    struct sp_common common;
};

static const struct sp_opt common[] = {SP_COMMON_OPTS("refused: a script has no such form",
                                                      "changes nothing: there is only the script",
                                                      "changes nothing: there is only the script")};

static const struct sp_cmdline cmdline = {
    .name = "segproof completion",
    .usage = "SHELL [OPTION]...",
    .summary = "Prints the script that lets SHELL, bash or zsh, complete commands, options, their "
               "values, files, and the names in the topology on the line.",
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "SHELL",
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  source <(segproof completion bash)\n"
                "  source <(segproof completion zsh)\n"
                "  segproof completion zsh > ~/.zfunc/_segproof\n",
};

const char *const sp_completion_shells[] = {"bash", "zsh", NULL};

/* bash cuts words at '=' and ':' (COMP_WORDBREAKS); what stands together on the line is put
 * together again, and from each answer that part is taken away which readline leaves where it is.
 */
static const char bash_script[] =
    "# Completion of segproof for bash, made by 'segproof completion bash'. To use it now:\n"
    "#   source <(segproof completion bash)\n"
    "_segproof() {\n"
    "    local IFS=$' \\t\\n' rest=$COMP_LINE gap word text lead kind=nothing skip=0 line\n"
    "    local -i i used=0 start=0 at=0\n"
    "    local -a words=() lines=() found=()\n"
    "    COMPREPLY=()\n"
    "    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        gap=${rest%%[![:space:]]*}\n"
    "        if ((i > 0)) && [[ -z $gap ]]; then\n"
    "            words[${#words[@]}-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "            ((i <= COMP_CWORD)) && start=$((used + ${#gap}))\n"
    "        fi\n"
    "        ((i == COMP_CWORD)) && at=$((${#words[@]} - 1))\n"
    "        rest=${rest#\"$gap\"}\n"
    "        rest=${rest#\"$word\"}\n"
    "        used=$((${#COMP_LINE} - ${#rest}))\n"
    "    done\n"
    "    ((start > COMP_POINT)) && start=COMP_POINT\n"
    "    words[at]=${COMP_LINE:start:COMP_POINT-start}\n"
    "    mapfile -t lines < <(\"${1/#'~/'/$HOME/}\" completion --candidates \"$at\" \"${words[@]}\" \\\n"
    "        2>/dev/null </dev/null)\n"
    "    read -r kind skip <<<\"${lines[0]}\"\n"
    "    [[ $skip == +([0-9]) ]] || return 0\n"
    "    text=${words[at]:skip}\n"
    "    lead=${words[at]%\"$2\"}\n"
    "    if [[ $kind == words ]]; then\n"
    "        for line in \"${lines[@]:1}\"; do\n"
    "            word=${line%%$'\\t'*}\n"
    "            [[ $word == \"$text\"* ]] && found+=(\"${words[at]:0:skip}$word\")\n"
    "        done\n"
    "        [[ ${#found[@]} -eq 1 && ${found[0]} == *[=:/] ]] && compopt -o nospace 2>/dev/null\n"
    "    else\n"
    "        case $kind in\n"
    "        files | topologies) mapfile -t lines < <(compgen -f -- \"${text#[\\\"\\']}\") ;;\n"
    "        folders) mapfile -t lines < <(compgen -d -- \"${text#[\\\"\\']}\") ;;\n"
    "        *) return 0 ;;\n"
    "        esac\n"
    "        for line in \"${lines[@]}\"; do\n"
    "            if [[ $kind != topologies || $line == *.yaml || $line == *.yml || $line == *.json ||\n"
    "                -d ${line/#'~/'/$HOME/} ]]; then\n"
    "                found+=(\"${words[at]:0:skip}$line\")\n"
    "            fi\n"
    "        done\n"
    "        lead=${lead%[\\\"\\']}\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    fi\n"
    "    for word in \"${found[@]}\"; do\n"
    "        COMPREPLY+=(\"${word#\"$lead\"}\")\n"
    "    done\n"
    "}\n"
    "complete -F _segproof segproof\n";

static const char zsh_script[] =
    "#compdef segproof\n"
    "# Completion of segproof for zsh, made by 'segproof completion zsh'. To use it now, after compinit:\n"
    "#   source <(segproof completion zsh)\n"
    "_segproof() {\n"
    "    local -a line answer values starts\n"
    "    local kind skip entry value help program\n"
    "    line=(\"${(@)words}\")\n"
    "    line[CURRENT]=$PREFIX\n"
    "    program=${(Q)words[1]}\n"
    "    program=${program/#\\~\\//$HOME/}\n"
    "    answer=(\"${(@f)$(\"$program\" completion --candidates $((CURRENT - 1)) \"${(@)line}\" \\\n"
    "        2>/dev/null </dev/null)}\")\n"
    "    kind=${answer[1]%% *} skip=${answer[1]##* }\n"
    "    [[ $skip = <-> ]] || return 1\n"
    "    ((skip > 0)) && compset -p $skip\n"
    "    case $kind in\n"
    "    files) _files ;;\n"
    "    folders) _files -/ ;;\n"
    "    topologies) _files -g '*.(yaml|yml|json)(-.)' ;;\n"
    "    words)\n"
    "        for entry in \"${(@)answer[2,-1]}\"; do\n"
    "            value=${entry%%$'\\t'*} help=${entry#*$'\\t'}\n"
    "            if [[ $value = *[=:/] ]]; then\n"
    "                starts+=(\"${value//:/\\\\:}:$help\")\n"
    "            else\n"
    "                values+=(\"${value//:/\\\\:}:$help\")\n"
    "            fi\n"
    "        done\n"
    "        _describe -t values value values -- starts -S ''\n"
    "        ;;\n"
    "    *) return 1 ;;\n"
    "    esac\n"
    "}\n"
    "if [[ ${funcstack[1]} = _segproof ]]; then\n"
    "    _segproof \"$@\"\n"
    "elif (( $+functions[compdef] )); then\n"
    "    compdef _segproof segproof\n"
    "else\n"
    "    print -u2 'segproof: run compinit first: autoload -U compinit && compinit'\n"
    "fi\n";

/* --candidates N WORD...: a mistake here is the shell's, so it gets no answer and no message. */
static int candidates(int argc, char **argv)
{
    uint64_t at = 0;
    struct sp_buf out;
    if (argc < 1 || sp_parse_uint(argv[0], (uint64_t)argc, &at) != SP_OK) {
        return SP_EXIT_USAGE;
    }
    sp_buf_init(&out, SP_CANDIDATES_MAX_BYTES);
    sp_complete((size_t)at, (size_t)argc - 1, argv + 1, &out);
    int code = out.rc == SP_OK ? sp_cmd_print(&out) : SP_EXIT_USAGE;
    sp_buf_release(&out);
    return code;
}

static int print_script(const char *shell, const struct sp_common *given)
{
    struct sp_buf out;
    const char *script = strcmp(shell, "bash") == 0  ? bash_script
                         : strcmp(shell, "zsh") == 0 ? zsh_script
                                                     : NULL;
    if (given->json) {
        return sp_cmd_misuse(&cmdline, "--json: a script has no such form; leave it out");
    }
    if (!script) {
        return sp_cmd_misuse(&cmdline, "there is no completion for '%s': use bash or zsh", shell);
    }
    sp_buf_init(&out, 64U << 10);
    sp_buf_str(&out, script);
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {0};
    struct sp_args args;
    if (argc > 1 && strcmp(argv[1], "--candidates") == 0) {
        return candidates(argc - 2, argv + 2);
    }
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    code = print_script(args.items[0], &options.common);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_completion = {.name = "completion",
                                             .brief =
                                                 "prints a script for the completion of shells",
                                             .cmdline = &cmdline,
                                             .run = run};
