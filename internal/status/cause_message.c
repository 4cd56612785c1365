/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What messages of kubelets, schedulers and API servers mean. They are sentences for people, of
 * which no API promises anything: so each list here has the words that have stayed the same over
 * many releases, and what has none of them keeps a general code.
 *
 * Thread: the document's.  It does not: look at more than KS_CAUSE_SCAN_MAX bytes of a message.
 */
#include "status/cause_read.h"

#include "base/str.h"

struct word_row {
    const char *words;
    ks_cause_code code;
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool has_at(struct ks_str text, size_t at, const char *words)
{
    size_t i = 0;

    while (words[i] && at + i < text.len && lower(text.ptr[at + i]) == lower(words[i]))
        i++;
    return words[i] == '\0';
}

bool ks_cause_text_has(struct ks_str text, const char *words)
{
    struct ks_str scanned = ks_str_sub(text, 0, KS_CAUSE_SCAN_MAX);

    for (size_t at = 0; at < scanned.len; at++) {
        if (has_at(scanned, at, words))
            return true;
    }
    return false;
}

static ks_cause_code find_words(const struct word_row *rows, size_t count, struct ks_str text,
                                ks_cause_code otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (ks_cause_text_has(text, rows[i].words))
            return rows[i].code;
    }
    return otherwise;
}

bool ks_cause_is_image_reason(struct ks_str reason)
{
    static const char *const reasons[] = {
        "ErrImagePull",      "ImagePullBackOff",  "InvalidImageName",         "ErrImageNeverPull",
        "ImageInspectError", "InspectFailed",     "RegistryUnavailable",      "ErrImageInspect",
        "ErrImageNotFound",  "FailedToPullImage", "SignatureValidationFailed"};

    for (size_t i = 0; i < KS_ARRAY_LEN(reasons); i++) {
        if (ks_str_is(reason, reasons[i]))
            return true;
    }
    return false;
}

/* A registry that hides what one may not read says both: the credentials come first. */
ks_cause_code ks_cause_of_image(struct ks_str reason, struct ks_str message)
{
    static const struct word_row rows[] = {
        {"invalid reference format", KS_CAUSE_IMAGE_NAME_INVALID},
        {"couldn't parse image", KS_CAUSE_IMAGE_NAME_INVALID},
        {"InvalidImageName", KS_CAUSE_IMAGE_NAME_INVALID},
        {"ErrImageNeverPull", KS_CAUSE_IMAGE_NEVER_PULLED},
        {"pull policy of Never", KS_CAUSE_IMAGE_NEVER_PULLED},
        {"unauthorized", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"authentication required", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"authorization failed", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"no basic auth credentials", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"access denied", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"access to the resource is denied", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"403 forbidden", KS_CAUSE_IMAGE_PULL_UNAUTHORIZED},
        {"not found", KS_CAUSE_IMAGE_NOT_FOUND},
        {"manifest unknown", KS_CAUSE_IMAGE_NOT_FOUND},
        {"name unknown", KS_CAUSE_IMAGE_NOT_FOUND},
        {"does not exist", KS_CAUSE_IMAGE_NOT_FOUND},
    };

    if (ks_str_is(reason, "InvalidImageName"))
        return KS_CAUSE_IMAGE_NAME_INVALID;
    if (ks_str_is(reason, "ErrImageNeverPull"))
        return KS_CAUSE_IMAGE_NEVER_PULLED;
    return find_words(rows, KS_ARRAY_LEN(rows), message, KS_CAUSE_IMAGE_PULL_ERROR);
}

ks_cause_code ks_cause_of_reference(struct ks_str message, ks_cause_code otherwise)
{
    static const struct word_row keys[] = {
        {"couldn't find key", KS_CAUSE_CONFIG_KEY_MISSING},
        {"non-existent config key", KS_CAUSE_CONFIG_KEY_MISSING},
        {"non-existent secret key", KS_CAUSE_CONFIG_KEY_MISSING},
        {"unbound immediate PersistentVolumeClaim", KS_CAUSE_VOLUME_NOT_BOUND},
    };
    static const struct word_row kinds[] = {
        {"secret \"", KS_CAUSE_SECRET_MISSING},
        {"secrets \"", KS_CAUSE_SECRET_MISSING},
        {"configmap \"", KS_CAUSE_CONFIG_MAP_MISSING},
        {"configmaps \"", KS_CAUSE_CONFIG_MAP_MISSING},
        {"persistentvolumeclaim \"", KS_CAUSE_CLAIM_MISSING},
        {"persistentvolumeclaims \"", KS_CAUSE_CLAIM_MISSING},
    };

    if (ks_cause_text_has(message, "not found"))
        otherwise = find_words(kinds, KS_ARRAY_LEN(kinds), message, otherwise);
    return find_words(keys, KS_ARRAY_LEN(keys), message, otherwise);
}

ks_cause_code ks_cause_of_creation(struct ks_str message)
{
    static const struct word_row rows[] = {
        {"exceeded quota", KS_CAUSE_QUOTA_EXCEEDED},
        {"failed quota", KS_CAUSE_QUOTA_EXCEEDED},
        {"admission webhook", KS_CAUSE_ADMISSION_DENIED},
        {"failed calling webhook", KS_CAUSE_ADMISSION_DENIED},
        {"violates PodSecurity", KS_CAUSE_ADMISSION_DENIED},
        {"ValidatingAdmissionPolicy", KS_CAUSE_ADMISSION_DENIED},
        {"denied", KS_CAUSE_ADMISSION_DENIED},
        {"forbidden", KS_CAUSE_ADMISSION_DENIED},
    };

    return find_words(rows, KS_ARRAY_LEN(rows), message, KS_CAUSE_CREATION_FAILED);
}

ks_cause_code ks_cause_of_failed_pod(struct ks_str reason, ks_cause_code otherwise)
{
    static const struct word_row rows[] = {
        {"Evicted", KS_CAUSE_EVICTED},
        {"EvictionByEvictionAPI", KS_CAUSE_EVICTED},
        {"TerminationByKubelet", KS_CAUSE_EVICTED},
        {"Preempting", KS_CAUSE_PREEMPTED},
        {"Preempted", KS_CAUSE_PREEMPTED},
        {"PreemptionByScheduler", KS_CAUSE_PREEMPTED},
        {"NodeLost", KS_CAUSE_NODE_LOST},
        {"NodeShutdown", KS_CAUSE_NODE_LOST},
        {"Terminated", KS_CAUSE_NODE_LOST},
        {"DeletionByTaintManager", KS_CAUSE_NODE_LOST},
        {"DeletionByPodGC", KS_CAUSE_NODE_LOST},
        {"DeadlineExceeded", KS_CAUSE_DEADLINE_EXCEEDED},
        {"UnexpectedAdmissionError", KS_CAUSE_NODE_REJECTED},
        {"NodeAffinity", KS_CAUSE_NODE_REJECTED},
        {"NodePorts", KS_CAUSE_NODE_REJECTED},
        {"AppArmor", KS_CAUSE_NODE_REJECTED},
        {"SysctlForbidden", KS_CAUSE_NODE_REJECTED},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (ks_str_is(reason, rows[i].words))
            return rows[i].code;
    }
    return ks_str_starts(reason, KS_LIT("OutOf")) ? KS_CAUSE_NODE_REJECTED : otherwise;
}

/* One way in which nodes do not fit: "2 Insufficient cpu". */
static ks_cause_code scheduling_code(struct ks_str part)
{
    static const struct word_row rows[] = {
        {"insufficient", KS_CAUSE_RESOURCES_INSUFFICIENT},
        {"too many pods", KS_CAUSE_RESOURCES_INSUFFICIENT},
        {"taint", KS_CAUSE_TAINT_NOT_TOLERATED},
        {"volume", KS_CAUSE_VOLUME_CONFLICT},
        {"affinity", KS_CAUSE_AFFINITY_NOT_MET},
        {"selector", KS_CAUSE_AFFINITY_NOT_MET},
        {"topology spread", KS_CAUSE_AFFINITY_NOT_MET},
    };

    return ks_cause_of_reference(
        part, find_words(rows, KS_ARRAY_LEN(rows), part, KS_CAUSE_UNSCHEDULABLE));
}

static size_t find_text(struct ks_str text, const char *words)
{
    size_t at = 0;

    while (at < text.len && !has_at(text, at, words))
        at++;
    return at;
}

/* Cuts the first part off; parts are joined by ", " and begin with a number. */
static struct ks_str next_part(struct ks_str *rest)
{
    struct ks_str part;
    size_t at = 0;

    while (at < rest->len && !(has_at(*rest, at, ", ") && at + 2 < rest->len &&
                               rest->ptr[at + 2] >= '0' && rest->ptr[at + 2] <= '9'))
        at++;
    part = ks_str_sub(*rest, 0, at);
    *rest = ks_str_sub(*rest, at + 2, rest->len);
    if (rest->len == 0 && part.len > 0 && part.ptr[part.len - 1] == '.')
        part.len--;
    return part;
}

/* Appends "text" or ", text"; what has no room is left out. */
static void append_part(char out[KS_CAUSE_MESSAGE_MAX], size_t *used, struct ks_str text,
                        const char *between)
{
    size_t gap = *used ? strlen(between) : 0;

    if (*used + gap + text.len > KS_CAUSE_MESSAGE_MAX)
        return;
    memcpy(out + *used, between, gap);
    memcpy(out + *used + gap, text.ptr, text.len);
    *used += gap + text.len;
}

/* One cause with all parts that have the code. */
static void tell_parts(struct ks_cause_reader *r, const struct ks_cause *like, ks_cause_code code,
                       struct ks_str head, struct ks_str parts)
{
    struct ks_cause cause = *like;
    char text[KS_CAUSE_MESSAGE_MAX];
    const char *between = ": ";
    size_t used = 0;

    append_part(text, &used, head, "");
    while (parts.len > 0) {
        struct ks_str part = next_part(&parts);

        if (part.len == 0 || scheduling_code(part) != code)
            continue;
        append_part(text, &used, part, between);
        between = ", ";
    }
    if (between[0] == ':')
        return;
    cause.code = code;
    cause.message = ks_str_make(text, used);
    ks_cause_tell(r, &cause);
}

void ks_cause_tell_scheduling(struct ks_cause_reader *r, const struct ks_cause *like)
{
    static const ks_cause_code codes[] = {
        KS_CAUSE_RESOURCES_INSUFFICIENT, KS_CAUSE_TAINT_NOT_TOLERATED, KS_CAUSE_AFFINITY_NOT_MET,
        KS_CAUSE_VOLUME_CONFLICT,        KS_CAUSE_CLAIM_MISSING,       KS_CAUSE_VOLUME_NOT_BOUND,
        KS_CAUSE_SECRET_MISSING,         KS_CAUSE_CONFIG_MAP_MISSING,  KS_CAUSE_CONFIG_KEY_MISSING,
        KS_CAUSE_UNSCHEDULABLE};
    struct ks_str message = ks_str_sub(like->message, 0, KS_CAUSE_SCAN_MAX);
    size_t colon = find_text(message, "nodes are available: ");
    struct ks_cause cause = *like;

    if (colon == message.len) {
        cause.code = ks_cause_of_reference(message, KS_CAUSE_UNSCHEDULABLE);
        if (cause.message.len == 0)
            cause.message = KS_LIT("The scheduler finds no node for the Pod");
        ks_cause_tell(r, &cause);
        return;
    }
    colon += strlen("nodes are available");
    /* One sentence. Behind it stands what was tried to make room. */
    message.len = colon + find_text(ks_str_sub(message, colon, message.len), ". ");
    for (size_t i = 0; i < KS_ARRAY_LEN(codes); i++)
        tell_parts(r, like, codes[i], ks_str_sub(message, 0, colon),
                   ks_str_sub(message, colon + 2, message.len));
}
