// Who started this process, and as which of how many: what launchers leave in the environment.
#pragma once

#include <optional>
#include <string>

namespace headroom {

enum class Launcher { open_mpi, mpich, slurm };

struct Launch {
  Launcher launcher = Launcher::open_mpi;
  int rank = 0;
  int size = 1;
};

// "mpirun of Open MPI", "mpiexec of MPICH", "srun".
const char* name_of(Launcher launcher);

// What the environment says where several processes were started together; nothing for one that was started by itself,
// also inside a Slurm batch script.
std::optional<Launch> find_launch_of_several();

// Throws InvalidInput when MPI connects another number of processes than were started: `library` is then not the
// launcher's, and each process would take itself for rank 0 of 1.
void check_launch(const Launch& launch, int mpi_rank, int mpi_size, const std::string& library);

}  // namespace headroom
