# SPDX-License-Identifier: Apache-2.0
# Every switch of the build, with its reason.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF) # _GNU_SOURCE is defined; the dialect stays ISO
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

option(CYCLONE_IO_URING "Build the io_uring engine; OFF leaves epoll only" ON)
option(CYCLONE_DEBUG "Costly checks (CYC_DEBUG): walks, poisoning, magic numbers" OFF)
option(CYCLONE_LTO "Link-time optimization" OFF)
option(CYCLONE_HARDEN "Stack protector, fortified libc calls, full RELRO" ON)
option(CYCLONE_NATIVE "Tune for the building machine; the binary may not run elsewhere" OFF)
option(CYCLONE_WERROR "Warnings are errors (on in the presets)" OFF)
option(CYCLONE_COVERAGE "Instrument for gcov" OFF)
option(CYCLONE_TESTS "Build the tests (needs libcmocka-dev)" ON)
option(CYCLONE_FUZZERS "Build libFuzzer targets (needs clang) instead of corpus replays" OFF)
option(CYCLONE_BENCH "Build the benchmark programs" OFF)

set(CYCLONE_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
set(CYCLONE_ALLOCATOR "" CACHE STRING "Replacement for malloc: mimalloc, jemalloc or empty")
set(CYCLONE_FUZZ_SECONDS 5 CACHE STRING "How long ctest runs each libFuzzer target")
set(CYCLONE_REVISION "" CACHE STRING "Source revision; empty asks git when configuring")
set(CYCLONE_DEPS_DIR ${CMAKE_SOURCE_DIR}/build/deps CACHE PATH "Where scripts/deps puts libraries")
