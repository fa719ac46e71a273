// headroom_mpi.so, found and loaded: only a process that a launcher started as one of several pays for MPI.
#pragma once

#include <string_view>

#include "headroom/comm/mpi/module_abi.h"

namespace headroom {

// Where `make install` puts the module, below the prefix; made by the build.
extern const std::string_view kModuleDirectory;

// Looks beside the program, where a build leaves it, then in headroom/ beside the library or under the program's
// prefix, where `make install` puts it. Loaded for the life of the process. Throws InvalidInput that says what is
// missing and how to get it.
const HeadroomMpi& load_mpi_module();

}  // namespace headroom
