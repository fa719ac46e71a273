#include "headroom/plan/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "headroom/graph/op.h"
#include "headroom/graph/operands.h"

namespace headroom {
namespace {

// Without samples: what kernels of headroom make of a limit.
constexpr double kTypicalShare = 0.75;

double roofline_seconds(DType format, const Price& price, const MachineRates& rates) {
  const bool is_bf16 = format == DType::bf16 && rates.bf16_flops_per_second > 0;
  return std::max(price.flops / (is_bf16 ? rates.bf16_flops_per_second : rates.flops_per_second),
                  price.bytes / rates.bytes_per_second);
}

// An element, about: of block formats in a matrix that suits all of them.
double bits_of(DType format) {
  constexpr int64_t kRows = 64, kColumns = 1024;
  const Type type{format, {kRows, kColumns}};
  return 8 * static_cast<double>(type.bytes()) / (kRows * kColumns);
}

// How many times more bits one has than the other, the logarithm.
double distance(DType a, DType b) { return a == b ? 0 : std::fabs(std::log(bits_of(a) / bits_of(b))); }

// Of two prices: how many times more of one than of the other, both logarithms.
double squared_distance(const Price& a, const Price& b) {
  const double flops = std::log((a.flops + 1) / (b.flops + 1));
  const double bytes = std::log((a.bytes + 1) / (b.bytes + 1));
  return flops * flops + bytes * bytes;
}

// The types of operands, where KV caches have the rows that hold something.
class FilledTypes {
 public:
  explicit FilledTypes(double filled) : filled_(filled) {}

  // Valid until the next call.
  TypedNode of(const Graph& graph, const Node& node) {
    gather(graph, node.inputs, inputs_);
    gather(graph, node.outputs, outputs_);
    return {inputs_, outputs_, node.attributes};
  }

 private:
  template <class Ids>
  void gather(const Graph& graph, const Ids& ids, std::vector<Type>& types) const {
    types.clear();
    for (const ValueId id : ids) {
      const Value& value = graph.value(id);
      types.push_back(value.type);
      if (filled_ == 1 || value.role != Role::kv_cache) continue;
      std::vector<int64_t> sizes(value.type.shape.begin(), value.type.shape.end());
      sizes.front() = std::max<int64_t>(1, std::llround(filled_ * static_cast<double>(sizes.front())));
      types.back().shape = Shape::from(sizes);
    }
  }

  double filled_;
  std::vector<Type> inputs_;
  std::vector<Type> outputs_;
};

// Bytes a second. The link to the host's memory is no faster than memory.
double transfer_rate(const Node& node, const MachineRates& rates) {
  if (node.op->lane() == Lane::network) return rates.network_bytes_per_second;
  if (node.op->lane() != Lane::disk) return rates.bytes_per_second;
  return node.op->transfer() == Transfer::load ? rates.disk_read_bytes_per_second : rates.disk_write_bytes_per_second;
}

}  // namespace

Price price_of(const Graph& graph, const Node& node) { return node.op->price(OperandTypes().of(graph, node)); }

DType narrowest_format(const Graph& graph, const Node& node) {
  DType narrowest = DType::f32;
  double least = std::numeric_limits<double>::infinity();
  for (const ValueId id : node.inputs) {
    const Type& type = graph.value(id).type;
    const double bits = static_cast<double>(type.bytes()) / static_cast<double>(type.shape.elements());
    if (bits >= least) continue;
    least = bits;
    narrowest = type.dtype;
  }
  return narrowest;
}

MachineRates typical_rates(int threads) {
  const double count = std::max(threads, 1);
  return {.flops_per_second = 90e9 * count,
          .bf16_flops_per_second = 0,
          .bytes_per_second = std::min(12e9 * count, 40e9),
          .node_seconds = 3e-6,
          .disk_read_bytes_per_second = 1.5e9,
          .disk_write_bytes_per_second = 0.8e9,
          .samples = {},
          .source = "typical rates, not measured here"};
}

double seconds_of(const Op& op, DType format, const Price& price, const MachineRates& rates) {
  const double least = roofline_seconds(format, price, rates);
  const auto first = std::lower_bound(rates.samples.begin(), rates.samples.end(), op.name(),
                                      [](const OpSample& sample, std::string_view name) { return sample.op < name; });
  // The share of the limit, as the samples of this op reached it: their mean, the closer ones weighing more. Of several
  // formats those that have as many bits, or about as many, as this one.
  const auto is_of_op = [&](const OpSample& sample) { return sample.op == op.name(); };
  const auto last = std::find_if_not(first, rates.samples.end(), is_of_op);
  double nearest = std::numeric_limits<double>::infinity();
  for (auto sample = first; sample != last; ++sample) nearest = std::min(nearest, distance(sample->format, format));
  double weights = 0;
  double shares = 0;
  for (auto sample = first; sample != last; ++sample) {
    if (distance(sample->format, format) > nearest) continue;
    const double apart = squared_distance(price, sample->price);
    const double weight = 1 / (apart * apart + 1e-4);
    const double limited = roofline_seconds(sample->format, sample->price, rates);
    weights += weight;
    shares += weight * std::log(std::max(limited, 1e-9) / std::max(sample->seconds - rates.node_seconds, 1e-9));
  }
  const double share = weights > 0 ? std::exp(shares / weights) : kTypicalShare;
  return least / share + rates.node_seconds;
}

double seconds_of(const Graph& graph, const Node& node, const MachineRates& rates) {
  return seconds_of(*node.op, narrowest_format(graph, node), price_of(graph, node), rates);
}

double seconds_of(const Graph& graph, const MachineRates& rates, double filled) {
  double now = 0;
  std::array<double, kLanes> free = {};              // when what was given to a lane is done
  std::unordered_map<ValueId, double> transfer_end;  // by the first buffer
  FilledTypes types(filled);
  for (const Node& node : graph.nodes) {
    if (node.op->course() == Course::whole) {
      now += seconds_of(*node.op, narrowest_format(graph, node), node.op->price(types.of(graph, node)), rates);
    } else if (node.op->course() == Course::begin) {
      const bool writes = node.op->transfer() == Transfer::store;
      double& end = free[static_cast<size_t>(node.op->lane())];
      const bool is_exchange = node.op->lane() == Lane::network;
      const double seconds = node.op->price(types.of(graph, node)).bytes / transfer_rate(node, rates);
      end = std::max(end, now) + seconds;
      if (is_exchange) now += rates.network_processor_share * seconds;
      const double late = is_exchange ? rates.network_exchange_seconds : 0;  // while the next one is under way
      transfer_end[writes ? node.inputs.front() : node.outputs.front()] = end + late;
    } else {
      now = std::max(now, transfer_end[node.inputs.front()]);
    }
  }
  return now;
}

double seconds_on_lane(const Graph& graph, Lane lane, const MachineRates& rates) {
  double seconds = 0;
  for (const Node& node : graph.nodes) {
    if (node.op->lane() != lane) continue;
    if (node.op->course() == Course::whole) seconds += seconds_of(graph, node, rates);
    if (node.op->course() == Course::begin) seconds += price_of(graph, node).bytes / transfer_rate(node, rates);
  }
  return seconds;
}

}  // namespace headroom
