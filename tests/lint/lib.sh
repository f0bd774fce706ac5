# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the lints. Each is a script "x.sh [ROOT]" that prints "file:line: what is wrong" and
# ends with 1 if there was anything, 0 if not, 77 if it could not look (the reason is printed).
# Sourcing this enters ROOT (default: the tree this file is in) and sets LINT_HERE.

set -u # no pipefail: a grep that finds nothing is good news here
LINT_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$LINT_HERE/../..}" || exit 2
export LC_ALL=C.UTF-8 LINT_HERE
JOBS=$(nproc)
export JOBS

# Every file of the project, without what builds leave behind. Not "git ls-files": a source archive
# has no .git, and a new file must be looked at before it is added.
all_files() {
    find . \( -name .git -o -path ./build -o -name __pycache__ -o -name node_modules \) -prune \
        -o -type f -printf '%P\n' | sort
}

# c_files [FOLDER...]: C sources and headers below the folders (default: all).
c_files() {
    local prefix
    if [ $# -eq 0 ]; then
        all_files | grep -E '\.[ch]$'
    else
        prefix=$(IFS='|'; echo "$*")
        all_files | grep -E "^($prefix)/.*\.[ch]$"
    fi
}

# Scripts by name or by their first line: with_shebang 'sh|bash' '\.sh$'
with_shebang() {
    local file first
    all_files | while IFS= read -r file; do
        if [[ $file =~ $2 ]]; then
            echo "$file"
        elif [[ $file != *.* ]] || [[ -x $file ]]; then
            IFS= read -r first <"$file" 2>/dev/null || first=
            if [[ ${first//$'\r'/} =~ ^\#!.*[/\ ]($1)([0-9.]*)?( |$) ]]; then
                echo "$file"
            fi
        fi
    done
}

# Reads findings from stdin, prints them, and ends the lint.
verdict() {
    local found
    found=$(cat)
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        exit 1
    fi
    exit 0
}

skip() {
    echo "skipped: $*"
    exit 77
}
