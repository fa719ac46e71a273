#include "headroom/backend/backend.h"

#include <string>

#include "headroom/base/errors.h"

extern "C" {
[[gnu::weak]] extern const headroom::BackendEntry* const __start_headroom_backends[];
[[gnu::weak]] extern const headroom::BackendEntry* const __stop_headroom_backends[];
}

namespace headroom {

const Backend& choose_backend(std::string_view name) {
  const std::span<const BackendEntry* const> table{__start_headroom_backends, __stop_headroom_backends};
  std::string names;
  for (const BackendEntry* entry : table) {
    if (entry->name == name) return entry->choose();
    names += fmt::format("{}{}", names.empty() ? "" : ", ", entry->name);
  }
  throw InvalidInput("backend {}: unknown; expected one of: {}", name, names);
}

}  // namespace headroom
