// What running a graph will take on a machine whose rates are known: for choosing among plans, never for results.
// A node's time is that of the slower of its two limits, multiply-adds and memory (the roofline), over the share of the
// limit that the op was measured to reach on operands of its format and of about its size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/graph/op.h"

namespace headroom {

// One op on operands of one format and size: its price and what it took.
struct OpSample {
  std::string op;
  DType format = DType::f32;  // narrowest_format()
  Price price;
  double seconds = 0;
};

// What a node costs by its op, from the types of its operands.
Price price_of(const Graph& graph, const Node& node);
// That of the operand with the fewest bits an element, the first of several: what its kernel mostly reads.
DType narrowest_format(const Graph& graph, const Node& node);

struct MachineRates {
  double flops_per_second = 0;       // of products, on all threads of the job together
  double bf16_flops_per_second = 0;  // where an operand is bf16; 0: as others
  double bytes_per_second = 0;       // of memory, read and written
  double node_seconds = 0;           // of a node that does next to nothing: waking the threads
  double disk_read_bytes_per_second = 0;
  double disk_write_bytes_per_second = 0;
  // That a rank sends to the others: typical of memory or a fast link, until ranks have measured theirs
  // (comm/link_rate.h).
  double network_bytes_per_second = 2e9;
  double network_exchange_seconds = 0;  // of an exchange of next to nothing
  double network_processor_share = 0;   // of a transfer's time, during which the rank does not compute
  std::vector<OpSample> samples;        // ordered by op; empty: no machine was measured
  std::string source;                   // in words: whose rates these are
};

// Of a processor with vectors of 8 or more f32, without measurement: orders of magnitude, so that plans compare.
MachineRates typical_rates(int threads);

// Of one run of the node, of the price alone, of one run of the graph, of whose KV caches the share `filled` holds
// something. Transfers take the time of their lane, one after the other, while other nodes run until they wait for
// them.
double seconds_of(const Op& op, DType format, const Price& price, const MachineRates& rates);
double seconds_of(const Graph& graph, const Node& node, const MachineRates& rates);
double seconds_of(const Graph& graph, const MachineRates& rates, double filled = 1);
// Of what one run of the graph does on that lane alone: the computation, or transfers one after the other.
double seconds_on_lane(const Graph& graph, Lane lane, const MachineRates& rates);

}  // namespace headroom
