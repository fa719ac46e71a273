// What weights decide: the dtype that a config does not name, and an output layer of its own.
#include "headroom/models/settle_config.h"

#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/models/weights.h"
#include "tests/models/config_text.h"
#include "tests/temporary_directory.h"

namespace headroom::testing {
namespace {

class SettleConfig : public ::testing::Test {
 protected:
  // All tensors of `model` and an output layer, of elements 0.5; those of the output layer are `head`.
  void write(const Model& model, DType dtype, float head = 0.5f) {
    std::vector<TensorDeclaration> declarations;
    std::vector<Parameter> parameters = model.parameters();
    if (parameters.back().name != "lm_head.weight") parameters.push_back({"lm_head.weight", {64, 32}});
    for (const Parameter& parameter : parameters) declarations.push_back({parameter.name, {dtype, parameter.shape}});
    SafetensorsWriter writer(directory_ / "model.safetensors", declarations);
    for (const Parameter& parameter : parameters) {
      std::vector<float> values(static_cast<size_t>(parameter.shape.elements()), 0.5f);
      if (parameter.name == "lm_head.weight") values.back() = head;
      writer.write(parameter.name, DType::f32, values.data(), parameter.shape.elements());
    }
    writer.finish();
  }
  std::unique_ptr<Model> settled(const JsonObject& config) {
    return make_model(settle_config(config, directory_.path()));
  }
  TemporaryDirectory directory_;
};

TEST_F(SettleConfig, TakesTheCheckpointsDtypeWhereTheConfigNamesNone) {
  const JsonObject silent = llama({{"torch_dtype", nullptr}});
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    write(*make_model(silent), dtype);
    EXPECT_EQ(settled(silent)->stored_dtype(), dtype);
    EXPECT_EQ(settled(llama({{"torch_dtype", "float16"}}))->stored_dtype(), DType::f16);
  }
}

TEST_F(SettleConfig, UntiesAnOutputLayerOfItsOwn) {
  const JsonObject tied = llama({{"tie_word_embeddings", true}});
  write(*make_model(tied), DType::f32, 0.25f);
  const JsonObject config = settle_config(tied, directory_.path());
  EXPECT_FALSE(config.boolean("tie_word_embeddings"));
  EXPECT_EQ(parameter_names(*make_model(config)).back(), "lm_head.weight");
  check_weights(WeightFiles(directory_.path()), *make_model(config));
}

TEST_F(SettleConfig, PassesOverACopyOfTheEmbedding) {
  const JsonObject tied = llama({{"tie_word_embeddings", true}});
  write(*make_model(tied), DType::f32);
  EXPECT_TRUE(settle_config(tied, directory_.path()).boolean("tie_word_embeddings"));
  check_weights(WeightFiles(directory_.path()), *settled(tied));
}

TEST_F(SettleConfig, LeavesAloneWhatIsSaid) {
  const JsonObject config = llama();
  EXPECT_EQ(settle_config(config, "no such directory").json(), config.json());
}

}  // namespace
}  // namespace headroom::testing
