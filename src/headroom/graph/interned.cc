#include "headroom/graph/interned.h"

#include <mutex>
#include <set>
#include <string>

namespace headroom {

std::string_view interned(std::string_view name) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> names;
  const std::lock_guard lock(mutex);
  const auto found = names.find(name);
  return found != names.end() ? *found : *names.emplace(name).first;
}

}  // namespace headroom
