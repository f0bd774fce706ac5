#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nothing in the tree may depend on the machine it was written on: no absolute paths of a checkout
# or a home folder, no hosts of package registries or mirrors.
. "$(dirname "$0")/lib.sh"

paths='(^|[^A-Za-z0-9_.~/-])/(work|home/[a-z][a-z0-9_-]*|mnt|workspace)/'
hosts='registry\.npmjs|pypi\.org|(deb|ftp|security)\.debian\.org|proxy\.golang|crates\.io|artifactory|nexus\.|mirror\.'
all_files | grep -v '^tests/lint/words\.sh$' | grep -v '/corpus/' |
    xargs -r grep -nIHE "$paths|$hosts" | cut -c1-160 | verdict
