#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone, with both compilers: it includes what its declarations need.
. "$(dirname "$0")/lib.sh"
for tool in gcc clang; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done

check_header() {
    local compiler
    for compiler in gcc clang; do
        # From stdin, so that the header is not the main file (which changes some warnings).
        printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
            "$compiler" -std=c17 -D_GNU_SOURCE -DSP_VERSION='"0"' -Wall -Wextra -Werror -Wpedantic \
                -Wno-unused-function -fsyntax-only -I . -I build/dev -x c - 2>&1 |
            grep -E ':[0-9]+:.*(error|warning):' | grep -v '^<stdin>' | sed "s|^|$1:1: ($compiler) |" | head -n 3
    done
}
export -f check_header
c_files probe topologies reports controller tests | grep '\.h$' |
    xargs -r -P "$JOBS" -I {} bash -c 'check_header {}' | verdict
