#include "headroom/api/rank_reports.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/comm/agreement.h"
#include "headroom/comm/collectives.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

int64_t ranks_of_this_machine(Communicator& ranks) {
  std::array<char, 256> name = {};
  ::gethostname(name.data(), name.size() - 1);
  const std::string own = name.data();
  const std::vector<std::string> all = all_gather_texts(ranks, own);
  return std::count(all.begin(), all.end(), own);
}

// Of what the graphs do in which order, without what is each rank's own.
uint64_t fingerprint_of(const std::vector<Graph>& graphs) {
  Fingerprint print;
  for (const Graph& graph : graphs) {
    print.add(graph.name);
    for (const Node& node : graph.nodes) {
      print.add(node.op->name());
      for (const ValueId id : node.outputs) {
        print.add(graph.value(id).name);
        print.add(graph.value(id).bytes());
      }
    }
  }
  return print.value();
}

}  // namespace

std::string memory_of_rank(const std::string& flag, const Communicator& ranks) {
  if (flag.find(',') == std::string::npos) return flag;
  std::vector<std::string> sizes(1);
  for (const char c : flag) {
    if (c == ',')
      sizes.emplace_back();
    else
      sizes.back() += c;
  }
  if (std::ssize(sizes) != ranks.size()) {
    throw InvalidInput("--memory {}: expected one size for all ranks, or one for each of {}; got {}", flag,
                       ranks.size(), sizes.size());
  }
  return sizes[static_cast<size_t>(ranks.rank())];
}

Budget tightest_budget(Budget own, Communicator* ranks) {
  if (ranks == nullptr) return own;
  if (own.automatic) own.bytes /= ranks_of_this_machine(*ranks);
  const std::vector<int64_t> all = all_gather_of(*ranks, own.bytes);
  own.bytes = *std::min_element(all.begin(), all.end());
  return own;
}

void check_ranks_agree(Communicator& ranks, const RunSettings& numbers, const FittedJob& job, std::string_view isa) {
  std::vector<RankFact> facts = {{"version", HEADROOM_VERSION}, {"instruction set", std::string(isa)}};
  for (const auto& [name, value] : numbers) facts.push_back({name, value});
  facts.push_back({"way to run the step", job.choice});
  facts.push_back({"graphs of fingerprint", fmt::format("{:016x}", fingerprint_of(job.graphs))});
  check_agreement(ranks, facts);
}

std::vector<RankUse> use_of_ranks(Communicator* ranks, const MemoryUse& memory, const FittedJob& job,
                                  const Trainer::Outcome& outcome) {
  if (ranks == nullptr) return {};
  return all_gather_of(*ranks, RankUse{.predicted_peak_bytes = memory.predicted_peak_bytes,
                                       .measured_peak_bytes = memory.measured_peak_bytes,
                                       .arena_bytes = job.plan.arena_bytes,
                                       .sent_bytes = outcome.step_traffic.sent_bytes,
                                       .received_bytes = outcome.step_traffic.received_bytes,
                                       .waited_seconds = outcome.step_traffic.waited_seconds(),
                                       .hidden_seconds = outcome.step_traffic.hidden_seconds()});
}

std::string describe_ranks(const std::vector<RankUse>& ranks) {
  std::string text;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankUse& use = ranks[rank];
    text += fmt::format(
        "rank {}: memory {} predicted, {} measured; a step sends {}, receives {}, waits {:.3f} s and hides {:.3f} s\n",
        rank, format_bytes(use.predicted_peak_bytes), format_bytes(use.measured_peak_bytes),
        format_bytes(use.sent_bytes), format_bytes(use.received_bytes), use.waited_seconds, use.hidden_seconds);
  }
  return text;
}

nlohmann::ordered_json rows_of(const std::vector<RankUse>& ranks) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankUse& use = ranks[rank];
    rows.push_back({{"rank", rank},
                    {"predicted_peak_bytes", use.predicted_peak_bytes},
                    {"measured_peak_bytes", use.measured_peak_bytes},
                    {"arena_bytes", use.arena_bytes},
                    {"sent_bytes", use.sent_bytes},
                    {"received_bytes", use.received_bytes},
                    {"waited_seconds", use.waited_seconds},
                    {"hidden_seconds", use.hidden_seconds}});
  }
  return rows;
}

}  // namespace headroom
