/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One child process: run it, collect what it writes, give it no more time and space than it was
 * allowed.
 *
 * The model: three facts arrive in any order, the child's end and the end of its two outputs; the
 * last of them completes the run. A deadline or a full buffer cuts that short with SIGKILL to the
 * group. The handle answers once (or is cancelled) and then lives on, unseen, until libuv has
 * reaped the child and closed everything.
 *
 *   RUNNING ──all three in──> ANSWERED        RUNNING ──deadline, too much output──> ANSWERED
 *   RUNNING ──cancel──> ANSWERED
 *   ANSWERED ──child reaped, handles closed──> freed
 *
 * Invariants:
 *   1. done is called at most once, only out of the loop, and never after cancel;
 *   2. the process handle is closed only after the child has been reaped: closing it earlier would
 *      leave a zombie;
 *   3. the group is killed before it can have gone: as long as the leader is not reaped, or one of
 *      its group holds an output open, the number cannot belong to somebody else;
 *   4. output is wiped before its memory goes back: it is a credential.
 *
 * Thread: the loop's.
 *
 * Does not: use a shell, change our own environment, or write to the child.
 */
#include "loop/process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <uv.h>

#include "base/alloc.h"

#define CHUNK_BYTES 4096
#define STDERR_MAX_BYTES ((size_t)8 << 10)
/* Of stderr, this much fits into an error message beside the rest of it. */
#define STDERR_TOLD_BYTES ((size_t)300)

enum { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_COUNT };

struct ks_process {
    uv_process_t child;
    uv_pipe_t outputs[OUTPUT_COUNT];
    struct ks_timer deadline;
    struct ks_buf out;
    struct ks_buf diagnostics; /* the last STDERR_MAX_BYTES of stderr */
    char *name;
    ks_process_done done; /* NULL once answered */
    void *ctx;
    int64_t deadline_ms;
    int64_t exit_status;
    int signal;
    unsigned open_handles;
    bool is_reaped;
    char chunk[CHUNK_BYTES];
};

static void buf_wipe(struct ks_buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->len);
    ks_buf_fini(b);
}

static void process_free(struct ks_process *p)
{
    buf_wipe(&p->out);
    buf_wipe(&p->diagnostics);
    explicit_bzero(p->chunk, sizeof(p->chunk));
    ks_free(p->name);
    ks_free(p);
}

static void on_closed(uv_handle_t *handle)
{
    struct ks_process *p = handle->data;

    if (--p->open_handles == 0)
        process_free(p);
}

static void process_close_output(struct ks_process *p, int which)
{
    uv_handle_t *handle = (uv_handle_t *)&p->outputs[which];

    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void process_kill(struct ks_process *p)
{
    /* ESRCH: they have ended by themselves. */
    (void)kill(-p->child.pid, SIGKILL);
}

/* Nobody hears of it after this. The memory goes when the last handle has closed. */
static void process_retire(struct ks_process *p)
{
    p->done = NULL;
    ks_timer_stop(&p->deadline);
    for (int i = 0; i < OUTPUT_COUNT; i++)
        process_close_output(p, i);
}

static void process_answer(struct ks_process *p, ks_rc rc, const struct ks_error *err)
{
    const ks_process_done done = p->done;
    const struct ks_str out = rc ? (struct ks_str){0} : ks_buf_str(&p->out);

    process_retire(p);
    done(p->ctx, rc, out, err); /* closing handles keep p until the next turn */
}

/* The last line or so of what it complained about, trimmed. */
static struct ks_str process_complaint(const struct ks_process *p)
{
    struct ks_str text = ks_str_trim(ks_buf_str(&p->diagnostics));

    if (text.len > STDERR_TOLD_BYTES)
        text = ks_str_sub(text, text.len - STDERR_TOLD_BYTES, STDERR_TOLD_BYTES);
    /* The cut may have gone through a character. */
    while (text.len && ((unsigned char)text.ptr[0] & 0xc0) == 0x80)
        text = ks_str_sub(text, 1, text.len);
    return text;
}

static void process_fail_exit(struct ks_process *p)
{
    const struct ks_str said = process_complaint(p);
    struct ks_error err;

    if (p->signal)
        (void)ks_fail(&err, KS_RC_IO, "%s was ended by signal %d%s%.*s", p->name, p->signal,
                      said.len ? ": " : "", KS_STR_ARGS(said));
    else
        (void)ks_fail(&err, KS_RC_IO, "%s ended with exit status %lld%s%.*s", p->name,
                      (long long)p->exit_status, said.len ? ": " : "", KS_STR_ARGS(said));
    process_answer(p, KS_RC_IO, &err);
}

static bool process_is_complete(const struct ks_process *p)
{
    return p->is_reaped && uv_is_closing((const uv_handle_t *)&p->outputs[OUTPUT_STDOUT]) &&
           uv_is_closing((const uv_handle_t *)&p->outputs[OUTPUT_STDERR]);
}

static void process_check(struct ks_process *p)
{
    if (!p->done || !process_is_complete(p))
        return;
    if (p->exit_status || p->signal) {
        process_fail_exit(p);
    } else {
        struct ks_error none = {.rc = KS_RC_OK};

        process_answer(p, KS_RC_OK, &none);
    }
}

static void on_exit(uv_process_t *child, int64_t exit_status, int signal)
{
    struct ks_process *p = child->data;

    p->is_reaped = true;
    p->exit_status = exit_status;
    p->signal = signal;
    process_check(p);
    uv_close((uv_handle_t *)child, on_closed);
}

static void on_deadline(struct ks_timer *timer)
{
    struct ks_process *p = KS_CONTAINER_OF(timer, struct ks_process, deadline);
    struct ks_error err;

    process_kill(p);
    if (p->is_reaped)
        (void)ks_fail(
            &err, KS_RC_TIMEOUT,
            "%s has ended, but left a process behind that kept its output open for %lld s", p->name,
            (long long)(p->deadline_ms / 1000));
    else
        (void)ks_fail(&err, KS_RC_TIMEOUT, "%s did not end within %lld s and was killed", p->name,
                      (long long)(p->deadline_ms / 1000));
    process_answer(p, KS_RC_TIMEOUT, &err);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct ks_process *p = handle->data;

    (void)suggested; /* libuv's form */
    /* Both outputs may share it: libuv fills it and reports it before it asks again. */
    *out = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void process_put_stdout(struct ks_process *p, struct ks_str bytes)
{
    const ks_rc rc = ks_buf_append_str(&p->out, bytes);
    struct ks_error err;

    if (!rc)
        return;
    process_kill(p);
    if (rc == KS_RC_LIMIT)
        (void)ks_fail(&err, rc, "%s wrote more than %zu bytes and was killed", p->name,
                      p->out.max_bytes);
    else
        (void)ks_fail(&err, rc, "output of %s: %s", p->name, ks_rc_text(rc));
    process_answer(p, rc, &err);
}

static void process_put_stderr(struct ks_process *p, struct ks_str bytes)
{
    struct ks_buf *b = &p->diagnostics;

    if (b->len + bytes.len > STDERR_MAX_BYTES) {
        const size_t drop = b->len + bytes.len - STDERR_MAX_BYTES;

        assert(drop <= b->len); /* a chunk is smaller than what is kept */
        memmove(b->data, b->data + drop, b->len - drop);
        b->len -= drop;
    }
    /* Without memory the complaint is shorter; the run is not worse for it. */
    if (ks_buf_append_str(b, bytes))
        ks_buf_clear(b);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct ks_process *p = stream->data;
    const int which =
        stream == (uv_stream_t *)&p->outputs[OUTPUT_STDOUT] ? OUTPUT_STDOUT : OUTPUT_STDERR;

    if (count > 0 && which == OUTPUT_STDOUT)
        process_put_stdout(p, ks_str_make(buf->base, (size_t)count));
    else if (count > 0)
        process_put_stderr(p, ks_str_make(buf->base, (size_t)count));
    if (count >= 0)
        return;
    process_close_output(p, which); /* its end; an error reads the same */
    process_check(p);
}

static ks_rc spawn_failed(const struct ks_process_config *config, int rc, struct ks_error *err)
{
    if (rc == UV_ENOENT)
        return ks_fail(err, KS_RC_NOTFOUND, "%s: there is no such program%s", config->file,
                       strchr(config->file, '/') ? "" : " in PATH");
    if (rc == UV_EACCES || rc == UV_EPERM)
        return ks_fail(err, KS_RC_DENIED, "%s: not permitted to run it", config->file);
    if (rc == UV_ENOMEM)
        return ks_fail(err, KS_RC_NOMEM, "%s: out of memory", config->file);
    return ks_fail(err, KS_RC_IO, "%s: cannot be run: %s", config->file, uv_strerror(rc));
}

/* libuv takes argv and env as "char **" and changes nothing in them; this is the one place that
 * knows. */
static char **unconst(const char *const *strings)
{
    union {
        const char *const *from;
        char **to;
    } view = {.from = strings};

    return view.to;
}

static int process_spawn(struct ks_process *p, struct ks_loop *loop,
                         const struct ks_process_config *config)
{
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE}, /* /dev/null */
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&p->outputs[OUTPUT_STDOUT]},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&p->outputs[OUTPUT_STDERR]},
    };
    const uv_process_options_t options = {
        .exit_cb = on_exit,
        .file = config->file,
        .args = unconst(config->argv),
        .env = unconst(config->env),
        .cwd = config->cwd,
        .flags = UV_PROCESS_DETACHED, /* its own session, and so its own group */
        .stdio_count = (int)KS_ARRAY_LEN(stdio),
        .stdio = stdio,
    };
    uv_loop_t *uv = ks_loop_uv(loop);
    int rc;

    for (int i = 0; i < OUTPUT_COUNT; i++) {
        (void)uv_pipe_init(uv, &p->outputs[i], /* ipc= */ 0); /* documented to return 0 */
        p->outputs[i].data = p;
    }
    p->child.data = p;
    rc = uv_spawn(uv, &p->child, &options);
    p->open_handles =
        1 + OUTPUT_COUNT; /* the process handle counts even when nothing was spawned */
    for (int i = 0; i < OUTPUT_COUNT && !rc; i++)
        rc = uv_read_start((uv_stream_t *)&p->outputs[i], on_alloc, on_read);
    return rc;
}

ks_rc ks_process_start(struct ks_loop *loop, const struct ks_process_config *config,
                       ks_process_done done, void *ctx, struct ks_process **out,
                       struct ks_error *err)
{
    struct ks_process *p = ks_alloc0(sizeof(*p));
    int rc;

    ks_loop_assert_here(loop);
    if (!p)
        return ks_fail(err, KS_RC_NOMEM, "%s: out of memory", config->file);
    ks_buf_init(&p->out, config->max_stdout_bytes);
    ks_buf_init(&p->diagnostics, STDERR_MAX_BYTES);
    ks_timer_init(&p->deadline, loop, on_deadline);
    p->name = ks_strdup(config->file);
    if (!p->name) {
        process_free(p);
        return ks_fail(err, KS_RC_NOMEM, "%s: out of memory", config->file);
    }
    rc = process_spawn(p, loop, config);
    if (rc) {
        process_retire(p);
        if (uv_is_active((uv_handle_t *)&p->child))
            process_kill(p); /* it runs, but could not be read from: on_exit closes the handle */
        else
            uv_close((uv_handle_t *)&p->child, on_closed);
        return spawn_failed(config, rc, err);
    }
    p->done = done;
    p->ctx = ctx;
    p->deadline_ms = config->deadline_ms;
    ks_timer_start(&p->deadline, config->deadline_ms);
    *out = p;
    return KS_RC_OK;
}

void ks_process_cancel(struct ks_process *process)
{
    if (!process || !process->done)
        return;
    process_kill(process);
    process_retire(process);
}
