/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any protobuf-c message as canonical protobuf JSON, in one line: names in lowerCamelCase, enums by
 * name, 64-bit integers as strings, bytes in base64, Timestamp, Duration and Any in their special
 * forms, absent fields left out.
 *
 * Beyond the mapping: control and direction characters in strings are escaped (the value is the
 * same); an Any whose type is not known here keeps its bytes as {"@type":…,"value":BASE64}.
 *
 * Thread: any.  Owns: nothing.  Limits: 32 messages nested, Any included; the buffer's own.
 */
#ifndef KS_CLIENT_CLI_JSON_OUT_H
#define KS_CLIENT_CLI_JSON_OUT_H

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"
#include "base/str.h"

/* KS_RC_INVALID when the message cannot be JSON, e.g. a Timestamp beyond year 9999. */
KS_MUST_USE ks_rc ks_json_out_append(struct ks_buf *out, const ProtobufCMessage *message);

#endif
