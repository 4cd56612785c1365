/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/status: what those who read causes off one object share.
 *
 * Readers never fail: a member of a wrong type counts as absent, and where memory was short the
 * document remembers it.
 *
 * Thread: the document's.  Owns: nothing.  Limits: KS_CAUSE_SCAN_MAX.
 */
#ifndef KS_STATUS_CAUSE_READ_H
#define KS_STATUS_CAUSE_READ_H

#include "status/cause.h"
#include "status/strict.h"

/* So many bytes of a message are searched for words, and so many elements of a list are read. */
#define KS_CAUSE_SCAN_MAX 4096

struct ks_cause_reader {
    struct ks_strict strict; /* for reading: object, status, conditions, kind, generation, fresh */
    struct ks_cause_source source;
    int64_t now_ms;
    struct ks_causes *out;
};

/* Adds a cause of the reader's object; its source is filled in. */
void ks_cause_tell(struct ks_cause_reader *r, const struct ks_cause *cause);
/* The same for the object as a whole, since when (0: unknown), in our words. */
void ks_cause_say(struct ks_cause_reader *r, ks_cause_code code, int64_t since_ms, const char *fmt,
                  ...) KS_PRINTF(4, 5);
/* ... in the object's own words if there are any. */
void ks_cause_pass(struct ks_cause_reader *r, ks_cause_code code, int64_t since_ms,
                   struct ks_str message, const char *otherwise);
/* ... in the condition's: "reason: message". */
void ks_cause_pass_condition(struct ks_cause_reader *r, ks_cause_code code,
                             const struct ks_strict_condition *c);
/* "reason: words", or what there is of them. */
struct ks_str ks_cause_join(char out[KS_CAUSE_MESSAGE_MAX], struct ks_str reason,
                            struct ks_str words);
/* NOMEM when the document could not decode a string, else OK. */
ks_rc ks_cause_rc(struct ks_json_value object);
/* Milliseconds of the time at the path; 0: none. */
int64_t ks_cause_time(struct ks_json_value root, const char *path);

/* Whether the text has the words, in any case. */
bool ks_cause_text_has(struct ks_str text, const char *words);

/* What a message means; each gives the code that it is asked to give otherwise. */
ks_cause_code ks_cause_of_image(struct ks_str reason, struct ks_str message);
bool ks_cause_is_image_reason(struct ks_str reason);
ks_cause_code ks_cause_of_reference(struct ks_str message, ks_cause_code otherwise);
ks_cause_code ks_cause_of_creation(struct ks_str message);
ks_cause_code ks_cause_of_failed_pod(struct ks_str reason, ks_cause_code otherwise);
/* Takes the scheduler's message apart: a cause for each way in which nodes do not fit. like has
 * what they share. */
void ks_cause_tell_scheduling(struct ks_cause_reader *r, const struct ks_cause *like);

/* Readers of kinds: cause_kinds in cause_object.c. */
void ks_cause_claim(struct ks_cause_reader *r);
void ks_cause_cron_job(struct ks_cause_reader *r);
void ks_cause_ingress(struct ks_cause_reader *r);
void ks_cause_job(struct ks_cause_reader *r);
void ks_cause_pod(struct ks_cause_reader *r);
void ks_cause_service(struct ks_cause_reader *r);
void ks_cause_snapshot(struct ks_cause_reader *r);
void ks_cause_volume(struct ks_cause_reader *r);
void ks_cause_workload(struct ks_cause_reader *r);

#endif
