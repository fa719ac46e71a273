#include "headroom/comm/mpi_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <vector>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr char kModuleFile[] = "headroom_mpi.so";

std::vector<fs::path> module_places() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<fs::path> places = {program / kModuleFile, program.parent_path() / kModuleDirectory / kModuleFile};
  // A program that links libheadroom.so: its own place.
  Dl_info own = {};
  if (::dladdr(reinterpret_cast<const void*>(&load_mpi_module), &own) != 0 && own.dli_fname != nullptr) {
    places.push_back(fs::path(own.dli_fname).parent_path() / "headroom" / kModuleFile);
  }
  return places;
}

}  // namespace

const HeadroomMpi& load_mpi_module() {
  const std::vector<fs::path> places = module_places();
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (!fs::exists(place, ignored)) continue;
    // Open MPI's own modules look for the library's symbols in the global scope.
    void* module = ::dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (module == nullptr) {
      throw InvalidInput("{} cannot be loaded: {}; try apt-get install openmpi-bin", place.string(), ::dlerror());
    }
    const auto entry = reinterpret_cast<HeadroomMpiEntry>(::dlsym(module, kHeadroomMpiSymbol));
    const HeadroomMpi* mpi = entry == nullptr ? nullptr : entry();
    if (mpi == nullptr || mpi->abi != kHeadroomMpiAbi) {
      throw InvalidInput("{} belongs to another version of headroom; try building or installing both again",
                         place.string());
    }
    return *mpi;
  }
  throw InvalidInput(
      "a launcher started several processes of headroom, but this build has no MPI: no {} (looked at {}); "
      "try apt-get install libopenmpi-dev openmpi-bin and building again",
      kModuleFile, places.front().string());
}

}  // namespace headroom
