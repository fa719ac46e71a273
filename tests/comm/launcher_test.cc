#include "headroom/comm/launcher.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// The environment of a launcher, and of no other, for a scope.
class LauncherEnvironment {
 public:
  explicit LauncherEnvironment(const std::map<std::string, std::string>& variables) {
    for (const char* name : kNames) ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~LauncherEnvironment() {
    for (const char* name : kNames) ::unsetenv(name);
  }
  LauncherEnvironment(const LauncherEnvironment&) = delete;
  LauncherEnvironment& operator=(const LauncherEnvironment&) = delete;

 private:
  static constexpr const char* kNames[] = {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK",    "PMI_SIZE",
                                           "SLURM_PROCID",         "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"};
};

std::string launch_in(const std::map<std::string, std::string>& variables) {
  const LauncherEnvironment environment(variables);
  const auto launch = find_launch_of_several();
  return launch ? fmt::format("{}: {} of {}", name_of(launch->launcher), launch->rank, launch->size) : "alone";
}

TEST(Launcher, IsKnownByItsEnvironment) {
  EXPECT_EQ(launch_in({}), "alone");
  EXPECT_EQ(launch_in({{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), "mpirun of Open MPI: 2 of 4");
  EXPECT_EQ(launch_in({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}), "mpiexec of MPICH: 0 of 2");
  EXPECT_EQ(launch_in({{"SLURM_PROCID", "7"}, {"SLURM_STEP_NUM_TASKS", "8"}}), "srun: 7 of 8");
  EXPECT_EQ(launch_in({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}), "alone");
}

TEST(Launcher, OfAnMpirunInsideSlurmIsMpirun) {
  EXPECT_EQ(launch_in({{"OMPI_COMM_WORLD_RANK", "2"},
                       {"OMPI_COMM_WORLD_SIZE", "4"},
                       {"SLURM_PROCID", "1"},
                       {"SLURM_STEP_NUM_TASKS", "2"}}),
            "mpirun of Open MPI: 2 of 4");
  EXPECT_EQ(launch_in({{"OMPI_COMM_WORLD_RANK", "0"},
                       {"OMPI_COMM_WORLD_SIZE", "1"},
                       {"SLURM_PROCID", "1"},
                       {"SLURM_STEP_NUM_TASKS", "2"}}),
            "alone");
}

TEST(Launcher, OfABatchScriptIsNone) { EXPECT_EQ(launch_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}), "alone"); }

TEST(Launcher, NumbersThatCannotBeAreSomebodyElses) {
  EXPECT_EQ(launch_in({{"PMI_RANK", "two"}, {"PMI_SIZE", "4"}}), "alone");
  EXPECT_EQ(launch_in({{"PMI_RANK", "4"}, {"PMI_SIZE", "4"}}), "alone");
  EXPECT_EQ(launch_in({{"PMI_RANK", "-1"}, {"PMI_SIZE", "4"}}), "alone");
}

TEST(Launcher, OfAnotherLibraryIsRefused) {
  EXPECT_NO_THROW(check_launch({Launcher::slurm, 1, 4}, 1, 4, "Open MPI 4.1.4"));
  EXPECT_ERROR(
      InvalidInput,
      "srun started 4 processes, but MPI connects 1: headroom was built with Open MPI 4.1.4; try srun --mpi=pmix",
      check_launch({Launcher::slurm, 1, 4}, 0, 1, "Open MPI 4.1.4"));
  EXPECT_ERROR(InvalidInput, "try the mpirun of that library",
               check_launch({Launcher::mpich, 1, 4}, 0, 1, "Open MPI 4.1.4"));
}

}  // namespace
}  // namespace headroom
