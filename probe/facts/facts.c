/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/facts/facts.h"

#include <sys/utsname.h>

#include "probe/wire/message.h"

void sp_facts_tell(struct sp_buf *out)
{
    struct utsname name;
    if (uname(&name) == 0) {
        sp_fields_add(out, "kernel", name.release);
    }
}
