/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of names and what they tell. The lists are the data of profile strict: what a controller
 * means by "ErrImagePull" or "WaitingForQuorum" is read from its words, for there is no end of
 * reasons and none of them is standardized.
 *
 * Thread: any.  It does not: know any kind or vendor.
 */
#include "status/strict_words.h"

static const char *const failing[] = {
    "failed",        "failure",     "failures",      "fail",         "fails",    "failing",
    "error",         "errors",      "errored",       "err",          "invalid",  "unreachable",
    "terminal",      "denied",      "forbidden",     "unauthorized", "rejected", "exceeded",
    "conflict",      "conflicted",  "degraded",      "crash",        "crashed",  "unhealthy",
    "broken",        "lost",        "stalled",       "aborted",      "expired",  "timeout",
    "misconfigured", "unsupported", "unresolvable",  "unresolved",   "mismatch", "killed",
    "evicted",       "refused",     "unrecoverable", "missing",      "blocked",  "canceled",
    "cancelled",     NULL};
static const char *const excuse_first[] = {"waiting", "awaiting", "pending", NULL};
static const char *const excuse_last[] = {"succeeded", "success", NULL};
static const char *const moving[] = {"pending", "progress", "inprogress", "wait", "scheduled",
                                     "queued",  "new",      "submitted",  NULL};
static const char *const good_last[] = {
    "ready",    "healthy",     "running",    "succeeded",   "successful",  "success", "completed",
    "complete", "available",   "active",     "bound",       "deployed",    "green",   "installed",
    "exists",   "provisioned", "synced",     "established", "ok",          "online",  "valid",
    "enabled",  "done",        "finished",   "applied",     "operational", "created", "initialized",
    "attached", "published",   "reconciled", "up",          "accepted",    "passed",  "normal",
    "stable",   "connected",   NULL};
static const char *const task_last[] = {"job",        "task",       "run",       "workflow",
                                        "backup",     "restore",    "migration", "snapshot",
                                        "evaluation", "experiment", "analysis",  "import",
                                        "export",     "operation",  "execution", NULL};
static const char *const state_name[] = {"phase", "state", "status", "health", NULL};
static const char *const state_map[] = {"status", "state",    "result", "operation",
                                        "health", "progress", NULL};
static const char *const other_time[] = {"last", "previous", "desired", "target",
                                         "old",  "observed", NULL};
static const char *const error_first[] = {"error", "err", "failure", NULL};
static const char *const bad_first[] = {"not", "failed", "invalid", "unhealthy", "degraded", NULL};
static const char *const bad_last[] = {
    "failed",    "failure",    "error",    "errors",     "degraded",    "stalled", "invalid",
    "unhealthy", "conflicted", "terminal", "crashed",    "unreachable", "orphan",  "orphaned",
    "occurred",  "exceeded",   "missing",  "violations", "unavailable", NULL};
static const char *const motion_last[] = {"updating", "creating",   "upgrading",    "pending",
                                          "issuing",  "deploying",  "installing",   "provisioning",
                                          "scaling",  "restarting", "initializing", "migrating",
                                          NULL};
static const char *const motion_done[] = {"available", "complete", "completed", "successful",
                                          "succeeded", "expected", NULL};
static const char *const positive_last[] = {
    "ready",       "available",   "healthy",    "succeeded",   "completed", "complete",
    "synced",      "deployed",    "installed",  "programmed",  "accepted",  "valid",
    "resolved",    "applied",     "reconciled", "provisioned", "bound",     "configured",
    "initialized", "established", "success",    NULL};
static const char *const bad_speech[] = {"error", "failed", "failure", "cannot", "invalid", NULL};

static const char *const *const lists[KS_WORDS_COUNT] = {
    [KS_WORDS_FAILING] = failing,
    [KS_WORDS_EXCUSE_FIRST] = excuse_first,
    [KS_WORDS_EXCUSE_LAST] = excuse_last,
    [KS_WORDS_MOVING] = moving,
    [KS_WORDS_GOOD_LAST] = good_last,
    [KS_WORDS_TASK_LAST] = task_last,
    [KS_WORDS_STATE_NAME] = state_name,
    [KS_WORDS_STATE_MAP] = state_map,
    [KS_WORDS_OTHER_TIME] = other_time,
    [KS_WORDS_ERROR_FIRST] = error_first,
    [KS_WORDS_BAD_FIRST] = bad_first,
    [KS_WORDS_BAD_LAST] = bad_last,
    [KS_WORDS_MOTION_LAST] = motion_last,
    [KS_WORDS_MOTION_DONE] = motion_done,
    [KS_WORDS_POSITIVE_LAST] = positive_last,
    [KS_WORDS_BAD_SPEECH] = bad_speech,
};

/* Two words that fail together, and not alone. */
static const struct {
    const char *first;
    const char *second;
} failing_pairs[] = {
    {"not", "found"},     {"not", "allowed"}, {"not", "accepted"},
    {"not", "supported"}, {"back", "off"},
};

bool ks_word_is(const struct ks_word *word, const char *text)
{
    return strcmp(word->text, text) == 0;
}

static bool is_moving(const struct ks_word *word)
{
    size_t len = strlen(word->text);

    return len > 3 && strcmp(word->text + len - 3, "ing") == 0;
}

bool ks_word_in(const struct ks_word *word, ks_words list)
{
    for (const char *const *entry = lists[list]; *entry; entry++) {
        if (strcmp(word->text, *entry) == 0)
            return true;
    }
    return list == KS_WORDS_MOVING && is_moving(word);
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_wordly(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Whether a word ends before text[at], which is not its first byte: at "aB", and at the last
 * capital of "ABc". */
static bool is_boundary(struct ks_str text, size_t at)
{
    char c = text.ptr[at];
    bool starts_lower =
        at + 1 < text.len && is_wordly(text.ptr[at + 1]) && !is_upper(text.ptr[at + 1]);

    if (!is_wordly(c))
        return true;
    return is_upper(c) && (!is_upper(text.ptr[at - 1]) || starts_lower);
}

/* Cuts the first word off *rest; false when there is none. */
static bool next_word(struct ks_str *rest, struct ks_word *out)
{
    size_t start = 0;
    size_t end;
    size_t len;

    while (start < rest->len && !is_wordly(rest->ptr[start]))
        start++;
    if (start == rest->len)
        return false;
    end = start + 1;
    while (end < rest->len && !is_boundary(*rest, end))
        end++;
    len = end - start < KS_WORD_MAX ? end - start : KS_WORD_MAX;
    for (size_t i = 0; i < len; i++) {
        char c = rest->ptr[start + i];

        out->text[i] = (char)(is_upper(c) ? c - 'A' + 'a' : c);
    }
    out->text[len] = '\0';
    *rest = ks_str_sub(*rest, end, rest->len - end);
    return true;
}

static bool is_failing_pair(const struct ks_word *first, const struct ks_word *second)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(failing_pairs); i++) {
        if (ks_word_is(first, failing_pairs[i].first) &&
            ks_word_is(second, failing_pairs[i].second))
            return true;
    }
    return false;
}

static void add_word(struct ks_phrase *p, const struct ks_word *word)
{
    if (ks_word_in(word, KS_WORDS_FAILING) || is_failing_pair(&p->last, word))
        p->is_failing = true;
    if (ks_word_in(word, KS_WORDS_MOVING))
        p->is_moving = true;
    if (ks_word_is(word, "not"))
        p->has_not = true;
    if (ks_word_is(&p->last, "not") && ks_word_is(word, "ready"))
        p->has_not_ready = true;
    if (p->count == 0) {
        p->first = *word;
        p->is_first_moving = p->is_moving;
    } else if (p->count == 1) {
        p->second = *word;
    }
    p->last = *word;
    p->count++;
}

struct ks_phrase ks_phrase_read(struct ks_str text)
{
    struct ks_str rest = ks_str_sub(text, 0, KS_PHRASE_MAX_BYTES);
    struct ks_phrase p = {0};
    struct ks_word word;

    while (next_word(&rest, &word))
        add_word(&p, &word);
    p.is_excused =
        ks_word_in(&p.first, KS_WORDS_EXCUSE_FIRST) || ks_word_in(&p.last, KS_WORDS_EXCUSE_LAST);
    if (p.is_excused)
        p.is_failing = false;
    return p;
}
