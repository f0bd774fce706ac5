#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A file above 600 lines fails and one above 500 gets a warning; a C function above 100 lines fails.
. "$(dirname "$0")/lib.sh"
command -v ctags >/dev/null || skip "ctags (universal-ctags) is not installed"

{
    { c_files; with_shebang 'sh|bash|python' '\.(sh|py|m?js)$'; } | sort -u | grep -v '\.min\.js$' |
        while IFS= read -r file; do
            lines=$(wc -l <"$file")
            if [ "$lines" -gt 600 ]; then
                echo "$file:600: has $lines lines: split it (600 is the maximum, 150 to 450 are good)"
            elif [ "$lines" -gt 500 ]; then
                echo "warning: $file has $lines lines" >&2
            fi
        done
    c_files | ctags -L - --languages=C --kinds-C=f --fields=+ne --output-format=u-ctags -f - 2>/dev/null |
        awk -F '\t' '{
            line = 0; last = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) line = substr($i, 6) + 0
                if ($i ~ /^end:/) last = substr($i, 5) + 0
            }
            if (last - line >= 100)
                print $2 ":" line ": " $1 "() has " last - line + 1 " lines: split it (100 is the maximum)"
        }'
} | verdict
