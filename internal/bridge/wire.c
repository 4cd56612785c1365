/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of packets.
 *
 * WatchResponse { first_sequence = 1; emit_time = 2; events = 3 [Event { <packet kind> = packet
 * body + coalesced }] } GetResponse   { statuses = 1 [packet body]; counts = 2; aggregate_status =
 * 3; target_errors = 4 [packet body] }
 *
 * Two facts of the format carry this: a message's fields may stand in any order, so that
 * coalesced_count can follow an encoded body, and a repeated field's elements concatenate, so that
 * a response is a row of copies.
 *
 * Invariant: ks_wire_event appends exactly ks_wire_event_size bytes.
 *
 * Thread: any.  It does not: read what did not come from encode.c.
 */
#include "bridge/wire.h"

#include <assert.h>

#define VARINT_MAX 10
#define TYPE_VARINT 0u
#define TYPE_LENGTH 2u

/* Field numbers of kstatus.v1. */
#define RESPONSE_FIRST_SEQUENCE 1u
#define RESPONSE_EMIT_TIME 2u
#define RESPONSE_EVENTS 3u
#define TIMESTAMP_SECONDS 1u
#define TIMESTAMP_NANOS 2u
#define STATUS_COALESCED_COUNT 16u
#define SYNCED_COUNTS 1u
#define SYNCED_AGGREGATE_STATUS 2u
#define SNAPSHOT_STATUSES 1u
#define SNAPSHOT_COUNTS 2u
#define SNAPSHOT_AGGREGATE_STATUS 3u
#define SNAPSHOT_TARGET_ERRORS 4u
#define OUTCOME_BLOCKING 3u
#define WAIT_OUTCOME 1u

static size_t varint_size(uint64_t n)
{
    size_t size = 1;

    while (n >= 0x80) {
        n >>= 7;
        size++;
    }
    return size;
}

static size_t varint_write(char out[VARINT_MAX], uint64_t n)
{
    size_t len = 0;

    while (n >= 0x80) {
        out[len++] = (char)(unsigned char)((n & 0x7f) | 0x80);
        n >>= 7;
    }
    out[len++] = (char)(unsigned char)n;
    return len;
}

static uint64_t tag_of(uint32_t field, uint32_t type)
{
    return ((uint64_t)field << 3) | type;
}

static ks_rc append_field(struct ks_buf *out, uint32_t field, uint64_t value)
{
    char bytes[2 * VARINT_MAX];
    size_t len = varint_write(bytes, tag_of(field, TYPE_VARINT));

    len += varint_write(bytes + len, value);
    return ks_buf_append(out, bytes, len);
}

static ks_rc append_length(struct ks_buf *out, uint32_t field, size_t length)
{
    char bytes[2 * VARINT_MAX];
    size_t len = varint_write(bytes, tag_of(field, TYPE_LENGTH));

    len += varint_write(bytes + len, length);
    return ks_buf_append(out, bytes, len);
}

static size_t coalesced_size(uint32_t coalesced)
{
    if (coalesced == 0)
        return 0;
    return varint_size(tag_of(STATUS_COALESCED_COUNT, TYPE_VARINT)) + varint_size(coalesced);
}

static size_t length_size(uint32_t field, size_t length)
{
    return varint_size(tag_of(field, TYPE_LENGTH)) + varint_size(length);
}

/* The packet as a length-delimited field, with what was merged into it. */
static ks_rc append_packet(struct ks_buf *out, uint32_t field, const struct ks_packet *p,
                           uint32_t coalesced)
{
    ks_rc rc = append_length(out, field, p->len + coalesced_size(coalesced));

    if (!rc)
        rc = ks_buf_append(out, p->bytes, p->len);
    if (!rc && coalesced)
        rc = append_field(out, STATUS_COALESCED_COUNT, coalesced);
    return rc;
}

static size_t member_size(const struct ks_packet *p, uint32_t coalesced)
{
    size_t body = p->len + coalesced_size(coalesced);

    return length_size((uint32_t)p->kind, body) + body;
}

size_t ks_wire_event_size(const struct ks_packet *p, uint32_t coalesced)
{
    size_t event = member_size(p, coalesced);

    return length_size(RESPONSE_EVENTS, event) + event;
}

ks_rc ks_wire_event(struct ks_buf *out, const struct ks_packet *p, uint32_t coalesced)
{
    ks_rc rc;

    assert(coalesced == 0 || p->kind == KS_PACKET_UPDATE);
    rc = append_length(out, RESPONSE_EVENTS, member_size(p, coalesced));
    if (!rc)
        rc = append_packet(out, (uint32_t)p->kind, p, coalesced);
    return rc;
}

ks_rc ks_wire_head(struct ks_buf *out, uint64_t first_sequence, int64_t emit_wall_ms)
{
    int64_t seconds = emit_wall_ms / 1000;
    int64_t rest_ms = emit_wall_ms % 1000;
    uint64_t nanos;
    size_t length;
    ks_rc rc;

    if (rest_ms < 0) {
        rest_ms += 1000;
        seconds--;
    }
    nanos = (uint64_t)rest_ms * 1000000;
    /* Both tags take one byte. */
    length = 1 + varint_size((uint64_t)seconds) + 1 + varint_size(nanos);
    rc = append_field(out, RESPONSE_FIRST_SEQUENCE, first_sequence);
    if (!rc)
        rc = append_length(out, RESPONSE_EMIT_TIME, length);
    if (!rc)
        rc = append_field(out, TIMESTAMP_SECONDS, (uint64_t)seconds);
    if (!rc)
        rc = append_field(out, TIMESTAMP_NANOS, nanos);
    return rc;
}

ks_rc ks_wire_status(struct ks_buf *out, const struct ks_packet *p, uint32_t coalesced)
{
    return append_packet(out, SNAPSHOT_STATUSES, p, coalesced);
}

ks_rc ks_wire_target_error(struct ks_buf *out, const struct ks_packet *p)
{
    return append_packet(out, SNAPSHOT_TARGET_ERRORS, p, 0);
}

ks_rc ks_wire_blocking(struct ks_buf *out, const struct ks_packet *p)
{
    ks_rc rc = ks_buf_reserve(out, length_size(OUTCOME_BLOCKING, p->len) + p->len);

    return rc ? rc : append_packet(out, OUTCOME_BLOCKING, p, 0);
}

ks_rc ks_wire_outcome(struct ks_buf *out, const struct ks_packet *p)
{
    return append_packet(out, WAIT_OUTCOME, p, 0);
}

static bool read_varint(struct ks_str *rest, uint64_t *out)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)rest->ptr[0];

        *rest = ks_str_sub(*rest, 1, rest->len);
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = n;
            return true;
        }
    }
    return false;
}

struct field {
    uint32_t number;
    uint32_t type;
    uint64_t value;      /* TYPE_VARINT */
    struct ks_str bytes; /* TYPE_LENGTH */
};

/* False at the end, and at a type that our messages do not use. */
static bool read_field(struct ks_str *rest, struct field *out)
{
    struct field f = {0};
    uint64_t tag;

    if (!read_varint(rest, &tag) || !read_varint(rest, &f.value))
        return false;
    f.number = (uint32_t)(tag >> 3);
    f.type = (uint32_t)(tag & 7);
    if (f.type == TYPE_LENGTH) {
        if (f.value > rest->len)
            return false;
        f.bytes = ks_str_sub(*rest, 0, (size_t)f.value);
        *rest = ks_str_sub(*rest, (size_t)f.value, rest->len);
    } else if (f.type != TYPE_VARINT) {
        return false;
    }
    *out = f;
    return true;
}

ks_rc ks_wire_totals(struct ks_buf *out, const struct ks_packet *synced)
{
    struct ks_str rest = ks_str_make(synced->bytes, synced->len);
    struct field f;
    ks_rc rc = KS_RC_OK;

    if (synced->kind != KS_PACKET_SYNCED)
        return KS_RC_INTERNAL;
    while (!rc && read_field(&rest, &f)) {
        if (f.number == SYNCED_COUNTS && f.type == TYPE_LENGTH) {
            rc = append_length(out, SNAPSHOT_COUNTS, f.bytes.len);
            if (!rc)
                rc = ks_buf_append_str(out, f.bytes);
        } else if (f.number == SYNCED_AGGREGATE_STATUS && f.type == TYPE_VARINT) {
            rc = append_field(out, SNAPSHOT_AGGREGATE_STATUS, f.value);
        }
    }
    return rc;
}

uint64_t ks_wire_get_varint(const struct ks_packet *p, uint32_t field)
{
    struct ks_str rest = ks_str_make(p->bytes, p->len);
    struct field f;

    while (read_field(&rest, &f)) {
        if (f.number == field && f.type == TYPE_VARINT)
            return f.value;
    }
    return 0;
}
