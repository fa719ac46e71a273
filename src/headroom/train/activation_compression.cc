#include "headroom/train/activation_compression.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/passes/compress_activations.h"

namespace headroom {

int64_t compression_bits(const TrainingRequest& options) {
  const std::string& format = options.compress_activations;
  if (format == "none") return 0;
  if (format == "sparse") {
    throw InvalidInput(
        "--compress-activations sparse: no op of this model makes many zeros (SiLU has none; ReLU would), so nothing "
        "would get smaller; expected bf16, 8 or 4");
  }
  const int64_t bits = format == "bf16" ? 16 : format == "8" ? 8 : format == "4" ? 4 : 0;
  if (bits == 0) {
    throw InvalidInput("--compress-activations {}: expected none, bf16, 8, 4 or sparse", format);
  }
  if (options.precision != "f32") {
    throw InvalidInput(
        "--compress-activations {}: compresses activations of f32, and --precision {} makes them 16 bits; expected one "
        "of the two",
        format, options.precision);
  }
  return bits;
}

std::string checkpointing_of(const TrainingRequest& options) {
  return options.checkpointing == "auto" && options.compress_activations != "none" ? "none" : options.checkpointing;
}

std::string describe_compression(const std::vector<Graph>& graphs) {
  for (const Graph& graph : graphs) {
    const CompressedBytes bytes = compressed_bytes(graph);
    if (graph.name != "step" || bytes.f32 == 0) continue;
    return fmt::format(", activations kept in {} instead of {} ({:.2f} times less)", format_bytes(bytes.compressed),
                       format_bytes(bytes.f32), static_cast<double>(bytes.f32) / static_cast<double>(bytes.compressed));
  }
  return "";
}

}  // namespace headroom
