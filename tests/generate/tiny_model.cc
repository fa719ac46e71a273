#include "tests/generate/tiny_model.h"

#include "headroom/base/convert.h"
#include "headroom/models/fill_random.h"

namespace headroom::testing {

LlamaConfig tiny_config(bool tied_embeddings, DType dtype) {
  LlamaConfig config;
  config.vocabulary = 4100;
  config.features = 32;
  config.mlp_features = 48;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.max_positions = 256;
  config.tied_embeddings = tied_embeddings;
  config.dtype = dtype;
  return config;
}

std::unique_ptr<Workspace> make_workspace(const Model& model, std::vector<Graph> graphs, int threads,
                                          const Backend& backend) {
  Job job{.graphs = std::move(graphs), .processor = backend.on(threads)};
  Plan plan = plan_job(job);
  auto workspace = std::make_unique<Workspace>(std::move(job.graphs), std::move(plan), backend);
  uint64_t index = 0;
  for (const Parameter& parameter : model.parameters()) {
    std::vector<float> numbers(static_cast<size_t>(parameter.shape.elements()), 1.0f);
    if (parameter.shape.rank() > 1) fill_random(numbers, 7, index, 0, 0.3);
    ++index;
    const Tensor tensor = workspace->persistent(parameter.name);
    convert_elements(DType::f32, numbers.data(), tensor.type.dtype, tensor.data, tensor.elements());
  }
  return workspace;
}

std::vector<int32_t> some_ids(int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((i * 1237 + i * i * 31) % 4100));
  return ids;
}

}  // namespace headroom::testing
