/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load: the constant upstream and the load generator in one process, on one core.
 *
 * Both ends of a proxy in one loop need no context switch between them, so one core feeds a proxy
 * that saturates another. Everything is done per epoll turn: the upstream's answers are prebuilt,
 * bodies that nobody looks at are dropped in the kernel (MSG_TRUNC), and sockets are registered
 * once, edge-triggered.
 *
 * The program reads commands from standard input, one a line, and prints one line of JSON for each:
 *
 *     upstream [path=/run/x.sock]      start answering; prints the port, chosen by the kernel
 *     run target=127.0.0.1:8080 ...    load until `seconds` or `count`; see `options` for all keys
 *     idle target=... conns=10000      open connections, make one request on each, keep them open
 *     last                             the last request head the upstream saw in a run with check=1
 *     status                           how many connections `idle` still holds
 *     quit
 *
 * The upstream answers every request whose path holds `/bytes/N` with N bytes. A run is closed-loop
 * (every connection sends as soon as it has its answer) or, with `rate`, open-loop: request i is
 * due at start + i / rate, whether or not the ones before it have been answered, and its latency
 * counts from then, so a stall is seen by every request it delayed (no coordinated omission). CPU
 * times of the processes in `pids` are read here, at the very edges of the measured window.
 *
 * Invariant: an answer counts as a request only with status 200 and exactly the expected length
 * (and with check=1 the expected bytes); anything else is counted as an error by kind.
 */
#include <stddef.h>
#include <sys/resource.h>

#include "bench/compare/cpu.h"
#include "bench/compare/histogram.h"
#include "bench/compare/load_conn.h"
#include "bench/compare/load_upstream.h"

#define EVENT_COUNT 512
#define LINE_BYTES_MAX 4096u
#define HEAD_STRIDE_BYTES 1536u
#define STALL_NS 2000000000ull      /* a connection without an answer for so long is stuck */
#define IDLE_OPEN_NS 30000000000ull /* opening idle connections may take so long */

enum client_state { CLIENT_IDLE, CLIENT_WAITING, CLIENT_BODY, CLIENT_WAIT_EOF };
enum failure { FAIL_CONNECT, FAIL_CLOSED, FAIL_STATUS, FAIL_LENGTH, FAIL_CONTENT, FAIL_COUNT };
static const char *const failure_names[] = {"connect", "closed", "status", "length", "content"};

/* One command line. Numbers not given are 0 unless `command_parse` sets a default. */
struct command {
    char verb[16], target[128], path[256], pids[128], host[128], method[16];
    uint64_t conns, expect, put, rate, count, close, check, variants, browser;
    double seconds, warmup;
};

struct run {
    struct command command;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    char *heads; /* `variants` request heads of `head_stride` bytes each */
    uint32_t *head_lens;
    uint64_t variant;
    bool is_on;      /* there are clients */
    bool is_holding; /* they are idle and shall stay so */
    uint64_t next_due_ns, interval_ns, late_max_ns;
    uint64_t request_count, bytes_in, sent_count, reconnect_count, errors[FAIL_COUNT];
    uint32_t open_count;
    struct conn *idle_head, *idle_tail;
    struct bench_histogram histogram;
};

struct load {
    struct load_core core;
    bool is_quitting;
    uint32_t line_bytes;
    char line[LINE_BYTES_MAX];
    struct conn *clients[CONN_COUNT_MAX];
    struct run run;
};

/* ---- the clients --------------------------------------------------------------------------- */

static bool client_open(struct load *load, struct conn *conn)
{
    struct run *run = &load->run;
    int one = 1;
    conn->is_unix = run->address.ss_family == AF_UNIX;
    conn->fd = socket(run->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    conn->state = CLIENT_IDLE;
    conn->partial_bytes = 0;
    if (conn->fd < 0)
        die("socket");
    if (!conn->is_unix)
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int rc = connect(conn->fd, (struct sockaddr *)&run->address, run->address_bytes);
    if (rc != 0 && errno != EINPROGRESS) {
        run->errors[FAIL_CONNECT]++;
        close(conn->fd);
        conn->fd = -1;
        return false;
    }
    conn_watch(&load->core, conn, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    return true;
}

static void client_queue_idle(struct run *run, struct conn *conn)
{
    conn->next = NULL;
    conn->state = CLIENT_IDLE;
    if (run->idle_tail)
        run->idle_tail->next = conn;
    else
        run->idle_head = conn;
    run->idle_tail = conn;
}

static void client_send(struct load *load, struct conn *conn, uint64_t due_ns)
{
    struct run *run = &load->run;
    uint64_t at = run->variant;
    run->variant = at + 1 == run->command.variants ? 0 : at + 1;
    conn->head = run->heads + at * HEAD_STRIDE_BYTES;
    conn->head_bytes = run->head_lens[at];
    conn->head_sent = 0;
    conn->send_bytes = run->command.put;
    conn->sent_bytes = 0;
    conn->state = CLIENT_WAITING;
    conn->due_ns = due_ns;
    run->sent_count++;
    if (conn_send(&load->core, conn) < 0)
        run->errors[FAIL_CLOSED]++; /* its end will be seen by the read */
}

/* The connection has nothing to do: give it its next request, or let it rest. */
static void client_next(struct load *load, struct conn *conn, uint64_t now)
{
    struct run *run = &load->run;
    bool is_done = run->is_holding || (run->command.count && run->sent_count >= run->command.count);
    if (run->interval_ns || is_done)
        client_queue_idle(run, conn);
    else
        client_send(load, conn, now);
}

static void client_reopen(struct load *load, struct conn *conn, uint64_t now)
{
    struct run *run = &load->run;
    close(conn->fd);
    conn->fd = -1;
    if (run->is_holding || !client_open(load, conn)) {
        run->open_count--;
        return;
    }
    client_next(load, conn, now);
}

static void client_fail(struct load *load, struct conn *conn, enum failure failure)
{
    load->run.errors[failure]++;
    if (load->run.is_on)
        client_reopen(load, conn, now_ns(CLOCK_MONOTONIC));
}

static void client_on_answer(struct load *load, struct conn *conn)
{
    struct run *run = &load->run;
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    run->request_count++;
    bench_histogram_add(&run->histogram, now - conn->due_ns);
    if (run->command.close)
        conn->state = CLIENT_WAIT_EOF;
    else
        client_next(load, conn, now);
}

/* Takes a whole head from the scratch buffer. FAIL_COUNT: it is as it should be. */
static enum failure client_on_head(struct load *load, struct conn *conn, size_t head_bytes,
                                   size_t bytes)
{
    struct run *run = &load->run;
    const char *ptr = load->core.scratch;
    if (conn->state != CLIENT_WAITING)
        return FAIL_LENGTH;
    if (memcmp(ptr, "HTTP/1.1 200", 12) != 0)
        return FAIL_STATUS;
    size_t early_bytes = bytes - head_bytes;
    if (head_content_length(ptr, head_bytes) != run->command.expect ||
        early_bytes > run->command.expect)
        return FAIL_LENGTH;
    if (load->core.is_checking && !pattern_matches(&load->core, ptr + head_bytes, early_bytes, 0))
        return FAIL_CONTENT;
    conn->partial_bytes = 0;
    conn->body_bytes = run->command.expect;
    conn->body_got_bytes = early_bytes;
    conn->state = CLIENT_BODY;
    run->bytes_in += early_bytes;
    return FAIL_COUNT;
}

/* A wrong answer is counted and dealt with here; the connection may be another one by now. */
static enum read_result client_read(struct load *load, struct conn *conn)
{
    size_t bytes = 0;
    enum read_result result;
    enum failure failure = FAIL_COUNT;
    if (conn->state == CLIENT_BODY) {
        bool does_match = true;
        result = body_read(&load->core, conn, conn->body_bytes - conn->body_got_bytes, &bytes,
                           &does_match);
        conn->body_got_bytes += bytes;
        load->run.bytes_in += bytes;
        failure = does_match ? FAIL_COUNT : FAIL_CONTENT;
    } else {
        result = head_read(&load->core, conn, &bytes);
        size_t head_bytes = bytes ? head_find_end(load->core.scratch, bytes) : 0;
        if (head_bytes)
            failure = client_on_head(load, conn, head_bytes, bytes);
        else if (bytes && !head_save(&load->core, conn, bytes))
            failure = FAIL_STATUS;
    }
    if (failure != FAIL_COUNT) {
        client_fail(load, conn, failure);
        return READ_DRAINED;
    }
    if (bytes && conn->state == CLIENT_BODY && conn->body_got_bytes == conn->body_bytes)
        client_on_answer(load, conn);
    return result;
}

static void client_on_end(struct load *load, struct conn *conn)
{
    struct run *run = &load->run;
    if (conn->state == CLIENT_WAITING || conn->state == CLIENT_BODY) {
        client_fail(load, conn, FAIL_CLOSED);
        return;
    }
    run->reconnect_count += conn->state == CLIENT_IDLE;
    if (conn->state == CLIENT_IDLE) { /* it is in the idle queue: stays there, with a new socket */
        close(conn->fd);
        conn->fd = -1;
        if (run->is_holding || !client_open(load, conn))
            run->open_count--;
        return;
    }
    client_reopen(load, conn, now_ns(CLOCK_MONOTONIC));
}

static void client_on_event(struct load *load, struct conn *conn, uint32_t events)
{
    if ((events & EPOLLOUT) && conn->state == CLIENT_WAITING)
        conn_send(&load->core, conn);
    bool must_see_end = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    enum read_result result = READ_MORE;
    while (result == READ_MORE) {
        result = client_read(load, conn);
        if (result == READ_DRAINED && must_see_end) {
            must_see_end = false;
            result = READ_MORE;
        }
    }
    if (result != READ_DRAINED)
        client_on_end(load, conn);
}

/* ---- a run --------------------------------------------------------------------------------- */

static void target_resolve(struct run *run)
{
    char *text = run->command.target, *colon = strrchr(text, ':');
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET};
    if (strncmp(text, "unix:", 5) == 0) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", text + 5);
        memcpy(&run->address, &un, run->address_bytes = sizeof(un));
        return;
    }
    in.sin_port = htons((uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0));
    if (colon)
        *colon = '\0';
    if (!colon || inet_pton(AF_INET, text, &in.sin_addr) != 1)
        die("target is neither ADDRESS:PORT nor unix:PATH");
    memcpy(&run->address, &in, run->address_bytes = sizeof(in));
}

/* Copies `from` with every `{i}` replaced by `number`. */
static void text_expand(char *to, size_t room, const char *from, uint64_t number)
{
    size_t used = 0;
    while (*from && used + 24 < room) {
        if (strncmp(from, "{i}", 3) == 0) {
            used += (size_t)snprintf(to + used, room - used, "%llu", (unsigned long long)number);
            from += 3;
        } else {
            to[used++] = *from++;
        }
    }
    to[used] = '\0';
}

/* What a browser sends along, for heads of a realistic size. */
static const char browser_fields[] =
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\nAccept-Encoding: identity\r\n"
    "Referer: https://www.example.com/products/overview?page=4&sort=price\r\n"
    "Cookie: session=7f9c24e8b1d04c6fa2be3c5d; theme=dark; consent=essential%2Cstatistics\r\n"
    "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n"
    "Upgrade-Insecure-Requests: 1\r\nCache-Control: max-age=0\r\n";

static void heads_build(struct run *run)
{
    struct command *command = &run->command;
    run->heads = map_bytes(HEAD_STRIDE_BYTES * command->variants);
    run->head_lens = map_bytes(sizeof(uint32_t) * command->variants);
    for (uint64_t i = 0; i < command->variants; i++) {
        char path[300], host[200], length[64] = "";
        uint64_t number = (i * 7919) % command->variants; /* neighbours are not asked for in turn */
        text_expand(path, sizeof(path), command->path, number);
        text_expand(host, sizeof(host), command->host, number);
        if (command->put)
            snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
                     (unsigned long long)command->put);
        int n = snprintf(run->heads + i * HEAD_STRIDE_BYTES, HEAD_STRIDE_BYTES,
                         "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load/1.0\r\n%s%s%s\r\n",
                         command->method, path, host,
                         command->browser ? browser_fields : "Accept: */*\r\n", length,
                         command->close ? "Connection: close\r\n" : "");
        run->head_lens[i] = (uint32_t)n;
    }
}

static void run_begin(struct load *load, const struct command *command)
{
    struct run *run = &load->run;
    memset(run, 0, sizeof(*run));
    run->command = *command;
    run->is_on = true;
    run->interval_ns = command->rate ? 1000000000ull / command->rate : 0;
    load->core.is_checking = command->check;
    target_resolve(run);
    heads_build(run);
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    run->next_due_ns = now;
    for (uint64_t i = 0; i < command->conns; i++) {
        struct conn *conn = load->clients[i] = conn_take(&load->core, KIND_CLIENT, -1);
        if (client_open(load, conn)) {
            run->open_count++;
            client_next(load, conn, now);
        }
    }
}

/* Sends what is due, as far as connections are free for it. */
static void run_pump(struct load *load, uint64_t now)
{
    struct run *run = &load->run;
    while (run->next_due_ns <= now && run->idle_head && !run->is_holding) {
        struct conn *conn = run->idle_head;
        run->idle_head = conn->next;
        if (!run->idle_head)
            run->idle_tail = NULL;
        if (conn->fd < 0)
            continue;
        if (now - run->next_due_ns > run->late_max_ns)
            run->late_max_ns = now - run->next_due_ns;
        client_send(load, conn, run->next_due_ns);
        run->next_due_ns += run->interval_ns;
    }
}

static void run_end(struct load *load)
{
    struct run *run = &load->run;
    struct linger hard = {.l_onoff = 1}; /* leave no TIME_WAIT behind */
    for (uint64_t i = 0; i < run->command.conns; i++) {
        struct conn *conn = load->clients[i];
        if (conn->fd >= 0)
            setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        conn_close(&load->core, conn);
    }
    munmap(run->heads, HEAD_STRIDE_BYTES * run->command.variants);
    munmap(run->head_lens, sizeof(uint32_t) * run->command.variants);
    run->is_on = false;
    load->core.is_checking = false;
}

static uint32_t run_stuck_count(struct load *load, uint64_t now)
{
    uint32_t stuck_count = 0;
    for (uint64_t i = 0; i < load->run.command.conns; i++) {
        const struct conn *conn = load->clients[i];
        bool is_waiting = conn->state == CLIENT_WAITING || conn->state == CLIENT_BODY;
        stuck_count += conn->fd >= 0 && is_waiting && now - conn->due_ns > STALL_NS;
    }
    return stuck_count;
}

static void commands_on_event(struct load *load);

/* One turn of the loop. @param timeout_ms  as epoll_wait() has it */
static void load_turn(struct load *load, int timeout_ms)
{
    struct epoll_event events[EVENT_COUNT];
    int n = epoll_wait(load->core.epoll_fd, events, EVENT_COUNT, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *conn = events[i].data.ptr;
        switch ((enum kind)conn->kind) {
        case KIND_LISTENER:
            listener_on_event(&load->core, conn);
            break;
        case KIND_UPSTREAM:
            upstream_on_event(&load->core, conn, events[i].events);
            break;
        case KIND_CLIENT:
            client_on_event(load, conn, events[i].events);
            break;
        case KIND_COMMANDS:
            if (!load->run.is_on || load->run.is_holding)
                commands_on_event(load);
            break;
        }
    }
}

/* Turns until `end_ns`, or until all of `count` requests are answered. */
static void load_until(struct load *load, uint64_t end_ns)
{
    struct run *run = &load->run;
    uint64_t count = run->command.count;
    for (uint64_t now = now_ns(CLOCK_MONOTONIC); now < end_ns; now = now_ns(CLOCK_MONOTONIC)) {
        if (run->interval_ns)
            run_pump(load, now);
        load_turn(load, run->interval_ns ? 0 : 1); /* a fixed rate must not oversleep: it spins */
        uint64_t over_count = run->request_count;
        for (int i = 0; i < FAIL_COUNT; i++)
            over_count += run->errors[i];
        if (count && over_count >= count)
            return;
    }
}

static void report_cpu(const struct bench_cpu *from, const struct bench_cpu *to)
{
    printf(", \"cpu_ns\": %llu, \"user_ticks\": %llu, \"system_ticks\": %llu, \"cores\": [",
           (unsigned long long)(to->proc_ns - from->proc_ns),
           (unsigned long long)(to->user_ticks - from->user_ticks),
           (unsigned long long)(to->system_ticks - from->system_ticks));
    for (uint32_t i = 0; i < to->core_count; i++) {
        const struct bench_core_ticks *a = &from->cores[i], *b = &to->cores[i];
        double all = b->all > a->all ? (double)(b->all - a->all) : 1;
        printf("%s{\"busy\": %.3f, \"softirq\": %.3f, \"steal\": %.3f}", i ? ", " : "",
               1 - (double)(b->idle - a->idle) / all, (double)(b->softirq - a->softirq) / all,
               (double)(b->steal - a->steal) / all);
    }
    printf("]");
}

static void report_run(struct load *load, uint64_t window_ns, const struct bench_cpu *from,
                       const struct bench_cpu *to)
{
    struct run *run = &load->run;
    const struct bench_histogram *histogram = &run->histogram;
    uint64_t now = now_ns(CLOCK_MONOTONIC), error_count = run_stuck_count(load, now);
    uint64_t unsent_count = run->interval_ns && now > run->next_due_ns
                                ? (now - run->next_due_ns) / run->interval_ns
                                : 0;
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"bytes_in\": %llu, \"reconnects\": %llu, "
           "\"open\": %u, \"unsent\": %llu, \"late_max_us\": %.1f",
           (unsigned long long)run->request_count, (double)window_ns / 1e9,
           (unsigned long long)run->bytes_in, (unsigned long long)run->reconnect_count,
           run->open_count, (unsigned long long)unsent_count, (double)run->late_max_ns / 1e3);
    printf(", \"stuck\": %llu", (unsigned long long)error_count);
    for (int i = 0; i < FAIL_COUNT; i++) {
        printf(", \"%s\": %llu", failure_names[i], (unsigned long long)run->errors[i]);
        error_count += run->errors[i];
    }
    printf(", \"errors\": %llu", (unsigned long long)error_count);
    printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f",
           (double)bench_histogram_quantile(histogram, 0.5) / 1e3,
           (double)bench_histogram_quantile(histogram, 0.99) / 1e3,
           (double)bench_histogram_quantile(histogram, 0.999) / 1e3,
           (double)histogram->value_max / 1e3);
    report_cpu(from, to);
    printf("}\n");
}

static void command_run(struct load *load, const struct command *command)
{
    struct run *run = &load->run;
    struct bench_cpu from, to;
    run_begin(load, command);
    if (command->warmup > 0)
        load_until(load, now_ns(CLOCK_MONOTONIC) + (uint64_t)(command->warmup * 1e9));
    memset(&run->histogram, 0, sizeof(run->histogram));
    memset(run->errors, 0, sizeof(run->errors));
    run->request_count = run->bytes_in = run->reconnect_count = run->late_max_ns = 0;
    bench_cpu_read(&from, command->pids);
    uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    load_until(load, start_ns + (uint64_t)(command->seconds * 1e9));
    uint64_t window_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
    bench_cpu_read(&to, command->pids);
    report_run(load, window_ns, &from, &to);
    run_end(load);
}

/* Opens connections a few at a time, one request on each, and keeps them until the next line. */
static void command_idle(struct load *load, const struct command *command)
{
    struct run *run = &load->run;
    struct command none = *command;
    none.conns = 0, none.count = 0;
    run_begin(load, &none);
    uint64_t end_ns = now_ns(CLOCK_MONOTONIC) + IDLE_OPEN_NS;
    run->command.count = 1; /* nobody goes on by itself */
    while (run->command.conns < command->conns && now_ns(CLOCK_MONOTONIC) < end_ns) {
        for (int i = 0; i < 64 && run->command.conns < command->conns; i++) {
            struct conn *conn = conn_take(&load->core, KIND_CLIENT, -1);
            load->clients[run->command.conns++] = conn;
            if (client_open(load, conn)) {
                run->open_count++;
                client_send(load, conn, now_ns(CLOCK_MONOTONIC));
            }
        }
        for (uint64_t until = run->open_count; run->request_count < until;) {
            load_turn(load, 1);
            if (now_ns(CLOCK_MONOTONIC) > end_ns || run->errors[FAIL_CLOSED])
                break;
        }
    }
    struct bench_cpu cpu;
    bench_cpu_read(&cpu, "");
    report_run(load, 1, &cpu, &cpu);
    run->is_holding = true;
}

/* ---- commands ------------------------------------------------------------------------------ */

static bool command_parse(struct command *command, char *line)
{
    struct option {
        const char *name;
        char kind; /* s: text of `room` bytes, n: number, f: fraction */
        size_t offset, room;
    };
#define TEXT(field) #field, 's', offsetof(struct command, field), sizeof(command->field)
#define NUMBER(field) #field, 'n', offsetof(struct command, field), 0
    static const struct option options[] = {{TEXT(target)},
                                            {TEXT(path)},
                                            {TEXT(pids)},
                                            {TEXT(host)},
                                            {TEXT(method)},
                                            {NUMBER(conns)},
                                            {NUMBER(expect)},
                                            {NUMBER(put)},
                                            {NUMBER(rate)},
                                            {NUMBER(count)},
                                            {NUMBER(close)},
                                            {NUMBER(check)},
                                            {NUMBER(variants)},
                                            {NUMBER(browser)},
                                            {"seconds", 'f', offsetof(struct command, seconds), 0},
                                            {"warmup", 'f', offsetof(struct command, warmup), 0}};
    *command = (struct command){.path = "",
                                .host = "bench.example.com",
                                .method = "GET",
                                .conns = 64,
                                .expect = 128,
                                .variants = 1,
                                .seconds = 1};
    char *rest = NULL, *word = strtok_r(line, " \n", &rest);
    snprintf(command->verb, sizeof(command->verb), "%s", word ? word : "");
    while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
        char *value = strchr(word, '=');
        const struct option *option = options, *end = options + sizeof(options) / sizeof(*options);
        if (!value)
            return false;
        *value++ = '\0';
        while (option < end && strcmp(option->name, word) != 0)
            option++;
        if (option == end)
            return false;
        char *to = (char *)command + option->offset;
        if (option->kind == 's' && (size_t)snprintf(to, option->room, "%s", value) >= option->room)
            return false;
        if (option->kind == 'n')
            *(uint64_t *)(void *)to = strtoull(value, NULL, 10);
        if (option->kind == 'f')
            *(double *)(void *)to = strtod(value, NULL);
    }
    return command->variants > 0 && command->conns < CONN_COUNT_MAX / 2;
}

static void command_last(const struct load *load)
{
    printf("{\"head\": \"");
    for (uint32_t i = 0; i < load->core.last_head_bytes; i++) {
        unsigned char c = (unsigned char)load->core.last_head[i];
        if (c < ' ' || c == '"' || c == '\\' || c > '~')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    printf("\"}\n");
}

/** @return false when there is no such verb */
static bool command_dispatch(struct load *load, const struct command *command)
{
    const char *verb = command->verb;

    if (strcmp(verb, "status") == 0)
        printf("{\"open\": %u}\n", load->run.is_on ? load->run.open_count : 0);
    else if (strcmp(verb, "upstream") == 0)
        upstream_start(&load->core, command->path);
    else if (strcmp(verb, "run") == 0)
        command_run(load, command);
    else if (strcmp(verb, "idle") == 0)
        command_idle(load, command);
    else if (strcmp(verb, "last") == 0)
        command_last(load);
    else if (strcmp(verb, "quit") == 0)
        load->is_quitting = true;
    else
        return false;
    return true;
}

static void command_execute(struct load *load, char *line)
{
    struct command command;
    bool is_good = command_parse(&command, line);
    bool is_status = is_good && strcmp(command.verb, "status") == 0;
    if (load->run.is_on && !is_status)
        run_end(load);
    if (!is_good || !command_dispatch(load, &command))
        printf("{\"error\": \"unknown command or option\"}\n");
    fflush(stdout);
}

static void commands_on_event(struct load *load)
{
    ssize_t n = read(STDIN_FILENO, load->line + load->line_bytes,
                     sizeof(load->line) - 1 - load->line_bytes);
    load->is_quitting = n <= 0;
    load->line_bytes += n > 0 ? (uint32_t)n : 0;
    load->line[load->line_bytes] = '\0';
    for (char *end; !load->is_quitting && (end = strchr(load->line, '\n')) != NULL;) {
        *end = '\0';
        command_execute(load, load->line);
        load->line_bytes -= (uint32_t)(end + 1 - load->line);
        memmove(load->line, end + 1, load->line_bytes + 1);
    }
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct load *load = map_bytes(sizeof(*load));
    core_init(&load->core);
    conn_watch(&load->core, conn_take(&load->core, KIND_COMMANDS, STDIN_FILENO), EPOLLIN);
    while (!load->is_quitting)
        load_turn(load, -1);
    return 0;
}
