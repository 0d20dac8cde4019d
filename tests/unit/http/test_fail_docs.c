/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators can meet is written down: every failure, every event and every metric family is in
 * docs/troubleshooting.md or docs/monitoring.md, as `code`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "http/fail.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define FAMILY_COUNT_MIN 35 /* fewer: the search below no longer finds them */

static char page[128 * 1024], source[256 * 1024];

static size_t file_append(const char *path, char *out, size_t at, size_t bytes_max)
{
    FILE *file = fopen(path, "r");

    if (file == NULL)
        fail_msg("%s cannot be read", path);
    at += fread(out + at, 1, bytes_max - 1 - at, file);
    assert_true(at < bytes_max - 1);
    out[at] = '\0';
    (void)fclose(file);
    return at;
}

static int pages_read(void **state)
{
    (void)state;
    size_t at = file_append(CYC_SOURCE_DIR "/docs/troubleshooting.md", page, 0, sizeof(page));
    file_append(CYC_SOURCE_DIR "/docs/monitoring.md", page, at, sizeof(page));
    return 0;
}

/** @param len  of `name`, in lower case on the page */
static void expect_on_page(const char *name, size_t len)
{
    char quoted[128];

    assert_true(len + 3 <= sizeof(quoted));
    quoted[0] = '`';
    for (size_t i = 0; i < len; i++)
        quoted[i + 1] = cyc_char_lower(name[i]);
    quoted[len + 1] = '`';
    quoted[len + 2] = '\0';
    if (strstr(page, quoted) == NULL)
        fail_msg("%s is neither in docs/troubleshooting.md nor in docs/monitoring.md", quoted);
}

static void fail_docs__every_failure_has_its_row(void **state)
{
    (void)state;
    for (uint32_t fail = 1; fail < CYC_FAIL_COUNT; fail++) {
        const struct cyc_fail_info *info = cyc_fail_info((enum cyc_fail)fail);
        char row[160];
        if (info->status != 0)
            snprintf(row, sizeof(row), "\n| `%s` | `%s` | %u |", info->flag.ptr, info->reason.ptr,
                     info->status);
        else
            snprintf(row, sizeof(row), "\n| `%s` | `%s` | cut |", info->flag.ptr, info->reason.ptr);
        if (strstr(page, row) == NULL)
            fail_msg("docs/troubleshooting.md has no row that begins with %s", row + 1);
    }
}

static void fail_docs__every_event_is_explained(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < CYC_EVENT_COUNT; id++) {
        const char *name = cyc_event_info((enum cyc_event_id)id)->id;
        expect_on_page(name, strlen(name));
    }
}

/** Finds `struct cyc_metric_family x = { .name = "..."` in the text. @return how many */
static unsigned families_check(const char *text)
{
    static const char mark[] = "static const struct cyc_metric_family ", key[] = ".name = \"";
    unsigned count = 0;

    while ((text = strstr(text, mark)) != NULL) {
        text = strstr(text, key);
        assert_non_null(text);
        text += strlen(key);
        expect_on_page(text, strcspn(text, "\""));
        count++;
    }
    return count;
}

static unsigned folder_check(const char *folder)
{
    char path[1024];
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/%s", CYC_SOURCE_DIR, folder);
    DIR *files = opendir(path);
    assert_non_null(files);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 2 || strcmp(entry->d_name + len - 2, ".c") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s/%s", CYC_SOURCE_DIR, folder, entry->d_name);
        file_append(path, source, 0, sizeof(source));
        count += families_check(source);
    }
    closedir(files);
    return count;
}

static void fail_docs__every_metric_is_explained(void **state)
{
    static const char *const folders[] = {"base",     "conf",    "net",   "http",
                                          "upstream", "filters", "proxy", "admin"};
    unsigned count = 0;
    (void)state;

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        count += folder_check(folders[i]);
    assert_true(count >= FAMILY_COUNT_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_docs__every_failure_has_its_row),
        cmocka_unit_test(fail_docs__every_event_is_explained),
        cmocka_unit_test(fail_docs__every_metric_is_explained),
    };
    return cmocka_run_group_tests(tests, pages_read, NULL);
}
