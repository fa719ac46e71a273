// How the errors of headroom/errors.h are made: `throw InvalidInput("{}: {} rows; expected {}", path, got, expected)`,
// the text checked against its arguments by the compiler. The public header stays free of fmt.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

#include "headroom/errors.h"

namespace headroom {

template <class... Args>
struct ErrorText {
  template <class S>
  consteval ErrorText(const S& text) : format(text) {}  // implicit: string literals become texts
  fmt::format_string<Args...> format;
};

template <class... Args>
InvalidInput::InvalidInput(ErrorTextFor<Args...> text, Args&&... args)
    : Error(fmt::format(text.format, std::forward<Args>(args)...)) {}

template <class... Args>
BudgetExceeded::BudgetExceeded(int64_t smallest_budget, ErrorTextFor<Args...> text, Args&&... args)
    : Error(fmt::format(text.format, std::forward<Args>(args)...)), smallest_budget_bytes(smallest_budget) {}

template <class... Args>
MachineFailure::MachineFailure(ErrorTextFor<Args...> text, Args&&... args)
    : Error(fmt::format(text.format, std::forward<Args>(args)...)) {}

template <class... Args>
InternalError::InternalError(ErrorTextFor<Args...> text, Args&&... args)
    : Error("internal error: " + fmt::format(text.format, std::forward<Args>(args)...)) {}

// Throws InternalError unless `holds`. For promises between floors; user input gets InvalidInput with its own words.
template <class... Args>
void ensure(bool holds, ErrorTextFor<Args...> text, Args&&... args) {
  if (!holds) throw InternalError(text, std::forward<Args>(args)...);
}

}  // namespace headroom
