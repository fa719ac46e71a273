#include "headroom/measure/op_profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/backend/isa.h"
#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/measure/machine_profile.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

// One more with every change of how ops are measured or priced.
constexpr int64_t kOpProfileVersion = 3;
constexpr size_t kMostSamples = 1000;
constexpr double kMost = 1e18;

std::string path_of(const Backend& backend, int threads) {
  const std::string machine = machine_profile_path();
  return machine.empty() ? "" : fmt::format("{}/ops-{}-{}.json", parent_of(machine), backend.variant(), threads);
}

Json op_profile_key() { return {{"version", kOpProfileVersion}, {"machine", machine_key()}}; }

double read_positive(const JsonObject& from, std::string_view key) {
  const double number = from.real(key, 0, kMost);
  if (!(number > 0)) throw InvalidInput("{}: expected a number above 0", key);
  return number;
}

DType format_named(const std::string& name) {
  const BlockFormat* const block = find_block_format(name);
  return block != nullptr ? block->dtype() : parse_dtype(name, "format");
}

MachineRates parse(const JsonObject& file) {
  MachineRates rates;
  rates.flops_per_second = read_positive(file, "flops_per_second");
  rates.bf16_flops_per_second = file.real("bf16_flops_per_second", 0, kMost);
  rates.bytes_per_second = read_positive(file, "bytes_per_second");
  rates.node_seconds = file.real("node_seconds", 0, 1);
  rates.disk_read_bytes_per_second = read_positive(file, "disk_read_bytes_per_second");
  rates.disk_write_bytes_per_second = read_positive(file, "disk_write_bytes_per_second");
  const Json& ops = file.json().at("ops");
  if (!ops.is_array() || ops.size() > kMostSamples) throw InvalidInput("ops: expected an array");
  for (const Json& row : ops) {
    if (!row.is_object()) throw InvalidInput("ops: expected objects");
    const JsonObject one = JsonObject::of(row, "ops");
    rates.samples.push_back({one.text("op"),
                             format_named(one.text("format")),
                             {one.real("flops", 0, kMost), one.real("bytes", 0, kMost)},
                             read_positive(one, "seconds")});
  }
  std::stable_sort(rates.samples.begin(), rates.samples.end(),
                   [](const OpSample& a, const OpSample& b) { return a.op < b.op; });
  rates.source = "rates measured on this machine";
  return rates;
}

}  // namespace

std::optional<MachineRates> remembered_rates(const Backend& backend, int threads) {
  const std::string path = path_of(backend, threads);
  if (path.empty()) return std::nullopt;
  try {
    const JsonObject file = JsonObject::read(path);
    if (file.json().value("key", Json()) != op_profile_key()) return std::nullopt;
    return parse(file);
  } catch (const std::exception&) {  // errors of ours, and of JSON that has other types
    return std::nullopt;
  }
}

MachineRates known_rates(const Backend& backend, int threads) {
  if (std::optional<MachineRates> rates = remembered_rates(backend, threads)) return std::move(*rates);
  MachineRates rates = typical_rates(threads);
  add_bf16(rates, backend);
  return rates;
}

void add_bf16(MachineRates& rates, const Backend& backend) {
  if (uses(backend, Isa::avx512_bf16)) rates.bf16_flops_per_second = 2 * rates.flops_per_second;
}

void remember_rates(const MachineRates& rates, const Backend& backend, int threads) {
  const std::string path = path_of(backend, threads);
  if (path.empty()) return;
  Json ops = Json::array();
  for (const OpSample& sample : rates.samples) {
    if (ops.size() == kMostSamples) break;
    ops.push_back({{"op", sample.op},
                   {"format", name_of(sample.format)},
                   {"flops", sample.price.flops},
                   {"bytes", sample.price.bytes},
                   {"seconds", sample.seconds}});
  }
  try {
    create_directories(parent_of(path));
    write_json(path, {{"key", op_profile_key()},
                      {"flops_per_second", rates.flops_per_second},
                      {"bf16_flops_per_second", rates.bf16_flops_per_second},
                      {"bytes_per_second", rates.bytes_per_second},
                      {"node_seconds", rates.node_seconds},
                      {"disk_read_bytes_per_second", rates.disk_read_bytes_per_second},
                      {"disk_write_bytes_per_second", rates.disk_write_bytes_per_second},
                      {"ops", ops}});
  } catch (const Error&) {
  }
}

}  // namespace headroom
