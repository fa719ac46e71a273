#include "headroom/techniques/technique.h"

#include <algorithm>
#include <map>

#include "headroom/base/errors.h"

extern "C" {
[[gnu::weak]] extern const headroom::Technique* const __start_headroom_techniques[];
[[gnu::weak]] extern const headroom::Technique* const __stop_headroom_techniques[];
}

namespace headroom {
namespace {

// The refusal with the values of its flags.
std::string fill(std::string_view refusal, const FlagValues& flags) {
  std::string text;
  for (;;) {
    const size_t begin = refusal.find('{');
    text += refusal.substr(0, begin);
    if (begin == std::string_view::npos) return text;
    const size_t end = refusal.find('}', begin);
    text += flags.text(refusal.substr(begin + 1, end - begin - 1));
    refusal.remove_prefix(end + 1);
  }
}

}  // namespace

std::function<bool(TechniqueRequest&)> set_flag(std::string_view flag, std::string_view value) {
  return [=](TechniqueRequest& request) {
    if (request.flags.is(flag, value)) return false;
    request.flags.set(flag, value);
    return true;
  };
}

std::function<bool(TechniqueRequest&)> set_flag(std::string_view flag, std::string_view value, std::string_view from) {
  return [=](TechniqueRequest& request) {
    if (!request.flags.is(flag, from)) return false;
    request.flags.set(flag, value);
    return true;
  };
}

const std::vector<const Technique*>& techniques() {
  static const std::vector<const Technique*> table = [] {
    std::vector<const Technique*> all{__start_headroom_techniques, __stop_headroom_techniques};
    std::sort(all.begin(), all.end(), [](const Technique* a, const Technique* b) { return a->place() < b->place(); });
    return all;
  }();
  return table;
}

const Flag* find_flag(std::string_view name) {
  static const std::map<std::string_view, Flag> table = [] {
    std::map<std::string_view, Flag> all;
    for (const Technique* technique : techniques()) {
      for (const Flag& flag : technique->flags()) all.emplace(flag.name, flag);
    }
    return all;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : &found->second;
}

void read_techniques(const Model& model, TrainingSettings& settings) {
  for (const Technique* technique : techniques()) technique->read(model, settings);
  for (const Technique* technique : techniques()) {
    for (const Exclusion& exclusion : technique->exclusions()) {
      if (exclusion.holds(settings)) throw InvalidInput("{}", fill(exclusion.refusal, settings.flags));
    }
  }
}

}  // namespace headroom
