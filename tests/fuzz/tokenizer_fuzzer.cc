// A tokenizer.json: refused with a sentence, or a tokenizer that turns any text into ids it has, and those back to
// text.
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "tests/fuzz/input_file.h"

namespace {

constexpr std::string_view kText =
    "  Hello, world! 12345\r\n\tna\xc3\xafve \xe4\xbd\xa0\xe5\xa5\xbd \xff<s> don't\n\n ";

void use(const headroom::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  tokenizer.encode(kText, true, ids);
  headroom::StreamDecoder decoder(tokenizer, false);
  for (const int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
    decoder.push(id);
  }
  decoder.finish();
  tokenizer.decode(ids, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const headroom::testing::InputFile input(data, size);
  try {
    use(headroom::Tokenizer(input.path()));
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
