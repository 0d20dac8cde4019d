/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: families and label values to slot numbers.
 *
 *   slots:  [ sink, 256 | ordinary series ...                 | kept for overflow series, 8192 ]
 *
 * The sink is as wide as a histogram, so slot 0 takes observations too. Should even the kept part
 * run out, the sink is the answer.
 */
#include "base/stats.h"

#include "base/assert.h"
#include "base/stats_series.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SINK_SLOT_COUNT 256u
#define OVERFLOW_SLOT_COUNT 8192u
#define KEY_BYTES_MAX                                                                              \
    (sizeof(void *) + CYC_METRIC_LABEL_COUNT_MAX * (2 + CYC_METRIC_LABEL_VALUE_BYTES_MAX))

CYC_BUILD_ASSERT(SINK_SLOT_COUNT >= CYC_HISTOGRAM_SLOT_COUNT);

/* ---- blocks ---------------------------------------------------------------------------------- */

struct cyc_stats_block *cyc_stats_block_create(void)
{
    void *block = mmap(NULL, sizeof(struct cyc_stats_block), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (block == MAP_FAILED) {
        fprintf(stderr, "cyclone: out of memory: no address space for statistics\n");
        abort();
    }
    /* A huge page would make every block resident as a whole. Advice: it may be refused. */
    (void)madvise(block, sizeof(struct cyc_stats_block), MADV_NOHUGEPAGE);
    return block;
}

void cyc_stats_block_destroy(struct cyc_stats_block *block)
{
    if (block != NULL)
        munmap(block, sizeof(*block));
}

uint64_t cyc_stats_sum(struct cyc_stats_block *const *blocks, uint32_t block_count, uint32_t slot)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < block_count; i++)
        sum += cyc_stat_get(blocks[i], slot);
    return sum;
}

void cyc_stats_merge(struct cyc_stats_block *const *blocks, uint32_t block_count, uint32_t slot,
                     struct cyc_histogram *ret_histogram)
{
    ret_histogram->sum = cyc_stats_sum(blocks, block_count, slot);
    for (uint32_t i = 0; i < CYC_HISTOGRAM_BUCKET_COUNT; i++)
        ret_histogram->buckets[i] = cyc_stats_sum(blocks, block_count, slot + 1 + i);
}

/* ---- registry -------------------------------------------------------------------------------- */

struct cyc_stats_registry *cyc_stats_registry_create(struct cyc_mem *mem,
                                                     const struct cyc_hash_key *hash_key)
{
    struct cyc_stats_registry *registry =
        cyc_mem_zalloc(mem, CYC_MEM_METRICS, sizeof(struct cyc_stats_registry));

    registry->mem = mem;
    registry->slot_count = SINK_SLOT_COUNT;
    cyc_arena_init(&registry->arena, mem, CYC_MEM_METRICS, NULL, 0);
    cyc_map_init(&registry->families, mem, CYC_MEM_METRICS, hash_key, 0);
    cyc_map_init(&registry->series, mem, CYC_MEM_METRICS, hash_key, 0);
    return registry;
}

void cyc_stats_registry_destroy(struct cyc_stats_registry *registry)
{
    if (registry == NULL)
        return;
    cyc_map_fini(&registry->series);
    cyc_map_fini(&registry->families);
    cyc_arena_fini(&registry->arena);
    cyc_mem_free(registry->mem, CYC_MEM_METRICS, registry, sizeof(*registry));
}

static struct cyc_stats_family *family_add(struct cyc_stats_registry *registry,
                                           const struct cyc_metric_family *info,
                                           struct cyc_span address)
{
    struct cyc_stats_family *family = cyc_arena_zalloc(&registry->arena, sizeof(*family));

    family->info = info;
    while (family->label_count < CYC_METRIC_LABEL_COUNT_MAX &&
           info->label_names[family->label_count] != NULL)
        family->label_count++;
    if (registry->last != NULL)
        registry->last->next = family;
    else
        registry->first = family;
    registry->last = family;
    cyc_map_put(&registry->families, cyc_arena_copy(&registry->arena, address), family);
    return family;
}

static struct cyc_stats_family *family_get(struct cyc_stats_registry *registry,
                                           const struct cyc_metric_family *info)
{
    struct cyc_span address = cyc_span_of((const char *)&info, sizeof(info));
    struct cyc_stats_family *family = cyc_map_find(&registry->families, address);

    return family != NULL ? family : family_add(registry, info, address);
}

/* ---- series ---------------------------------------------------------------------------------- */

static struct cyc_span value_cut(struct cyc_span value)
{
    return cyc_span_slice(value, 0, CYC_METRIC_LABEL_VALUE_BYTES_MAX);
}

/** Family address, then each value with its length before it: unambiguous. */
static struct cyc_span key_write(char out[KEY_BYTES_MAX], const struct cyc_stats_family *family,
                                 const struct cyc_span *label_values)
{
    char *at = out;

    memcpy(at, &family->info, sizeof(family->info));
    at += sizeof(family->info);
    for (uint32_t i = 0; i < family->label_count; i++) {
        cyc_assert(label_values != NULL);
        struct cyc_span value = value_cut(label_values[i]);
        *at++ = (char)(value.len & 0xff);
        *at++ = (char)(value.len >> 8);
        if (value.len > 0)
            memcpy(at, value.ptr, value.len);
        at += value.len;
    }
    return cyc_span_of(out, (size_t)(at - out));
}

/** Exposition format: backslash, quote and line feed are escaped, all else stands for itself. */
static char *label_escape(char *at, struct cyc_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"' || c == '\n')
            *at++ = '\\';
        *at++ = (char)(c == '\n' ? 'n' : c);
    }
    return at;
}

static struct cyc_span labels_write(struct cyc_arena *arena, const struct cyc_stats_family *family,
                                    const struct cyc_span *label_values)
{
    size_t bytes_max = 0;

    for (uint32_t i = 0; i < family->label_count; i++)
        bytes_max += strlen(family->info->label_names[i]) + 4 + 2 * value_cut(label_values[i]).len;
    char *text = cyc_arena_alloc(arena, bytes_max), *at = text;
    for (uint32_t i = 0; i < family->label_count; i++) {
        struct cyc_span name = cyc_span_from_text(family->info->label_names[i]);
        if (i > 0)
            *at++ = ',';
        memcpy(at, name.ptr, name.len);
        at += name.len;
        *at++ = '=';
        *at++ = '"';
        at = label_escape(at, value_cut(label_values[i]));
        *at++ = '"';
    }
    return cyc_span_of(text, (size_t)(at - text));
}

static struct cyc_stats_series *series_add(struct cyc_stats_registry *registry,
                                           struct cyc_stats_family *family, struct cyc_span labels)
{
    struct cyc_stats_series *series = cyc_arena_zalloc(&registry->arena, sizeof(*series));

    series->labels = labels;
    series->generation = registry->generation;
    if (family->last != NULL)
        family->last->next = series;
    else
        family->first = series;
    family->last = series;
    return series;
}

/** @return the first of a run of slots below `end`, or 0 */
static uint32_t slots_take(struct cyc_stats_registry *registry,
                           const struct cyc_stats_family *family, uint32_t end)
{
    uint32_t first = registry->slot_count;
    uint32_t count = family->info->type == CYC_METRIC_HISTOGRAM ? CYC_HISTOGRAM_SLOT_COUNT : 1;

    if (first + count > end)
        return 0;
    registry->slot_count += count;
    return first;
}

static uint32_t overflow_slot(struct cyc_stats_registry *registry, struct cyc_stats_family *family)
{
    struct cyc_span values[CYC_METRIC_LABEL_COUNT_MAX];

    if (family->overflow != NULL)
        return family->overflow->slot;
    uint32_t slot = slots_take(registry, family, CYC_STATS_SLOT_COUNT_MAX);
    if (slot == 0)
        return 0;
    for (uint32_t i = 0; i < family->label_count; i++)
        values[i] = CYC_SPAN("overflow");
    family->overflow = series_add(registry, family, labels_write(&registry->arena, family, values));
    family->overflow->slot = slot;
    return slot;
}

uint32_t cyc_stats_slot(struct cyc_stats_registry *registry, const struct cyc_metric_family *info,
                        const struct cyc_span *label_values)
{
    char key_bytes[KEY_BYTES_MAX];
    struct cyc_stats_family *family = family_get(registry, info);
    struct cyc_span key = key_write(key_bytes, family, label_values);
    struct cyc_stats_series *series = cyc_map_find(&registry->series, key);

    if (series != NULL) {
        series->generation = registry->generation;
        return series->slot;
    }
    uint32_t slot = slots_take(registry, family, CYC_STATS_SLOT_COUNT_MAX - OVERFLOW_SLOT_COUNT);
    if (slot == 0)
        return overflow_slot(registry, family);
    series = series_add(registry, family, labels_write(&registry->arena, family, label_values));
    series->slot = slot;
    series->key = cyc_arena_copy(&registry->arena, key);
    cyc_map_put(&registry->series, series->key, series);
    return slot;
}

void cyc_stats_add_family(struct cyc_stats_registry *registry, const struct cyc_metric_family *info)
{
    struct cyc_stats_family *family = family_get(registry, info);

    if (family->label_count == 0 && family->first == NULL)
        cyc_stats_slot(registry, info, NULL);
}

static struct cyc_stats_series *reader_find(struct cyc_stats_family *family, struct cyc_span labels)
{
    for (struct cyc_stats_series *series = family->first; series != NULL; series = series->next)
        if (series->read != NULL && cyc_span_equal(series->labels, labels))
            return series;
    return NULL;
}

void cyc_stats_add_reader(struct cyc_stats_registry *registry, const struct cyc_metric_family *info,
                          const struct cyc_span *label_values, cyc_stats_read *read, void *owner)
{
    cyc_assert(info->type != CYC_METRIC_HISTOGRAM && read != NULL);

    struct cyc_stats_family *family = family_get(registry, info);
    struct cyc_span labels = labels_write(&registry->arena, family, label_values);
    struct cyc_stats_series *series = reader_find(family, labels);
    if (series == NULL)
        series = series_add(registry, family, labels);
    series->read = read;
    series->owner = owner;
}

void cyc_stats_remove_readers(struct cyc_stats_registry *registry, const void *owner)
{
    for (struct cyc_stats_family *family = registry->first; family != NULL; family = family->next) {
        struct cyc_stats_series **at = &family->first;
        family->last = NULL;
        while (*at != NULL) {
            if ((*at)->read != NULL && (*at)->owner == owner) {
                *at = (*at)->next; /* its memory stays with the arena: readers are few */
                continue;
            }
            family->last = *at;
            at = &(*at)->next;
        }
    }
}

void cyc_stats_next_generation(struct cyc_stats_registry *registry)
{
    registry->generation++;
}

uint32_t cyc_stats_slot_count(const struct cyc_stats_registry *registry)
{
    return registry->slot_count;
}
