// A config.json: refused with a sentence, or a model whose parameters can be counted.
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/model.h"
#include "tests/fuzz/input_file.h"

namespace {

constexpr int64_t kMostLayers = 256;  // beyond, a list of parameters takes its time

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const headroom::testing::InputFile input(data, size);
  try {
    const auto model = headroom::make_model(headroom::JsonObject::read(input.path()));
    if (model->layers() <= kMostLayers && headroom::parameter_count(*model) <= 0) std::abort();
    if (model->rotary_frequencies().empty()) std::abort();
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
