# SPDX-License-Identifier: Apache-2.0
# The source revision, asked of git when configuring. Only files that mention CYC_REVISION are
# compiled with it, so that a commit does not rebuild everything.

set(cyc_revision "${CYCLONE_REVISION}")
if(NOT cyc_revision)
    find_program(CYC_GIT git)
    if(CYC_GIT AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
        execute_process(COMMAND ${CYC_GIT} describe --always --dirty --tags
            WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE cyc_revision
            OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
endif()
if(NOT cyc_revision)
    set(cyc_revision unknown)
endif()

function(cyc_use_revision)
    foreach(source IN LISTS ARGN)
        file(STRINGS ${source} mentions REGEX "CYC_REVISION" LIMIT_COUNT 1)
        if(mentions)
            set_property(SOURCE ${source} APPEND PROPERTY
                COMPILE_DEFINITIONS CYC_REVISION="${cyc_revision}")
        endif()
    endforeach()
endfunction()
