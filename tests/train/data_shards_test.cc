// Data shards by brute force: the gradients of each shard from a plain run of its rows alone, added in the tree by the
// test, give the weights of the sharded update, to the bit.
#include "headroom/passes/data_shards.h"
#include "headroom/models/constants.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "headroom/backend/backend.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/fill_random.h"
#include "headroom/passes/differentiate.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/training_graphs.h"
#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

constexpr int64_t kRows = 12;
constexpr int64_t kTokens = 5;  // predictions of a row
constexpr float kRate = 0.25f;
using Numbers = std::vector<float>;
using Weights = std::map<std::string, Numbers>;

std::unique_ptr<Model> tiny_model(bool tied) {
  nlohmann::ordered_json config = {{"architectures", {"LlamaForCausalLM"}},
                                   {"vocab_size", 50},
                                   {"hidden_size", 16},
                                   {"intermediate_size", 24},
                                   {"num_hidden_layers", 2},
                                   {"num_attention_heads", 2},
                                   {"num_key_value_heads", 1},
                                   {"max_position_embeddings", 64},
                                   {"rms_norm_eps", 1e-5},
                                   {"tie_word_embeddings", tied},
                                   {"torch_dtype", "float32"}};
  return make_model(JsonObject::of(std::move(config), "tiny"));
}

std::unique_ptr<Workspace> workspace_of(const Model& model, Job job, int64_t rows) {
  job.processor = choose_backend().on(1);
  Plan plan = plan_job(job);
  auto workspace = std::make_unique<Workspace>(std::move(job.graphs), std::move(plan), choose_backend());
  uint64_t index = 0;
  for (const Parameter& parameter : model.parameters()) {
    Numbers numbers(static_cast<size_t>(parameter.shape.elements()));
    fill_random(numbers, 7, index++, 0, 0.3);
    std::copy(numbers.begin(), numbers.end(), workspace->persistent(parameter.name).as<float>());
  }
  fill_constants(model, *workspace);
  int32_t* sequences = workspace->persistent("sequences").as<int32_t>();
  for (int32_t row = 0; row < rows; ++row) {
    const auto first = static_cast<int32_t>(row * kTokens);
    const std::array<int32_t, 4> sequence = {first, kTokens, first, 0};
    std::copy(sequence.begin(), sequence.end(), sequences + 4 * row);
  }
  *workspace->persistent("loss_gradient").as<float>() = 1.0f / static_cast<float>(kRows * kTokens);
  return workspace;
}

// Rows [first, first + rows) of the batch.
void fill_rows(const Workspace& workspace, int64_t first, int64_t rows) {
  for (int64_t t = 0; t < rows * kTokens; ++t) {
    const int64_t at = first * kTokens + t;
    workspace.persistent("tokens").as<int32_t>()[t] = static_cast<int32_t>((at * 37 + at * at * 11) % 50);
    workspace.persistent("targets").as<int32_t>()[t] = static_cast<int32_t>((at * 23 + at * at * 7) % 50);
    workspace.persistent("positions").as<int32_t>()[t] = static_cast<int32_t>(t % kTokens);
  }
}

UpdateSettings plain_sgd() {
  UpdateSettings updates;
  updates.optimizer = Optimizer::sgd;
  updates.grad_clip = 0;
  return updates;
}

Weights weights_of(const Model& model, const Workspace& workspace) {
  Weights weights;
  for (const Parameter& parameter : model.parameters()) {
    const Tensor tensor = workspace.persistent(parameter.name);
    weights[parameter.name] = Numbers(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  }
  return weights;
}

// The gradients of the rows of each shard, one after the other, by the differentiated graph without any other pass.
std::vector<Weights> gradients_of_shards(const Model& model, int64_t shards) {
  const int64_t rows = kRows / shards;
  Graph differentiated;
  PassTrace trace;
  trace.watch = [&](std::string_view pass, const Graph&, const Graph& after) {
    if (pass == "differentiate") differentiated = after;
  };
  build_training_job(model, {.shape = {rows, 1, kTokens + 1}}, plain_sgd(), false, &trace);
  const auto workspace = workspace_of(model, {{differentiated}}, rows);
  std::vector<Weights> gradients(static_cast<size_t>(shards));
  for (int64_t shard = 0; shard < shards; ++shard) {
    fill_rows(*workspace, shard * rows, rows);
    Executor& step = workspace->at("step");
    step.run();
    for (const Parameter& parameter : model.parameters()) {
      const std::span<const float> gradient = step.result<float>(gradient_name(parameter.name)).all();
      gradients[static_cast<size_t>(shard)][parameter.name] = Numbers(gradient.begin(), gradient.end());
    }
  }
  return gradients;
}

float tree(const std::vector<Weights>& parts, const std::string& name, size_t element, size_t first, size_t count) {
  if (count == 1) return parts[first].at(name)[element];
  size_t left = 1;
  while (2 * left < count) left *= 2;
  return tree(parts, name, element, first, left) + tree(parts, name, element, first + left, count - left);
}

// The weights after one update of all rows in `shards` shards and as many micro-batches.
Weights sharded_update(const Model& model, int64_t shards, int64_t micro_batches) {
  TrainingSettings settings;
  settings.shape = {kRows / micro_batches, micro_batches, kTokens + 1, 1, shards};
  const TrainingShape& shape = settings.shape;
  const TrainingWay way = testing::taken(testing::technique_called("data shards"), settings, 0);
  const auto workspace = workspace_of(model, build_training_job(model, way, plain_sgd(), false), shape.micro_rows);
  workspace->persistent("update_scalars").as<float>()[0] = kRate;
  int64_t micro = 0;
  for_each_run(workspace->plan().schedule("update"), [&](const Row& row) {
    if (!row.fills.empty()) fill_rows(*workspace, shape.micro_rows * micro++, shape.micro_rows);
    workspace->at(row).run();
  });
  EXPECT_EQ(micro, micro_batches);
  return weights_of(model, *workspace);
}

TEST(DataShards, GradientsAreTheTreeOfTheShardsGradients) {
  for (const bool tied : {true, false}) {
    const auto model = tiny_model(tied);
    const Job plain = build_training_job(*model, {.shape = {1, 1, kTokens + 1}}, plain_sgd(), false);
    const Weights before = weights_of(*model, *workspace_of(*model, plain, 1));
    for (const int64_t shards : {2, 3, 4, 12}) {
      const std::vector<Weights> parts = gradients_of_shards(*model, shards);
      Weights expected = before;
      for (auto& [name, numbers] : expected) {
        for (size_t i = 0; i < numbers.size(); ++i) {
          numbers[i] = std::fma(-kRate, tree(parts, name, i, 0, parts.size()), numbers[i]);
        }
      }
      EXPECT_NE(expected, before);
      for (int64_t micro_batches = shards; micro_batches <= kRows; micro_batches += shards) {
        if (kRows % micro_batches != 0) continue;
        EXPECT_EQ(sharded_update(*model, shards, micro_batches), expected)
            << shards << " shards, " << micro_batches << " micro-batches" << (tied ? ", tied" : "");
      }
    }
  }
}

TEST(DataShards, TheTreeIsAnotherSumThanTheChain) {
  const auto model = tiny_model(true);
  EXPECT_NE(sharded_update(*model, 4, 4), sharded_update(*model, 1, 4));
}

}  // namespace
}  // namespace headroom
