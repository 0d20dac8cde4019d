# SPDX-License-Identifier: Apache-2.0
# wolfSSL from the sources of any Debian suite (5.5.4, 5.7.2, 5.9.2), with the assembly that the
# packaged library leaves out. user_settings.h beside this file replaces its configure script.

file(GLOB sources ${SOURCE}/src/*.c ${SOURCE}/wolfcrypt/src/*.c)
# Files that others include, and ports for other processors.
set(unwanted
    conf x509 x509_str bio pk ssl_asn1 pk_ec pk_rsa ssl_api_cert ssl_api_crl_ocsp ssl_api_dtls
    ssl_api_ext ssl_api_pk ssl_bn ssl_certman ssl_crypto ssl_load ssl_misc ssl_p7p12 ssl_sess
    ssl_sk ssl_ech misc evp evp_pk wolfcrypt_first wolfcrypt_last fips fips_test selftest async
    integer tfm sp_arm32 sp_armthumb sp_arm64 sp_cortexm sp_dsp32 sp_sm2_c32 sp_sm2_c64
    sp_sm2_x86_64 sp_sm2_arm32 sp_sm2_arm64 sp_sm2_armthumb sp_sm2_cortexm)
foreach(name IN LISTS unwanted)
    list(FILTER sources EXCLUDE REGEX "/${name}\\.c$")
endforeach()
add_library(wolfssl STATIC ${sources})

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    foreach(name aes_asm aes_gcm_asm chacha_asm fe_x25519_asm poly1305_asm sha256_asm sha512_asm
            sha3_asm wc_mlkem_asm wc_kyber_asm sp_x86_64_asm)
        if(EXISTS ${SOURCE}/wolfcrypt/src/${name}.S)
            list(APPEND assembly ${SOURCE}/wolfcrypt/src/${name}.S)
        endif()
    endforeach()
    target_sources(wolfssl PRIVATE ${assembly})
    # 5.5 and 5.7 do not read user_settings.h in their .S files.
    set_source_files_properties(${assembly} PROPERTIES
        COMPILE_DEFINITIONS "WOLFSSL_X86_64_BUILD;HAVE_AESGCM")
    # AES-NI is used after asking the processor; the intrinsics still need the switch.
    set_source_files_properties(${SOURCE}/wolfcrypt/src/aes.c PROPERTIES COMPILE_OPTIONS -maes)
endif()

target_include_directories(wolfssl PRIVATE ${CMAKE_CURRENT_LIST_DIR} ${SOURCE})
target_compile_definitions(wolfssl PRIVATE WOLFSSL_USER_SETTINGS BUILDING_WOLFSSL)
target_compile_options(wolfssl PRIVATE
    -w -fvisibility=hidden -fno-strict-aliasing -ffunction-sections -fdata-sections
    -fstack-protector-strong $<$<COMPILE_LANGUAGE:C>:-D_FORTIFY_SOURCE=2>)

install(DIRECTORY ${SOURCE}/wolfssl DESTINATION include FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_CURRENT_LIST_DIR}/user_settings.h DESTINATION include)
