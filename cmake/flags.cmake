# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags, as one interface target that every part of Cyclone links.

include(CheckIPOSupported)
add_library(cyc_flags INTERFACE)

target_include_directories(cyc_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(cyc_flags INTERFACE _GNU_SOURCE CYC_VERSION="${PROJECT_VERSION}")
target_compile_options(cyc_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -fno-strict-aliasing -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
    # C23 spelling used by the library headers of newer compilers; harmless in C11.
    target_compile_options(cyc_flags INTERFACE -Wno-gnu-zero-variadic-macro-arguments)
endif()
if(CYCLONE_WERROR)
    target_compile_options(cyc_flags INTERFACE -Werror)
endif()
if(CYCLONE_DEBUG)
    target_compile_definitions(cyc_flags INTERFACE CYC_DEBUG)
endif()
if(NOT CYCLONE_IO_URING)
    target_compile_definitions(cyc_flags INTERFACE CYC_NO_IO_URING)
endif()
if(CYCLONE_NATIVE)
    target_compile_options(cyc_flags INTERFACE -march=native)
endif()

# -O2, not -O3: measured alike on this code, and the smaller text keeps RSS down. No NDEBUG:
# cyc_assert is always on.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

if(CYCLONE_SANITIZE)
    target_compile_options(cyc_flags INTERFACE
        -fsanitize=${CYCLONE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(cyc_flags INTERFACE -fsanitize=${CYCLONE_SANITIZE})
endif()
if(CYCLONE_FUZZERS)
    target_compile_options(cyc_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CYCLONE_COVERAGE)
    target_compile_options(cyc_flags INTERFACE --coverage -O0)
    target_link_options(cyc_flags INTERFACE --coverage)
endif()

# Hardening that costs next to nothing per request. Left out on purpose:
# -ftrivial-auto-var-init (writes every local buffer), _FORTIFY_SOURCE=3 (computes object sizes at
# run time on the path that copies headers).
if(CYCLONE_HARDEN AND NOT CYCLONE_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    target_compile_options(cyc_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
        -fno-plt)
    target_link_options(cyc_flags INTERFACE -Wl,-z,noexecstack)
endif()
# Everything ends up in programs, never in shared objects: -fPIE is a little cheaper than -fPIC.
target_compile_options(cyc_flags INTERFACE -fPIE)
target_link_options(cyc_flags INTERFACE -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)

if(CYCLONE_LTO)
    check_ipo_supported(RESULT has_lto OUTPUT lto_problem LANGUAGES C)
    if(has_lto)
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    else()
        message(WARNING "CYCLONE_LTO: the compiler cannot: ${lto_problem}")
    endif()
endif()
