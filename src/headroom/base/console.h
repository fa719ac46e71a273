// What the process says: results on standard output, where none may be lost, and notes on standard error, where what
// cannot be written is dropped: a job does not end because nobody listens. Nothing else writes to either.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace headroom {

// What write_result() throws when the reader of standard output is gone (`| head`): the job ends without a word.
struct ReaderGone {};

// Gives the standard streams that the process was started without (`2>&-`) a place that takes nothing, so that no file
// it opens becomes one of them. Before any file is opened.
void hold_standard_streams();

// All of it to standard output. Throws MachineFailure where it cannot be written: a full disk, a closed stream.
void write_result(std::string_view text);
// To standard error, as far as it can be written.
void write_note(std::string_view text) noexcept;

template <class... Args>
void print_result(fmt::format_string<Args...> text, Args&&... args) {
  write_result(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
void print_note(fmt::format_string<Args...> text, Args&&... args) {
  write_note(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace headroom
