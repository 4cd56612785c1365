# SPDX-License-Identifier: Apache-2.0
# Compiler flags for all our own code (target ks_flags), and the switches that the presets set.
#
# The hardening set is the OpenSSF compiler guide's (2026-06-30), less what gcc 12 and clang 14 refuse.

option(KS_WERROR "Treat warnings as errors" OFF)
set(KS_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
option(KS_COVERAGE "Instrument for gcov" OFF)
option(KS_HARDEN "Hardening flags of release builds" ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# assert() guards our own mistakes and stays on in every build.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

add_library(ks_flags INTERFACE)
target_compile_definitions(ks_flags INTERFACE _GNU_SOURCE KS_VERSION="${PROJECT_VERSION}")
target_compile_options(ks_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
  -Wswitch-enum -Wformat=2 -Wcast-qual -fno-common
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(KS_WERROR)
  target_compile_options(ks_flags INTERFACE -Werror)
endif()
if(KS_SANITIZE)
  add_compile_options(-fsanitize=${KS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KS_SANITIZE})
elseif(KS_HARDEN)
  target_compile_options(ks_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(ks_flags INTERFACE
      -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -Wtrampolines -Wbidi-chars=any)
  endif()
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(ks_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen)
endif()
if(KS_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
