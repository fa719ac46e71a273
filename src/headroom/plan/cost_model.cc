#include "headroom/plan/cost_model.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "headroom/graph/operands.h"

namespace headroom {
namespace {

// Without samples: what kernels of headroom make of a limit.
constexpr double kTypicalShare = 0.75;

double roofline_seconds(const Price& price, const MachineRates& rates) {
  return std::max(price.flops / rates.flops_per_second, price.bytes / rates.bytes_per_second);
}

// Of two prices: how many times more of one than of the other, both logarithms.
double squared_distance(const Price& a, const Price& b) {
  const double flops = std::log((a.flops + 1) / (b.flops + 1));
  const double bytes = std::log((a.bytes + 1) / (b.bytes + 1));
  return flops * flops + bytes * bytes;
}

}  // namespace

Price price_of(const Graph& graph, const Node& node) { return node.op->price(OperandTypes().of(graph, node)); }

MachineRates typical_rates(int threads) {
  const double count = std::max(threads, 1);
  return {.flops_per_second = 90e9 * count,
          .bytes_per_second = std::min(12e9 * count, 40e9),
          .node_seconds = 3e-6,
          .disk_read_bytes_per_second = 1.5e9,
          .disk_write_bytes_per_second = 0.8e9,
          .samples = {},
          .source = "typical rates, not measured here"};
}

double seconds_of(const Op& op, const Price& price, const MachineRates& rates) {
  const double least = roofline_seconds(price, rates);
  const auto first = std::lower_bound(rates.samples.begin(), rates.samples.end(), op.name(),
                                      [](const OpSample& sample, std::string_view name) { return sample.op < name; });
  // The share of the limit, as the samples of this op reached it: their mean, the closer ones weighing more.
  double weights = 0;
  double shares = 0;
  for (auto sample = first; sample != rates.samples.end() && sample->op == op.name(); ++sample) {
    const double distance = squared_distance(price, sample->price);
    const double weight = 1 / (distance * distance + 1e-4);
    const double limited = roofline_seconds(sample->price, rates);
    weights += weight;
    shares += weight * std::log(std::max(limited, 1e-9) / std::max(sample->seconds - rates.node_seconds, 1e-9));
  }
  const double share = weights > 0 ? std::exp(shares / weights) : kTypicalShare;
  return least / share + rates.node_seconds;
}

double seconds_of(const Graph& graph, const Node& node, const MachineRates& rates) {
  return seconds_of(*node.op, price_of(graph, node), rates);
}

double seconds_of(const Graph& graph, const MachineRates& rates) {
  double now = 0;
  double disk_free = 0;                              // when what was given to the disk is done
  std::unordered_map<ValueId, double> transfer_end;  // by the first buffer
  for (const Node& node : graph.nodes) {
    if (node.op->course() == Course::whole) {
      now += seconds_of(graph, node, rates);
    } else if (node.op->course() == Course::begin) {
      const bool reads = node.op->transfer() == Transfer::load;
      const double rate = reads ? rates.disk_read_bytes_per_second : rates.disk_write_bytes_per_second;
      disk_free = std::max(disk_free, now) + price_of(graph, node).bytes / rate;
      transfer_end[reads ? node.outputs.front() : node.inputs.front()] = disk_free;
    } else {
      now = std::max(now, transfer_end[node.inputs.front()]);
    }
  }
  return now;
}

}  // namespace headroom
