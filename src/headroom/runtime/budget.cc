#include "headroom/runtime/budget.h"

#include <algorithm>
#include <filesystem>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/comm/mpi_memory.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

// Measured on x86-64 Debian 12 over all verbs (bench/memory.py prints the margin): code and libraries that a job
// touches, the C++ runtime, buffers of the standard library.
constexpr int64_t kProgramBytes = 10 * kMiB + 320 * kKiB;
constexpr int64_t kThreadBytes = 32 * kKiB;  // touched stack and kernel stack of a worker
// Graph, plan and executor of a node; of the largest graph, and where a way is searched for of each, also what planning
// takes, and loading its weights.
constexpr int64_t kExchangeBytes = 64;  // of a node with each other rank; every third or so has messages
constexpr int64_t kNodeBytes = 1700;
constexpr int64_t kFurtherNodeBytes = 1152;
constexpr int64_t kFurtherSearchedNodeBytes = 1280;

// The slice of a binding, and while it is loaded what is known of the tensor: the most where other programs coded it.
constexpr int64_t kStackedTensorBytes = 2304;

constexpr int64_t kUsualStartBytes = 64 * kKiB;  // in kProgramBytes: the texts and the environment of most commands
constexpr int64_t kTextBytes = 64;               // of a copy beside the characters: a string and a block of the heap
constexpr int64_t kUsualConfigBytes = 16 * kKiB;
constexpr int64_t kConfigCopyBytes = 16;  // for each byte of a config: a tree of its fields, twice
constexpr int64_t kCommandCopies = 2;     // the parser's and the options'

}  // namespace

int64_t named_text_bytes(std::span<const std::string> texts, int copies) {
  int64_t bytes = 0;
  for (const std::string& text : texts) {
    const auto size = static_cast<int64_t>(text.size());
    bytes += size + 1 + static_cast<int64_t>(sizeof(char*)) + (kCommandCopies + copies) * (size + kTextBytes);
  }
  return bytes;
}

int64_t config_bytes(const std::string& model) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path file = fs::is_directory(model, error) ? fs::path(model) / "config.json" : fs::path(model);
  if (file.extension() != ".json") return 0;
  const auto size = static_cast<int64_t>(fs::file_size(file, error));
  return error ? 0 : kConfigCopyBytes * std::max<int64_t>(size - kUsualConfigBytes, 0);
}

int64_t reserve_bytes(const ReserveInputs& inputs) {
  const int64_t start_bytes = inputs.text_bytes + environment_bytes();
  const int64_t program = kProgramBytes + std::max<int64_t>(start_bytes - kUsualStartBytes, 0);
  const int64_t nodes = inputs.graph_nodes + inputs.further_nodes;
  const int64_t node_bytes = inputs.graph_nodes * kNodeBytes +
                             inputs.further_nodes * (inputs.searched ? kFurtherSearchedNodeBytes : kFurtherNodeBytes) +
                             nodes * inputs.profile_node_bytes + inputs.stacked_tensors * kStackedTensorBytes;
  const int64_t ranks = communicator_reserve_bytes(inputs.ranks) + nodes * (inputs.ranks - 1) * kExchangeBytes;
  const int64_t beside_arena = program + ranks + (inputs.threads + inputs.reading_threads) * kThreadBytes +
                               inputs.tokenizer_bytes + node_bytes + inputs.buffer_bytes + inputs.arena_bytes / 512;
  const int64_t before_arena = program + communicator_reserve_bytes(inputs.ranks) + inputs.released_bytes;
  return round_up(std::max(beside_arena, before_arena - inputs.arena_bytes), kPageBytes);
}

Budget resolve_budget(std::string_view flag) {
  if (flag != "auto") return {parse_bytes(flag, "--memory"), false};
  const AvailableMemory available = available_memory(MemoryClaims().of_others());
  return {available.bytes / 10 * 9 + resident_bytes(), true, available.claimed_bytes};
}

std::string describe_claims(int64_t bytes) {
  return bytes == 0 ? "" : fmt::format(", beside {} that other runs of headroom have claimed", format_bytes(bytes));
}

int64_t missing_bytes(int64_t predicted_bytes, const MemoryClaims& own) {
  return predicted_bytes - resident_bytes() - available_memory(own.of_others()).bytes;
}

void check_machine(int64_t predicted_bytes, const Budget& budget, const MemoryClaims& own) {
  const AvailableMemory available = available_memory(own.of_others());
  const int64_t missing = predicted_bytes - resident_bytes() - available.bytes;
  if (missing <= 0) return;
  throw BudgetExceeded(0, "this job needs {}, but {} leaves {} now{}; free {} or try {}",
                       format_bytes_exactly(predicted_bytes), available.limit, format_bytes_exactly(available.bytes),
                       describe_claims(available.claimed_bytes), format_bytes(missing),
                       budget.automatic ? "again" : "--memory auto");
}

void check_reserve(int64_t reserve_bytes) {
  const int64_t held = peak_resident_bytes();
  if (held <= reserve_bytes) return;
  throw MachineFailure(
      "the process holds {} before its arena, {} more than the reserve of its plan; please report this",
      format_bytes_exactly(held), format_bytes(held - reserve_bytes));
}

}  // namespace headroom
