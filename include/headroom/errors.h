// The errors that headroom throws. Every message is one sentence of the form
//   what is wrong (where); expected X, got Y; try Z
// The type says who can mend it and decides the exit code of the command line (docs/cli.md).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <type_traits>

namespace headroom {

// What a message is made from, checked at compile time; complete only inside headroom (base/errors.h). Programs catch.
template <class... Args>
struct ErrorText;
template <class... Args>
using ErrorTextFor = ErrorText<std::type_identity_t<Args>...>;

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The user can mend it: a flag, a file, a config, a prompt. Exit code 2.
class InvalidInput : public Error {
 public:
  template <class... Args>
  explicit InvalidInput(ErrorTextFor<Args...> text, Args&&... args);
};

// The job is sound but does not fit. `smallest_budget_bytes` is the smallest budget that works (0: unknown). Exit
// code 3.
class BudgetExceeded : public Error {
 public:
  template <class... Args>
  explicit BudgetExceeded(int64_t smallest_budget, ErrorTextFor<Args...> text, Args&&... args);
  int64_t smallest_budget_bytes;
};

// The machine failed: a full disk, an I/O error, memory the kernel will not give. Exit code 4.
class MachineFailure : public Error {
 public:
  template <class... Args>
  explicit MachineFailure(ErrorTextFor<Args...> text, Args&&... args);
};

// A broken promise inside headroom itself; never the user's fault. Exit code 1.
class InternalError : public Error {
 public:
  template <class... Args>
  explicit InternalError(ErrorTextFor<Args...> text, Args&&... args);
};

}  // namespace headroom
