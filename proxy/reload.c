/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations come and go here, each as a whole.
 *
 *   read -> load (all errors at once) -> compile -> open new listeners -> a view to every worker
 *
 * Until the views are posted nothing has changed, so any failure before that changes nothing. The
 * old snapshot is freed when every worker has sent its view of it back.
 */
#include "proxy/master_internal.h"

#include "base/assert.h"
#include "conf/load.h"
#include "net/sock.h"
#include "proxy/discover.h"
#include "proxy/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- loading -----------------------------------------------------------------------------------
 */

static void snapshot_free(struct cyc_master *master, struct cyc_snapshot *snapshot)
{
    cyc_arena_fini(&snapshot->arena);
    cyc_mem_free(&master->mem, CYC_MEM_CONFIG, snapshot, sizeof(*snapshot));
}

/** Reads and checks the configuration. @return NULL: see diag */
static struct cyc_snapshot *snapshot_load(struct cyc_master *master, struct cyc_diag *diag)
{
    struct cyc_snapshot *snapshot = cyc_mem_zalloc(&master->mem, CYC_MEM_CONFIG, sizeof(*snapshot));
    struct cyc_config_overrides overrides = {.environment = master->environment};
    struct cyc_span path = cyc_span_from_text(master->config_path), text;

    cyc_arena_init(&snapshot->arena, &master->mem, CYC_MEM_CONFIG, NULL, 0);
    snapshot->epoch = master->epoch + 1;
    if (master->config_path == NULL)
        text = cyc_config_demo();
    else if (!cyc_load_file(&snapshot->arena, diag, master->config_path, &text))
        goto failed;
    snapshot->config = cyc_config_load(&snapshot->arena, path, text, &overrides, diag);
    if (snapshot->config != NULL)
        return snapshot;
failed:
    snapshot_free(master, snapshot);
    return NULL;
}

/** Changes whenever the file does; follows links, so a ConfigMap's ..data swap counts. */
static uint64_t file_stamp(const struct cyc_master *master)
{
    struct stat info;

    if (master->config_path == NULL || stat(master->config_path, &info) != 0)
        return 0;
    return (uint64_t)info.st_mtim.tv_sec * CYC_NS_PER_S + (uint64_t)info.st_mtim.tv_nsec +
           (uint64_t)info.st_ino * 31 + (uint64_t)info.st_size;
}

static void diag_log(struct cyc_master *master, const struct cyc_diag *diag)
{
    for (const struct cyc_diag_item *item = diag->first; item != NULL; item = item->next)
        cyc_event(&master->log,
                  item->severity == CYC_DIAG_ERROR ? CYC_EVENT_CONFIG_REJECTED
                                                   : CYC_EVENT_CONFIG_WARNING,
                  "%s:%u:%u: %.*s%s%.*s", item->mark.file != NULL ? item->mark.file : "",
                  item->mark.line, item->mark.column, (int)item->message.len, item->message.ptr,
                  item->hint.len > 0 ? ": " : "", (int)item->hint.len, item->hint.ptr);
}

static void snapshot_compile(struct cyc_master *master, struct cyc_snapshot *snapshot)
{
    cyc_stats_next_generation(master->registry);
    cyc_snapshot_compile(snapshot, master->registry, master->demo_address);
}

int cyc_master_first_config(struct cyc_master *master)
{
    struct cyc_arena arena;
    struct cyc_diag diag;

    int len = snprintf(master->demo_address_text, sizeof(master->demo_address_text),
                       "unix:@cyclone-demo-%d", (int)getpid());
    master->demo_address = cyc_span_of(master->demo_address_text, (size_t)len);
    cyc_arena_init(&arena, &master->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&diag, &arena);
    master->file_stamp = file_stamp(master);
    master->current = snapshot_load(master, &diag);
    if (diag.error_count + diag.warning_count > 0) {
        struct cyc_span report = cyc_diag_render(&diag, &arena, CYC_DIAG_TEXT);
        fwrite(report.ptr, 1, report.len, stderr);
    }
    cyc_arena_fini(&arena);
    if (master->current == NULL)
        return CYC_EXIT_CONFIG;
    snapshot_compile(master, master->current);
    master->is_last_reload_ok = true;
    return 0;
}

/* ---- listeners ----------------------------------------------------------------------------------
 */

static bool is_same_listener(const struct cyc_open_listener *open,
                             const struct cyc_listener_spec *spec)
{
    bool is_any_port = cyc_addr_port(&spec->addr) == 0 && !cyc_addr_is_unix(&spec->addr);

    return cyc_addr_equal(&open->wanted, &spec->addr) &&
           (!is_any_port ||
            cyc_span_equal(cyc_span_of(open->name, open->name_len), spec->conf->name));
}

static struct cyc_open_listener *open_find(struct cyc_master *master,
                                           const struct cyc_listener_spec *spec)
{
    for (uint32_t i = 0; i < master->listener_count; i++)
        if (is_same_listener(&master->listeners[i], spec))
            return &master->listeners[i];
    return NULL;
}

static void open_name(struct cyc_open_listener *open, const struct cyc_listener_spec *spec)
{
    struct cyc_span name = cyc_span_slice(spec->conf->name, 0, sizeof(open->name));

    open->wanted = spec->addr;
    open->name_len = (uint32_t)name.len;
    memcpy(open->name, name.ptr, name.len);
}

static struct cyc_sock_options sock_options(const struct cyc_network_conf *network)
{
    return (struct cyc_sock_options){
        .is_nodelay = network->is_tcp_nodelay,
        .is_keepalive = network->is_tcp_keepalive,
        .keepalive_idle_s = network->keepalive_idle_s,
        .keepalive_interval_s = network->keepalive_interval_s,
        .keepalive_probe_count = network->keepalive_probe_count,
        .buffer_bytes = network->socket_buffer_bytes,
        .backlog = network->listen_backlog,
    };
}

/** One descriptor per worker. The first one settles what port 0 means; UNIX workers share a socket.
 *  @return 0 or a negative errno, with nothing left open */
static int listener_open_all(struct cyc_master *master, const struct cyc_addr *wanted,
                             const struct cyc_sock_options *options, struct cyc_addr *ret_actual,
                             int *ret_fds)
{
    struct cyc_addr addr = *wanted;

    for (uint32_t i = 0; i < master->worker_count; i++) {
        bool is_shared = i > 0 && cyc_addr_is_unix(&addr);
        int fd = is_shared ? dup(ret_fds[0]) : cyc_sock_listen(&addr, options);
        if (fd < 0) {
            while (i-- > 0)
                close(ret_fds[i]);
            return is_shared ? -errno : fd;
        }
        ret_fds[i] = fd;
        if (i == 0)
            cyc_sock_local_addr(fd, &addr);
    }
    *ret_actual = addr;
    return 0;
}

static void listener_report(struct cyc_master *master, const struct cyc_listener_spec *spec,
                            int error, FILE *errors)
{
    struct cyc_span address = spec->conf->address;

    if (errors != NULL)
        fprintf(errors, "cyclone: cannot listen on %.*s: %s\n", (int)address.len, address.ptr,
                strerror(-error));
    else
        cyc_event(&master->log, CYC_EVENT_CONFIG_REJECTED, "cannot listen on %.*s: %s",
                  (int)address.len, address.ptr, strerror(-error));
}

/** Fills view->listener_fds for the listeners that are new. */
static bool listeners_open(struct cyc_master *master, struct cyc_snapshot *snapshot,
                           struct cyc_view **views, FILE *errors)
{
    struct cyc_sock_options options = sock_options(&snapshot->config->network);
    int *fds = cyc_arena_alloc(&snapshot->arena, master->worker_count * sizeof(int));

    for (uint32_t i = 0; i < snapshot->listener_count; i++) {
        struct cyc_listener_spec *spec = &snapshot->listeners[i];
        struct cyc_open_listener *open = open_find(master, spec);
        if (open != NULL) {
            open->is_used = true;
            continue;
        }
        if (master->listener_count == CYC_LISTENER_COUNT_MAX) {
            listener_report(master, spec, -ENOBUFS, errors);
            return false;
        }
        open = &master->listeners[master->listener_count];
        open_name(open, spec);
        int error = listener_open_all(master, &spec->addr, &options, &open->actual, fds);
        if (error < 0) {
            listener_report(master, spec, error, errors);
            return false;
        }
        open->is_used = open->is_new = true;
        master->listener_count++;
        for (uint32_t w = 0; w < master->worker_count; w++)
            views[w]->listener_fds[i] = fds[w];
    }
    return true;
}

/** Forgets those that no configuration uses, or, when loading failed, those just opened. */
static void listeners_settle(struct cyc_master *master, bool is_ok)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < master->listener_count; i++) {
        struct cyc_open_listener open = master->listeners[i];
        bool is_kept = is_ok ? open.is_used : !open.is_new;
        open.is_used = open.is_new = false;
        if (is_kept)
            master->listeners[kept++] = open;
    }
    master->listener_count = kept;
}

static void listeners_log(struct cyc_master *master, const struct cyc_snapshot *snapshot)
{
    uint32_t wanted = snapshot->config->network.listen_backlog;
    uint32_t granted = cyc_sock_backlog_granted(wanted);

    for (uint32_t i = 0; i < snapshot->listener_count; i++) {
        const struct cyc_open_listener *open = open_find(master, &snapshot->listeners[i]);
        struct cyc_span name = snapshot->listeners[i].conf->name;
        char text[CYC_ADDR_TEXT_BYTES_MAX];
        if (open == NULL || !open->is_new)
            continue;
        size_t len = cyc_addr_format(&open->actual, text);
        if (granted < wanted)
            cyc_event(
                &master->log, CYC_EVENT_BACKLOG_CAPPED,
                "listener \"%.*s\": net.core.somaxconn allows %u of network.listen_backlog %u",
                (int)name.len, name.ptr, granted, wanted);
        cyc_event(&master->log, CYC_EVENT_LISTENING, "listener \"%.*s\" on %.*s", (int)name.len,
                  name.ptr, (int)len, text);
    }
}

/* ---- publishing ---------------------------------------------------------------------------------
 */

static void view_on_released(struct cyc_letter *letter, void *owner)
{
    struct cyc_master *master = owner;
    struct cyc_view *view = cyc_container_of(letter, struct cyc_view, letter);
    struct cyc_snapshot *snapshot = view->snapshot;

    cyc_view_destroy(view, &master->mem);
    if (--snapshot->unreleased_count > 0)
        return;
    if (snapshot == master->current)
        master->current = NULL;
    snapshot_free(master, snapshot);
}

static void views_discard(struct cyc_master *master, struct cyc_view **views)
{
    for (uint32_t w = 0; w < master->worker_count; w++) {
        for (uint32_t i = 0; i < views[w]->snapshot->listener_count; i++)
            if (views[w]->listener_fds[i] >= 0)
                close(views[w]->listener_fds[i]);
        cyc_view_destroy(views[w], &master->mem);
    }
}

bool cyc_master_publish(struct cyc_master *master, struct cyc_snapshot *snapshot, FILE *errors)
{
    struct cyc_view **views =
        cyc_arena_alloc(&snapshot->arena, master->worker_count * sizeof(*views));

    for (uint32_t w = 0; w < master->worker_count; w++)
        views[w] = cyc_view_create(&master->mem, snapshot, &master->threads[w].worker,
                                   cyc_worker_run_view, view_on_released);
    if (!listeners_open(master, snapshot, views, errors)) {
        listeners_settle(master, false);
        views_discard(master, views);
        snapshot_free(master, snapshot);
        return false;
    }
    listeners_log(master, snapshot);
    listeners_settle(master, true);
    master->current = snapshot;
    master->epoch = snapshot->epoch;
    snapshot->unreleased_count = master->worker_count;
    for (uint32_t w = 0; w < master->worker_count; w++)
        cyc_worker_post(views[w]->worker, &views[w]->letter);
    cyc_discover_set(master->discover, snapshot);
    __atomic_store_n(&master->shared.config_epoch, snapshot->epoch, __ATOMIC_RELAXED);
    cyc_event(&master->log, CYC_EVENT_CONFIG_LOADED,
              "generation %llu: %u listeners, %u routes, %u clusters",
              (unsigned long long)snapshot->epoch, snapshot->listener_count,
              snapshot->config->route_count, snapshot->cluster_count);
    return true;
}

static bool is_same_admin(const struct cyc_admin_conf *a, const struct cyc_admin_conf *b)
{
    if (a->is_enabled != b->is_enabled || a->address_count != b->address_count)
        return false;
    for (uint32_t i = 0; i < a->address_count; i++)
        if (!cyc_span_equal(a->addresses[i], b->addresses[i]))
            return false;
    return true;
}

static bool is_same_log(const struct cyc_config *a, const struct cyc_config *b)
{
    return a->log.level == b->log.level && a->log.format == b->log.format &&
           cyc_span_equal(a->log.output, b->log.output) &&
           a->access_log.is_enabled == b->access_log.is_enabled &&
           cyc_span_equal(a->access_log.output, b->access_log.output) &&
           a->access_log.buffer_bytes == b->access_log.buffer_bytes;
}

static bool is_same_engine(const struct cyc_config *a, const struct cyc_config *b)
{
    return a->network.io_backend == b->network.io_backend &&
           a->network.is_syscall_batching == b->network.is_syscall_batching &&
           a->network.syscall_batch_size == b->network.syscall_batch_size &&
           a->network.is_zero_copy == b->network.is_zero_copy &&
           a->network.zero_copy_threshold_bytes == b->network.zero_copy_threshold_bytes;
}

/** What a running process cannot change. @return the sentence that says so, or NULL */
static const char *frozen_change(const struct cyc_config *now, const struct cyc_config *next)
{
    if (now->server.worker_threads != next->server.worker_threads)
        return "server.worker_threads cannot change while Cyclone runs; restart it";
    if (!is_same_engine(now, next))
        return "network.io_backend, syscall batches and zero copy cannot change while Cyclone "
               "runs; restart "
               "it";
    if (now->timer.wheel_size != next->timer.wheel_size ||
        now->timer.resolution_ms != next->timer.resolution_ms)
        return "the timer section cannot change while Cyclone runs; restart it";
    if (now->memory.pool_bytes != next->memory.pool_bytes)
        return "memory.pool_size cannot change while Cyclone runs; restart it";
    if (!is_same_admin(&now->admin, &next->admin))
        return "the admin section's addresses cannot change while Cyclone runs; restart it";
    if (!is_same_log(now, next))
        return "where and how logs are written cannot change while Cyclone runs; restart it";
    return NULL;
}

static bool reload(struct cyc_master *master, struct cyc_diag *diag)
{
    struct cyc_snapshot *snapshot = snapshot_load(master, diag);

    if (snapshot == NULL)
        return false;
    const char *frozen = frozen_change(master->current->config, snapshot->config);
    if (frozen != NULL) {
        struct cyc_conf_mark mark = {.file = master->config_path};
        cyc_diag_error(diag, &mark, "frozen-key", "%s", frozen);
        snapshot_free(master, snapshot);
        return false;
    }
    if (cyc_span_equal(master->current->config->effective_json, snapshot->config->effective_json)) {
        cyc_event(&master->log, CYC_EVENT_CONFIG_UNCHANGED, "generation %llu stays in force",
                  (unsigned long long)master->epoch);
        snapshot_free(master, snapshot);
        return true;
    }
    snapshot_compile(master, snapshot);
    return cyc_master_publish(master, snapshot, NULL);
}

bool cyc_master_reload(struct cyc_master *master, struct cyc_arena *arena,
                       struct cyc_span *ret_report)
{
    struct cyc_arena own;
    struct cyc_diag diag;

    if (master->phase != CYC_WORKER_RUNNING || master->current == NULL)
        return false;
    cyc_arena_init(&own, &master->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&diag, arena != NULL ? arena : &own);
    master->file_stamp = file_stamp(master);
    bool is_ok = reload(master, &diag);
    diag_log(master, &diag);
    if (ret_report != NULL)
        *ret_report = cyc_diag_render(&diag, arena, CYC_DIAG_TEXT);
    cyc_arena_fini(&own);
    master->is_last_reload_ok = is_ok;
    master->last_reload_wall_ns = master->io->clock.wall_ns;
    return is_ok;
}

void cyc_master_watch(struct cyc_master *master)
{
    if (master->current == NULL || !master->current->config->server.watch)
        return;
    uint64_t stamp = file_stamp(master);
    if (stamp != 0 && stamp != master->file_stamp)
        cyc_master_reload(master, NULL, NULL);
}
