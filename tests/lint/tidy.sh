#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the product's code, with the compile database of the lint preset (clang's: on
# gcc's it stops at flags it does not know). TIDY_SINCE=REV looks only at files changed since then.
# A clean file is remembered in build/tidy by everything that went into it, and not looked at again.
. "$(dirname "$0")/lib.sh"
command -v clang-tidy >/dev/null || skip "clang-tidy is not installed"
[ -f build/lint/compile_commands.json ] || skip "configure and build the lint preset first"

mkdir -p build/tidy
files=$(c_files probe topologies reports controller | grep '\.c$')
if [ -n "${TIDY_SINCE:-}" ]; then
    files=$(comm -12 <(echo "$files") <(git diff --name-only "$TIDY_SINCE" | sort))
fi
files=$(while IFS= read -r file; do
    grep -q "\"file\": \"[^\"]*/$file\"" build/lint/compile_commands.json && echo "$file"
done <<<"$files")

tidy_one() {
    local key out
    key=$({ sha256sum .clang-tidy; clang -E -std=c17 -D_GNU_SOURCE -DSP_VERSION='"0"' -I . -I build/lint "$1"; } 2>/dev/null |
        sha256sum | cut -c1-32)
    [ -e "build/tidy/$key" ] && return
    out=$(clang-tidy --quiet -p build/lint "$1" 2>/dev/null)
    if [ -z "$out" ]; then
        : >"build/tidy/$key"
    else
        # The finding and its line; the analyzer's path to it only where somebody looks.
        if [ -n "${VERBOSE:-}" ]; then
            printf '%s\n' "$out"
        else
            grep -E ' (error|warning): ' <<<"$out"
        fi | sed "s|^$PWD/||"
    fi
}
export -f tidy_one
xargs -r -P "$JOBS" -I {} bash -c 'tidy_one {}' <<<"$files" | sort -u | verdict
