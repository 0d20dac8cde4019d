/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: whole lives of a gateway on a fake network and clock, one for each seed.
 *
 *   sim --seeds N [--start S]     N lives; every failure prints the line that replays it
 *   sim --seed S [--verbose]      one of them, told from beginning to end; with --ops, too, down to
 *                                 every completion
 */
#include "tests/sim/sim_life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every so many seeds a life is lived twice and must be the same. */
#define TWICE_EVERY 50

struct options {
    uint64_t start, count;
    enum sim_telling telling;
};

static bool number_read(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *ret_number = number;
    return true;
}

static bool options_read(int argc, char **argv, struct options *options)
{
    *options = (struct options){.start = 1, .count = 200};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) {
            options->telling =
                options->telling > SIM_TELLING_STORY ? options->telling : SIM_TELLING_STORY;
        } else if (strcmp(argv[i], "--ops") == 0) {
            options->telling = SIM_TELLING_OPS;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
            if (!number_read(argv[++i], &options->count))
                return false;
        } else if (strcmp(argv[i], "--start") == 0 && has_value) {
            if (!number_read(argv[++i], &options->start))
                return false;
        } else if (strcmp(argv[i], "--seed") == 0 && has_value) {
            if (!number_read(argv[++i], &options->start))
                return false;
            options->count = 1;
        } else {
            return false;
        }
    }
    return true;
}

/** @return whether the life with that seed was as it should be */
static bool seed_run(uint64_t seed, enum sim_telling telling, struct sim_life_result *sum)
{
    struct sim_life_result result = cyc_sim_life(seed, telling);

    sum->request_count += result.request_count;
    sum->answered_count += result.answered_count;
    sum->reload_count += result.reload_count;
    sum->turn_count += result.turn_count;
    if (result.buffer_bytes_peak > sum->buffer_bytes_peak)
        sum->buffer_bytes_peak = result.buffer_bytes_peak;
    if (result.complaint_count > 0)
        return false;
    if (telling != SIM_TELLING_NOTHING || seed % TWICE_EVERY != 0)
        return true;
    struct sim_life_result again = cyc_sim_life(seed, SIM_TELLING_NOTHING);
    if (again.trace_hash == result.trace_hash)
        return true;
    printf("seed %llu: lived twice, and not the same life (replay: sim --seed %llu --verbose)\n",
           (unsigned long long)seed, (unsigned long long)seed);
    return false;
}

int main(int argc, char **argv)
{
    struct options options;
    struct sim_life_result sum = {0};
    uint64_t failed_count = 0;

    if (!options_read(argc, argv, &options)) {
        fprintf(stderr, "usage: sim [--seeds N] [--start S] | --seed S [--verbose] [--ops]\n");
        return 2;
    }
    for (uint64_t i = 0; i < options.count; i++)
        failed_count += !seed_run(options.start + i, options.telling, &sum);
    printf(
        "%llu requests, %llu answered by services, %llu reloads, %llu turns, at most %llu KiB of "
        "buffers\n",
        (unsigned long long)sum.request_count, (unsigned long long)sum.answered_count,
        (unsigned long long)sum.reload_count, (unsigned long long)sum.turn_count,
        (unsigned long long)(sum.buffer_bytes_peak / 1024));
    if (failed_count == 0)
        printf("%llu seeds clean\n", (unsigned long long)options.count);
    else
        printf("%llu of %llu seeds failed\n", (unsigned long long)failed_count,
               (unsigned long long)options.count);
    return failed_count == 0 ? 0 : 1;
}
