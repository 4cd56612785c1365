# SPDX-License-Identifier: Apache-2.0
# ks_layer(NAME [DEPENDS layer...] [LIBS lib...]): one static library per layer under internal/.
# The DEPENDS list is the architecture: only layers declared above may be named.
function(ks_layer name)
  cmake_parse_arguments(L "" "" "DEPENDS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/internal/${name}/*.c)
  add_library(ks_${name} STATIC ${sources})
  target_include_directories(ks_${name} PUBLIC ${CMAKE_SOURCE_DIR}/internal)
  foreach(dep IN LISTS L_DEPENDS)
    if(NOT TARGET ks_${dep})
      message(FATAL_ERROR "layer '${name}' depends on '${dep}', which is not below it")
    endif()
    target_link_libraries(ks_${name} PUBLIC ks_${dep})
  endforeach()
  target_link_libraries(ks_${name} PRIVATE ks_flags ${L_LIBS})
endfunction()
