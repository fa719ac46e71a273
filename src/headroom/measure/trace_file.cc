#include "headroom/measure/trace_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/plan/cost_model.h"

namespace headroom {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr int kPhases = 3;
constexpr int kDisk = 2, kNetwork = 3;  // processes, beside that of compute

// Names of segments come from the models, not from files; but a quote in one must not break the file.
std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c < ' ' ? ' ' : c;
  }
  return result + '"';
}

// Microseconds, to the nanosecond.
std::string microseconds(int64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

// The op whose nodes begin what nodes of the op `wait` wait for; empty where that waits for nothing.
std::string_view beginner_of(std::string_view wait) {
  if (wait == "loaded") return "load";
  return wait == "stored" ? "store" : "";
}

}  // namespace

TraceFile::TraceFile(const std::string& path, std::span<const Graph* const> graphs)
    : file_(path), graphs_(graphs.begin(), graphs.end()) {
  buffer_.reserve(kBufferBytes);
  write("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n");
  for (const Graph* graph : graphs_) {
    for (const Phase phase : {Phase::forward, Phase::backward, Phase::update}) {
      const bool used =
          std::any_of(graph->nodes.begin(), graph->nodes.end(), [&](const Node& node) { return node.phase == phase; });
      if (!used) continue;
      write(fmt::format(
          "{}{{\"ph\": \"M\", \"pid\": 1, \"tid\": {}, \"name\": \"thread_name\", \"args\": {{\"name\": {}}}}}",
          first_event_ ? "" : ",\n", track_of(*graph, phase),
          json_text(fmt::format("{}: {}", graph->name, name_of(phase)))));
      first_event_ = false;
    }
  }
}

int TraceFile::track_of(const Graph& graph, Phase phase) const {
  const auto place = std::find(graphs_.begin(), graphs_.end(), &graph) - graphs_.begin();
  return 1 + static_cast<int>(place) * kPhases + static_cast<int>(phase);
}

void TraceFile::add(const Graph& graph, std::span<const int64_t> moments_ns, std::span<const int64_t> live_bytes) {
  ensure(moments_ns.size() == graph.nodes.size() + 1, "{} moments of {} nodes", moments_ns.size(), graph.nodes.size());
  if (slices_ >= kMostSlices) return;
  slices_ += static_cast<int64_t>(graph.nodes.size());
  if (origin_ns_ < 0) origin_ns_ = moments_ns[0];
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const Price price = price_of(graph, node);
    const std::string name = node.segment.name.empty() ? std::string(node.op->name())
                                                       : fmt::format("{} {}", node.segment.name, node.op->name());
    write(fmt::format(
        "{}{{\"ph\": \"X\", \"pid\": 1, \"tid\": {}, \"ts\": {}, \"dur\": {}, \"name\": {}, \"cat\": \"{}\", "
        "\"args\": {{\"node\": {}, \"flops\": {:.0f}, \"bytes\": {:.0f}, \"live\": {}}}}}",
        first_event_ ? "" : ",\n", track_of(graph, node.phase), microseconds(moments_ns[i] - origin_ns_),
        microseconds(moments_ns[i + 1] - moments_ns[i]), json_text(name), name_of(node.phase), i, price.flops,
        price.bytes, live_bytes[i]));
    first_event_ = false;
    add_transfer(graph, i, moments_ns);
    if (i > 0 && live_bytes[i] == live_bytes[i - 1]) continue;
    write(
        fmt::format(",\n{{\"ph\": \"C\", \"pid\": 1, \"ts\": {}, \"name\": \"alive in the arena\", \"args\": "
                    "{{\"bytes\": {}}}}}",
                    microseconds(moments_ns[i] - origin_ns_), live_bytes[i]));
  }
}

void TraceFile::add_transfer(const Graph& graph, size_t wait, std::span<const int64_t> moments_ns) {
  const Node& last = graph.nodes[wait];
  const std::string_view beginner = beginner_of(last.op->name());
  if (beginner.empty()) return;
  const bool loads = beginner == "load";
  for (size_t begin = wait; begin-- > 0;) {
    const Node& first = graph.nodes[begin];
    if (first.op->name() != beginner) continue;
    const ValueId buffer = loads ? first.outputs.front() : first.inputs.front();
    if (buffer != last.inputs.front()) continue;
    const ValueId on_disk = loads ? first.inputs.front() : first.outputs.front();
    return write_transfer(kDisk, {graph, first, on_disk, loads ? 1 : 2, last.outputs.size()}, moments_ns[begin],
                          moments_ns[wait + 1]);
  }
}

void TraceFile::add_exchange(const Graph& graph, size_t begins, int64_t begin_ns, int64_t done_ns) {
  if (slices_ >= kMostSlices) return;
  if (origin_ns_ < 0) origin_ns_ = begin_ns;
  const Node& first = graph.nodes[begins];
  const int track = first.op->transfer() == Transfer::gather ? 1 : 2;
  write_transfer(kNetwork, {graph, first, first.inputs.front(), track, 1}, begin_ns, done_ns);
}

// Transfers overlap, so they are asynchronous slices, each with a number of its own.
void TraceFile::write_transfer(int process, const Transferred& transfer, int64_t begin_ns, int64_t end_ns) {
  if (std::find(processes_.begin(), processes_.end(), process) == processes_.end()) {
    processes_.push_back(process);
    write(fmt::format(R"({}{{"ph": "M", "pid": {}, "name": "process_name", "args": {{"name": "{}"}}}})",
                      first_event_ ? "" : ",\n", process, process == kDisk ? "disk" : "network"));
    first_event_ = false;
  }
  const Value& value = transfer.graph.value(transfer.value);
  ++transfers_;
  for (const bool ends : {false, true}) {
    write(
        fmt::format(",\n{{\"ph\": \"{}\", \"pid\": {}, \"tid\": {}, \"ts\": {}, \"name\": {}, \"cat\": \"{}\", "
                    "\"id\": {}, \"args\": {{\"bytes\": {:.0f}, \"values\": {}}}}}",
                    ends ? "e" : "b", process, transfer.track, microseconds((ends ? end_ns : begin_ns) - origin_ns_),
                    json_text(value.name), transfer.begins.op->name(), transfers_,
                    price_of(transfer.graph, transfer.begins).bytes, transfer.values));
  }
}

void TraceFile::write(std::string_view text) {
  if (buffer_.size() + text.size() > kBufferBytes) flush();
  buffer_ += text;
}

void TraceFile::flush() {
  file_.file().write(written_bytes_, buffer_.data(), static_cast<int64_t>(buffer_.size()));
  written_bytes_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
}

void TraceFile::finish() {
  write("\n]}\n");
  flush();
  file_.commit();
}

}  // namespace headroom
