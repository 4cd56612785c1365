/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a message by its descriptor. A field is absent when it is a message that is not set, a
 * member of a oneof that is not chosen, an empty list, or a plain field with its default value;
 * what is left is written in the order of the descriptor, which is that of the field numbers.
 *
 * Invariants: 1. recursion follows the types of our protos, which are finite, and Any, which is
 * counted; 2. a failed call leaves an unfinished line in the buffer: the caller drops it.
 *
 * Thread: any. Does not know maps (protobuf-c does not either; our protos have none).
 */
#include "client/cli/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/base64.h"
#include "base/rfc3339.h"

#include "client/cli/text.h"
#include "client/pb_alloc.h"

#define DEPTH_MAX 32
#define TIMESTAMP_MIN_S (-62135596800)
#define TIMESTAMP_MAX_S 253402300799
#define DURATION_MAX_S 315576000000
#define NANOS_PER_S 1000000000

struct writer {
    struct ks_buf *out;
    unsigned depth;
};

typedef ks_rc (*special_fn)(struct writer *w, const ProtobufCMessage *message);

static ks_rc write_message(struct writer *w, const ProtobufCMessage *message);
static ks_rc write_members(struct writer *w, const ProtobufCMessage *message, bool *has_written);

/* "example_name" -> "exampleName", quoted. */
static ks_rc write_name(struct writer *w, const char *name)
{
    bool is_upper = false;
    ks_rc rc = ks_buf_append_byte(w->out, '"');

    for (; !rc && *name; name++) {
        char c = *name;

        if (c == '_') {
            is_upper = true;
            continue;
        }
        if (is_upper && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        is_upper = false;
        rc = ks_buf_append_byte(w->out, c);
    }
    return rc ? rc : ks_buf_append_str(w->out, KS_LIT("\":"));
}

/* ".5", ".000001": three, six or nine digits, none for zero. */
static ks_rc write_nanos(struct writer *w, int32_t nanos)
{
    if (nanos == 0)
        return KS_RC_OK;
    if (nanos % 1000000 == 0)
        return ks_buf_appendf(w->out, ".%03d", nanos / 1000000);
    if (nanos % 1000 == 0)
        return ks_buf_appendf(w->out, ".%06d", nanos / 1000);
    return ks_buf_appendf(w->out, ".%09d", nanos);
}

static ks_rc write_timestamp(struct writer *w, const ProtobufCMessage *message)
{
    const Google__Protobuf__Timestamp *t =
        (const Google__Protobuf__Timestamp *)(const void *)message;
    char text[KS_RFC3339_MAX];
    ks_rc rc;

    if (t->seconds < TIMESTAMP_MIN_S || t->seconds > TIMESTAMP_MAX_S || t->nanos < 0 ||
        t->nanos >= NANOS_PER_S)
        return KS_RC_INVALID;
    ks_rfc3339_format(t->seconds * 1000, text);
    rc = ks_buf_appendf(w->out, "\"%.*s", (int)strlen(text) - 1, text); /* without the Z */
    if (!rc)
        rc = write_nanos(w, t->nanos);
    return rc ? rc : ks_buf_append_str(w->out, KS_LIT("Z\""));
}

static ks_rc write_duration(struct writer *w, const ProtobufCMessage *message)
{
    const Google__Protobuf__Duration *d = (const Google__Protobuf__Duration *)(const void *)message;
    bool is_negative = d->seconds < 0 || d->nanos < 0;
    ks_rc rc;

    if (d->seconds < -DURATION_MAX_S || d->seconds > DURATION_MAX_S || d->nanos <= -NANOS_PER_S ||
        d->nanos >= NANOS_PER_S || (is_negative && (d->seconds > 0 || d->nanos > 0)))
        return KS_RC_INVALID;
    rc = ks_buf_appendf(w->out, "\"%s%" PRId64, is_negative ? "-" : "",
                        is_negative ? -d->seconds : d->seconds);
    if (!rc)
        rc = write_nanos(w, is_negative ? -d->nanos : d->nanos);
    return rc ? rc : ks_buf_append_str(w->out, KS_LIT("s\""));
}

static ks_rc write_base64(struct writer *w, const ProtobufCBinaryData *bytes)
{
    ks_rc rc = ks_buf_append_byte(w->out, '"');

    if (!rc)
        rc = ks_base64_encode(ks_str_make((const char *)bytes->data, bytes->len), w->out);
    return rc ? rc : ks_buf_append_byte(w->out, '"');
}

/* Types that may stand in an Any: those of google.rpc's error details, and our own. */
static const ProtobufCMessageDescriptor *const any_types[] = {
    &google__rpc__bad_request__descriptor,     &google__rpc__status__descriptor,
    &google__protobuf__duration__descriptor,   &google__protobuf__timestamp__descriptor,
    &kstatus__v1__resource_status__descriptor,
};

static const ProtobufCMessageDescriptor *any_type_find(const char *url)
{
    const char *slash = strrchr(url, '/');

    for (size_t i = 0; slash && i < KS_ARRAY_LEN(any_types); i++) {
        if (strcmp(any_types[i]->name, slash + 1) == 0)
            return any_types[i];
    }
    return NULL;
}

static special_fn special_find(const ProtobufCMessageDescriptor *type);

static ks_rc write_any_content(struct writer *w, const ProtobufCMessage *content)
{
    special_fn special = special_find(content->descriptor);
    bool has_written = true;
    ks_rc rc;

    if (!special)
        return write_members(w, content, &has_written);
    rc = ks_buf_append_str(w->out, KS_LIT(",\"value\":"));
    return rc ? rc : special(w, content);
}

static ks_rc write_any(struct writer *w, const ProtobufCMessage *message)
{
    const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)(const void *)message;
    const ProtobufCMessageDescriptor *type = any_type_find(any->type_url);
    ProtobufCMessage *content = NULL;
    ks_rc rc = ks_buf_append_str(w->out, KS_LIT("{\"@type\":"));

    if (!rc)
        rc = ks_text_append_json(w->out, ks_str_from(any->type_url));
    if (rc)
        return rc;
    if (type)
        content =
            protobuf_c_message_unpack(type, &ks_pb_allocator, any->value.len, any->value.data);
    if (content) {
        rc = write_any_content(w, content);
        protobuf_c_message_free_unpacked(content, &ks_pb_allocator);
    } else {
        rc = ks_buf_append_str(w->out, KS_LIT(",\"value\":"));
        if (!rc)
            rc = write_base64(w, &any->value);
    }
    return rc ? rc : ks_buf_append_byte(w->out, '}');
}

static special_fn special_find(const ProtobufCMessageDescriptor *type)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        special_fn write;
    } specials[] = {
        {&google__protobuf__any__descriptor, write_any},
        {&google__protobuf__duration__descriptor, write_duration},
        {&google__protobuf__timestamp__descriptor, write_timestamp},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(specials); i++) {
        if (specials[i].type == type)
            return specials[i].write;
    }
    return NULL;
}

static ks_rc write_enum(struct writer *w, const ProtobufCEnumDescriptor *type, int32_t number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

    if (!value)
        return ks_buf_appendf(w->out, "%" PRId32, number);
    return ks_buf_appendf(w->out, "\"%s\"", value->name);
}

/* The shortest text that reads back as the same number. */
static ks_rc write_double(struct writer *w, double number, int most_digits)
{
    char text[40];

    if (isnan(number))
        return ks_buf_append_str(w->out, KS_LIT("\"NaN\""));
    if (isinf(number))
        return ks_buf_appendf(w->out, "\"%sInfinity\"", number < 0 ? "-" : "");
    for (int digits = 1; digits <= most_digits; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number); /* fits */
        if (most_digits > 9 ? strtod(text, NULL) == number : strtof(text, NULL) == (float)number)
            break;
    }
    return ks_buf_append_str(w->out, ks_str_from(text));
}

/* Writes one value; at points to it in its message. */
static ks_rc write_value(struct writer *w, const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return ks_buf_appendf(w->out, "%" PRId32, *(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return ks_buf_appendf(w->out, "%" PRIu32, *(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return ks_buf_appendf(w->out, "\"%" PRId64 "\"", *(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return ks_buf_appendf(w->out, "\"%" PRIu64 "\"", *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return write_double(w, (double)*(const float *)at, 9);
    case PROTOBUF_C_TYPE_DOUBLE:
        return write_double(w, *(const double *)at, 17);
    case PROTOBUF_C_TYPE_BOOL:
        return ks_buf_append_str(w->out, *(const protobuf_c_boolean *)at ? KS_LIT("true")
                                                                         : KS_LIT("false"));
    case PROTOBUF_C_TYPE_ENUM:
        return write_enum(w, field->descriptor, *(const int32_t *)at);
    case PROTOBUF_C_TYPE_STRING:
        return ks_text_append_json(w->out, ks_str_from(*(char *const *)at));
    case PROTOBUF_C_TYPE_BYTES:
        return write_base64(w, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return write_message(w, *(ProtobufCMessage *const *)at);
    }
    return KS_RC_INVALID;
}

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    }
    return 0;
}

static bool is_zero(const void *at, size_t size)
{
    const unsigned char *bytes = at;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static const void *member_at(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static size_t repeated_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return *(const size_t *)member_at(message, field->quantifier_offset);
}

/* proto3: a field without presence is absent when it has its default. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
    const char *text;

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        text = *(char *const *)at;
        return !text || !text[0];
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len == 0;
    return is_zero(at, value_size(field->type));
}

static bool is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return repeated_count(message, field) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)member_at(message, field->quantifier_offset) == field->id;
    return !is_default(field, member_at(message, field->offset));
}

static ks_rc write_repeated(struct writer *w, const ProtobufCMessage *message,
                            const ProtobufCFieldDescriptor *field)
{
    const char *items = *(char *const *)member_at(message, field->offset);
    ks_rc rc = ks_buf_append_byte(w->out, '[');

    for (size_t i = 0; !rc && i < repeated_count(message, field); i++) {
        const void *at = items + i * value_size(field->type);

        if (i > 0)
            rc = ks_buf_append_byte(w->out, ',');
        if (!rc)
            rc = write_value(w, field, at);
    }
    return rc ? rc : ks_buf_append_byte(w->out, ']');
}

static ks_rc write_member(struct writer *w, const ProtobufCMessage *message,
                          const ProtobufCFieldDescriptor *field)
{
    ks_rc rc = write_name(w, field->name);

    if (rc)
        return rc;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return write_repeated(w, message, field);
    return write_value(w, field, member_at(message, field->offset));
}

static ks_rc write_members(struct writer *w, const ProtobufCMessage *message, bool *has_written)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    ks_rc rc = KS_RC_OK;

    for (unsigned i = 0; !rc && i < type->n_fields; i++) {
        if (!is_present(message, &type->fields[i]))
            continue;
        if (*has_written)
            rc = ks_buf_append_byte(w->out, ',');
        *has_written = true;
        if (!rc)
            rc = write_member(w, message, &type->fields[i]);
    }
    return rc;
}

static ks_rc write_object(struct writer *w, const ProtobufCMessage *message)
{
    bool has_written = false;
    ks_rc rc = ks_buf_append_byte(w->out, '{');

    if (!rc)
        rc = write_members(w, message, &has_written);
    return rc ? rc : ks_buf_append_byte(w->out, '}');
}

static ks_rc write_message(struct writer *w, const ProtobufCMessage *message)
{
    special_fn special = special_find(message->descriptor);
    ks_rc rc;

    if (w->depth == DEPTH_MAX)
        return KS_RC_LIMIT;
    w->depth++;
    rc = special ? special(w, message) : write_object(w, message);
    w->depth--;
    return rc;
}

ks_rc ks_json_out_append(struct ks_buf *out, const ProtobufCMessage *message)
{
    struct writer w = {.out = out};

    return write_message(&w, message);
}
