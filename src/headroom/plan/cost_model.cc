#include "headroom/plan/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>
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

// Of two prices: how many times more of one than of the other, both logarithms.
double squared_distance(const Price& a, const Price& b) {
  const double flops = std::log((a.flops + 1) / (b.flops + 1));
  const double bytes = std::log((a.bytes + 1) / (b.bytes + 1));
  return flops * flops + bytes * bytes;
}

// Bytes a second. The link to the host's memory is no faster than memory.
double transfer_rate(const Node& node, const MachineRates& rates) {
  if (node.op->lane() != Lane::disk) return rates.bytes_per_second;
  return node.op->transfer() == Transfer::load ? rates.disk_read_bytes_per_second : rates.disk_write_bytes_per_second;
}

}  // namespace

Price price_of(const Graph& graph, const Node& node) { return node.op->price(OperandTypes().of(graph, node)); }

DType operand_format(const Graph& graph, const Node& node) {
  return node.inputs.empty() ? DType::f32 : graph.value(node.inputs.front()).type.dtype;
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
  // The share of the limit, as the samples of this op reached it: their mean, the closer ones weighing more; those of
  // other formats only where there is none of this one.
  const auto is_of_op = [&](const OpSample& sample) { return sample.op == op.name(); };
  const auto last = std::find_if_not(first, rates.samples.end(), is_of_op);
  const bool has_format = std::any_of(first, last, [&](const OpSample& sample) { return sample.format == format; });
  double weights = 0;
  double shares = 0;
  for (auto sample = first; sample != last; ++sample) {
    if (has_format && sample->format != format) continue;
    const double distance = squared_distance(price, sample->price);
    const double weight = 1 / (distance * distance + 1e-4);
    const double limited = roofline_seconds(sample->format, sample->price, rates);
    weights += weight;
    shares += weight * std::log(std::max(limited, 1e-9) / std::max(sample->seconds - rates.node_seconds, 1e-9));
  }
  const double share = weights > 0 ? std::exp(shares / weights) : kTypicalShare;
  return least / share + rates.node_seconds;
}

double seconds_of(const Graph& graph, const Node& node, const MachineRates& rates) {
  return seconds_of(*node.op, operand_format(graph, node), price_of(graph, node), rates);
}

double seconds_of(const Graph& graph, const MachineRates& rates) {
  double now = 0;
  std::array<double, kLanes> free = {};              // when what was given to a lane is done
  std::unordered_map<ValueId, double> transfer_end;  // by the first buffer
  OperandTypes types;
  for (const Node& node : graph.nodes) {
    if (node.op->course() == Course::whole) {
      now += seconds_of(*node.op, operand_format(graph, node), node.op->price(types.of(graph, node)), rates);
    } else if (node.op->course() == Course::begin) {
      const bool reads = node.op->transfer() == Transfer::load;
      double& end = free[static_cast<size_t>(node.op->lane())];
      end = std::max(end, now) + node.op->price(types.of(graph, node)).bytes / transfer_rate(node, rates);
      transfer_end[reads ? node.outputs.front() : node.inputs.front()] = end;
    } else {
      now = std::max(now, transfer_end[node.inputs.front()]);
    }
  }
  return now;
}

}  // namespace headroom
