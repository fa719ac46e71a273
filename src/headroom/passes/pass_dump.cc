#include "headroom/passes/pass_dump.h"

#include <fmt/core.h>

#include <memory>

#include "headroom/base/atomic_file.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/graph/text.h"

namespace headroom {

PassTrace trace_passes(const TraceSettings& settings) {
  PassTrace trace;
  trace.disabled = settings.disabled;
  if (settings.directory.empty()) return trace;
  create_directories(settings.directory);
  trace.watch = [directory = settings.directory, count = std::make_shared<int>(0)](
                    std::string_view pass, const Graph& before, const Graph& after) {
    const std::string stem = fmt::format("{}/{:02}-{}-{}", directory, ++*count, after.name, pass);
    write_file_atomically(stem + ".graph", to_text(after));
    write_file_atomically(stem + ".diff", diff(before, after));
  };
  return trace;
}

void finish_trace(const PassTrace& trace, const TraceSettings& settings) {
  check_disabled(trace);
  if (!settings.says_seconds) return;
  for (const auto& [pass, seconds] : trace.seconds) print_note("pass {:<24} {:8.2f} ms\n", pass, seconds * 1e3);
}

}  // namespace headroom
