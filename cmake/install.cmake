# `make install`: the command, the shared library with the public headers for C++ programs, and the completion of bash.
# A program finds them with find_package(headroom) and links headroom::headroom, or with pkg-config headroom.
include(CMakePackageConfigHelpers)

# The objects are linked whole, so that ops, kernels, models and passes find themselves in their sections.
add_library(headroom_shared SHARED)
target_link_libraries(headroom_shared PRIVATE headroom)
target_include_directories(headroom_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(headroom_shared INTERFACE cxx_std_20)
set_target_properties(headroom_shared PROPERTIES OUTPUT_NAME headroom EXPORT_NAME headroom LINKER_LANGUAGE CXX
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

if(TARGET headroom_cli)
  install(TARGETS headroom_cli RUNTIME)
endif()
install(TARGETS headroom_shared EXPORT headroom LIBRARY)
if(TARGET headroom_mpi)
  install(TARGETS headroom_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/headroom)
endif()
install(DIRECTORY include/headroom DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES completions/headroom.bash RENAME headroom
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/headroom)
install(EXPORT headroom NAMESPACE headroom:: FILE headroomConfig.cmake DESTINATION ${package_dir})
write_basic_package_version_file(headroomConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headroomConfigVersion.cmake DESTINATION ${package_dir})

configure_file(cmake/headroom.pc.in headroom.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headroom.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
