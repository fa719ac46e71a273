// convert(): a model's weights from one format, dtype or cut into files to another, as a stream.
#include <fmt/core.h>

#include <array>

#include "headroom/api/convert_format.h"
#include "headroom/api/output_paths.h"
#include "headroom/base/errors.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

// Every format that convert writes.
constexpr std::array<const ConvertFormat*, 4> kFormats = {&kHuggingFaceFormat, &kGgufFormat, &kGptqFormat, &kAwqFormat};

const ConvertFormat& format_of(const ConvertOptions& options) {
  std::string names;
  for (const ConvertFormat* format : kFormats) {
    if (format->name == options.format) return *format;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format->name);
  }
  throw InvalidInput("--format {}: expected one of {}", options.format, names);
}

}  // namespace

ConvertResult convert(const ConvertOptions& options) {
  restart_peak();
  const ConvertFormat& format = format_of(options);
  if (options.output.empty()) throw InvalidInput("--output: expected a place for the converted model");
  check_output_paths(outputs_of(options, {{"--output", options.output}}),
                     {{"MODEL", options.model}, {"--adapter", options.adapter}});
  const std::unique_ptr<Conversion> conversion = format.open(options);
  return run_conversion(*conversion, options, {options.model, options.output},
                        {"converting", "conversion", "the converted model"});
}

}  // namespace headroom
