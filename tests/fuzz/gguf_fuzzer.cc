// A GGUF file: refused with a sentence, or sound; so are the config, the weights and the tokenizer in it.
#include <nlohmann/json.hpp>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_config.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/gguf/gguf_weights.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/models/model.h"
#include "tests/fuzz/input_file.h"

namespace {

constexpr int64_t kMostElements = 4096;

template <class Use>
void unless_refused(Use use) {
  try {
    use();
  } catch (const headroom::InvalidInput&) {
  }
}

void read_weights(const std::string& path) {
  const headroom::GgufWeights weights(path);
  for (int64_t i = 0; i < weights.count(); ++i) {
    const headroom::StoredTensor tensor = weights.tensor(i);
    if (weights.find(tensor.name) != i) std::abort();
    const int64_t elements = tensor.shape.elements();
    if (elements > kMostElements) continue;
    std::vector<float> out(static_cast<size_t>(elements));
    unless_refused(
        [&] { weights.read(tensor, 0, elements, headroom::DType::f32, out.data(), headroom::NanCheck::refuse); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const headroom::testing::InputFile input(data, size);
  const std::string path = input.path();
  unless_refused([&] {
    const headroom::GgufFile file(path);
    for (const std::string_view key : file.keys()) file.show(key);
    unless_refused([&] { headroom::make_model(headroom::JsonObject::of(headroom::gguf_config(file), path)); });
    unless_refused([&] { read_weights(path); });
    unless_refused([&] { headroom::load_gguf_tokenizer(path); });
  });
  return 0;
}
