#include "headroom/formats/gguf/gguf_keys.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr GgufArchitecture kArchitectures[] = {
    {.name = "llama", .hugging_face = "LlamaForCausalLM", .interleaved = true},
    {.name = "qwen2", .hugging_face = "Qwen2ForCausalLM"},
    {.name = "deepseek2", .hugging_face = "DeepseekV2ForCausalLM", .has_latents = true},
    {.name = "deepseek2", .hugging_face = "DeepseekV3ForCausalLM", .has_latents = true}};

// Keys of the architecture that decide nothing here, or whose tensors say it already.
constexpr std::array<std::string_view, 5> kHarmless = {"vocab_size", "rope.scaling.finetuned", "tensor_data_layout",
                                                       "rope.scaling.original_context_length", "expert_used_count"};

const GgufArchitecture& find(std::string_view GgufArchitecture::*side, std::string_view name, std::string_view where) {
  std::vector<std::string_view> known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (architecture.*side == name) return architecture;
    if (std::find(known.begin(), known.end(), architecture.*side) == known.end()) known.push_back(architecture.*side);
  }
  throw InvalidInput("{}: {} is not supported; expected one of {}", where, printable(name), fmt::join(known, ", "));
}

}  // namespace

const GgufArchitecture& find_gguf_architecture(std::string_view hugging_face, std::string_view where) {
  return find(&GgufArchitecture::hugging_face, hugging_face, where);
}

double gguf_decimal(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(value)).ptr;
  double decimal = value;
  std::from_chars(digits.data(), end, decimal);
  return decimal;
}

GgufKeys::GgufKeys(const GgufFile& file)
    : file_(file),
      architecture_(
          find(&GgufArchitecture::name, file.text("general.architecture"), file.path() + ": general.architecture")) {}

std::string GgufKeys::full(std::string_view key) {
  asked_.emplace_back(key);
  return fmt::format("{}.{}", architecture_.name, key);
}

void GgufKeys::expect(std::string_view key, bool holds, const std::string& expected) {
  if (!holds) throw InvalidInput("{}: {}: is not supported; expected {}", file_.path(), full(key), expected);
}

void GgufKeys::add_others(nlohmann::ordered_json& config) const {
  const std::string prefix = std::string(architecture_.name) + ".";
  for (const std::string_view key : file_.keys()) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view name = key.substr(prefix.size());
    if (std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end()) continue;
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    config[printable(key)] = file_.show(key);
  }
}

}  // namespace headroom
