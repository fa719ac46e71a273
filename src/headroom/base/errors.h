// The typed errors of headroom. Every message is one sentence of the form
//   what is wrong (where); expected X, got Y; try Z
// The category decides the exit code of the command line (docs/cli.md): bad input 2, budget 3, machine 4.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace headroom {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The user can mend it: a flag, a file, a config, a prompt.
class InvalidInput : public Error {
 public:
  template <class... Args>
  explicit InvalidInput(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

// The job is sound but does not fit. `smallest_budget_bytes` is the smallest budget that works (0: unknown).
class BudgetExceeded : public Error {
 public:
  template <class... Args>
  explicit BudgetExceeded(int64_t smallest_budget, fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)), smallest_budget_bytes(smallest_budget) {}
  int64_t smallest_budget_bytes;
};

// The machine failed: a full disk, an I/O error, memory the kernel will not give.
class MachineFailure : public Error {
 public:
  template <class... Args>
  explicit MachineFailure(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

// A broken promise inside headroom itself; never the user's fault.
class InternalError : public Error {
 public:
  template <class... Args>
  explicit InternalError(fmt::format_string<Args...> text, Args&&... args)
      : Error("internal error: " + fmt::format(text, std::forward<Args>(args)...)) {}
};

// Throws InternalError unless `holds`. For promises between floors; user input gets InvalidInput with its own words.
template <class... Args>
void ensure(bool holds, fmt::format_string<Args...> text, Args&&... args) {
  if (!holds) throw InternalError(text, std::forward<Args>(args)...);
}

}  // namespace headroom
