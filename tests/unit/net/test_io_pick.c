/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/io.h"

static void io_pick__says_why(void **state)
{
    static const enum cyc_io_backend wanted[] = {CYC_IO_AUTO, CYC_IO_URING, CYC_IO_EPOLL};

    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct cyc_io_choice choice;
        int r = cyc_io_pick(wanted[i], &choice);
        assert_true(strlen(choice.reason) > 0);
        assert_true(choice.backend == CYC_IO_URING || choice.backend == CYC_IO_EPOLL);
        assert_true(r == 0 || (wanted[i] == CYC_IO_URING && choice.backend == CYC_IO_EPOLL));
        if (wanted[i] == CYC_IO_EPOLL)
            assert_int_equal(choice.backend, CYC_IO_EPOLL);
        assert_true((choice.features[0] != '\0') == (choice.backend == CYC_IO_URING));
    }
}

#ifndef CYC_NO_IO_URING

/** From here on this process gets `error` for the system call. */
static void seccomp_refuse(uint32_t call, uint32_t error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

/** In a child: what is picked when a system call is refused. @return false when not testable */
static bool refused_choice(uint32_t call, uint32_t error, struct cyc_io_choice *ret, int *ret_r)
{
    int fds[2], status;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        seccomp_refuse(call, error);
        struct {
            struct cyc_io_choice choice;
            int r;
        } answer = {0};
        answer.r = cyc_io_pick(CYC_IO_URING, &answer.choice);
        _exit(write(fds[1], &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct {
        struct cyc_io_choice choice;
        int r;
    } answer = {0};
    bool is_tested = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (is_tested)
        assert_int_equal(read(fds[0], &answer, sizeof(answer)), sizeof(answer));
    close(fds[0]);
    close(fds[1]);
    *ret = answer.choice;
    *ret_r = answer.r;
    return is_tested;
}

static void io_pick__seccomp_leads_to_epoll_with_a_sentence(void **state)
{
    static const struct {
        uint32_t call, error;
        const char *word, *why;
    } cases[] = {
        {SYS_io_uring_setup, ENOSYS, "ENOSYS", "an old kernel, or a profile that looks like one"},
        {SYS_io_uring_setup, EPERM, "io_uring_setup", "the container engines' default profile"},
        {SYS_io_uring_enter, EPERM, "io_uring_enter", "refused late: set up, but no use"},
    };
    struct cyc_io_choice choice;
    int r;

    (void)state;
    if (cyc_io_pick(CYC_IO_URING, &choice) < 0)
        skip();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!refused_choice(cases[i].call, cases[i].error, &choice, &r))
            skip();
        assert_int_equal(choice.backend, CYC_IO_EPOLL);
        assert_int_equal(r, -(int)cases[i].error);
        if (strstr(choice.reason, cases[i].word) == NULL)
            fail_msg("%s: \"%s\"", cases[i].why, choice.reason);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io_pick__says_why),
#ifndef CYC_NO_IO_URING
        cmocka_unit_test(io_pick__seccomp_leads_to_epoll_with_a_sentence),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
