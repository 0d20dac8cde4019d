/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates as text, by arithmetic: no libc time call, no locale, no time zone file.
 *
 * The calendar is counted in eras of 400 years that begin on 1 March, so that the leap day is the
 * last day of a year and month lengths follow one linear formula. Only dates since 1970 occur.
 */
#include "base/clock.h"

#include <string.h>

#define S_PER_DAY 86400u
#define DAYS_PER_ERA 146097u /* 400 years */
#define DAYS_FROM_MARCH_0_TO_1970 719468u

struct date {
    uint32_t year, month, day; /* month and day from 1 */
    uint32_t hour, minute, second;
    uint32_t weekday; /* 0: Sunday */
};

static struct date date_from_seconds(uint64_t wall_s)
{
    uint32_t days = (uint32_t)(wall_s / S_PER_DAY), rest_s = (uint32_t)(wall_s % S_PER_DAY);
    uint32_t day_number = days + DAYS_FROM_MARCH_0_TO_1970;
    uint32_t era = day_number / DAYS_PER_ERA, day_of_era = day_number % DAYS_PER_ERA;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

    return (struct date){
        .year = era * 400 + year_of_era + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
        .hour = rest_s / 3600,
        .minute = rest_s / 60 % 60,
        .second = rest_s % 60,
        .weekday = (days + 4) % 7, /* 1970-01-01 was a Thursday */
    };
}

/** Exactly `digit_count` digits, leading zeros included. */
static char *put_number(char *out, uint32_t value, uint32_t digit_count)
{
    for (uint32_t i = digit_count; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digit_count;
}

static char *put_number_then(char *out, uint32_t value, uint32_t digit_count, char c)
{
    out = put_number(out, value, digit_count);
    *out = c;
    return out + 1;
}

size_t cyc_format_rfc3339(char *out, uint64_t wall_ns)
{
    struct date date = date_from_seconds(wall_ns / CYC_NS_PER_S);
    char *at = out;

    at = put_number_then(at, date.year, 4, '-');
    at = put_number_then(at, date.month, 2, '-');
    at = put_number_then(at, date.day, 2, 'T');
    at = put_number_then(at, date.hour, 2, ':');
    at = put_number_then(at, date.minute, 2, ':');
    at = put_number_then(at, date.second, 2, '.');
    at = put_number_then(at, (uint32_t)(wall_ns % CYC_NS_PER_S / CYC_NS_PER_MS), 3, 'Z');
    return (size_t)(at - out);
}

size_t cyc_format_http_date(char *out, uint64_t wall_ns)
{
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date date = date_from_seconds(wall_ns / CYC_NS_PER_S);
    char *at = out;

    memcpy(at, weekdays + (size_t)3 * date.weekday, 3);
    memcpy(at + 3, ", ", 2);
    at = put_number_then(at + 5, date.day, 2, ' ');
    memcpy(at, months + (size_t)3 * (date.month - 1), 3);
    at[3] = ' ';
    at = put_number_then(at + 4, date.year, 4, ' ');
    at = put_number_then(at, date.hour, 2, ':');
    at = put_number_then(at, date.minute, 2, ':');
    at = put_number_then(at, date.second, 2, ' ');
    memcpy(at, "GMT", 3);
    return (size_t)(at + 3 - out);
}
