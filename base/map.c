/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/assert.h"

#define CAPACITY_MIN 8
#define CAPACITY_MAX (1u << 30)

void cyc_map_init(struct cyc_map *map, struct cyc_mem *mem, enum cyc_mem_kind kind,
                  const struct cyc_hash_key *hash_key, uint32_t count_hint)
{
    cyc_assert(count_hint < CAPACITY_MAX / 2);

    *map = (struct cyc_map){.mem = mem, .kind = kind, .hash_key = *hash_key};
    if (count_hint == 0)
        return;
    map->capacity = CAPACITY_MIN;
    while (count_hint > map->capacity / 4 * 3)
        map->capacity *= 2;
    map->entries = cyc_mem_zalloc(mem, kind, map->capacity * sizeof(struct cyc_map_entry));
}

void cyc_map_clear(struct cyc_map *map)
{
    cyc_mem_free(map->mem, map->kind, map->entries, map->capacity * sizeof(struct cyc_map_entry));
    map->entries = NULL;
    map->capacity = map->count = 0;
}

void cyc_map_fini(struct cyc_map *map)
{
    cyc_map_clear(map);
}

uint64_t cyc_map_hash(const struct cyc_map *map, struct cyc_span key)
{
    return map->is_nocase ? cyc_hash_span_nocase(&map->hash_key, key)
                          : cyc_hash_span(&map->hash_key, key);
}

/** @return the entry with this key, or the free one where it belongs */
static struct cyc_map_entry *entry_find(const struct cyc_map *map, struct cyc_span key,
                                        uint64_t hash)
{
    uint32_t mask = map->capacity - 1;

    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        struct cyc_map_entry *entry = &map->entries[i];
        if (entry->value == NULL)
            return entry;
        if (entry->hash != hash)
            continue;
        if (map->is_nocase ? cyc_span_equal_nocase(entry->key, key)
                           : cyc_span_equal(entry->key, key))
            return entry;
    }
}

void *cyc_map_find_hashed(const struct cyc_map *map, struct cyc_span key, uint64_t hash)
{
    return map->count != 0 ? entry_find(map, key, hash)->value : NULL;
}

void *cyc_map_find(const struct cyc_map *map, struct cyc_span key)
{
    return map->count != 0 ? entry_find(map, key, cyc_map_hash(map, key))->value : NULL;
}

static void map_grow(struct cyc_map *map)
{
    struct cyc_map_entry *old = map->entries;
    uint32_t old_capacity = map->capacity;

    cyc_assert(old_capacity < CAPACITY_MAX);
    map->capacity = old_capacity != 0 ? old_capacity * 2 : CAPACITY_MIN;
    map->entries =
        cyc_mem_zalloc(map->mem, map->kind, map->capacity * sizeof(struct cyc_map_entry));
    uint32_t mask = map->capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].value == NULL)
            continue;
        uint32_t to = (uint32_t)old[i].hash & mask;
        while (map->entries[to].value != NULL)
            to = (to + 1) & mask;
        map->entries[to] = old[i];
    }
    cyc_mem_free(map->mem, map->kind, old, old_capacity * sizeof(struct cyc_map_entry));
}

bool cyc_map_put(struct cyc_map *map, struct cyc_span key, void *value)
{
    cyc_assert(value != NULL);

    uint64_t hash = cyc_map_hash(map, key);
    struct cyc_map_entry *entry = map->capacity != 0 ? entry_find(map, key, hash) : NULL;
    if (entry == NULL || entry->value == NULL) {
        if (map->count_max != 0 && map->count >= map->count_max)
            return false;
        if (map->count >= map->capacity / 4 * 3) {
            map_grow(map);
            entry = entry_find(map, key, hash);
        }
        map->count++;
    }
    cyc_assert(entry != NULL);
    *entry = (struct cyc_map_entry){.key = key, .value = value, .hash = hash};
    return true;
}

/** Closes the gap at `hole` so that every entry stays reachable from where its hash points. */
static void map_shift_back(struct cyc_map *map, uint32_t hole)
{
    uint32_t mask = map->capacity - 1;

    for (uint32_t i = (hole + 1) & mask; map->entries[i].value != NULL; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)map->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* moved to the hole it would be before its home */
        map->entries[hole] = map->entries[i];
        hole = i;
    }
    map->entries[hole] = (struct cyc_map_entry){.value = NULL};
}

void *cyc_map_remove(struct cyc_map *map, struct cyc_span key)
{
    if (map->count == 0)
        return NULL;
    struct cyc_map_entry *entry = entry_find(map, key, cyc_map_hash(map, key));
    void *value = entry->value;
    if (value == NULL)
        return NULL;
    map_shift_back(map, (uint32_t)(entry - map->entries));
    map->count--;
    return value;
}

const struct cyc_map_entry *cyc_map_next(const struct cyc_map *map, uint32_t *cursor)
{
    while (*cursor < map->capacity) {
        const struct cyc_map_entry *entry = &map->entries[(*cursor)++];
        if (entry->value != NULL)
            return entry;
    }
    return NULL;
}
