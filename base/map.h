/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from text to pointers.
 *
 * Keys are borrowed: the bytes must stay where they are for as long as the entry is in the map
 * (they usually sit in the value, or in the arena of the configuration). Values belong to the
 * caller and are never NULL. The hash is keyed, so keys may come from the network.
 *
 * Open addressing in one array of 32-byte entries, linear probing, at most three quarters full. A
 * removal shifts the entries behind it back, so there are no tombstones and a map that lives long
 * does not get slower.
 */
#ifndef CYC_BASE_MAP_H
#define CYC_BASE_MAP_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_map_entry {
    struct cyc_span key;
    void *value; /* NULL: the entry is free */
    uint64_t hash;
};

struct cyc_map {
    uint32_t count;
    /* Options, to be set while the map is empty: */
    uint32_t count_max; /* entries it may hold; 0: no limit */
    bool is_nocase;     /* keys that differ in ASCII case only are the same */
    /* private */
    struct cyc_map_entry *entries;
    uint32_t capacity; /* of `entries`: 0 or a power of two */
    struct cyc_hash_key hash_key;
    struct cyc_mem *mem;
    enum cyc_mem_kind kind;
};

/**
 * @param hash_key  copied
 * @param count_hint  entries expected; 0: allocate with the first put
 */
void cyc_map_init(struct cyc_map *map, struct cyc_mem *mem, enum cyc_mem_kind kind,
                  const struct cyc_hash_key *hash_key, uint32_t count_hint);
/** Forgets all entries and gives the memory back. The map may be used again. */
void cyc_map_clear(struct cyc_map *map);
void cyc_map_fini(struct cyc_map *map);

/** The hash this map uses for `key`, for cyc_map_find_hashed(). */
uint64_t cyc_map_hash(const struct cyc_map *map, struct cyc_span key);
/** @return the value, or NULL */
void *cyc_map_find(const struct cyc_map *map, struct cyc_span key);
void *cyc_map_find_hashed(const struct cyc_map *map, struct cyc_span key, uint64_t hash);

/**
 * Adds, or replaces the value (and the key's bytes) of an entry with the same key.
 * @return false when it would be new and the map holds count_max already; nothing changed then
 */
bool cyc_map_put(struct cyc_map *map, struct cyc_span key, void *value);
/** @return the value that was there, or NULL */
void *cyc_map_remove(struct cyc_map *map, struct cyc_span key);

/**
 * Walks all entries, in no particular order; the map must not change meanwhile.
 * @param cursor  0 to begin with
 * @return the next entry, valid until the map changes; NULL at the end
 */
const struct cyc_map_entry *cyc_map_next(const struct cyc_map *map, uint32_t *cursor);

#endif
