/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables of open addressing, filled while compiling and never changed:
 *
 *   hosts:  "api.example.com", ".example.com" (from "*.example.com"), "" (any)  -> host number
 *   paths:  (host number, is_prefix, path)                                      -> list of rules
 *
 * A prefix is kept without its final slash and wildcard: "/v1/" + "*" is the prefix "/v1", "/" +
 * "*" is
 * "". One pass over the request's path computes the hash at every segment boundary, so a lookup
 * costs one probe per segment; a bit set of the prefix lengths in use skips most of them.
 *
 * Keys come from the operator, so an attacker cannot crowd a bucket; the hash need not be keyed.
 */
#include "proxy/route.h"

#include "base/assert.h"

#define SEGMENT_COUNT_MAX 64 /* deeper prefixes than this cannot be matched by prefix */
#define NO_HOST UINT32_MAX

/* With many routes a request's cost is the cache lines it touches, so what matching needs of a rule
 * is copied here, and the first rule of a path lies in the path's own entry. */
struct rule_entry {
    const struct cyc_route *route;
    const struct cyc_span *methods;
    uint32_t method_count;
    struct rule_entry *next; /* those with methods first, then file order */
};

struct path_entry {
    struct cyc_span path; /* ptr NULL: free */
    uint64_t hash;
    uint32_t host;
    bool is_prefix;
    struct rule_entry first;
};

struct host_entry {
    struct cyc_span name; /* lower case; ptr NULL: free */
    uint64_t hash;
    uint32_t number;
    uint64_t prefix_lengths, exact_lengths; /* bit (length & 63): there may be such a path */
};

struct cyc_route_table {
    struct host_entry *hosts;
    struct path_entry *paths;
    struct host_entry *any_host; /* the "" host, or NULL */
    uint32_t host_mask, path_mask, host_count;
    bool has_wildcard_hosts;
};

/* FNV-1a over the path, because it can be read off at every prefix; mixed at the end. */
#define HASH_START 0xcbf29ce484222325ull
#define HASH_PRIME 0x100000001b3ull

static uint64_t hash_step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * HASH_PRIME;
}

static uint64_t hash_text(struct cyc_span text)
{
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < text.len; i++)
        hash = hash_step(hash, cyc_char_lower(text.ptr[i]));
    return hash;
}

static uint64_t hash_final(uint64_t hash, uint32_t host, bool is_prefix)
{
    hash += host * 2u + is_prefix;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdull;
    return hash ^ hash >> 33;
}

static uint64_t hash_path(struct cyc_span path)
{
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < path.len; i++)
        hash = hash_step(hash, path.ptr[i]);
    return hash;
}

/* ---- compiling ------------------------------------------------------------------------------- */

static uint32_t table_size(size_t entry_count)
{
    uint32_t size = 8;
    while (size < entry_count * 2)
        size *= 2;
    return size;
}

static struct host_entry *host_slot(const struct cyc_route_table *table, struct cyc_span name,
                                    uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & table->host_mask;; i = (i + 1) & table->host_mask) {
        struct host_entry *entry = &table->hosts[i];
        if (entry->name.ptr == NULL ||
            (entry->hash == hash && cyc_span_equal_nocase(entry->name, name)))
            return entry;
    }
}

static struct host_entry *host_put(struct cyc_route_table *table, struct cyc_span host)
{
    struct cyc_span name = host;
    if (cyc_span_equal(host, CYC_SPAN("*")))
        name = CYC_SPAN("");
    else if (cyc_span_starts_with(host, CYC_SPAN("*.")))
        name = cyc_span_slice(host, 1, host.len);

    uint64_t hash = hash_text(name);
    struct host_entry *entry = host_slot(table, name, hash);
    if (entry->name.ptr == NULL) {
        *entry = (struct host_entry){.name = name, .hash = hash, .number = table->host_count++};
        if (name.len == 0)
            table->any_host = entry;
        else if (name.ptr[0] == '.')
            table->has_wildcard_hosts = true;
    }
    return entry;
}

static struct path_entry *path_slot(const struct cyc_route_table *table, uint32_t host,
                                    bool is_prefix, struct cyc_span path, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & table->path_mask;; i = (i + 1) & table->path_mask) {
        struct path_entry *entry = &table->paths[i];
        if (entry->path.ptr == NULL)
            return entry;
        if (entry->hash == hash && entry->host == host && entry->is_prefix == is_prefix &&
            cyc_span_equal(entry->path, path))
            return entry;
    }
}

static void rule_put(struct path_entry *entry, struct cyc_arena *arena,
                     const struct cyc_route_rule *rule)
{
    struct rule_entry *added = cyc_arena_alloc(arena, sizeof(*added));
    struct rule_entry **at = &entry->first.next;
    bool has_method = rule->conf->method_count > 0;

    while (*at != NULL && (!has_method || (*at)->method_count > 0))
        at = &(*at)->next;
    *added = (struct rule_entry){
        .route = rule->route,
        .methods = rule->conf->methods,
        .method_count = rule->conf->method_count,
        .next = *at,
    };
    *at = added;
}

/** Moves the first rule of every path into its entry: until here `first.next` was the whole list.
 */
static void rules_embed(struct cyc_route_table *table)
{
    for (uint32_t i = 0; i <= table->path_mask; i++)
        if (table->paths[i].first.next != NULL)
            table->paths[i].first = *table->paths[i].first.next;
}

static void path_put(struct cyc_route_table *table, struct cyc_arena *arena,
                     struct host_entry *host, struct cyc_span path,
                     const struct cyc_route_rule *rule)
{
    bool is_prefix = cyc_span_ends_with_nocase(path, CYC_SPAN("/*"));
    if (is_prefix) {
        path = path.len > 2 ? cyc_span_slice(path, 0, path.len - 2) : CYC_SPAN("");
        host->prefix_lengths |= 1ull << (path.len & 63);
    } else {
        host->exact_lengths |= 1ull << (path.len & 63);
    }
    uint64_t hash = hash_final(hash_path(path), host->number, is_prefix);
    struct path_entry *entry = path_slot(table, host->number, is_prefix, path, hash);
    if (entry->path.ptr == NULL)
        *entry = (struct path_entry){
            .path = path, .hash = hash, .host = host->number, .is_prefix = is_prefix};
    rule_put(entry, arena, rule);
}

static void rule_add(struct cyc_route_table *table, struct cyc_arena *arena,
                     const struct cyc_route_rule *rule)
{
    static const struct cyc_span any_host = CYC_SPAN_INIT("*"), any_path = CYC_SPAN_INIT("/*");
    const struct cyc_route_conf *conf = rule->conf;
    uint32_t host_count = conf->host_count > 0 ? conf->host_count : 1;
    uint32_t path_count = conf->path_count > 0 ? conf->path_count : 1;

    for (uint32_t h = 0; h < host_count; h++) {
        struct host_entry *host = host_put(table, conf->host_count > 0 ? conf->hosts[h] : any_host);
        for (uint32_t p = 0; p < path_count; p++)
            path_put(table, arena, host, conf->path_count > 0 ? conf->paths[p] : any_path, rule);
    }
}

struct cyc_route_table *cyc_route_table_create(struct cyc_arena *arena,
                                               const struct cyc_route_rule *rules,
                                               uint32_t rule_count)
{
    struct cyc_route_table *table = cyc_arena_zalloc(arena, sizeof(*table));
    size_t host_total = 1, path_total = 1;

    for (uint32_t i = 0; i < rule_count; i++) {
        size_t hosts = rules[i].conf->host_count > 0 ? rules[i].conf->host_count : 1;
        size_t paths = rules[i].conf->path_count > 0 ? rules[i].conf->path_count : 1;
        host_total += hosts;
        path_total += hosts * paths;
    }
    uint32_t host_size = table_size(host_total), path_size = table_size(path_total);
    table->hosts = cyc_arena_zalloc(arena, host_size * sizeof(*table->hosts));
    table->paths = cyc_arena_zalloc(arena, path_size * sizeof(*table->paths));
    table->host_mask = host_size - 1;
    table->path_mask = path_size - 1;
    for (uint32_t i = 0; i < rule_count; i++)
        rule_add(table, arena, &rules[i]);
    rules_embed(table);
    return table;
}

/* ---- matching -------------------------------------------------------------------------------- */

/** The request's path, hashed at the end of every segment. */
struct path_hashes {
    struct cyc_span path;
    uint64_t whole;
    uint64_t at[SEGMENT_COUNT_MAX]; /* hash of path[0, ends[i]) */
    uint32_t ends[SEGMENT_COUNT_MAX];
    uint32_t count;
};

static void path_hash_all(struct path_hashes *hashes, struct cyc_span path)
{
    uint64_t hash = HASH_START;

    hashes->path = path;
    hashes->count = 0;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '/' && hashes->count < SEGMENT_COUNT_MAX - 1) {
            hashes->at[hashes->count] = hash;
            hashes->ends[hashes->count++] = (uint32_t)i;
        }
        hash = hash_step(hash, path.ptr[i]);
    }
    hashes->whole = hash;
    if (hashes->count == 0) { /* "*", of OPTIONS: only the prefix of everything fits */
        hashes->at[0] = HASH_START;
        hashes->ends[hashes->count++] = 0;
        return;
    }
    if (path.len > 0 && path.ptr[path.len - 1] != '/') {
        hashes->at[hashes->count] = hash;
        hashes->ends[hashes->count++] = (uint32_t)path.len;
    }
}

static bool method_matches(const struct rule_entry *rule, const struct cyc_msg *req)
{
    if (rule->method_count == 0)
        return true;
    for (uint32_t i = 0; i < rule->method_count; i++)
        if (cyc_span_equal(rule->methods[i], req->method_text))
            return true;
    return false;
}

static const struct cyc_route *rules_match(const struct path_entry *entry,
                                           const struct cyc_msg *req)
{
    __builtin_prefetch(entry->first.route);
    __builtin_prefetch((const char *)entry->first.route + 64);
    __builtin_prefetch((const char *)entry->first.route + 128);
    for (const struct rule_entry *at = &entry->first; at != NULL; at = at->next)
        if (method_matches(at, req))
            return at->route;
    return NULL;
}

static const struct path_entry *prefix_find(const struct cyc_route_table *table,
                                            const struct host_entry *host,
                                            const struct path_hashes *hashes, uint32_t i)
{
    size_t len = hashes->ends[i];
    if ((host->prefix_lengths >> (len & 63) & 1) == 0)
        return NULL;
    struct cyc_span prefix = {hashes->path.ptr, len};
    uint64_t hash = hash_final(hashes->at[i], host->number, true);
    const struct path_entry *entry = path_slot(table, host->number, true, prefix, hash);
    return entry->path.ptr != NULL ? entry : NULL;
}

static const struct path_entry *exact_find(const struct cyc_route_table *table,
                                           const struct host_entry *host,
                                           const struct path_hashes *hashes)
{
    if ((host->exact_lengths >> (hashes->path.len & 63) & 1) == 0)
        return NULL;
    uint64_t hash = hash_final(hashes->whole, host->number, false);
    const struct path_entry *entry = path_slot(table, host->number, false, hashes->path, hash);
    return entry->path.ptr != NULL ? entry : NULL;
}

static const struct cyc_route *host_match(const struct cyc_route_table *table,
                                          const struct host_entry *host,
                                          const struct path_hashes *hashes,
                                          const struct cyc_msg *req)
{
    const struct path_entry *entry = exact_find(table, host, hashes);
    const struct cyc_route *route = entry != NULL ? rules_match(entry, req) : NULL;

    for (uint32_t i = hashes->count; route == NULL && i-- > 0;) {
        entry = prefix_find(table, host, hashes, i);
        if (entry != NULL)
            route = rules_match(entry, req);
    }
    return route;
}

static const struct host_entry *host_find(const struct cyc_route_table *table, struct cyc_span name)
{
    const struct host_entry *entry = host_slot(table, name, hash_text(name));
    return entry->name.ptr != NULL ? entry : NULL;
}

/** The authority without its port. */
static struct cyc_span authority_host(struct cyc_span authority)
{
    size_t from =
        authority.len > 0 && authority.ptr[0] == '[' ? cyc_span_find_char(authority, ']', 0) : 0;
    return cyc_span_slice(authority, 0, cyc_span_find_char(authority, ':', from));
}

/** Calls for each host entry that fits, most specific first. */
struct host_walk {
    struct cyc_span host;
    size_t dot; /* where the next wildcard suffix begins */
    enum { WALK_EXACT, WALK_WILDCARD, WALK_ANY, WALK_END } step;
};

static const struct host_entry *host_walk_next(const struct cyc_route_table *table,
                                               struct host_walk *walk)
{
    const struct host_entry *entry = NULL;

    if (walk->step == WALK_EXACT) {
        walk->step = table->has_wildcard_hosts ? WALK_WILDCARD : WALK_ANY;
        if (table->host_count > (table->any_host != NULL) && walk->host.len > 0)
            entry = host_find(table, walk->host);
    }
    while (entry == NULL && walk->step == WALK_WILDCARD) {
        walk->dot = cyc_span_find_char(walk->host, '.', walk->dot);
        if (walk->dot >= walk->host.len)
            walk->step = WALK_ANY;
        else
            entry = host_find(table, cyc_span_slice(walk->host, walk->dot++, walk->host.len));
    }
    if (entry == NULL && walk->step == WALK_ANY) {
        walk->step = WALK_END;
        entry = table->any_host;
    }
    return entry;
}

const struct cyc_route *cyc_route_match(const struct cyc_route_table *table,
                                        const struct cyc_msg *req)
{
    struct host_walk walk = {.host = authority_host(req->authority)};
    struct path_hashes hashes;
    const struct cyc_route *route = NULL;
    const struct host_entry *host;

    path_hash_all(&hashes, req->path);
    while (route == NULL && (host = host_walk_next(table, &walk)) != NULL)
        route = host_match(table, host, &hashes, req);
    return route;
}

bool cyc_route_claims_path(const struct cyc_route_table *table, const struct cyc_msg *req)
{
    struct host_walk walk = {.host = authority_host(req->authority)};
    struct path_hashes hashes;
    const struct host_entry *host;

    path_hash_all(&hashes, req->path);
    while ((host = host_walk_next(table, &walk)) != NULL) {
        if (exact_find(table, host, &hashes) != NULL)
            return true;
        for (uint32_t i = hashes.count; i-- > 1;) /* ends[0] is 0: the prefix of "/" + "*" */
            if (prefix_find(table, host, &hashes, i) != NULL)
                return true;
    }
    return false;
}
