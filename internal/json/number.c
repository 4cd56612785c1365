/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers are judged as text: strtod depends on the locale, wants a NUL, and its cost grows with
 * the digits.
 *
 * A number overflows double exactly when it is at least 2^1024 - 2^970, half a step beyond the
 * largest finite double (ties go to the even side, which is infinity). That bound is an integer of
 * 309 digits; a number with another count of integer digits is decided by the count alone, one with
 * 309 by comparing digits.
 *
 * Thread: any.  It does not: underflow. 1e-999 is zero, as in Go.
 */
#include "json/number.h"

#define BOUND_DIGITS 309
static const char overflow_bound[BOUND_DIGITS + 1] =
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475"
    "09466490179775872070963302864166928879109465555478519404026306574886715058206819"
    "08902000708383676273854845817711531764475730270069855571366959622842914819860834"
    "936475292719074168444365510704342711559699508093042880177904174497792";

static size_t skip_digits(struct ks_str text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

size_t ks_json_number_measure(struct ks_str text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t from = at;

    at = skip_digits(text, at);
    if (at == from)
        return 0;
    if (text.ptr[from] == '0')
        at = from + 1;
    if (at < text.len && text.ptr[at] == '.') {
        from = skip_digits(text, at + 1);
        if (from == at + 1)
            return 0;
        at = from;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        from = at + 1;
        if (from < text.len && (text.ptr[from] == '+' || text.ptr[from] == '-'))
            from++;
        at = skip_digits(text, from);
        if (at == from)
            return 0;
    }
    return at;
}

/* The exponent, held within a range that no text of less than 2 GiB can bring back into double's.
 */
static int64_t exponent_of(struct ks_str number, size_t at)
{
    const int64_t far = INT64_C(1) << 40;
    bool is_negative = false;
    int64_t value = 0;

    if (at < number.len && (number.ptr[at] == '+' || number.ptr[at] == '-'))
        is_negative = number.ptr[at++] == '-';
    for (; at < number.len && value < far; at++)
        value = value * 10 + (number.ptr[at] - '0');
    return is_negative ? -value : value;
}

/* Compares the digits from `at` on, the decimal point left out, with the bound's. */
static bool is_below_bound(struct ks_str number, size_t at)
{
    for (size_t i = 0; i < BOUND_DIGITS; i++) {
        char digit;

        if (at < number.len && number.ptr[at] == '.')
            at++;
        digit = '0';
        if (at < number.len && number.ptr[at] >= '0' && number.ptr[at] <= '9')
            digit = number.ptr[at++];
        if (digit != overflow_bound[i])
            return digit < overflow_bound[i];
    }
    return false;
}

bool ks_json_number_fits_double(struct ks_str number)
{
    size_t at = number.ptr[0] == '-' ? 1 : 0;
    size_t point = skip_digits(number, at);
    size_t mantissa_end = point;
    int64_t integer_digits;

    if (mantissa_end < number.len && number.ptr[mantissa_end] == '.')
        mantissa_end = skip_digits(number, mantissa_end + 1);
    if (mantissa_end == number.len && point - at < BOUND_DIGITS)
        return true;
    integer_digits = (int64_t)(point - at);
    /* A leading zero is not significant, nor are those behind the point that follow it. */
    for (; at < mantissa_end && (number.ptr[at] == '0' || number.ptr[at] == '.'); at++) {
        if (number.ptr[at] == '0')
            integer_digits--;
    }
    if (at == mantissa_end)
        return true;
    if (mantissa_end < number.len)
        integer_digits += exponent_of(number, mantissa_end + 1);
    if (integer_digits != BOUND_DIGITS)
        return integer_digits < BOUND_DIGITS;
    return is_below_bound(number, at);
}
