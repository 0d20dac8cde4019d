# SPDX-License-Identifier: Apache-2.0
# Libraries. What scripts/deps built (CYCLONE_DEPS_DIR) is looked at first, then the system;
# pkg-config describes both alike. All missing ones are reported in one message.

find_package(Threads REQUIRED)
find_package(PkgConfig)
if(NOT PkgConfig_FOUND)
    message(FATAL_ERROR "pkg-config is missing. Install the Debian package pkg-config.")
endif()
list(PREPEND CMAKE_PREFIX_PATH ${CYCLONE_DEPS_DIR})
set(PKG_CONFIG_USE_CMAKE_PREFIX_PATH ON)
set(cyc_missing "")

# cyc_dependency(<name> <pkg-config spec> <how to get it> [OPTIONAL]) -> target cyc::<name>
function(cyc_dependency name spec remedy)
    pkg_check_modules(CYC_${name} QUIET IMPORTED_TARGET GLOBAL ${spec})
    if(CYC_${name}_FOUND)
        message(STATUS "${name} ${CYC_${name}_VERSION} (${CYC_${name}_LIBDIR})")
        add_library(cyc::${name} ALIAS PkgConfig::CYC_${name})
    elseif(NOT "OPTIONAL" IN_LIST ARGN)
        set(cyc_missing "${cyc_missing}\n  ${spec}: ${remedy}" PARENT_SCOPE)
    endif()
endfunction()

# The headers decide: a .pc file may lie about what an include path finds.
function(cyc_require_macro name header macro minimum)
    file(READ "${header}" text)
    string(REGEX MATCH "#define[ \t]+${macro}[ \t]+([0-9]+)" found "${text}")
    if(NOT found OR CMAKE_MATCH_1 LESS ${minimum})
        message(FATAL_ERROR "${name}: ${header} has ${macro} '${CMAKE_MATCH_1}', "
            "at least ${minimum} is needed. Run scripts/deps.")
    endif()
endfunction()

cyc_dependency(uv "libuv>=1.44" "Debian package libuv1-dev")
cyc_dependency(yaml "yaml-0.1>=0.2" "Debian package libyaml-dev")
cyc_dependency(cares "libcares>=1.18" "Debian package libc-ares-dev")
cyc_dependency(llhttp "libllhttp>=9.0"
    "scripts/deps builds it (trixie: libllhttp-dev; bookworm's 8.1 lets request smuggling through)")
if(CYCLONE_IO_URING)
    cyc_dependency(uring "liburing>=2.9"
        "scripts/deps builds it (trixie: liburing-dev), or configure with -DCYCLONE_IO_URING=OFF")
endif()
cyc_dependency(wolfssl "wolfssl>=5.5.4" "scripts/deps builds it" OPTIONAL) # nothing links it yet
if(CYCLONE_TESTS)
    cyc_dependency(cmocka "cmocka>=1.1.5"
        "Debian package libcmocka-dev, or configure with -DCYCLONE_TESTS=OFF")
endif()
if(CYCLONE_ALLOCATOR)
    cyc_dependency(allocator ${CYCLONE_ALLOCATOR} "Debian package lib${CYCLONE_ALLOCATOR}-dev")
endif()
if(cyc_missing)
    message(FATAL_ERROR "Missing libraries:${cyc_missing}\n"
        "scripts/deps installs and builds all of them.")
endif()

find_file(CYC_LLHTTP_HEADER llhttp.h HINTS ${CYC_llhttp_INCLUDE_DIRS} ${CYC_llhttp_INCLUDEDIR}
    REQUIRED)
cyc_require_macro(llhttp ${CYC_LLHTTP_HEADER} LLHTTP_VERSION_MAJOR 9)
