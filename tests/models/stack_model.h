// A model of one weight, which is a stack of tensors of its files, and what loads it.
#pragma once

#include <string>
#include <vector>

#include "headroom/base/block_reader.h"
#include "headroom/base/convert.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/model.h"
#include "headroom/models/weights.h"

namespace headroom::testing {

class StackModel final : public Model {
 public:
  // Of matrices of shape `one`, in the order of their names.
  StackModel(const std::vector<std::string>& tensors, const Shape& one)
      : shape_{static_cast<int64_t>(tensors.size()), one[0], one[1]} {
    Binding binding;
    for (const std::string& tensor : tensors) {
      const int64_t n = static_cast<int64_t>(binding.slices.size());
      binding.slices.push_back({tensor, one, Box::whole(one), {{n, 0, 0}, {1, one[0], one[1]}}});
    }
    binding.initial = {Initial::Kind::normal, 0.5, 77};
    binding_ = std::make_shared<Binding>(binding);
  }

  std::string_view architecture() const override { return "Stack"; }
  int64_t vocabulary() const override { return 8; }
  int64_t features() const override { return 4; }
  int64_t layers() const override { return 1; }
  int64_t max_positions() const override { return 4; }
  DType stored_dtype() const override { return DType::f32; }
  std::optional<int32_t> bos() const override { return std::nullopt; }
  std::vector<int32_t> eos() const override { return {}; }
  std::vector<double> rotary_frequencies() const override { return {1.0, 0.5}; }
  ValueId forward(Builder& build, const StepInputs&, const WeightFormats& formats) const override {
    return build.input("stack", {formats("stack"), shape_}, Role::weight, binding_);
  }
  ValueId head_weight(Builder& build, const WeightFormats&) const override {
    return build.input("head", f32({1}), Role::weight, std::make_shared<Binding>(bind_whole("head", {1})));
  }

  const Shape& shape() const { return shape_; }
  DType format() const { return stored_formats()("stack"); }
  std::shared_ptr<const Binding> binding() const { return binding_; }

 private:
  Shape shape_;
  std::shared_ptr<const Binding> binding_;
};

// A job of that one value, of `format`.
inline Workspace workspace_of(const StackModel& model, DType format) {
  Graph graph{.name = "reads", .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
  Builder(graph).input("stack", {format, model.shape()}, Role::weight, model.binding());
  const Backend& backend = choose_backend();
  const Job job{.graphs = {graph}, .processor = backend.on(1), .staging_bytes = BlockReader::kLeastStagingBytes};
  Plan plan = plan_job(job);
  return Workspace(job.graphs, std::move(plan), backend);
}

// Its elements in f32; `shape`: by which its bytes are read.
inline std::vector<float> elements_of(const Workspace& workspace, const Shape& shape) {
  const Tensor value = workspace.persistent("stack");
  std::vector<float> elements(static_cast<size_t>(value.elements()));
  if (is_scalar(value.type.dtype)) {
    convert_elements(value.type.dtype, value.data, DType::f32, elements.data(), value.elements());
  } else {
    block_format(value.type.dtype).decode(shape, value.data, 0, value.elements(), elements.data());
  }
  return elements;
}

}  // namespace headroom::testing
