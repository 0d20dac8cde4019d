/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/load.h"
#include "conf/tree.h"
#include "tests/unit/conf/fixture.h"

#include <stdlib.h>
#include <unistd.h>

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void load__reads_a_whole_file(void **state)
{
    char path[] = "/tmp/cyclone-load-XXXXXX";
    struct fixture fixture;
    struct cyc_span text;
    (void)state;
    fixture_init(&fixture);
    close(mkstemp(path));
    size_t len = 200000;
    char *bytes = cyc_arena_alloc(&fixture.arena, len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)('a' + i % 26);
    write_file(path, bytes, len);
    assert_true(cyc_load_file(&fixture.arena, &fixture.diag, path, &text));
    assert_true(cyc_span_equal(text, cyc_span_of(bytes, len)));
    write_file(path, bytes, 0);
    assert_true(cyc_load_file(&fixture.arena, &fixture.diag, path, &text));
    assert_int_equal(text.len, 0);
    unlink(path);
    assert_false(cyc_load_file(&fixture.arena, &fixture.diag, path, &text));
    fixture_expect(&fixture, "cannot be read: No such file or directory", "gone");
    fixture_fini(&fixture);
}

static void load__finds_the_named_file_then_the_usual_ones(void **state)
{
    static const char *const named[] = {"X=1", "CYCLONE_CONFIG=/a/b.yaml", NULL};
    static const char *const empty[] = {"CYCLONE_CONFIG=", NULL};
    char folder[] = "/tmp/cyclone-find-XXXXXX", before[1024];
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    assert_non_null(getcwd(before, sizeof(before)));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_string_equal(cyc_load_find(&fixture.arena, named), "/a/b.yaml");
    write_file("cyclone.yaml", "", 0);
    assert_string_equal(cyc_load_find(&fixture.arena, empty), "cyclone.yaml");
    assert_string_equal(cyc_load_find(&fixture.arena, NULL), "cyclone.yaml");
    assert_int_equal(unlink("cyclone.yaml"), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(folder), 0);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load__reads_a_whole_file),
        cmocka_unit_test(load__finds_the_named_file_then_the_usual_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
