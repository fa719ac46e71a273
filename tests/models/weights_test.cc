// What files say of a model's weights.
#include "headroom/models/weights.h"

#include "headroom/base/nf4.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/graph/text.h"
#include "tests/models/config_text.h"
#include "tests/temporary_directory.h"

namespace headroom::testing {
namespace {

// Norms in f64 and f32, matrices as the config says, a tensor that is missing.
TEST(Weights, EachIsKeptAsItIsStored) {
  const TemporaryDirectory directory;
  const std::unique_ptr<Model> model = make_model(llama({{"torch_dtype", "bfloat16"}}));
  std::vector<TensorDeclaration> declarations;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name == "lm_head.weight") continue;
    const DType dtype = parameter.name == "model.norm.weight"     ? DType::f64
                        : parameter.name.ends_with("norm.weight") ? DType::f32
                                                                  : DType::bf16;
    declarations.push_back({parameter.name, {dtype, parameter.shape}});
  }
  SafetensorsWriter writer(directory / "model.safetensors", declarations);
  for (const TensorDeclaration& one : declarations) {
    const std::vector<float> values(static_cast<size_t>(one.type.shape.elements()), 0.5f);
    writer.write(one.name, DType::f32, values.data(), one.type.shape.elements());
  }
  writer.finish();
  EXPECT_EQ(model->stored_formats()("model.norm.weight"), DType::bf16);
  take_stored_formats(directory.path(), *model);
  for (const Parameter& parameter : model->parameters()) {
    EXPECT_EQ(model->stored_formats()(parameter.name),
              parameter.name.ends_with("norm.weight") ? DType::f32 : DType::bf16)
        << parameter.name;
  }
}

// A block format is decoded where the weight is used.
TEST(Weights, TheForwardAsksForEachFormat) {
  const std::unique_ptr<Model> model = make_model(llama());
  const Graph graph = forward_of_one_token(*model);
  Graph mixed;
  Builder build(mixed);
  StepInputs inputs;
  inputs.tokens = build.input("tokens", i32({1}), Role::input);
  inputs.positions = build.input("positions", i32({1}), Role::input);
  inputs.sequences = build.input("sequences", i32({1, 4}), Role::input);
  inputs.rotary_table = build.input("rotary_table", graph.value(graph.find("rotary_table")).type, Role::input);
  model->forward(build, inputs, [](const std::string& name) {
    return name.ends_with("mlp.up_proj.weight") ? nf4().dtype() : DType::f16;
  });
  const std::string text = to_text(mixed);
  EXPECT_NE(text.find("input %model.layers.0.mlp.up_proj.weight: nf4["), std::string::npos);
  EXPECT_NE(text.find("= dequantize(%model.layers.0.mlp.up_proj.weight) @layers.0 forward"), std::string::npos);
  EXPECT_NE(text.find("input %model.layers.0.mlp.down_proj.weight: f16["), std::string::npos);
}

}  // namespace
}  // namespace headroom::testing
