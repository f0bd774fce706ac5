/* SPDX-License-Identifier: Apache-2.0
 *
 * What a report says of the cycle that its run is part of, and of the attempts that were asked for
 * by hand. Both are left out of reports of other runs. */
#include <string.h>

#include "probe/base/clock.h"
#include "reports/formats/json_out.h"
#include "reports/formats/text_out.h"

void sp_json_rolling(const struct sp_summary *summary, struct sp_json *coverage)
{
    const struct sp_rolling_status *rolling = &summary->result->rolling;
    char text[24];
    if (rolling->parts == 0) {
        return;
    }
    struct sp_json json = sp_json_begin();
    sp_json_u64(&json, "parts", rolling->parts);
    sp_json_u64(&json, "part", rolling->part);
    sp_json_share(&json, "covered", rolling->covered);
    sp_wall_str(rolling->since_s, text);
    sp_json_str(&json, "since", rolling->since_s ? text : NULL);
    sp_json_bool(&json, "complete", rolling->is_complete);
    sp_json_u64(&json, "to_cover", rolling->to_cover);
    sp_json_object(coverage, "rolling", &json);
}

void sp_json_attempts(const struct sp_summary *summary, struct sp_json *run)
{
    if (summary->result->attempts_min > 0) {
        sp_json_u64(run, "attempts", summary->result->attempts_min);
    }
}

/* "part 3 of 7; 42.8571 % of the denied ports have been swept since 2026-11-20; 4 more runs cover
 * all" */
static void show_cycle(struct sp_text *text, const struct sp_rolling_status *rolling)
{
    char percent[SP_PERCENT_STRLEN];
    char day[24];
    sp_text_add(text, "part ");
    sp_text_add_number(text, rolling->part);
    sp_text_add(text, " of ");
    sp_text_add_number(text, rolling->parts);
    sp_text_add(text, "; ");
    sp_text_add(text, sp_percent_str(rolling->covered, percent));
    sp_text_add(text, " % of the denied ports have been swept");
    if (rolling->since_s > 0) {
        sp_wall_str(rolling->since_s, day);
        day[strcspn(day, "T")] = '\0';
        sp_text_add(text, " since ");
        sp_text_add(text, day);
    }
    if (rolling->is_complete) {
        sp_text_add(text, ": all of them");
    } else {
        sp_text_add(text, "; ");
        sp_text_add_count(text, rolling->to_cover, "more run covers all", "more runs cover all");
        sp_text_add(text, ", if nothing stays inconclusive");
    }
    sp_text_field(text, "rolling");
}

void sp_text_rolling(struct sp_text *text)
{
    const struct sp_result *result = text->summary->result;
    if (result->rolling.parts > 0) {
        show_cycle(text, &result->rolling);
    }
    if (result->attempts_min == 1) {
        sp_text_add(text, "denied flows were tried once only (--attempts 1): less proof than a "
                          "negative should have");
        sp_text_field(text, "attempts");
    } else if (result->attempts_min > 1) {
        sp_text_add(text, "denied flows were tried ");
        sp_text_add_count(text, result->attempts_min, "time at least", "times at least");
        sp_text_field(text, "attempts");
    }
}
