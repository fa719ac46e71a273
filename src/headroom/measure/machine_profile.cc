#include "headroom/measure/machine_profile.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/base/directory_lock.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

// One more with every change of how something is measured.
constexpr int64_t kMachineProfileVersion = 1;
constexpr int kRounds = 5;
constexpr int64_t kMostThreads = 1024;
constexpr size_t kMostEntries = 64;
constexpr int64_t kMostProfileBytes = 32 * 1024;
constexpr double kMostRate = 1e18;

Json profile_key() {
  Json json = {{"version", kMachineProfileVersion}};
  json.update(machine_key());
  return json;
}

Isa parse_isa(const std::string& name) {
  for (const Isa isa : {Isa::reference, Isa::avx2, Isa::avx512}) {
    if (name == name_of(isa)) return isa;
  }
  throw InvalidInput("unknown instruction set {}", name);
}

// The objects of an array; the file is hostile.
std::vector<JsonObject> objects(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_array() || found->size() > kMostEntries) throw InvalidInput("no {}", name);
  std::vector<JsonObject> all;
  for (const Json& one : *found) {
    if (!one.is_object()) throw InvalidInput("{}: expected objects", name);
    all.push_back(JsonObject::of(one, name));
  }
  return all;
}

double read_rate(const JsonObject& from, std::string_view key) {
  const double rate = from.real(key, 0, kMostRate);
  if (!(rate > 0)) throw InvalidInput("{}: expected a rate", key);
  return rate;
}

MachineLimits parse(const Json& json) {
  MachineLimits limits;
  for (const JsonObject& one : objects(json, "fma")) {
    limits.fma.push_back({parse_isa(one.text("isa")), static_cast<int>(one.integer("threads", 1, kMostThreads)),
                          read_rate(one, "flops_per_second")});
  }
  for (const JsonObject& one : objects(json, "memory")) {
    limits.memory.push_back({.threads = static_cast<int>(one.integer("threads", 1, kMostThreads)),
                             .read_bytes_per_second = read_rate(one, "read_bytes_per_second"),
                             .copy_bytes_per_second = read_rate(one, "copy_bytes_per_second"),
                             .stream_bytes_per_second = read_rate(one, "stream_bytes_per_second"),
                             .update_bytes_per_second = read_rate(one, "update_bytes_per_second")});
  }
  return limits;
}

// What the file says, if it speaks of this machine.
std::optional<MachineLimits> read_profile() {
  const std::string path = machine_profile_path();
  if (path.empty()) return std::nullopt;
  try {
    if (File::open(path).size_bytes() > kMostProfileBytes) return std::nullopt;
    const JsonObject file = JsonObject::read(path);
    if (file.object("machine").json() != profile_key()) return std::nullopt;
    return parse(file.object("limits").json());
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool has(const MachineLimits& limits, int threads) {
  const auto of_threads = [&](const auto& entry) { return entry.threads == threads; };
  return std::any_of(limits.fma.begin(), limits.fma.end(), of_threads) &&
         std::any_of(limits.memory.begin(), limits.memory.end(), of_threads);
}

// `older` entries of numbers of threads that `newer` does not have go behind it.
template <class Entry>
void add_others(std::vector<Entry>& newer, const std::vector<Entry>& older) {
  const std::vector<Entry> measured = newer;
  for (const Entry& entry : older) {
    const bool is_new =
        std::any_of(measured.begin(), measured.end(), [&](const Entry& one) { return one.threads == entry.threads; });
    if (!is_new && newer.size() < kMostEntries) newer.push_back(entry);
  }
}

}  // namespace

Json json_of(const MachineLimits& limits) {
  Json fma = Json::array();
  for (const FmaPeak& peak : limits.fma) {
    fma.push_back({{"isa", name_of(peak.isa)}, {"threads", peak.threads}, {"flops_per_second", peak.flops_per_second}});
  }
  Json memory = Json::array();
  for (const MemoryRates& rates : limits.memory) {
    memory.push_back({{"threads", rates.threads},
                      {"read_bytes_per_second", rates.read_bytes_per_second},
                      {"copy_bytes_per_second", rates.copy_bytes_per_second},
                      {"stream_bytes_per_second", rates.stream_bytes_per_second},
                      {"update_bytes_per_second", rates.update_bytes_per_second}});
  }
  return {{"fma", fma}, {"memory", memory}};
}

Json machine_key() {
  Json isas = Json::array();
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (is_supported(isa)) isas.push_back(name_of(isa));
  }
  return {{"cpu", processor_name()}, {"processors", available_processors()}, {"isas", isas}};
}

std::string machine_profile_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/headroom/machine.json";  // relative: ignored
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return "";
  return std::string(home) + "/.cache/headroom/machine.json";
}

std::optional<MachineLimits> remembered_limits(int threads) {
  std::optional<MachineLimits> limits = read_profile();
  if (limits && !has(*limits, threads)) limits.reset();
  return limits;
}

void remember_limits(const MachineLimits& limits) {
  const std::string path = machine_profile_path();
  if (path.empty()) return;
  MachineLimits all = limits;
  if (const std::optional<MachineLimits> older = read_profile()) {
    add_others(all.fma, older->fma);
    add_others(all.memory, older->memory);
  }
  try {
    create_directories(parent_of(path));
    const DirectoryLock lock(parent_of(path));  // another process that is just writing one writes the same
    write_json(path, {{"machine", profile_key()}, {"limits", json_of(all)}});
  } catch (const Error&) {
  }
}

MachineLimits measure_and_remember(std::span<std::byte> memory, Threads& threads) {
  MachineLimits limits = measure_limits(memory, threads, kRounds);
  remember_limits(limits);
  return limits;
}

std::optional<MachineLimits> limits_for(Workspace& workspace) {
  Threads& threads = workspace.threads();
  std::optional<MachineLimits> limits = remembered_limits(threads.count());
  if (!limits && workspace.plan().arena_bytes >= LimitProbes::kMemoryBytes) {
    const std::span<std::byte> memory = workspace.memory().first(static_cast<size_t>(LimitProbes::kMemoryBytes));
    limits = measure_and_remember(memory, threads);
    std::fill(memory.begin(), memory.end(), std::byte{0});
  }
  return limits;
}

}  // namespace headroom
