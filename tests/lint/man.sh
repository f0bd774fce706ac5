#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every option of every command stands in its man page, every key of a topology in the page of the
# format, and nothing else does; groff has nothing to warn of. Needs a build: BUILD=folder (default
# build/dev).
. "$(dirname "$0")/lib.sh"
BUILD=${BUILD:-build/dev}
[ -x "$BUILD/bin/segproof" ] || skip "no segproof in $BUILD: build the dev preset first"
command -v groff >/dev/null || skip "groff is not installed"
command -v python3 >/dev/null || skip "python3 is not installed"

pages=$(all_files | grep -E '\.[1-8]$')
{
    python3 "$LINT_HERE/man.py" "$BUILD/bin" 2>&1
    while IFS= read -r page; do
        [ -n "$page" ] || continue
        groff -t -man -ww -Tutf8 "$page" 2>&1 >/dev/null | sed "s|^|$page: |"
    done <<<"$pages"
} | verdict
