/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hand-written parser, because the point is to accept and refuse exactly what Go does. Days are
 * counted with the proleptic Gregorian calendar, years 0000 to 9999.
 *
 * Thread: any.
 */
#include "base/rfc3339.h"

#include <stdio.h>

struct fields {
    int year, month, day, hour, minute, second, nanos;
    int offset_minutes;
};

/* Takes up to max digits (at least min) off the front; false otherwise. */
static bool take_digits(struct ks_str *s, size_t min, size_t max, int *out)
{
    size_t n = 0;
    int value = 0;

    while (n < s->len && n < max && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        value = value * 10 + (s->ptr[n++] - '0');
    if (n < min)
        return false;
    *s = ks_str_sub(*s, n, s->len);
    *out = value;
    return true;
}

static bool take_byte(struct ks_str *s, char byte)
{
    if (!s->len || s->ptr[0] != byte)
        return false;
    *s = ks_str_sub(*s, 1, s->len);
    return true;
}

static bool take_date(struct ks_str *s, struct fields *f)
{
    return take_digits(s, 4, 4, &f->year) && take_byte(s, '-') && take_digits(s, 2, 2, &f->month) &&
           take_byte(s, '-') && take_digits(s, 2, 2, &f->day);
}

/* A fraction of any length, of which nine digits count; false when the mark is not followed by a
 * digit. */
static bool take_fraction(struct ks_str *s, struct fields *f)
{
    int scale = 100000000;

    if (!take_byte(s, '.') && !take_byte(s, ','))
        return true;
    if (!s->len || s->ptr[0] < '0' || s->ptr[0] > '9')
        return false;
    while (s->len && s->ptr[0] >= '0' && s->ptr[0] <= '9') {
        f->nanos += (s->ptr[0] - '0') * scale;
        scale /= 10;
        *s = ks_str_sub(*s, 1, s->len);
    }
    return true;
}

static bool take_clock(struct ks_str *s, struct fields *f)
{
    return take_digits(s, 1, 2, &f->hour) && take_byte(s, ':') &&
           take_digits(s, 2, 2, &f->minute) && take_byte(s, ':') &&
           take_digits(s, 2, 2, &f->second) && take_fraction(s, f);
}

static bool take_zone(struct ks_str *s, struct fields *f)
{
    int hours, minutes;
    bool west;

    if (take_byte(s, 'Z'))
        return true;
    west = s->len && s->ptr[0] == '-';
    if (!take_byte(s, west ? '-' : '+'))
        return false;
    if (!take_digits(s, 2, 2, &hours) || !take_byte(s, ':') || !take_digits(s, 2, 2, &minutes))
        return false;
    if (hours > 24 || minutes > 60)
        return false;
    f->offset_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool fields_are_valid(const struct fields *f)
{
    return f->month >= 1 && f->month <= 12 && f->day >= 1 &&
           f->day <= days_in_month(f->year, f->month) && f->hour <= 23 && f->minute <= 59 &&
           f->second <= 59;
}

/* Days from 1970-01-01; months are counted from March so that leap days come last. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static bool parse(struct ks_str text, int64_t *out_seconds, int *out_nanos)
{
    struct fields f = {0};

    if (!take_date(&text, &f) || !take_byte(&text, 'T') || !take_clock(&text, &f) ||
        !take_zone(&text, &f) || text.len || !fields_are_valid(&f))
        return false;
    *out_seconds = days_from_civil(f.year, f.month, f.day) * 86400 +
                   (int64_t)(f.hour * 3600 + f.minute * 60 + f.second - f.offset_minutes * 60);
    *out_nanos = f.nanos;
    return true;
}

bool ks_rfc3339_parse(struct ks_str text, int64_t *out_wall_ms)
{
    int64_t seconds;
    int nanos;

    if (!parse(text, &seconds, &nanos))
        return false;
    *out_wall_ms = seconds * 1000 + nanos / 1000000;
    return true;
}

bool ks_rfc3339_parse_up(struct ks_str text, int64_t *out_wall_ms)
{
    int64_t seconds;
    int nanos;

    if (!parse(text, &seconds, &nanos))
        return false;
    *out_wall_ms = seconds * 1000 + (nanos + 999999) / 1000000;
    return true;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

char *ks_rfc3339_format(int64_t wall_ms, char out[KS_RFC3339_MAX])
{
    int64_t seconds = wall_ms >= 0 ? wall_ms / 1000 : -((-wall_ms + 999) / 1000);
    int64_t days = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
    int millis = (int)(wall_ms - seconds * 1000);
    int rest = (int)(seconds - days * 86400);
    int year, month, day, n;

    civil_from_days(days, &year, &month, &day);
    n = snprintf(out, KS_RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                 rest / 3600, rest / 60 % 60, rest % 60);
    if (millis)
        n += snprintf(out + n, (size_t)(KS_RFC3339_MAX - n), ".%03d", millis);
    (void)snprintf(out + n, (size_t)(KS_RFC3339_MAX - n), "Z"); /* fits: 25 bytes at most */
    return out;
}
