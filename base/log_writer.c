/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs are changed by the control thread and used by the writer thread. The control thread opens
 * the descriptor, so that it learns of errors at once, and leaves it in `next_fd`; the writer takes
 * it over before its next batch. The lock is for the list of rings and for who drains.
 */
#include "base/log_writer.h"

#include "base/assert.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH_BYTES (64 * 1024)
#define SLEEP_MS_MAX 150      /* how late a line may appear */
#define STUCK_WAIT_MS 250     /* how long a reader may stand still before nobody waits for it */
#define WAITS_PER_BATCH_MAX 8 /* a trickling reader may hold up the other outputs so often */
#define THREAD_STACK_BYTES (128 * 1024)
#define FILE_MODE 0640

#define FD_OFF (-1)
#define FD_NONE (-2) /* in next_fd: nothing new */

CYC_BUILD_ASSERT(BATCH_BYTES >= 2 * CYC_LOG_LINE_BYTES_MAX);

struct output {
    int fd;
    int next_fd;         /* atomic; FD_NONE when there is no change */
    bool is_socket;      /* of fd */
    bool is_stuck;       /* took nothing for STUCK_WAIT_MS; until it has taken a whole batch */
    uint64_t drop_count; /* lines */
    size_t batch_bytes;
    char *batch;
    char path[PATH_MAX]; /* the control thread's; "" when not a file */
};

struct cyc_log_writer {
    struct output outputs[CYC_LOG_STREAM_COUNT];
    uint64_t gone_counts[CYC_LOG_STREAM_COUNT]; /* lines lost in rings that were removed */
    struct cyc_list rings;
    pthread_mutex_t lock;
    uint32_t wake; /* futex word: 1 when somebody wants a round */
    bool is_stopping;
    bool has_thread;
    pthread_t thread;
    struct cyc_mem *mem;
};

/* ---- one output ------------------------------------------------------------------------------ */

static bool is_socket(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

static void lines_drop(struct output *output, const char *bytes, size_t len)
{
    uint64_t count = output->drop_count;

    for (size_t i = 0; i < len; i++)
        count += bytes[i] == '\n';
    __atomic_store_n(&output->drop_count, count, __ATOMIC_RELAXED);
}

static bool wait_writable(struct output *output)
{
    struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};
    int ready;

    do
        ready = poll(&poll_fd, 1, STUCK_WAIT_MS);
    while (ready < 0 && errno == EINTR);
    output->is_stuck = ready <= 0;
    return ready > 0;
}

/** @return bytes taken; negative errno, -EAGAIN: none now */
static ssize_t output_write(struct output *output, const char *bytes, size_t len)
{
    ssize_t done;

    do
        done = output->is_socket ? send(output->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(output->fd, bytes, len);
    while (done < 0 && errno == EINTR);
    if (done == 0) /* cannot be; nor may it become an endless loop */
        return -EIO;
    return done > 0 ? done : -errno;
}

/** Gives up what is left of the batch, and ends a line that was cut before the next one begins. */
static void batch_drop(struct output *output, size_t from)
{
    bool is_line_cut = from > 0 && output->batch[from - 1] != '\n';

    lines_drop(output, output->batch + from, output->batch_bytes - from);
    output->batch[0] = '\n';
    output->batch_bytes = is_line_cut;
}

/** Writes the batch; what an output does not take now stays, what it refuses is lost. */
static void output_flush(struct output *output)
{
    int waits_left = output->is_stuck ? 0 : WAITS_PER_BATCH_MAX;
    size_t done = 0;

    while (done < output->batch_bytes) {
        ssize_t n = output_write(output, output->batch + done, output->batch_bytes - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n != -EAGAIN) {
            batch_drop(output, done);
            return;
        }
        if (waits_left-- <= 0 || !wait_writable(output))
            break;
    }
    output->batch_bytes -= done;
    if (output->batch_bytes == 0)
        output->is_stuck = false;
    else
        memmove(output->batch, output->batch + done, output->batch_bytes);
}

static void output_add(struct output *output, struct cyc_span line)
{
    if (output->fd < 0)
        return;
    if (BATCH_BYTES - output->batch_bytes < line.len)
        output_flush(output);
    if (BATCH_BYTES - output->batch_bytes < line.len) {
        lines_drop(output, "\n", 1);
        return;
    }
    memcpy(output->batch + output->batch_bytes, line.ptr, line.len);
    output->batch_bytes += line.len;
}

static void output_close(struct output *output)
{
    if (output->fd < 0)
        return;
    output_flush(output);
    lines_drop(output, output->batch, output->batch_bytes);
    output->batch_bytes = 0;
    close(output->fd);
    output->fd = FD_OFF;
}

/** Takes over what the control thread left. */
static void output_switch(struct output *output)
{
    int fd = __atomic_exchange_n(&output->next_fd, FD_NONE, __ATOMIC_ACQUIRE);

    if (fd == FD_NONE)
        return;
    output_close(output);
    output->fd = fd;
    output->is_stuck = false;
    output->is_socket = fd >= 0 && is_socket(fd);
}

/* ---- choosing outputs ------------------------------------------------------------------------ */

static void output_offer(struct output *output, int fd)
{
    int unused_fd = __atomic_exchange_n(&output->next_fd, fd, __ATOMIC_ACQ_REL);

    if (unused_fd >= 0)
        close(unused_fd);
}

/**
 * A pipe is opened once more without blocking: the flag belongs to the open file, and that of our
 * standard output may be shared with the process that started us. Where this is not possible
 * (another user's pipe) writing may wait, as it does for terminals.
 */
static int standard_fd_copy(int standard_fd)
{
    struct stat info;
    char name[32];

    if (fstat(standard_fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
        snprintf(name, sizeof(name), "/proc/self/fd/%d", standard_fd);
        int fd = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    int fd = fcntl(standard_fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : -errno;
}

static int file_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, FILE_MODE);

    return fd >= 0 ? fd : -errno;
}

int cyc_log_writer_set_output(struct cyc_log_writer *writer, enum cyc_log_stream stream,
                              const char *target)
{
    struct output *output = &writer->outputs[stream];
    struct cyc_span name = cyc_span_from_text(target);
    const char *path = "";
    int fd;

    if (cyc_span_equal(name, CYC_SPAN("off"))) {
        output->path[0] = '\0';
        output_offer(output, FD_OFF);
        return 0;
    }
    if (cyc_span_equal(name, CYC_SPAN("stdout")) || cyc_span_equal(name, CYC_SPAN("/dev/stdout")))
        fd = standard_fd_copy(STDOUT_FILENO);
    else if (cyc_span_equal(name, CYC_SPAN("stderr")) ||
             cyc_span_equal(name, CYC_SPAN("/dev/stderr")))
        fd = standard_fd_copy(STDERR_FILENO);
    else
        fd = name.len < sizeof(output->path) ? file_open(path = target) : -ENAMETOOLONG;
    if (fd < 0)
        return fd;
    if (path != output->path) /* it is, when reopening */
        snprintf(output->path, sizeof(output->path), "%s", path);
    output_offer(output, fd);
    return 0;
}

void cyc_log_writer_set_fd(struct cyc_log_writer *writer, enum cyc_log_stream stream, int fd)
{
    cyc_assert(fd >= 0);

    writer->outputs[stream].path[0] = '\0';
    output_offer(&writer->outputs[stream], fd);
}

int cyc_log_writer_reopen(struct cyc_log_writer *writer)
{
    int first_error = 0;

    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++) {
        if (writer->outputs[i].path[0] == '\0')
            continue;
        int error =
            cyc_log_writer_set_output(writer, (enum cyc_log_stream)i, writer->outputs[i].path);
        if (first_error == 0)
            first_error = error;
    }
    return first_error;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void ring_drain(struct cyc_log_writer *writer, struct cyc_log_ring *ring)
{
    enum cyc_log_stream stream;
    struct cyc_span line;

    cyc_log_ring_begin(ring);
    while (cyc_log_ring_next(ring, &stream, &line))
        output_add(&writer->outputs[stream], line);
}

void cyc_log_writer_drain(struct cyc_log_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++)
        output_switch(&writer->outputs[i]);
    cyc_list_for_each (link, &writer->rings)
        ring_drain(writer, cyc_log_ring_of_link(link));
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++)
        output_flush(&writer->outputs[i]);
    pthread_mutex_unlock(&writer->lock);
}

void cyc_log_writer_add_ring(struct cyc_log_writer *writer, struct cyc_log_ring *ring)
{
    pthread_mutex_lock(&writer->lock);
    cyc_log_ring_set_wake(ring, &writer->wake);
    cyc_list_add_back(&writer->rings, cyc_log_ring_link(ring));
    pthread_mutex_unlock(&writer->lock);
}

void cyc_log_writer_remove_ring(struct cyc_log_writer *writer, struct cyc_log_ring *ring)
{
    pthread_mutex_lock(&writer->lock);
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++)
        output_switch(&writer->outputs[i]);
    ring_drain(writer, ring);
    cyc_list_remove(cyc_log_ring_link(ring));
    cyc_log_ring_set_wake(ring, NULL);
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++)
        writer->gone_counts[i] += cyc_log_ring_dropped_count(ring, (enum cyc_log_stream)i);
    pthread_mutex_unlock(&writer->lock);
}

static void *thread_main(void *owner)
{
    struct cyc_log_writer *writer = owner;
    const struct timespec sleep_max = {.tv_nsec = SLEEP_MS_MAX * 1000000L};

    while (!__atomic_load_n(&writer->is_stopping, __ATOMIC_ACQUIRE)) {
        /* Cleared before the rings are looked at: a wish that comes later ends the wait at once. */
        __atomic_exchange_n(&writer->wake, 0, __ATOMIC_SEQ_CST);
        cyc_log_writer_drain(writer);
        syscall(SYS_futex, &writer->wake, FUTEX_WAIT_PRIVATE, 0, &sleep_max, NULL, 0);
    }
    cyc_log_writer_drain(writer);
    return NULL;
}

int cyc_log_writer_start(struct cyc_log_writer *writer)
{
    sigset_t all, before;
    pthread_attr_t attributes;

    cyc_assert(!writer->has_thread);

    writer->is_stopping = false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the control thread's */
    int error = pthread_create(&writer->thread, &attributes, thread_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return -error;
    writer->has_thread = true;
    pthread_setname_np(writer->thread, "cyclone-log");
    return 0;
}

void cyc_log_writer_stop(struct cyc_log_writer *writer)
{
    if (!writer->has_thread)
        return;
    __atomic_store_n(&writer->is_stopping, true, __ATOMIC_RELEASE);
    __atomic_exchange_n(&writer->wake, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &writer->wake, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    pthread_join(writer->thread, NULL);
    writer->has_thread = false;
}

uint64_t cyc_log_writer_dropped_count(const struct cyc_log_writer *writer,
                                      enum cyc_log_stream stream)
{
    return __atomic_load_n(&writer->outputs[stream].drop_count, __ATOMIC_RELAXED);
}

uint64_t cyc_log_writer_lost_count(struct cyc_log_writer *writer, enum cyc_log_stream stream)
{
    uint64_t count = cyc_log_writer_dropped_count(writer, stream);

    pthread_mutex_lock(&writer->lock);
    count += writer->gone_counts[stream];
    cyc_list_for_each (link, &writer->rings)
        count += cyc_log_ring_dropped_count(cyc_log_ring_of_link(link), stream);
    pthread_mutex_unlock(&writer->lock);
    return count;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct cyc_log_writer *cyc_log_writer_create(struct cyc_mem *mem)
{
    struct cyc_log_writer *writer = cyc_mem_zalloc(mem, CYC_MEM_LOGS, sizeof(*writer));

    writer->mem = mem;
    cyc_list_init(&writer->rings);
    pthread_mutex_init(&writer->lock, NULL);
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++) {
        writer->outputs[i].fd = FD_OFF;
        writer->outputs[i].next_fd = FD_NONE;
        writer->outputs[i].batch = cyc_mem_alloc(mem, CYC_MEM_LOGS, BATCH_BYTES);
    }
    return writer;
}

void cyc_log_writer_destroy(struct cyc_log_writer *writer)
{
    if (writer == NULL)
        return;
    cyc_assert(cyc_list_is_empty(&writer->rings));
    cyc_log_writer_stop(writer);
    for (int i = 0; i < CYC_LOG_STREAM_COUNT; i++) {
        output_switch(&writer->outputs[i]);
        output_close(&writer->outputs[i]);
        cyc_mem_free(writer->mem, CYC_MEM_LOGS, writer->outputs[i].batch, BATCH_BYTES);
    }
    pthread_mutex_destroy(&writer->lock);
    cyc_mem_free(writer->mem, CYC_MEM_LOGS, writer, sizeof(*writer));
}
