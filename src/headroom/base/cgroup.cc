#include "headroom/base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <limits>

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

int64_t number_in(const std::string& path) {
  std::ifstream file(path);
  int64_t number = -1;
  return file >> number ? number : -1;  // "max" reads as no number
}

// Of memory.stat, with all groups below: v1 has other names for that.
int64_t droppable_file_bytes(const Cgroup& group) {
  std::ifstream file(group.directory + "/memory.stat");
  int64_t bytes = 0;
  std::string key;
  int64_t number = 0;
  while (file >> key >> number) {
    if (!group.is_v2) {
      if (!key.starts_with("total_")) continue;
      key.erase(0, 6);
    }
    if (key == "inactive_file" || key == "active_file") bytes += number;
    if (key == "dirty" || key == "writeback" || key == "file_dirty" || key == "file_writeback") bytes -= number;
  }
  return std::max<int64_t>(bytes, 0);
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

int64_t available_memory_of(const Cgroup& group) {
  const int64_t limit = number_in(group.directory + (group.is_v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const int64_t usage = number_in(group.directory + (group.is_v2 ? "/memory.current" : "/memory.usage_in_bytes"));
  if (limit < 0 || usage < 0) return std::numeric_limits<int64_t>::max();
  return limit - std::max<int64_t>(usage - droppable_file_bytes(group), 0);
}

}  // namespace headroom
