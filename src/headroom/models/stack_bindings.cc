#include "headroom/models/stack_bindings.h"

#include <fmt/core.h>

#include "headroom/base/fingerprint.h"

namespace headroom {

std::shared_ptr<const Binding> StackBindings::of(const std::string& first, std::string_view last, const Shape& shape,
                                                 double deviation, bool is_trained) {
  const std::string name = fmt::format("{}.{}", first, last);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Binding>& made = made_[name + (is_trained ? "" : " kept")];
  if (made != nullptr) return made;
  auto binding = std::make_shared<Binding>();
  const Shape one = {shape[1], shape[2]};
  for (int64_t n = 0; n < shape[0]; ++n) {
    binding->slices.push_back(
        {fmt::format("{}.{}.{}", first, n, last), one, Box::whole(one), {{n, 0, 0}, {1, shape[1], shape[2]}}});
  }
  Fingerprint stream;  // beyond those of single weights, which are counted from 0
  stream.add(name);
  binding->initial = {Initial::Kind::normal, deviation, stream.value() | uint64_t{1} << 63};
  binding->is_trained = is_trained;
  binding->stays = !is_trained;
  made = std::move(binding);
  return made;
}

}  // namespace headroom
