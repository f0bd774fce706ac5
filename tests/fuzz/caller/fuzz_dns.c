/* SPDX-License-Identifier: Apache-2.0
 *
 * What strangers send first: answers of name servers and heads of protocols, from arbitrary bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/caller/dns.h"
#include "probe/caller/lookup.h"
#include "probe/caller/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char name[] = "a.example";
    struct sp_dns_answer answer;
    struct sp_addr servers[SP_LOOKUP_SERVERS];
    char location[64];
    uint8_t kind;
    unsigned status;
    uint8_t packet[4096];
    size_t head = sp_dns_question(name, SP_DNS_A, 7, packet);
    size_t rest = size < sizeof(packet) - head ? size : sizeof(packet) - head;
    memcpy(packet + head, data, rest);
    packet[2] = 0x81;
    packet[6] = 1; /* very many */
    if (sp_dns_parse(packet, head + rest, name, SP_DNS_A, 7, &answer) &&
        (answer.n > SP_DNS_ADDRS || answer.total < answer.n)) {
        abort();
    }
    (void)sp_dns_parse(data, size, name, SP_DNS_AAAA, 7, &answer);
    if (sp_lookup_servers((const char *)data, size, servers) > SP_LOOKUP_SERVERS) {
        abort();
    }
    (void)sp_talk_read_head((const char *)data, size, &kind, &status, location, sizeof(location));
    if (kind >= SP_TALK_KIND_COUNT || status > 999 || strlen(location) >= sizeof(location)) {
        abort();
    }
    return 0;
}
