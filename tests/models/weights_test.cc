// What files say of a model's weights.
#include "headroom/models/weights.h"

#include "headroom/base/block_reader.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/int8_blocks.h"
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
  take_stored_formats(WeightFiles(directory.path()), *model);
  for (const Parameter& parameter : model->parameters()) {
    EXPECT_EQ(model->stored_formats()(parameter.name),
              parameter.name.ends_with("norm.weight") ? DType::f32 : DType::bf16)
        << parameter.name;
  }
}

TEST(Weights, ThoseInGroupedFormatsStayInThem) {
  const TemporaryDirectory directory;
  const std::unique_ptr<Model> model = make_model(llama({{"hidden_size", 32}, {"intermediate_size", 64}}));
  const DType grouped = find_grouped(3, true, 32)->dtype();
  std::vector<TensorDeclaration> declarations;
  for (const Parameter& parameter : model->parameters()) {
    declarations.push_back({parameter.name, {parameter.shape.rank() == 2 ? grouped : DType::f32, parameter.shape}});
  }
  SafetensorsWriter writer(directory / "model.safetensors", declarations);
  for (size_t i = 0; i < declarations.size(); ++i) {
    const Type type = declarations[i].type_in_file();
    const std::vector<std::byte> zeros(static_cast<size_t>(type.bytes()));
    writer.write_at(i, 0, zeros.data(), type.shape.elements());
  }
  writer.finish();
  check_weights(WeightFiles(directory.path()), *model);
  take_stored_formats(WeightFiles(directory.path()), *model);
  for (const Parameter& parameter : model->parameters()) {
    EXPECT_EQ(model->stored_formats()(parameter.name), parameter.shape.rank() == 2 ? grouped : DType::f32);
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
  EXPECT_NE(text.find("input %model.layers.0.mlp.down_proj.weight: f16["), std::string::npos);
}

// Values that are more, or less, than one tensor of a file: its tensors' elements are 0, 1, 2, ... in their order.
class Slices : public ::testing::Test {
 protected:
  void write(const std::vector<ModelTensor>& tensors) {
    std::vector<TensorDeclaration> declarations;
    for (const ModelTensor& tensor : tensors) declarations.push_back({tensor.name, f32(tensor.shape)});
    SafetensorsWriter writer(directory_ / "model.safetensors", declarations);
    float next = 0;
    for (const ModelTensor& tensor : tensors) {
      std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
      for (float& value : values) value = next++;
      writer.write(tensor.name, DType::f32, values.data(), tensor.shape.elements());
    }
    writer.finish();
  }

  // The value of a job, loaded.
  std::vector<float> load(const Type& type, std::vector<Slice> slices) {
    Graph graph{.name = "reads", .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
    auto binding = std::make_shared<Binding>();
    binding->slices = std::move(slices);
    Builder(graph).input("value", type, Role::weight, std::move(binding));
    const Backend& backend = choose_backend();
    const Job job{.graphs = {graph}, .processor = backend.on(1), .staging_bytes = BlockReader::kLeastStagingBytes};
    Plan plan = plan_job(job);
    const Workspace workspace(job.graphs, std::move(plan), backend);
    load_bound(WeightFiles(directory_.path()), Source::model, workspace);
    const Tensor value = workspace.persistent("value");
    std::vector<float> elements(static_cast<size_t>(value.elements()));
    if (is_scalar(type.dtype)) {
      convert_elements(type.dtype, value.data, DType::f32, elements.data(), value.elements());
    } else {
      block_format(type.dtype).decode(type.shape, value.data, 0, value.elements(), elements.data());
    }
    return elements;
  }
  TemporaryDirectory directory_;
};

TEST_F(Slices, AFusedMatrixIsReadOutOfItsParts) {
  write({{"v", {2, 3}}, {"q", {4, 3}}, {"k", {2, 3}}});
  const std::vector<float> expected = {6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
                                       18, 19, 20, 21, 22, 23, 0,  1,  2,  3,  4,  5};
  const auto rows = [](int64_t first, int64_t count) { return Box{{first, 0}, {count, 3}}; };
  const std::vector<Slice> slices = {{"q", {4, 3}, rows(0, 4), rows(0, 4)},
                                     {"k", {2, 3}, rows(0, 2), rows(4, 2)},
                                     {"v", {2, 3}, rows(0, 2), rows(6, 2)}};
  EXPECT_EQ(load(f32({8, 3}), slices), expected);
  EXPECT_EQ(load({DType::bf16, {8, 3}}, slices), expected);
  const std::vector<float> rounded = load({int8_blocks().dtype(), {8, 3}}, slices);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(rounded[i], expected[i], 0.1);
}

TEST_F(Slices, AStackOfExpertsIsReadOutOfTheirMatrices) {
  write({{"experts.0", {2, 2}}, {"experts.1", {2, 2}}});
  const auto whole = Box::whole({2, 2});
  EXPECT_EQ(load(f32({2, 2, 2}), {{"experts.0", {2, 2}, whole, {{1, 0, 0}, {1, 2, 2}}},
                                  {"experts.1", {2, 2}, whole, {{0, 0, 0}, {1, 2, 2}}}}),
            (std::vector<float>{4, 5, 6, 7, 0, 1, 2, 3}));
}

TEST_F(Slices, ABoxOfATensor) {
  write({{"before", {3}}, {"w", {4, 5}}});
  EXPECT_EQ(load(f32({2, 3}), {{"w", {4, 5}, {{1, 2}, {2, 3}}, Box::whole({2, 3})}}),
            (std::vector<float>{10, 11, 12, 15, 16, 17}));
  EXPECT_EQ(load(f32({2, 5}), {{"w", {4, 5}, {{2, 0}, {2, 5}}, Box::whole({2, 5})}}),
            (std::vector<float>{13, 14, 15, 16, 17, 18, 19, 20, 21, 22}));
  EXPECT_THROW(load(f32({2, 3}), {{"w", {5, 4}, {{1, 1}, {2, 3}}, Box::whole({2, 3})}}), InvalidInput);
  EXPECT_THROW(load(f32({2, 3}), {{"w", {4, 5}, {{3, 2}, {2, 3}}, Box::whole({2, 3})}}), InternalError);
  EXPECT_THROW(load(f32({3, 3}), {{"w", {4, 5}, {{1, 2}, {2, 3}}, {{0, 0}, {2, 3}}}}), InternalError);
}

}  // namespace
}  // namespace headroom::testing
