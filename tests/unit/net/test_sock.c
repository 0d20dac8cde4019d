/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/io.h"
#include "net/sock.h"

static const struct cyc_sock_options options = {
    .is_nodelay = true,
    .is_keepalive = true,
    .keepalive_idle_s = 77,
    .keepalive_interval_s = 11,
    .keepalive_probe_count = 3,
    .backlog = 16,
};

static int option_get(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static int listen_somewhere(const char *text, struct cyc_addr *ret_addr)
{
    assert_true(cyc_addr_parse(cyc_span_from_text(text), ret_addr));
    int fd = cyc_sock_listen(ret_addr, &options);
    if (fd >= 0)
        assert_int_equal(cyc_sock_local_addr(fd, ret_addr), 0);
    return fd;
}

static void sock__accepted_sockets_inherit_what_the_listener_has(void **state)
{
    struct cyc_addr addr, remote;

    (void)state;
    int listen_fd = listen_somewhere("127.0.0.1:0", &addr);
    assert_true(listen_fd >= 0);
    int fd = cyc_sock_open(&addr, &options);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(connect(fd, &addr.any, addr.len) == 0 || errno == EINPROGRESS);
    int accepted_fd = -1;
    while (accepted_fd < 0)
        accepted_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int fds[] = {fd, accepted_fd};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(option_get(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option_get(fds[i], SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option_get(fds[i], IPPROTO_TCP, TCP_KEEPIDLE), 77);
        assert_int_equal(option_get(fds[i], IPPROTO_TCP, TCP_KEEPINTVL), 11);
        assert_int_equal(option_get(fds[i], IPPROTO_TCP, TCP_KEEPCNT), 3);
    }
    assert_int_equal(cyc_sock_peer_addr(fd, &remote), 0);
    assert_true(cyc_addr_equal(&remote, &addr));
    assert_int_equal(cyc_sock_take_error(fd), 0);
    close(accepted_fd);
    close(fd);
    close(listen_fd);
}

static void sock__every_worker_listens_at_the_same_ip_address(void **state)
{
    struct cyc_addr addr;

    (void)state;
    int first_fd = listen_somewhere("127.0.0.1:0", &addr);
    int second_fd = cyc_sock_listen(&addr, &options);
    assert_true(first_fd >= 0 && second_fd >= 0);
    close(first_fd);
    close(second_fd);
}

static void sock__any_ipv6_address_takes_ipv4_too(void **state)
{
    struct cyc_addr addr, v4;

    (void)state;
    int listen_fd = listen_somewhere("*:0", &addr);
    assert_true(listen_fd >= 0);
    assert_true(cyc_addr_parse_ip(CYC_SPAN("127.0.0.1"), cyc_addr_port(&addr), &v4));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &v4.any, v4.len), 0);
    close(fd);
    close(listen_fd);
}

static void sock__unix_path_is_taken_over_from_the_dead_only(void **state)
{
    char directory[] = "/tmp/cyclone-test-XXXXXX", path[64], text[80];
    struct cyc_addr addr;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/a.sock", directory);
    snprintf(text, sizeof(text), "unix:%s", path);
    int fd = listen_somewhere(text, &addr);
    assert_true(fd >= 0);
    assert_int_equal(listen_somewhere(text, &addr), -EADDRINUSE); /* somebody answers there */
    close(fd);
    assert_int_equal(stat(path, &st), 0); /* left behind */
    fd = listen_somewhere(text, &addr);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);

    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* not a socket: not ours to remove */
    close(fd);
    assert_int_equal(listen_somewhere(text, &addr), -EADDRINUSE);
    assert_int_equal(stat(path, &st), 0);
    unlink(path);
    rmdir(directory);
}

static void sock__errors_are_negative_errnos(void **state)
{
    struct cyc_addr addr;

    (void)state;
    assert_int_equal(listen_somewhere("192.0.2.1:0", &addr), -EADDRNOTAVAIL); /* RFC 5737 */
    assert_int_equal(listen_somewhere("unix:/nonexistent/a", &addr), -ENOENT);
    assert_int_equal(cyc_sock_peer_addr(-1, &addr), -EBADF);
    assert_int_equal(cyc_sock_take_error(-1), -EBADF);
}

static void sock__backlog_is_capped_by_the_kernel(void **state)
{
    (void)state;
    assert_int_equal(cyc_sock_backlog_granted(1), 1);
    assert_true(cyc_sock_backlog_granted(UINT32_MAX) <= UINT32_MAX);
    assert_true(cyc_sock_backlog_granted(4096) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sock__accepted_sockets_inherit_what_the_listener_has),
        cmocka_unit_test(sock__every_worker_listens_at_the_same_ip_address),
        cmocka_unit_test(sock__any_ipv6_address_takes_ipv4_too),
        cmocka_unit_test(sock__unix_path_is_taken_over_from_the_dead_only),
        cmocka_unit_test(sock__errors_are_negative_errnos),
        cmocka_unit_test(sock__backlog_is_capped_by_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
