#include "headroom/comm/launcher.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

struct LauncherNames {
  Launcher launcher;
  const char* rank;
  const char* size;
};

// The innermost first: mpirun under Slurm leaves both. A batch script has Slurm's number of tasks without being one of
// them, but no step.
constexpr LauncherNames kLaunchers[] = {
    {Launcher::open_mpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {Launcher::mpich, "PMI_RANK", "PMI_SIZE"},
    {Launcher::slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
};

// The variable's number, or -1.
int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return -1;
  const std::string_view view = text;
  int number = -1;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  return error == std::errc() && end == view.data() + view.size() ? number : -1;
}

}  // namespace

const char* name_of(Launcher launcher) {
  constexpr const char* kNames[] = {"mpirun of Open MPI", "mpiexec of MPICH", "srun"};
  return kNames[static_cast<int>(launcher)];
}

std::optional<Launch> find_launch_of_several() {
  for (const LauncherNames& names : kLaunchers) {
    const int rank = number_in(names.rank), size = number_in(names.size);
    if (rank < 0 || rank >= size) continue;
    return size > 1 ? std::optional(Launch{names.launcher, rank, size}) : std::nullopt;
  }
  return std::nullopt;
}

void check_launch(const Launch& launch, int mpi_rank, int mpi_size, const std::string& library) {
  if (mpi_size == launch.size && mpi_rank == launch.rank) return;
  throw InvalidInput("{} started {} processes, but MPI connects {}: headroom was built with {}; try {}",
                     name_of(launch.launcher), launch.size, mpi_size, library,
                     launch.launcher == Launcher::slurm ? "srun --mpi=pmix" : "the mpirun of that library");
}

}  // namespace headroom
