/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays inputs through a fuzz target without libFuzzer: every argument is a file or a folder of
 * files. The empty input is always tried first. So the corpus is a regression test in every build
 * and with every compiler. Each input is read into a block of exactly its size, so that a
 * sanitizer sees a read past its end.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/** The fuzz target. @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

static bool file_replay(const char *path, size_t len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    bool is_read = file != NULL && bytes != NULL && fread(bytes, 1, len, file) == len;

    if (is_read)
        (void)LLVMFuzzerTestOneInput(bytes, len);
    else
        perror(path);
    free(bytes);
    if (file != NULL)
        (void)fclose(file);
    return is_read;
}

/* @return how many inputs were replayed, negative when one could not be read */
static int path_replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return 0; /* a target without a corpus yet */
    if (!S_ISDIR(info.st_mode))
        return file_replay(path, (size_t)info.st_size) ? 1 : -1;

    DIR *folder = opendir(path);
    int input_count = 0;
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        int count = path_replay(name);
        if (count < 0) {
            input_count = count;
            break;
        }
        input_count += count;
    }
    if (folder != NULL)
        (void)closedir(folder);
    return input_count;
}

int main(int argc, char **argv)
{
    int input_count = 1;

    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        int count = path_replay(argv[i]);
        if (count < 0)
            return EXIT_FAILURE;
        input_count += count;
    }
    (void)printf("%d inputs replayed\n", input_count);
    return EXIT_SUCCESS;
}
