#include "headroom/plan/picture.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <unordered_map>

#include "headroom/base/bytes.h"
#include "headroom/graph/op.h"
#include "headroom/plan/lifetimes.h"
#include "headroom/plan/picture_page.h"

namespace headroom {
namespace {

constexpr size_t kValuesShown = 4000;

// Writes "[a,b,...]" with write_one(i) for each element.
template <class WriteOne>
void write_list(std::ostream& out, size_t count, WriteOne write_one) {
  out << '[';
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out << ',';
    write_one(i);
  }
  out << ']';
}

// A value, or a part of its life, as the page draws it.
struct Bar {
  std::string_view name;
  Role role = Role::activation;
  int64_t size_bytes = 0;
  int64_t offset_bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

void write_bars(std::ostream& out, const std::vector<Bar>& bars, size_t shown) {
  write_list(out, shown, [&](size_t i) {
    const Bar& bar = bars[i];
    out << '[' << script_string(bar.name) << ',' << static_cast<int>(bar.role) << ',' << bar.size_bytes << ','
        << bar.offset_bytes << ',' << bar.first << ',' << bar.last << ']';
  });
}

// The bars beyond the first `shown`, by role: [role, [node, bytes from there on, node, bytes, ...]].
void write_rest(std::ostream& out, const std::vector<Bar>& bars, size_t shown) {
  std::array<std::map<int32_t, int64_t>, kRoles> changes;
  for (size_t i = shown; i < bars.size(); ++i) {
    changes[static_cast<size_t>(bars[i].role)][bars[i].first] += bars[i].size_bytes;
    changes[static_cast<size_t>(bars[i].role)][bars[i].last + 1] -= bars[i].size_bytes;
  }
  write_list(out, kRoles, [&](size_t role) {
    out << '[' << role << ",[";
    int64_t live = 0;
    const char* separator = "";
    for (const auto& [node, change] : changes[role]) {
      live += change;
      out << separator << node << ',' << live;
      separator = ",";
    }
    out << "]]";
  });
}

void sort_by_size(std::vector<Bar>& bars) {
  std::stable_sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) { return a.size_bytes > b.size_bytes; });
}

// Texts that repeat (ops, segments) are written once and then named by number.
class TextTable {
 public:
  size_t number_of(std::string_view text) {
    const auto [found, is_new] = numbers_.try_emplace(text, texts_.size());
    if (is_new) texts_.push_back(text);
    return found->second;
  }
  void write(std::ostream& out) const {
    write_list(out, texts_.size(), [&](size_t i) { out << script_string(texts_[i]); });
  }

 private:
  std::unordered_map<std::string_view, size_t> numbers_;
  std::vector<std::string_view> texts_;
};

void write_graph(std::ostream& out, const Graph& graph, const GraphPlan& placed, const Lifetimes& lifetimes) {
  std::vector<Bar> bars;
  for (const Tenant& tenant : tenants_of(graph, lifetimes)) {
    const int64_t size_bytes = lifetimes.blocks[static_cast<size_t>(tenant.block)].size_bytes;
    if (tenant.value == kNoValue) {
      bars.push_back({"scratch", Role::scratch, size_bytes,
                      placed.scratch_offsets_bytes[static_cast<size_t>(tenant.first)], tenant.first, tenant.last});
    } else {
      const Value& value = graph.value(tenant.value);
      bars.push_back({value.name, value.role, size_bytes, placed.offsets_bytes[static_cast<size_t>(tenant.value)],
                      tenant.first, tenant.last});
    }
  }
  sort_by_size(bars);
  const size_t shown = std::min(bars.size(), kValuesShown);

  TextTable texts;
  out << "{\"name\":" << script_string(graph.name) << ",\"transient\":" << placed.transient_bytes
      << ",\"diskRead\":" << placed.disk_read_bytes << ",\"diskWritten\":" << placed.disk_written_bytes
      << ",\"nodes\":";
  write_list(out, graph.nodes.size(), [&](size_t i) {
    const Node& node = graph.nodes[i];
    out << '[' << texts.number_of(node.op->name()) << ',' << texts.number_of(node.segment.name) << ','
        << static_cast<int>(node.phase) << ']';
  });
  out << ",\"texts\":";
  texts.write(out);
  out << ",\"values\":";
  write_bars(out, bars, shown);
  out << ",\"rest\":";
  write_rest(out, bars, shown);
  out << ",\"hidden\":" << bars.size() - shown << "}\n";
}

}  // namespace

std::string script_string(std::string_view text) {
  const std::string json =
      nlohmann::json(std::string(text)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string safe;
  for (const char c : json) safe += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return safe;
}

std::string json_of(const PictureWords& words) {
  return fmt::format(R"("title":{},"model":{},"choice":{},"forecast":{},"command":{})", script_string(words.title),
                     script_string(words.model), script_string(words.choice), script_string(words.forecast),
                     script_string(words.command));
}

void write_picture(std::ostream& out, const Job& job, const Plan& plan, const ProcessBudget& budget,
                   const PictureWords& words) {
  std::vector<Bar> persistent;
  for (const PersistentValue& value : plan.persistent) {
    if (value.tier != Tier::device) continue;
    persistent.push_back({value.name, value.role, value.slots * value.slot_bytes, value.offset_bytes, 0, 0});
  }
  sort_by_size(persistent);
  const size_t shown = std::min(persistent.size(), kValuesShown);

  out << kPictureHead << '{' << json_of(words) << ",\n\"roles\":";
  write_list(out, kRoles, [&](size_t role) { out << script_string(words_of(static_cast<Role>(role))); });
  out << ",\"phases\":";
  write_list(out, 3, [&](size_t phase) { out << script_string(name_of(static_cast<Phase>(phase))); });
  out << ",\"arena\":" << plan.arena_bytes << ",\"persistentBytes\":" << plan.persistent_bytes
      << ",\"bound\":" << plan.lower_bound_bytes << ",\"reserve\":" << budget.reserve_bytes
      << ",\"budget\":" << budget.budget_bytes << ",\"disk\":" << plan.disk_bytes << ",\"threads\":" << plan.threads
      << ",\"peakGraph\":" << plan.peak.graph << ",\"peakNode\":" << plan.peak.node << ",\n\"persistent\":";
  write_bars(out, persistent, shown);
  out << ",\"persistentRest\":";
  write_rest(out, persistent, shown);
  out << ",\n\"graphs\":";
  write_list(out, job.graphs.size(), [&](size_t i) {
    write_graph(out, job.graphs[i], plan.graphs[i], find_lifetimes(job.graphs[i], job.processor, plan.alignment_bytes));
  });
  out << '}' << kPictureMiddle << kPictureScript << kPictureTail;
}

}  // namespace headroom
