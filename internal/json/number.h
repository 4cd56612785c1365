/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/json: the form and the range of JSON numbers, without converting any.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_JSON_NUMBER_H
#define KS_JSON_NUMBER_H

#include "base/str.h"

/* Length of the longest JSON number at the start of text; 0 when there is none. */
size_t ks_json_number_measure(struct ks_str text);
/* Whether rounding the number (well-formed) to a double gives a finite one. */
bool ks_json_number_fits_double(struct ks_str number);

#endif
