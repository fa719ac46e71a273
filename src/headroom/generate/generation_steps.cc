#include "headroom/generate/generation_steps.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"
#include "headroom/models/rotary.h"

namespace headroom {
namespace {

template <class T>
std::span<T> numbers_of(const Tensor& tensor) {
  return {tensor.as<T>(), static_cast<size_t>(tensor.elements())};
}

}  // namespace

GenerationSteps::GenerationSteps(Workspace& workspace, const Model& model, const GenerationShape& shape)
    : context_(shape.context),
      sequences_(numbers_of<int32_t>(workspace.persistent("sequences"))),
      cache_range_(numbers_of<int32_t>(workspace.persistent("cache_range"))) {
  for (const int64_t rows : step_rows(shape)) {
    const std::string name = step_name(rows);
    Step step;
    step.rows = rows;
    step.executor = &workspace.at(name);
    step.tokens = numbers_of<int32_t>(workspace.persistent(name + ".tokens"));
    step.positions = numbers_of<int32_t>(workspace.persistent(name + ".positions"));
    step.last_row = workspace.persistent(name + ".last_row").as<int32_t>();
    step.logits = numbers_of<const float>(step.executor->tensor(name + ".logits"));
    step.lse = step.executor->tensor(name + ".lse").as<float>();
    steps_.push_back(step);
  }
  fill_rotary_table(model.rotary_frequencies(), numbers_of<float>(workspace.persistent("rotary_table")));
}

// The smallest step that takes all, if they fill half of it; else the largest that they fill.
GenerationSteps::Step& GenerationSteps::step_for(int64_t tokens) {
  for (size_t i = steps_.size(); i-- > 0;) {
    if (steps_[i].rows >= tokens && steps_[i].rows <= 2 * tokens) return steps_[i];
  }
  return *std::find_if(steps_.begin(), steps_.end(), [&](const Step& step) { return step.rows <= tokens; });
}

void GenerationSteps::keep(int64_t tokens) {
  ensure(tokens >= 0 && tokens <= tokens_, "{} tokens to keep of {}", tokens, tokens_);
  tokens_ = tokens;
}

int64_t GenerationSteps::feed(std::span<const int32_t> tokens) {
  ensure(!tokens.empty() && tokens_ < context_, "{} tokens for a cache that holds {} of {}", tokens.size(), tokens_,
         context_);
  Step& step = step_for(static_cast<int64_t>(tokens.size()));
  const size_t count =
      std::min({tokens.size(), static_cast<size_t>(step.rows), static_cast<size_t>(context_ - tokens_)});
  const int32_t first = static_cast<int32_t>(tokens_);
  const int32_t rows = static_cast<int32_t>(count);
  for (size_t t = 0; t < step.tokens.size(); ++t) {  // rows behind the last token belong to no sequence
    step.tokens[t] = t < count ? tokens[t] : 0;
    step.positions[t] = t < count ? first + static_cast<int32_t>(t) : 0;
  }
  *step.last_row = rows - 1;
  const std::array<int32_t, 4> sequence = {0, rows, 0, first};
  std::copy(sequence.begin(), sequence.end(), sequences_.begin());
  cache_range_[0] = first;
  cache_range_[1] = rows;
  step.executor->run();
  last_ = &step;
  tokens_ += rows;
  return rows;
}

}  // namespace headroom
