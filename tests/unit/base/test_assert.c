/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

/** Runs `body` in a child. @return how it ended, its standard error in `ret_text` */
static int run_child(void (*body)(void), char *ret_text, size_t text_bytes_max)
{
    int fds[2], status = 0;
    size_t len = 0;
    ssize_t got;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(fds[1]);
    while ((got = read(fds[0], ret_text + len, text_bytes_max - 1 - len)) > 0)
        len += (size_t)got;
    ret_text[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void fail_assert(void)
{
    int one = 1;
    cyc_assert(one == 2);
}

static void fail_unreachable(void)
{
    cyc_unreachable();
}

static void pass(void)
{
    int one = 1;
    cyc_assert(one == 1);
    cyc_debug_assert(one == 1);
}

static void assert__a_false_condition_names_the_place_and_aborts(void **state)
{
    char text[8192];
    (void)state;
    int status = run_child(fail_assert, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "cyclone: bug: "));
    assert_non_null(strstr(text, "test_assert.c:"));
    assert_non_null(strstr(text, "fail_assert: one == 2\n"));
}

static void assert__unreachable_code_aborts(void **state)
{
    char text[8192];
    (void)state;
    int status = run_child(fail_unreachable, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void assert__a_true_condition_does_nothing(void **state)
{
    char text[8192];
    (void)state;
    int status = run_child(pass, text, sizeof(text));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assert__a_false_condition_names_the_place_and_aborts),
        cmocka_unit_test(assert__unreachable_code_aborts),
        cmocka_unit_test(assert__a_true_condition_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
