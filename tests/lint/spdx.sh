#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every source file says its licence in its first three lines; C files in the first.
. "$(dirname "$0")/lib.sh"

{
    c_files | while IFS= read -r file; do
        IFS= read -r first <"$file"
        [[ $first == '/* SPDX-License-Identifier: Apache-2.0'* ]] ||
            echo "$file:1: the first line must be /* SPDX-License-Identifier: Apache-2.0 ... */"
    done
    {
        with_shebang 'sh|bash|python' '\.(sh|py)$'
        all_files | grep -E '\.(m?js|css)$' | grep -v '\.min\.js$'
    } | sort -u | while IFS= read -r file; do
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            echo "$file:1: no SPDX-License-Identifier: Apache-2.0 in the first three lines"
    done
} | verdict
