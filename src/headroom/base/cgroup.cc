#include "headroom/base/cgroup.h"

#include <fstream>

namespace headroom {
namespace {

// Whether the list "cpu,cpuacct" names `controller`.
bool names(std::string_view list, std::string_view controller) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == controller) return true;
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return false;
}

}  // namespace

// A line of `groups` is hierarchy:controllers:path; that of v2 names no controller.
void for_each_cgroup(std::string_view controller, const std::function<void(const Cgroup&)>& visit,
                     const std::string& groups, const std::string& root) {
  std::ifstream file(groups);
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool is_v2 = controllers.empty();
    if (!is_v2 && !names(controllers, controller)) continue;
    const std::string mount = is_v2 ? root : root + "/" + std::string(controller);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    while (true) {
      visit({mount + path, is_v2});
      if (path.empty()) break;
      const size_t slash = path.find_last_of('/');
      path.resize(slash == std::string::npos ? 0 : slash);
    }
  }
}

}  // namespace headroom
