// Which weights may stay in the files of a model, in which order they leave, and how the files hold them.
#include "headroom/generate/stream_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/grouped_format.h"
#include "headroom/models/presets.h"
#include "headroom/models/weights.h"
#include "headroom/ops/arrange.h"

namespace headroom {
namespace {

const std::string kLlamaData = HEADROOM_SOURCE_DIR "/tests/data/";

std::unique_ptr<Model> three_layers(bool tied) {
  Preset preset = *find_preset("tiny-4m");
  preset.size = {1000, 128, 256, 3, 2, 2};
  return make_model(config_of(preset).with("tie_word_embeddings", tied));
}

std::vector<std::string> names_of(const StreamSource& source) {
  std::vector<std::string> names;
  for (const StreamSource::Weight& weight : source.weights()) names.push_back(weight.name);
  return names;
}

TEST(StreamSource, TheTableLeavesFirstAndTheOutputLast) {
  const auto model = three_layers(false);
  const StreamSource source(*model);
  const std::vector<std::string> names = names_of(source);
  ASSERT_EQ(names.size(), 3u * 7 + 2);
  EXPECT_EQ(names.front(), "model.embed_tokens.weight");
  EXPECT_EQ(names.back(), "lm_head.weight");
  EXPECT_EQ(source.before_output(), names.size() - 1);
  EXPECT_TRUE(source.is_table(names.front()));
  // What leaves first is of all layers.
  for (const char* layer : {"layers.0.", "layers.1.", "layers.2."}) {
    EXPECT_TRUE(std::any_of(names.begin() + 1, names.begin() + 8, [&](const std::string& name) {
      return name.find(layer) != std::string::npos;
    })) << layer;
  }
}

TEST(StreamSource, ATableThatIsTheOutputLeavesLast) {
  const auto model = three_layers(true);
  const StreamSource source(*model);
  EXPECT_EQ(names_of(source).back(), "model.embed_tokens.weight");
  EXPECT_EQ(source.before_output(), source.weights().size() - 1);
  ASSERT_EQ(source.tables().size(), 1u);
  EXPECT_EQ(source.tables()[0].prefix, "");
}

TEST(StreamSource, FilesOfBlocksHoldMatricesOtherwise) {
  const auto model = three_layers(false);
  take_formats_of_q8(*model);
  for (const bool in_blocks : {false, true}) {
    const StreamSource source(*model, in_blocks);
    for (const StreamSource::Weight& weight : source.weights()) {
      EXPECT_EQ(weight.arrangement.has_value(), in_blocks && !source.is_table(weight.name)) << weight.name;
      if (weight.arrangement) {
        EXPECT_EQ(weight.arrangement->dtype, q8_blocks());
      }
    }
  }
}

// gqa.gguf holds the model of gqa: rows of queries and keys alternate between the halves of a head of 8.
TEST(StreamSource, AReferenceHasNamesOfItsOwnAndItsFilesAreItsOwn) {
  const JsonObject config = read_config(kLlamaData + "llama/gqa");
  const auto model = make_model(config), reference = make_model(config);
  take_stored_formats(WeightFiles(kLlamaData + "llama/gqa"), *model);
  take_stored_formats(WeightFiles(kLlamaData + "gguf/gqa.gguf"), *reference);
  StreamSource source(kLlamaData + "llama/gqa", *model);
  const size_t alone = source.weights().size();
  source.add_reference(kLlamaData + "gguf/gqa.gguf", *reference);
  EXPECT_EQ(source.weights().size(), 2 * alone);
  ASSERT_EQ(source.tables().size(), 2u);
  EXPECT_EQ(source.tables()[1].name, "reference." + source.tables()[0].name);
  EXPECT_EQ(source.tables()[1].prefix, "reference.");
  for (const StreamSource::Weight& weight : source.weights()) {
    const bool turns = weight.name.ends_with("q_proj.weight") || weight.name.ends_with("k_proj.weight");
    const bool is_reference = weight.name.starts_with("reference.");
    ASSERT_EQ(weight.arrangement.has_value(), turns && is_reference) << weight.name;
    if (weight.arrangement) {
      EXPECT_EQ(weight.arrangement->head_rows, 8);
    }
  }
}

}  // namespace
}  // namespace headroom
