#include "headroom/passes/pass_dump.h"

#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include "headroom/base/atomic_file.h"
#include "headroom/base/errors.h"
#include "headroom/graph/text.h"

namespace headroom {

PassTrace trace_passes(const RunOptions& options) {
  PassTrace trace;
  trace.disabled = options.disable_passes;
  if (options.dump_passes.empty()) return trace;
  create_directories(options.dump_passes);
  trace.watch = [directory = options.dump_passes, count = std::make_shared<int>(0)](
                    std::string_view pass, const Graph& before, const Graph& after) {
    const std::string stem = fmt::format("{}/{:02}-{}-{}", directory, ++*count, after.name, pass);
    write_file_atomically(stem + ".graph", to_text(after));
    write_file_atomically(stem + ".diff", diff(before, after));
  };
  return trace;
}

void finish_trace(const PassTrace& trace, const RunOptions& options) {
  check_disabled(trace);
  if (!options.verbose) return;
  for (const auto& [pass, seconds] : trace.seconds) fmt::print(stderr, "pass {:<24} {:8.2f} ms\n", pass, seconds * 1e3);
}

}  // namespace headroom
