/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the 17 gRPC status codes, in their order (grpc/status.h).
 *
 * Thread: any.
 */
#include "server/rpc/status_map.h"

#include "base/base.h"

static const char *const texts[KS_RPC_CODE_COUNT] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *ks_rpc_code_text(int code)
{
    return code >= 0 && code < KS_RPC_CODE_COUNT ? texts[code] : "UNKNOWN";
}
