/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_writer.h"

struct fixture {
    struct cyc_mem mem;
    struct cyc_log_writer *writer;
    struct cyc_log_ring *ring;
    char dir[64], path[96], other_path[96];
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.dir = "/tmp/cyclone-test-XXXXXX"};
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof(f.path), "%s/a.log", f.dir);
    snprintf(f.other_path, sizeof(f.other_path), "%s/b.log", f.dir);
    f.writer = cyc_log_writer_create(&f.mem);
    f.ring = cyc_log_ring_create(&f.mem, CYC_LOG_RING_BYTES_DEFAULT);
    cyc_log_writer_add_ring(f.writer, f.ring);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cyc_log_writer_remove_ring(f->writer, f->ring);
    cyc_log_writer_destroy(f->writer);
    cyc_log_ring_destroy(f->ring);
    assert_int_equal(f->mem.total_bytes, 0);
    unlink(f->path);
    unlink(f->other_path);
    rmdir(f->dir);
    return 0;
}

static void write_line(struct fixture *f, enum cyc_log_stream stream, const char *text)
{
    char *out = cyc_log_reserve(f->ring, stream, strlen(text));
    assert_non_null(out);
    memcpy(out, text, strlen(text));
    cyc_log_commit(f->ring, strlen(text));
}

static const char *file_text(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, text, sizeof(text) - 1);
    assert_true(len >= 0);
    text[len] = '\0';
    close(fd);
    return text;
}

static void log_writer__streams_go_to_their_outputs_and_are_never_mixed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path), 0);
    assert_int_equal(cyc_log_writer_set_output(f->writer, CYC_LOG_ACCESS, f->other_path), 0);
    write_line(f, CYC_LOG_EVENTS, "e1\n");
    write_line(f, CYC_LOG_ACCESS, "a1\n");
    write_line(f, CYC_LOG_TRACE, "nobody wants this\n"); /* off */
    write_line(f, CYC_LOG_EVENTS, "e2\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "e1\ne2\n");
    assert_string_equal(file_text(f->other_path), "a1\n");
    assert_int_equal(cyc_log_writer_lost_count(f->writer, CYC_LOG_TRACE), 0);
}

static void log_writer__files_are_appended_to_and_private(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    FILE *file = fopen(f->path, "w");
    fputs("before\n", file);
    fclose(file);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    cyc_log_writer_set_output(f->writer, CYC_LOG_ACCESS, f->other_path);
    write_line(f, CYC_LOG_EVENTS, "after\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "before\nafter\n");
    assert_int_equal(stat(f->other_path, &info), 0);
    assert_int_equal(info.st_mode & 07, 0); /* access logs name people */
}

static void log_writer__reopen_follows_a_renamed_file(void **state)
{
    struct fixture *f = *state;
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    write_line(f, CYC_LOG_EVENTS, "old\n");
    cyc_log_writer_drain(f->writer);
    assert_int_equal(rename(f->path, f->other_path), 0);
    write_line(f, CYC_LOG_EVENTS, "still old\n");
    cyc_log_writer_drain(f->writer);
    assert_int_equal(cyc_log_writer_reopen(f->writer), 0);
    write_line(f, CYC_LOG_EVENTS, "new\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->other_path), "old\nstill old\n");
    assert_string_equal(file_text(f->path), "new\n");
}

static void log_writer__a_file_that_cannot_be_opened_leaves_the_output_as_it_was(void **state)
{
    struct fixture *f = *state;
    char bad_path[128];
    snprintf(bad_path, sizeof(bad_path), "%s/no/such/dir", f->dir);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    assert_int_equal(cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, bad_path), -ENOENT);
    write_line(f, CYC_LOG_EVENTS, "line\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "line\n");
    assert_int_equal(cyc_log_writer_reopen(f->writer), 0); /* the good name is remembered */
}

static void log_writer__off_ends_a_stream(void **state)
{
    struct fixture *f = *state;
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    write_line(f, CYC_LOG_EVENTS, "1\n");
    cyc_log_writer_drain(f->writer);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, "off");
    write_line(f, CYC_LOG_EVENTS, "2\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "1\n");
}

static void log_writer__stdout_is_a_target(void **state)
{
    struct fixture *f = *state;
    int fds[2], saved_fd = dup(STDOUT_FILENO);
    char text[16] = {0};
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    dup2(fds[1], STDOUT_FILENO);
    int error = cyc_log_writer_set_output(f->writer, CYC_LOG_ACCESS, "stdout");
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    dup2(saved_fd, STDOUT_FILENO);
    close(saved_fd);
    assert_int_equal(error, 0);
    assert_false(flags & O_NONBLOCK); /* the flag others may share is left alone */
    write_line(f, CYC_LOG_ACCESS, "line\n");
    cyc_log_writer_drain(f->writer);
    assert_int_equal(read(fds[0], text, sizeof(text)), 5);
    assert_string_equal(text, "line\n");
    close(fds[0]);
    close(fds[1]);
}

/** Appends what the descriptor has now. */
static size_t read_available(int fd, char *text, size_t len, size_t len_max)
{
    ssize_t got;
    while (len < len_max && (got = read(fd, text + len, len_max - len)) > 0)
        len += (size_t)got;
    return len;
}

static void log_writer__a_reader_that_stands_still_costs_lines_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    static char text[1 << 18];
    char line[101];
    int fds[2];
    uint32_t written = 0;
    memset(line, 'x', 99);
    memcpy(line + 99, "\n", 2);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    cyc_log_writer_set_fd(f->writer, CYC_LOG_ACCESS, fds[1]);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    for (int round = 0; round < 5; round++) { /* far more than pipe and batch hold */
        for (int i = 0; i < 300; i++, written++)
            write_line(f, CYC_LOG_ACCESS, line);
        cyc_log_writer_drain(f->writer);
    }
    write_line(f, CYC_LOG_EVENTS, "alive\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "alive\n");
    uint64_t dropped = cyc_log_writer_dropped_count(f->writer, CYC_LOG_ACCESS);
    assert_true(dropped > 0);

    size_t before, len = 0;
    do { /* the reader goes on: what was kept comes out in parts, no line is broken */
        before = len;
        len = read_available(fds[0], text, len, sizeof(text));
        cyc_log_writer_drain(f->writer);
    } while (len > before);
    assert_int_equal(len % 100, 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(text[i] == '\n', i % 100 == 99);
    assert_int_equal(len / 100 + dropped, written);
    write_line(f, CYC_LOG_ACCESS, line); /* and is trusted again */
    cyc_log_writer_drain(f->writer);
    assert_int_equal(read_available(fds[0], text, 0, sizeof(text)), 100);
    assert_int_equal(cyc_log_writer_dropped_count(f->writer, CYC_LOG_ACCESS), dropped);
    close(fds[0]);
}

static void log_writer__an_output_that_refuses_is_counted_and_survived(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    cyc_log_writer_set_fd(f->writer, CYC_LOG_EVENTS, fds[1]);
    write_line(f, CYC_LOG_EVENTS, "1\n");
    cyc_log_writer_drain(f->writer);
    close(fds[0]); /* a socket: no SIGPIPE even where signals are not blocked */
    write_line(f, CYC_LOG_EVENTS, "2\n");
    write_line(f, CYC_LOG_EVENTS, "3\n");
    cyc_log_writer_drain(f->writer);
    assert_int_equal(cyc_log_writer_dropped_count(f->writer, CYC_LOG_EVENTS), 2);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    write_line(f, CYC_LOG_EVENTS, "4\n");
    cyc_log_writer_drain(f->writer);
    assert_string_equal(file_text(f->path), "4\n");
}

static void log_writer__lost_lines_include_those_of_rings_that_are_gone(void **state)
{
    struct fixture *f = *state;
    struct cyc_log_ring *small = cyc_log_ring_create(&f->mem, 2 * CYC_LOG_LINE_BYTES_MAX);
    char *out;
    cyc_log_writer_add_ring(f->writer, small);
    while ((out = cyc_log_reserve(small, CYC_LOG_ACCESS, 1000)) != NULL) {
        memset(out, '\n', 1000);
        cyc_log_commit(small, 1000);
    }
    assert_int_equal(cyc_log_writer_lost_count(f->writer, CYC_LOG_ACCESS), 1);
    cyc_log_writer_remove_ring(f->writer, small);
    cyc_log_ring_destroy(small);
    assert_int_equal(cyc_log_writer_lost_count(f->writer, CYC_LOG_ACCESS), 1);
    assert_int_equal(cyc_log_writer_dropped_count(f->writer, CYC_LOG_ACCESS), 0);
}

static void log_writer__the_thread_writes_without_being_asked(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    cyc_log_writer_set_fd(f->writer, CYC_LOG_EVENTS, fds[1]);
    assert_int_equal(cyc_log_writer_start(f->writer), 0);
    write_line(f, CYC_LOG_EVENTS, "line\n");
    struct pollfd readable = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 5000), 1);
    close(fds[0]);
    cyc_log_writer_stop(f->writer);
    cyc_log_writer_stop(f->writer); /* harmless */
}

static void log_writer__stop_writes_what_is_left_and_a_broken_pipe_kills_nobody(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    cyc_log_writer_set_fd(f->writer, CYC_LOG_ACCESS, fds[1]);
    cyc_log_writer_set_output(f->writer, CYC_LOG_EVENTS, f->path);
    assert_int_equal(cyc_log_writer_start(f->writer), 0);
    for (int i = 0; i < 100; i++) {
        write_line(f, CYC_LOG_EVENTS, "0123456789\n");
        write_line(f, CYC_LOG_ACCESS, "0123456789\n");
    }
    cyc_log_writer_stop(f->writer); /* SIGPIPE would have ended us: its default is in force */
    assert_int_equal(strlen(file_text(f->path)), 1100);
    assert_int_equal(cyc_log_writer_dropped_count(f->writer, CYC_LOG_ACCESS), 100);
    assert_int_equal(cyc_log_writer_start(f->writer), 0); /* it can be started again */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log_writer__streams_go_to_their_outputs_and_are_never_mixed),
        TEST(log_writer__files_are_appended_to_and_private),
        TEST(log_writer__reopen_follows_a_renamed_file),
        TEST(log_writer__a_file_that_cannot_be_opened_leaves_the_output_as_it_was),
        TEST(log_writer__off_ends_a_stream),
        TEST(log_writer__stdout_is_a_target),
        TEST(log_writer__a_reader_that_stands_still_costs_lines_and_nothing_else),
        TEST(log_writer__an_output_that_refuses_is_counted_and_survived),
        TEST(log_writer__lost_lines_include_those_of_rings_that_are_gone),
        TEST(log_writer__the_thread_writes_without_being_asked),
        TEST(log_writer__stop_writes_what_is_left_and_a_broken_pipe_kills_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
