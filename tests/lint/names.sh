#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a header declares for others carries the prefix: sp_ for types and functions, SP_ for macros
# and enum constants; and its guard is its own. Private things in .c files need no prefix.
. "$(dirname "$0")/lib.sh"
command -v ctags >/dev/null || skip "ctags (universal-ctags) is not installed"

headers=$(c_files probe topologies reports controller | grep '\.h$')
[ -n "$headers" ] || exit 0
{
    ctags -L - --langmap=C:.c.h --languages=C --kinds-C=defgpstu --fields=+nK --output-format=u-ctags -f - \
        <<<"$headers" 2>/dev/null | awk -F '\t' '{
            kind = $4; line = 0
            for (i = 4; i <= NF; i++) if ($i ~ /^line:/) line = substr($i, 6) + 0
            good = kind == "enumerator" ? $1 ~ /^SP_/ : kind == "macro" ? $1 ~ /^(SP|sp)_/ : $1 ~ /^sp_/
            if (!good && $1 !~ /^__anon/)
                print $2 ":" line ": " kind " " $1 " in a header needs the prefix sp_ (SP_ for macros and constants)"
        }'
    while IFS= read -r file; do
        guard=$(sed -nE 's/^#ifndef (SP_[A-Z0-9_]+_H)$/\1/p' "$file" | head -n 1)
        if [ -z "$guard" ] || ! grep -q "^#define $guard\$" "$file"; then
            echo "$file:1: no include guard SP_..._H"
        else
            echo "guard $guard $file"
        fi
    done <<<"$headers" | awk '
        $1 != "guard" { print; next }
        $2 in seen { print $3 ":1: guard " $2 " is also that of " seen[$2]; next }
        { seen[$2] = $3 }'
} | verdict
