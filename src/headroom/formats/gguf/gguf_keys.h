// The metadata of a GGUF file that belong to its architecture, "llama.block_count", and the architectures that both it
// and Hugging Face's files have.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {

struct GgufArchitecture {
  std::string_view name;          // general.architecture
  std::string_view hugging_face;  // of config.json's "architectures"
  bool interleaved = false;       // rows of queries and keys are in another order (gguf_names.h)
  bool has_latents = false;       // heads share latents (gguf_deepseek2.h)
};
// By the name of Hugging Face. Throws InvalidInput beginning with `where` and listing those that are known.
const GgufArchitecture& find_gguf_architecture(std::string_view hugging_face, std::string_view where);

// Metadata are f32: 1e-6 reads as 9.99999997e-07. The shortest decimal that rounds to it is what was meant.
double gguf_decimal(double value);

// The keys of one file, and which of them have been asked for.
class GgufKeys {
 public:
  static constexpr int64_t kLargest = int64_t{1} << 24;  // of any dimension

  // Throws InvalidInput for an architecture that is not known.
  explicit GgufKeys(const GgufFile& file);

  const GgufFile& file() const { return file_; }
  const GgufArchitecture& architecture() const { return architecture_; }
  std::string full(std::string_view key);
  bool has(std::string_view key) { return file_.has(full(key)); }
  int64_t integer(std::string_view key, int64_t max = kLargest) { return file_.integer(full(key), 1, max); }
  int64_t integer_or(std::string_view key, int64_t fallback, int64_t max = kLargest) {
    return has(key) ? integer(key, max) : fallback;
  }
  double decimal_or(std::string_view key, double fallback, double min, double max) {
    return gguf_decimal(file_.real_or(full(key), fallback, min, max));
  }
  // Refuses a key whose value is not the one that headroom computes with.
  void expect(std::string_view key, bool holds, const std::string& expected);
  // Those that nobody asked for and that might change the numbers, as fields that the model will not know either.
  void add_others(nlohmann::ordered_json& config) const;

 private:
  const GgufFile& file_;
  const GgufArchitecture& architecture_;
  std::vector<std::string> asked_;
};

}  // namespace headroom
