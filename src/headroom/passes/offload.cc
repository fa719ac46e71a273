#include "headroom/passes/offload.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <numeric>
#include <unordered_map>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/graph/operands.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/transfer.h"
#include "headroom/ops/write_rows.h"
#include "headroom/passes/offload_visits.h"

namespace headroom {
namespace {

// About how many times more nodes and values there are with panels.
constexpr size_t kGrowth = 4;

// "w.adam_m/loaded.3". By hand: a large job has a hundred thousand, each time a way is priced.
std::string part_name(const std::string& of, std::string_view what, int number) {
  const std::string digits = std::to_string(number);
  std::string name;
  name.reserve(of.size() + what.size() + digits.size() + 2);
  return name.append(of).append("/").append(what).append(".").append(digits);
}

// Rewrites the graph node by node: values that left are known by their value in the other tier and, during a visit, by
// their buffer.
class Offloading {
 public:
  Offloading(Graph graph, const OffloadPlan& plan)
      : graph_(std::move(graph)), plan_(plan), ops_(transfer_ops(plan.to)) {
    const std::vector<ValueId> roots = storage_roots(graph_);
    for (Storage& storage : find_storages(graph_)) {
      if (!leaves(storage)) continue;
      const ValueId root = storage.root;
      if (storage.is_input) graph_.value(root).tier = plan_.to;
      places_.emplace(root, Place{.storage = std::move(storage), .away = kNoValue});
      if (places_.at(root).storage.is_input) places_.at(root).away = root;
    }
    for (size_t id = 0; id < roots.size(); ++id) {
      if (const auto found = places_.find(roots[id]); found != places_.end()) {
        place_of_[static_cast<ValueId>(id)] = &found->second;
      }
    }
  }

  Graph finish() {
    if (places_.empty()) return std::move(graph_);
    const std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    graph_.nodes.reserve(kGrowth * nodes.size());
    graph_.values.reserve(kGrowth * graph_.values.size());
    for (size_t index = 0; index < nodes.size(); ++index) rewrite(nodes[index], static_cast<int32_t>(index));
    for (Carry& carry : graph_.carries) {
      if (const Place* place = find(carry.input)) carry.next = place->away;
    }
    return without_dead_nodes(std::move(graph_));
  }

 private:
  struct Place {
    Storage storage;
    ValueId away = kNoValue;  // the newest value in the other tier; none before a first store
    size_t next_visit = 0;
    bool is_changed = false;    // in this visit
    ValueId newest = kNoValue;  // the newest buffer of this visit
    // Of a KV cache, what this visit writes: of a layer's cache only rows come, and only those that are written go.
    ValueId ranges = kNoValue;
    int64_t rows = 0;
    int stores = 0;

    const Visit& visit() const { return storage.visits[next_visit]; }
  };

  bool leaves(const Storage& storage) const {
    const Value& root = graph_.value(storage.root);
    if (root.tier != Tier::device || !plan_.values.contains(root.name) || storage.is_result) return false;
    return storage.is_input || storage.visits.size() > 1;
  }

  Place* find(ValueId original) {
    const auto found = place_of_.find(original);
    return found == place_of_.end() ? nullptr : found->second;
  }

  void rewrite(const Node& node, int32_t at) {
    std::vector<Place*> touched;
    const auto note = [&](ValueId id) {
      Place* place = find(id);
      if (place != nullptr && std::find(touched.begin(), touched.end(), place) == touched.end())
        touched.push_back(place);
    };
    for (const ValueId id : node.inputs) {
      note(id);
      Place* place = find(id);
      if (place == nullptr || place->visit().by_panels || place->visit().first != at) continue;
      if (place->newest == kNoValue) bring(*place, id, node);
    }
    for (const ValueId id : node.outputs) note(id);
    const bool by_panels =
        std::any_of(touched.begin(), touched.end(), [](const Place* place) { return place->visit().by_panels; });
    if (by_panels) {
      append_panels(node);
    } else {
      Node copy = node;
      buffers_.apply(copy.inputs);
      graph_.nodes.push_back(std::move(copy));
    }
    for (const ValueId id : node.outputs) {
      Place* place = find(id);
      if (place == nullptr || place->visit().by_panels) continue;
      place->newest = id;
      place->is_changed = true;
    }
    for (Place* place : touched) {
      if (place->visit().last == at) end_visit(*place, node);
    }
  }

  // The whole value comes to memory for a visit.
  void bring(Place& place, ValueId original, const Node& reader) {
    const std::vector<ValueId> buffer = {add_like(place.storage.root, "buffer", graph_.value(original).type)};
    const std::vector<ValueId> ready = {add_like(place.storage.root, "loaded", graph_.value(original).type)};
    place.ranges = kNoValue;
    if (graph_.value(place.storage.root).role == Role::kv_cache && ops_.load_rows != nullptr) {
      place.ranges = written_ranges(reader, original);
    }
    if (place.ranges != kNoValue) {
      place.rows = graph_.value(reader.inputs[1]).type.shape[0];
      append(ops_.load_rows, {place.away, place.ranges}, buffer, {}, reader);
    } else {
      append(ops_.load, {place.away}, buffer, {}, reader);
    }
    append(ops_.loaded, buffer, ready, {}, reader);
    place.newest = ready.front();
    buffers_.put(original, place.newest);
  }

  void end_visit(Place& place, const Node& last) {
    const bool is_wanted = place.storage.is_input || place.next_visit + 1 < place.storage.visits.size();
    if (!place.visit().by_panels && place.is_changed && is_wanted) {
      const int64_t elements = graph_.value(place.newest).type.shape.elements();
      if (place.ranges != kNoValue) {
        store_rows(place, last);
      } else if (place.away == kNoValue) {
        store({place.newest}, {&place}, {}, last);
      } else {
        store({place.newest}, {&place}, {{"first", int64_t{0}}, {"elements", elements}}, last);
      }
      wait_for_stores(last, 0);
    }
    place.is_changed = false;
    place.newest = kNoValue;
    ++place.next_visit;
  }

  // An update, panel by panel. The panels that follow are read while one is computed and those before are written.
  void append_panels(const Node& node) {
    const int64_t elements = graph_.value(node.outputs.front()).type.shape.elements();
    const int64_t unit = std::lcm(node.op->panel_unit(), kPageBytes);
    const int64_t size = std::max(plan_.panel_bytes / widest(node) / unit, int64_t{1}) * unit;
    const int64_t count = (elements + size - 1) / size;
    std::vector<Place*> moved;  // of each input: null where it is in memory
    int64_t panel_bytes = 0;
    for (const ValueId id : node.inputs) {
      Place* place = find(id);
      moved.push_back(place != nullptr && place->visit().by_panels ? place : nullptr);
      if (moved.back() != nullptr) panel_bytes += size * size_of(graph_.value(id).type.dtype);
    }
    const int64_t ahead = plan_.in_flight_bytes == 0 ? 0 : std::max(plan_.in_flight_bytes / panel_bytes, int64_t{1});
    Node resident = node;  // with the newest buffers of what is in memory
    buffers_.apply(resident.inputs);
    std::deque<Panel> panels;  // begun
    for (int64_t number = 0, begun = 0; number < count; ++number) {
      for (; begun < std::min(number + ahead + 1, count); ++begun) {
        panels.push_back(begin_panel(node, moved, begun * size, std::min(size, elements - begun * size)));
      }
      compute_panel(node, resident, moved, panels.front(), number + 1 == count);
      panels.pop_front();
      wait_for_stores(node, number + 1 == count ? 0 : ahead);
    }
  }

  struct Panel {
    int64_t first = 0;
    int64_t elements = 0;
    std::vector<ValueId> buffers;  // of the inputs that are moved, in their order
  };

  Panel begin_panel(const Node& node, const std::vector<Place*>& moved, int64_t first, int64_t elements) {
    Panel panel{first, elements, {}};
    std::vector<ValueId> away;
    for (const Place* place : moved) {
      if (place == nullptr) continue;
      away.push_back(place->away);
      panel.buffers.push_back(
          add_like(place->storage.root, "buffer", {graph_.value(place->away).type.dtype, {elements}}));
    }
    append(ops_.load, away, panel.buffers, range_of(panel), node);
    return panel;
  }

  static Attributes range_of(const Panel& panel) { return {{"first", panel.first}, {"elements", panel.elements}}; }

  // Waits for the panel's operands, updates it and begins to store what the op changed. `resident` goes on from panel
  // to panel.
  void compute_panel(const Node& node, Node& resident, const std::vector<Place*>& moved, const Panel& panel,
                     bool is_last) {
    std::vector<ValueId> ready;
    for (const Place* place : moved) {
      if (place == nullptr) continue;
      const ValueId buffer = panel.buffers[ready.size()];
      ready.push_back(add_like(place->storage.root, "loaded", graph_.value(buffer).type));
    }
    append(ops_.loaded, panel.buffers, ready, {}, node);

    Node update = resident;
    size_t arrived = 0;
    for (size_t i = 0; i < moved.size(); ++i) {
      if (moved[i] != nullptr) update.inputs[i] = ready[arrived++];
    }
    update.attributes.set("first", panel.first);
    update.attributes.set("elements", panel.elements);
    std::vector<ValueId> changed;
    std::vector<Place*> places;
    for (const StoragePair pair : in_place_pairs(node)) {
      const auto input = static_cast<size_t>(pair.input);
      ValueId& output = update.outputs[static_cast<size_t>(pair.output)];
      const ValueId original = node.outputs[static_cast<size_t>(pair.output)];
      if (moved[input] == nullptr && is_last) continue;
      output = add_like(original, "panel", graph_.value(update.inputs[input]).type);
      graph_.value(output).role = graph_.value(original).role;
      if (moved[input] != nullptr) {
        changed.push_back(output);
        places.push_back(moved[input]);
      } else {
        resident.inputs[input] = output;
      }
    }
    graph_.nodes.push_back(std::move(update));
    if (!changed.empty()) store(changed, places, range_of(panel), node);
  }

  std::vector<StoragePair> in_place_pairs(const Node& node) const {
    return node.op->in_place(OperandTypes().of(graph_, node));
  }

  // Bytes of an element of the widest tensor that has panels.
  int64_t widest(const Node& node) const {
    int64_t bytes = 1;
    for (const ValueId id : node.inputs) {
      if (has_panels_of(graph_, node, id)) bytes = std::max(bytes, int64_t{size_of(graph_.value(id).type.dtype)});
    }
    return bytes;
  }

  struct Store {
    std::vector<ValueId> buffers;
    std::vector<Place*> places;
  };

  // Begins to write the buffers to their places, which are new without attributes.
  void store(const std::vector<ValueId>& buffers, const std::vector<Place*>& places, const Attributes& range,
             const Node& by) {
    std::vector<ValueId> inputs = buffers;
    std::vector<ValueId> outputs;
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i]->away != kNoValue) inputs.push_back(places[i]->away);
      outputs.push_back(next_away(*places[i]));
    }
    append(ops_.store, inputs, outputs, range, by);
    stores_.push_back({buffers, places});
  }

  void store_rows(Place& place, const Node& by) {
    const ValueId before = place.away;
    append(ops_.store_rows, {place.newest, before, place.ranges}, {next_away(place)}, {{"rows", place.rows}}, by);
    stores_.push_back({{place.newest}, {&place}});
  }

  void wait_for(const Store& store, const Node& by) {
    std::vector<ValueId> inputs = store.buffers;
    std::vector<ValueId> outputs;
    for (Place* place : store.places) {
      inputs.push_back(place->away);
      outputs.push_back(next_away(*place));
    }
    append(ops_.stored, inputs, outputs, {}, by);
  }

  // The older ones, until so many are left.
  void wait_for_stores(const Node& by, int64_t left) {
    for (; std::ssize(stores_) > left; stores_.pop_front()) wait_for(stores_.front(), by);
  }

  // A new value for what lies in `place`, which it becomes the newest of.
  ValueId next_away(Place& place) {
    const Value& root = graph_.value(place.storage.root);
    Value value{.name = part_name(root.name, name_of(plan_.to), place.stores++),
                .type = root.type,
                .role = root.role,
                .tier = plan_.to};
    return place.away = add(std::move(value));
  }

  ValueId add_like(ValueId origin, std::string_view what, const Type& type) {
    const Value& value = graph_.value(origin);
    return add({.name = part_name(value.name, what, count_++), .type = type, .role = value.role});
  }

  ValueId add(Value value) {
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size()) - 1;
  }

  void append(const Op* op, const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs,
              const Attributes& attributes, const Node& by) {
    graph_.nodes.push_back({op, inputs, outputs, attributes, by.segment, by.phase});
  }

  Graph graph_;
  const OffloadPlan& plan_;
  const TransferOps& ops_;
  std::unordered_map<ValueId, Place> places_;     // by root
  std::unordered_map<ValueId, Place*> place_of_;  // of each original value that left
  Replacements buffers_;                          // of an original value: where it was last loaded to
  std::deque<Store> stores_;                      // begun and not waited for
  int count_ = 0;
};

}  // namespace

Graph offload(Graph graph, const OffloadPlan& plan) { return Offloading(std::move(graph), plan).finish(); }

}  // namespace headroom
