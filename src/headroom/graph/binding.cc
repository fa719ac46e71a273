#include "headroom/graph/binding.h"

namespace headroom {

Binding bind_whole(std::string tensor, const Shape& shape) {
  Binding binding;
  binding.slices.push_back({std::move(tensor), shape, Box::whole(shape), Box::whole(shape)});
  return binding;
}

bool is_trained(Role role, const Binding* binding) {
  return role == Role::weight && (binding == nullptr || binding->is_trained);
}

}  // namespace headroom
