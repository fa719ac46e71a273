#include "headroom/plan/recompute_choice.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "headroom/graph/operands.h"
#include "headroom/plan/cost_model.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

// Of the values of a layer the largest so many are chosen among one by one, every combination; smaller ones are kept.
constexpr size_t kMostCandidates = 10;
// Options of a block beyond so many are thinned out.
constexpr size_t kMostOptions = 16;
// Ways to come to a layer that are compared: layers are alike, and a hundredth of the bytes is close enough.
constexpr size_t kMostStates = 100;

constexpr int32_t kOutside = -1;

// A node of a layer, its operands numbered within the layer.
struct LocalNode {
  std::vector<int32_t> inputs;  // kOutside: alive all the time, whoever keeps it
  std::vector<int32_t> outputs;
  std::vector<StoragePair> reuses;
  double seconds = 0;
};

// One layer by itself: its forward, its backward, and the bytes of what both make.
struct Layer {
  std::vector<LocalNode> forward;
  std::vector<LocalNode> backward;
  std::vector<int64_t> bytes;       // of each value
  std::vector<int32_t> maker;       // the forward node that makes the value, or -1
  std::vector<bool> is_border;      // read by the forward of later layers
  std::vector<bool> read_backward;  // by this layer's backward, or what comes after it
  std::vector<bool> lives_on;       // made by the backward and read beyond it
  std::vector<bool> from_before;    // read here, made by the backward of a later layer
  std::vector<bool> may_repeat;     // of each forward node: it changes no state
  int64_t input_bytes = 0;          // of activations made before the layer
};

struct Played {
  int64_t kept_bytes = 0;
  int64_t work_bytes = 0;
  double seconds = 0;
  std::vector<int32_t> again;
};

// Plays the backward of a layer in which the marked forward nodes run again, each just before its first reader.
class Play {
 public:
  Play(const Layer& layer, const std::vector<bool>& marked) : layer_(layer), marked_(marked) {
    last_use_.assign(layer.bytes.size(), -1);
    is_again_.assign(layer.forward.size(), false);
  }

  Played run() {
    for (const LocalNode& node : layer_.backward) {
      for (const int32_t input : node.inputs) require(input);
      sequence_.push_back(&node);
    }
    for (size_t at = 0; at < sequence_.size(); ++at) {
      for (const int32_t input : sequence_[at]->inputs) {
        if (input != kOutside) last_use_[static_cast<size_t>(input)] = static_cast<int32_t>(at);
      }
    }
    Played played;
    const int32_t end = static_cast<int32_t>(sequence_.size());
    int64_t live = 0;
    std::vector<bool> is_live(layer_.bytes.size(), false);
    for (size_t value = 0; value < layer_.bytes.size(); ++value) {
      if (layer_.lives_on[value]) last_use_[value] = end;
      const int32_t maker = layer_.maker[value];
      const bool kept = maker >= 0 && !layer_.is_border[value] && !is_again_[static_cast<size_t>(maker)] &&
                        (last_use_[value] >= 0 || layer_.read_backward[value]);
      if (kept) played.kept_bytes += layer_.bytes[value];
      if (kept || layer_.from_before[value]) {
        live += layer_.bytes[value];
        is_live[value] = true;
      }
    }
    played.work_bytes = live;
    for (int32_t at = 0; at < end; ++at) {
      const LocalNode& node = *sequence_[static_cast<size_t>(at)];
      int64_t reused = 0;
      std::vector<int32_t> taken;
      for (const StoragePair& pair : node.reuses) {
        const int32_t input = node.inputs[static_cast<size_t>(pair.input)];
        const int32_t output = node.outputs[static_cast<size_t>(pair.output)];
        if (input == kOutside || !is_live[static_cast<size_t>(input)] || last_use_[static_cast<size_t>(input)] != at)
          continue;
        if (layer_.bytes[static_cast<size_t>(input)] != layer_.bytes[static_cast<size_t>(output)]) continue;
        if (std::find(taken.begin(), taken.end(), input) != taken.end() ||
            std::find(taken.begin(), taken.end(), -2 - output) != taken.end())
          continue;
        taken.push_back(input);
        taken.push_back(-2 - output);
        reused += layer_.bytes[static_cast<size_t>(output)];
      }
      for (const int32_t output : node.outputs) {
        live += layer_.bytes[static_cast<size_t>(output)];
        is_live[static_cast<size_t>(output)] = true;
      }
      played.work_bytes = std::max(played.work_bytes, live - reused);
      const auto let_go = [&](int32_t value) {
        if (value == kOutside || !is_live[static_cast<size_t>(value)]) return;
        if (last_use_[static_cast<size_t>(value)] > at) return;
        live -= layer_.bytes[static_cast<size_t>(value)];
        is_live[static_cast<size_t>(value)] = false;
      };
      for (const int32_t input : node.inputs) let_go(input);
      for (const int32_t output : node.outputs) let_go(output);
    }
    played.seconds = seconds_;
    played.again = again_;
    return played;
  }

 private:
  // The value will be there: kept, or made again now. What nobody else keeps is made again with what needs it.
  void require(int32_t value) {
    if (value == kOutside) return;
    const int32_t maker = layer_.maker[static_cast<size_t>(value)];
    if (maker < 0 || layer_.is_border[static_cast<size_t>(value)]) return;
    const size_t node = static_cast<size_t>(maker);
    if (is_again_[node] || (!marked_[node] && is_saved(node)) || !layer_.may_repeat[node]) return;
    is_again_[node] = true;
    for (const int32_t input : layer_.forward[node].inputs) require(input);
    sequence_.push_back(&layer_.forward[node]);
    seconds_ += layer_.forward[node].seconds;
    again_.push_back(maker);
  }

  bool is_saved(size_t node) const {
    return std::any_of(layer_.forward[node].outputs.begin(), layer_.forward[node].outputs.end(),
                       [&](int32_t output) { return layer_.read_backward[static_cast<size_t>(output)]; });
  }

  const Layer& layer_;
  const std::vector<bool>& marked_;
  std::vector<const LocalNode*> sequence_;
  std::vector<int32_t> last_use_;
  std::vector<bool> is_again_;
  std::vector<int32_t> again_;
  double seconds_ = 0;
};

// The ways to treat a layer that no other way beats in kept bytes, work and time at once, the first keeps everything.
std::vector<Played> options_of(const Layer& layer) {
  std::vector<std::pair<int64_t, size_t>> candidates;
  for (size_t node = 0; node < layer.forward.size(); ++node) {
    int64_t bytes = 0;
    for (const int32_t output : layer.forward[node].outputs) {
      const size_t value = static_cast<size_t>(output);
      if (layer.read_backward[value] && !layer.is_border[value]) bytes += layer.bytes[value];
    }
    if (bytes > 0 && layer.may_repeat[node]) candidates.emplace_back(-bytes, node);
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.resize(std::min(candidates.size(), kMostCandidates));
  std::vector<Played> all;
  for (size_t subset = 0; subset < size_t{1} << candidates.size(); ++subset) {
    std::vector<bool> marked(layer.forward.size(), false);
    for (size_t i = 0; i < candidates.size(); ++i) marked[candidates[i].second] = (subset >> i & 1) != 0;
    all.push_back(Play(layer, marked).run());
  }
  const auto beats = [](const Played& a, const Played& b) {
    return a.kept_bytes <= b.kept_bytes && a.work_bytes <= b.work_bytes && a.seconds <= b.seconds;
  };
  std::vector<Played> options = {all[0]};
  std::stable_sort(all.begin() + 1, all.end(), [](const Played& a, const Played& b) {
    return a.seconds != b.seconds ? a.seconds < b.seconds : a.kept_bytes < b.kept_bytes;
  });
  for (size_t i = 1; i < all.size(); ++i) {
    if (std::none_of(options.begin(), options.end(), [&](const Played& one) { return beats(one, all[i]); })) {
      options.push_back(all[i]);
    }
  }
  if (options.size() <= kMostOptions) return options;
  std::vector<Played> thinned;
  for (size_t i = 0; i < kMostOptions; ++i) thinned.push_back(options[i * (options.size() - 1) / (kMostOptions - 1)]);
  const auto leanest = std::min_element(options.begin(), options.end(), [](const Played& a, const Played& b) {
    return a.work_bytes != b.work_bytes ? a.work_bytes < b.work_bytes : a.kept_bytes < b.kept_bytes;
  });
  thinned.push_back(*leanest);
  return thinned;
}

// Takes the layers out of a graph.
class Layers {
 public:
  explicit Layers(const Graph& graph) : graph_(graph), uses_(graph), roots_(storage_roots(graph)) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].phase != Phase::forward) backward_[graph.nodes[i].segment.layer].push_back(i);
    }
    is_input_.assign(graph.values.size(), false);
    for (const ValueId id : graph.inputs) is_input_[static_cast<size_t>(id)] = true;
  }

  // The forward nodes [begin, end) and the backward of the same layer.
  Layer take(size_t begin, size_t end) {
    layer_ = Layer();
    numbers_.clear();
    begin_ = begin;
    end_ = end;
    std::vector<ValueId> seen_inputs;
    for (size_t i = begin; i < end; ++i) {
      layer_.forward.push_back(local(graph_.nodes[i]));
      layer_.may_repeat.push_back(may_repeat(graph_.nodes[i]));
      for (const ValueId id : graph_.nodes[i].inputs) {
        if (is_made_before(id) && std::find(seen_inputs.begin(), seen_inputs.end(), id) == seen_inputs.end()) {
          seen_inputs.push_back(id);
        }
      }
    }
    for (const ValueId id : seen_inputs) layer_.input_bytes += padded_bytes(graph_.value(id).bytes(), "a value");
    for (const size_t i : backward_[graph_.nodes[begin].segment.layer])
      layer_.backward.push_back(local(graph_.nodes[i]));
    return std::move(layer_);
  }

  // Everything that the choice depends on: layers of one shape are chosen for once.
  static std::vector<int64_t> key_of(const Layer& layer) {
    std::vector<int64_t> key = {layer.input_bytes};
    const auto add = [&](const std::vector<LocalNode>& nodes) {
      key.push_back(static_cast<int64_t>(nodes.size()));
      for (const LocalNode& node : nodes) {
        key.push_back(static_cast<int64_t>(node.seconds * 1e9));
        key.insert(key.end(), node.inputs.begin(), node.inputs.end());
        key.push_back(-2);
        key.insert(key.end(), node.outputs.begin(), node.outputs.end());
      }
    };
    add(layer.forward);
    add(layer.backward);
    for (size_t value = 0; value < layer.bytes.size(); ++value) {
      key.push_back(layer.bytes[value] * 8 + layer.is_border[value] * 4 + layer.read_backward[value] * 2 +
                    layer.lives_on[value]);
    }
    return key;
  }

 private:
  bool is_made_before(ValueId id) const {
    const int32_t producer = uses_.producer[static_cast<size_t>(id)];
    return producer >= 0 && producer < static_cast<int32_t>(begin_);
  }

  bool may_repeat(const Node& node) const {
    return std::none_of(node.outputs.begin(), node.outputs.end(),
                        [&](ValueId id) { return roots_[static_cast<size_t>(id)] != id; });
  }

  // Graph inputs, and what lives in their storage, are there all the time.
  int32_t number(ValueId id) {
    if (is_input_[static_cast<size_t>(roots_[static_cast<size_t>(id)])]) return kOutside;
    const int32_t producer = uses_.producer[static_cast<size_t>(id)];
    const bool inside = producer >= static_cast<int32_t>(begin_) && producer < static_cast<int32_t>(end_);
    const bool is_forward = producer >= 0 && graph_.nodes[static_cast<size_t>(producer)].phase == Phase::forward;
    if (is_forward && !inside) return kOutside;
    const auto [found, is_new] = numbers_.try_emplace(id, static_cast<int32_t>(layer_.bytes.size()));
    if (!is_new) return found->second;
    layer_.bytes.push_back(padded_bytes(graph_.value(id).bytes(), "a value"));
    layer_.maker.push_back(inside ? producer - static_cast<int32_t>(begin_) : -1);
    bool border = false;
    bool backward = false;
    bool beyond = false;
    const Segment& layer = graph_.nodes[begin_].segment;
    for (const int32_t reader : uses_.readers(id)) {
      const Node& node = graph_.nodes[static_cast<size_t>(reader)];
      const bool here = reader >= static_cast<int32_t>(begin_) && reader < static_cast<int32_t>(end_);
      border = border || (node.phase == Phase::forward && !here);
      backward = backward || node.phase != Phase::forward;
      beyond = beyond || node.segment != layer;
    }
    const bool made_here = producer >= 0 && graph_.nodes[static_cast<size_t>(producer)].segment == layer;
    layer_.is_border.push_back(inside && border);
    layer_.read_backward.push_back(inside && backward);
    layer_.lives_on.push_back(!inside && made_here && beyond && graph_.value(id).role != Role::gradient);
    layer_.from_before.push_back(!inside && !made_here);
    return found->second;
  }

  LocalNode local(const Node& node) {
    LocalNode one;
    for (const ValueId id : node.inputs) one.inputs.push_back(number(id));
    for (const ValueId id : node.outputs) {
      const int32_t output = number(id);
      if (output != kOutside) one.outputs.push_back(output);
    }
    if (one.outputs.size() == node.outputs.size()) {
      one.reuses = node.op->may_reuse(OperandTypes().of(graph_, node));
    }
    one.seconds = seconds_of(graph_, node, rates_);
    return one;
  }

  const Graph& graph_;
  const Uses uses_;
  const std::vector<ValueId> roots_;
  const MachineRates rates_ = typical_rates(2);
  std::map<int32_t, std::vector<size_t>> backward_;  // nodes by layer
  std::vector<bool> is_input_;
  std::map<ValueId, int32_t> numbers_;
  Layer layer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

ChainBlock block_of(const Layer& layer, const std::vector<Played>& options) {
  ChainBlock block{.border_bytes = layer.input_bytes, .options = {}};
  for (const Played& option : options) block.options.push_back({option.kept_bytes, option.work_bytes, option.seconds});
  const Played all = Play(layer, std::vector<bool>(layer.forward.size(), true)).run();
  block.inside_seconds = all.seconds;
  for (const LocalNode& node : layer.forward) block.replay_seconds += node.seconds;
  return block;
}

}  // namespace

RecomputeChoice::RecomputeChoice(const Graph& graph, const KernelTable& kernels) : nodes_(graph.nodes.size()) {
  Layers layers(graph);
  std::map<std::vector<int64_t>, std::vector<Played>> known;
  for (size_t begin = 0; begin < graph.nodes.size();) {
    size_t end = begin + 1;
    if (graph.nodes[begin].phase == Phase::forward && graph.nodes[begin].segment.is_layer()) {
      while (end < graph.nodes.size() && graph.nodes[end].phase == Phase::forward &&
             graph.nodes[end].segment == graph.nodes[begin].segment)
        ++end;
      const Layer layer = layers.take(begin, end);
      const auto [found, is_new] = known.try_emplace(Layers::key_of(layer));
      if (is_new) found->second = options_of(layer);
      const std::vector<Played>& options = found->second;
      Block block{.begin = begin, .end = end, .options = {}, .all = {}};
      for (const Played& option : options) block.options.push_back(option.again);
      for (size_t node = 0; node < layer.forward.size(); ++node) {
        if (layer.may_repeat[node]) block.all.push_back(static_cast<int32_t>(node));
      }
      blocks_.push_back(std::move(block));
      chain_.blocks.push_back(block_of(layer, options));
    }
    begin = end;
  }
  if (blocks_.empty()) return;
  // Between the forward and the backward of the layers: what is alive there beside what they keep.
  const Lifetimes lifetimes = find_lifetimes(graph, {&kernels, 1});
  const std::vector<int64_t> live = live_bytes(lifetimes.blocks, static_cast<int32_t>(graph.nodes.size()));
  size_t first_backward = blocks_.back().end;
  while (first_backward < nodes_ && !graph.nodes[first_backward].segment.is_layer()) ++first_backward;
  int64_t kept = 0;
  for (const ChainBlock& block : chain_.blocks) kept += block.border_bytes + block.options[0].kept_bytes;
  for (size_t i = blocks_.back().end; i < first_backward; ++i) {
    chain_.top_bytes = std::max(chain_.top_bytes, live[i] - kept);
  }
}

std::vector<bool> RecomputeChoice::nodes_for(double depth) const {
  std::vector<bool> again(nodes_, false);
  if (blocks_.empty() || depth <= 0) return again;
  const int64_t plain = peak_bytes(chain_, std::vector<ChainChoice>(chain_.blocks.size()));
  const int64_t least = least_peak_bytes(chain_);
  const std::vector<ChainChoice> choices =
      choose(chain_, depth >= 1 ? least : plain - static_cast<int64_t>(static_cast<double>(plain - least) * depth),
             kMostStates);
  for (size_t i = 0; i < choices.size(); ++i) {
    const Block& block = blocks_[i];
    const std::vector<int32_t>& nodes =
        choices[i].option == kReplayed ? block.all : block.options[static_cast<size_t>(choices[i].option)];
    for (const int32_t node : nodes) again[block.begin + static_cast<size_t>(node)] = true;
  }
  return again;
}

}  // namespace headroom
