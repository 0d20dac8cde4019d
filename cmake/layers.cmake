# SPDX-License-Identifier: Apache-2.0
# Layers as OBJECT libraries, and how programs link them.

set_property(GLOBAL PROPERTY CYC_LAYERS "")

# cyc_layer(<folder> [WITHOUT <files>] [DEPENDS <cyc::library>...])
# All .c files of the calling folder become the object library cyc_<folder>. It sees the
# libraries named here only: a third-party header used elsewhere does not compile by accident.
function(cyc_layer folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "WITHOUT;DEPENDS")
    file(GLOB sources CONFIGURE_DEPENDS *.c)
    foreach(name IN LISTS arg_WITHOUT)
        list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    endforeach()
    if(sources)
        cyc_use_revision(${sources})
        add_library(cyc_${folder} OBJECT ${sources})
        set(scope PUBLIC)
        set_property(GLOBAL APPEND PROPERTY CYC_LAYERS cyc_${folder})
    else()
        add_library(cyc_${folder} INTERFACE) # headers only
        set(scope INTERFACE)
    endif()
    target_link_libraries(cyc_${folder} ${scope} cyc_flags Threads::Threads)
    foreach(library IN LISTS arg_DEPENDS)
        if(TARGET ${library}) # an optional library may be absent
            target_link_libraries(cyc_${folder} ${scope} ${library})
            set_property(GLOBAL APPEND PROPERTY CYC_LIBRARIES ${library})
        endif()
    endforeach()
endfunction()

# Links the objects of every layer into a program: no archive in between, so LTO sees it whole.
function(cyc_link_all_layers program)
    get_property(layers GLOBAL PROPERTY CYC_LAYERS)
    target_link_libraries(${program} PRIVATE ${layers})
    if(TARGET cyc::allocator)
        target_link_libraries(${program} PRIVATE -Wl,--no-as-needed cyc::allocator -Wl,--as-needed)
    endif()
endfunction()

# One archive of all layers: a test then links only the objects it uses, which is much quicker.
function(cyc_merge_layers archive)
    get_property(layers GLOBAL PROPERTY CYC_LAYERS)
    file(WRITE ${CMAKE_BINARY_DIR}/nothing.c "typedef int cyc_nothing;\n")
    add_library(${archive} STATIC ${CMAKE_BINARY_DIR}/nothing.c)
    target_link_libraries(${archive} PUBLIC cyc_flags Threads::Threads)
    foreach(layer IN LISTS layers)
        target_sources(${archive} PRIVATE $<TARGET_OBJECTS:${layer}>)
    endforeach()
    get_property(libraries GLOBAL PROPERTY CYC_LIBRARIES)
    list(FILTER libraries INCLUDE REGEX "^cyc::") # the layers themselves are in the archive
    target_link_libraries(${archive} PUBLIC ${libraries})
endfunction()
