#include "headroom/generate/streamed_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/interleaved_rows.h"
#include "headroom/base/page.h"
#include "headroom/formats/weights/grouped_reader.h"
#include "headroom/generate/evaluation_graphs.h"
#include "headroom/generate/spilled_cache.h"
#include "headroom/graph/op.h"
#include "headroom/ops/arrange.h"
#include "headroom/ops/embedding.h"
#include "headroom/passes/fetch_panels.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/pass.h"
#include "headroom/passes/prefetch.h"
#include "headroom/passes/rows_from_host.h"

namespace headroom {
namespace {

// Read ahead of its use: what keeps a disk busy and two of the largest weights, but of small models a part.
constexpr int64_t kBusyBytes = 32 * kMiB;
constexpr int64_t kPartAhead = 16;
constexpr int kRounds = 6;  // of looking for how many weights can stay

// Names of weights that are read row by row, and by weight its place among the nodes of the forward.
struct Readers {
  explicit Readers(const Model& model) {
    const Graph graph = forward_of_one_token(model);
    for (const Node& node : graph.nodes) {
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const Value& value = graph.value(node.inputs[i]);
        if (value.role != Role::weight) continue;
        if (node.op->name() == "embedding") by_rows.insert(value.name);
        if (node.segment.is_layer()) in_layers.insert(value.name);
      }
    }
  }

  std::unordered_set<std::string> by_rows;
  std::unordered_set<std::string> in_layers;
};

// Whether the output layer is the table of the embedding.
bool is_tied(const Model& model, const std::string& table) {
  Graph graph = forward_of_one_token(model);
  Builder build(graph);
  return graph.value(model.head_weight(build, all_in(DType::f32))).name == table;
}

using Arrangements = std::unordered_map<std::string, FileArrangement>;

// How the file holds a weight of `type`; nothing where it cannot be read as it is needed.
std::optional<FileArrangement> find_arrangement(const StoredTensor& stored, const Type& type) {
  if (stored.shape != type.shape) return std::nullopt;
  FileArrangement found = {type.dtype, stored.head_rows};
  if (stored.exact_format != nullptr) {
    if (!comes_of_q8(type.dtype, type.shape[1])) return std::nullopt;
    found.dtype = q8_blocks();
  } else if (stored.format != nullptr) {
    if (stored.format->dtype() != type.dtype) return std::nullopt;
  } else {
    const bool is_ordered = stored.in_order || stored.head_rows > 0;
    if (!is_ordered || dtype_of(stored.type) != type.dtype) return std::nullopt;
  }
  if (stored.size_bytes != Type{found.dtype, type.shape}.bytes()) return std::nullopt;
  return found;
}

// Throws InvalidInput for what loading the tensor refuses: a NaN, a scale that is no number. `rows` are as in the file.
void refuse_unusable(const WeightTensor& tensor, const Tensor& rows, int64_t first_row) {
  const StoredTensor& stored = tensor.stored;
  const File& file = tensor.file->file(stored);
  if (stored.format != nullptr) {
    return refuse_bad_scales(file, stored, *stored.format, rows.type.shape, first_row, rows.data);
  }
  if (stored.exact_format != nullptr) return refuse_bad_blocks(file, stored, rows.type.shape, first_row, rows.data);
  const int64_t columns = rows.type.shape[1];
  const int64_t bad = find_nan(rows.type.dtype, rows.data, rows.elements());
  if (bad < 0) return;
  int64_t row = first_row + bad / columns;
  if (stored.head_rows > 0) row = halved_row(row, stored.head_rows);
  const std::byte* element = rows.data + bad * size_of(rows.type.dtype);
  refuse_nan(file.path(), stored, row * columns + bad % columns, rows.type.dtype, element, 1);
}

// The fraction of i times the golden ratio: beginnings of this sequence are spread evenly.
double spread(size_t i) {
  const double turns = static_cast<double>(i) * 0.6180339887498949;
  return turns - std::floor(turns);
}

// Of a weight of the layers it is between 0 and 1.
constexpr double kTableTurn = -1.0;
constexpr double kOutputTurn = 1.0;

using Names = std::unordered_set<std::string>;

// The host fills the rows of ids where the table of rows left the job, and no step reads the ids.
void fill_rows(Job& job) {
  for (Schedule& schedule : job.schedules) {
    for (Row& row : schedule.rows) {
      for (std::string& name : row.fills) {
        const std::string rows = name + std::string(kRowsSuffix);
        if (job.graphs[static_cast<size_t>(row.graph)].find(rows) != kNoValue) name = rows;
      }
    }
  }
}

// Of a weight that comes in panels, each has about panel_bytes.
void leave_in_files(Job& job, const Names& names, const StreamSource& source, int64_t panel_bytes, int64_t ahead_bytes,
                    const Processor& processor) {
  const OffloadPlan leaving{.values = names, .to = Tier::model};
  const std::vector<StreamSource::Table> tables = source.tables();
  Arrangements arrangements;
  for (const StreamSource::Weight& weight : source.weights()) {
    if (weight.arrangement) arrangements.emplace(weight.name, *weight.arrangement);
  }
  for (Graph& graph : job.graphs) {
    for (const StreamSource::Table& table : tables) {
      if (names.contains(table.name)) graph = rows_from_host(std::move(graph), table.name, table.prefix);
    }
    graph = run_passes(std::move(graph),
                       {{"panels", [&](Graph one) { return fetch_panels(std::move(one), names, panel_bytes); }, false},
                        {"stream", [&](Graph one) { return offload(std::move(one), leaving); }, false},
                        {"arrange", [&](Graph one) { return arrange_fetched(std::move(one), arrangements); }, false},
                        {"prefetch", [&](Graph one) { return prefetch(std::move(one), processor, ahead_bytes); }}});
  }
  fill_rows(job);
}

class Streaming {
 public:
  Streaming(const std::vector<Candidate>& ways, const StreamSource& source, const Budget& budget,
            const ReserveInputs& reserve)
      : ways_(ways), source_(source), budget_(budget), resident_reserve_(reserve) {}

  // The output layer, which is read whole for every token, leaves only where it must. Nothing where no way fits.
  std::optional<FittedJob> fit() {
    for (const size_t count : {source_.before_output(), source_.weights().size()}) {
      take(count);
      if (std::optional<FittedJob> job = fit_some()) return job;
    }
    return std::nullopt;
  }

  // The leanest plan that was looked at.
  int64_t least_bytes() const { return least_.bytes; }
  FittedJob leanest() {
    take(least_.count);
    return plan(least_.way, all_, least_.ahead);
  }

 private:
  void take(size_t count) {
    all_.clear();
    all_bytes_ = largest_ = panel_bytes_ = 0;
    bool is_aligned = true;
    for (size_t i = 0; i < count; ++i) {
      const StreamSource::Weight& weight = source_.weights()[i];
      all_.insert(weight.name);
      all_bytes_ += weight.bytes;
      if (i < source_.before_output() && source_.is_table(weight.name)) continue;
      largest_ = std::max(largest_, weight.bytes);
      if (i < source_.before_output()) panel_bytes_ = largest_;
      is_aligned &= weight.is_aligned;
    }
    reserve_ = resident_reserve_;
    if (!is_aligned) reserve_.buffer_bytes += TransferStream::kCopyBytes;
  }

  // The leanest way says whether one fits.
  std::optional<FittedJob> fit_some() {
    for (const int64_t ahead : {ahead_bytes(), piece_bytes(), int64_t{0}}) {
      if (room_of(ways_.size() - 1, ahead) >= 0) return fit_best(ahead);
    }
    return std::nullopt;
  }

  FittedJob fit_best(int64_t ahead) {
    size_t best = ways_.size() - 1;
    int64_t room = 0;
    double least_read = std::numeric_limits<double>::infinity();
    for (size_t way = 0; way < ways_.size(); ++way) {
      const int64_t left = room_of(way, ahead);
      if (left < 0) continue;
      const double read = static_cast<double>(std::max<int64_t>(all_bytes_ - left, 1)) * ways_[way].sweeps;
      if (read >= least_read) break;  // so do those that are leaner still
      best = way;
      room = left;
      least_read = read;
    }
    return keep(best, ahead, room);
  }

  // What the budget has left beside the way with all of the weights in the files.
  int64_t room_of(size_t way, int64_t ahead) {
    const int64_t bytes = plan(way, all_, ahead).predicted_peak_bytes;
    if (bytes < least_.bytes) least_ = {bytes, way, all_.size(), ahead};
    return budget_.bytes - bytes;
  }

  // What comes to memory at once, at most.
  int64_t piece_bytes() const { return panel_bytes_ > 0 ? panel_bytes_ : largest_; }

  int64_t ahead_bytes() const {
    const int64_t piece = piece_bytes();
    return std::max(std::min(std::max(kBusyBytes, 2 * piece), all_bytes_ / kPartAhead), piece);
  }

  FittedJob plan(size_t way, const Names& names, int64_t ahead) const {
    int64_t bytes = 0;
    for (const StreamSource::Weight& weight : source_.weights()) {
      if (names.contains(weight.name)) bytes += weight.bytes;
    }
    const std::string choice =
        fmt::format("{}; {} of {} of the weights of {} stay in the model's files, read as steps need them",
                    ways_[way].choice, format_bytes(bytes), format_bytes(all_bytes_), owners());
    FittedJob job = plan_candidate({choice,
                                    [&] {
                                      Job built = ways_[way].build();
                                      leave_in_files(built, names, source_, panel_bytes_, ahead,
                                                     choose_backend().on(reserve_.threads));
                                      return built;
                                    }},
                                   budget_, reserve_);
    job.candidate = way;
    return job;
  }

  // Of all weights that may leave.
  const char* owners() const {
    const bool has_output = all_.size() > source_.before_output();
    const bool has_table =
        std::any_of(all_.begin(), all_.end(), [&](const std::string& name) { return source_.is_table(name); });
    if (!has_table) return has_output ? "layers and output" : "the layers";
    return has_output ? "embedding, layers and output" : "embedding and layers";
  }

  // The weights that leave where `room` bytes of them stay.
  Names leaving(int64_t room) const {
    Names names = all_;
    const auto& weights = source_.weights();
    for (size_t i = weights.size(); i-- > 0;) {
      if (weights[i].bytes > room || !names.contains(weights[i].name)) continue;
      room -= weights[i].bytes;
      names.erase(weights[i].name);
    }
    return names;
  }

  // As many weights as `room` holds come back to memory, and more by what the plan then has left: a weight that stays
  // needs no nodes. Of what a plan is above the budget by, weights leave again.
  FittedJob keep(size_t way, int64_t ahead, int64_t room) const {
    int64_t fits = 0;
    for (int round = 0; round < kRounds; ++round) {
      const int64_t left = budget_.bytes - plan(way, leaving(room), ahead).predicted_peak_bytes;
      if (left >= 0) fits = room;
      int64_t next = room + left;
      if (leaving(next) == leaving(room)) {
        if (left >= 0) break;
        next = room - largest_;
      }
      if (next <= fits) break;
      room = next;
    }
    return plan(way, leaving(fits), ahead);
  }

  const std::vector<Candidate>& ways_;
  const StreamSource& source_;
  const Budget& budget_;
  const ReserveInputs& resident_reserve_;
  ReserveInputs reserve_;
  Names all_;
  int64_t all_bytes_ = 0;
  int64_t largest_ = 0;
  int64_t panel_bytes_ = 0;  // the largest of the layers' weights
  struct Least {
    int64_t bytes = std::numeric_limits<int64_t>::max();
    size_t way = 0;
    size_t count = 0;
    int64_t ahead = 0;
  };
  Least least_;
};

}  // namespace

std::string_view StreamSource::Part::prefix() const { return source == Source::reference ? kReferencePrefix : ""; }

std::vector<StreamSource::Table> StreamSource::tables() const {
  std::vector<Table> tables;
  for (const Part& part : parts_) {
    if (!part.table.empty()) tables.push_back({part.table, part.prefix()});
  }
  return tables;
}

bool StreamSource::is_table(const std::string& name) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.table == name; });
}

StreamSource::StreamSource(const std::string& path, const Model& model) {
  list_weights({.source = Source::model, .files = std::optional<WeightFiles>(std::in_place, path)}, model, false);
}

StreamSource::StreamSource(const Model& model, bool in_blocks) { list_weights({}, model, in_blocks); }

void StreamSource::add_reference(const std::string& path, const Model& reference) {
  list_weights({.source = Source::reference, .files = std::optional<WeightFiles>(std::in_place, path)}, reference,
               false);
}

void StreamSource::list_weights(Part part, const Model& model, bool in_blocks) {
  const WeightFormats formats = model.stored_formats();
  const Readers readers(model);
  size_t number = 0;  // of the layers' weights
  for (const Parameter& parameter : model.parameters()) {
    const std::vector<Slice>& slices = parameter.binding->slices;
    if (parameter.shape.rank() < 2 || slices.size() != 1) continue;
    const Type type = {formats(parameter.name), parameter.shape};
    const bool is_table = readers.by_rows.contains(parameter.name);
    const bool is_whole = !is_table || is_tied(model, parameter.name);  // that is read
    bool is_aligned = !in_blocks;
    FileArrangement arrangement = {type.dtype, 0};
    if (in_blocks && as_grouped(type.dtype) != nullptr) {
      if (is_whole && !comes_of_q8(type.dtype, type.shape[1])) continue;
      arrangement.dtype = q8_blocks();
    }
    if (part.files && is_whole) {
      const std::optional<WeightTensor> tensor = part.files->find(slices.front().tensor);
      const auto found = tensor ? find_arrangement(tensor->stored, type) : std::nullopt;
      if (!found) continue;
      arrangement = *found;
      is_aligned = tensor->stored.offset_bytes % kPageBytes == 0;
    }
    const std::string name = std::string(part.prefix()) + parameter.name;
    if (is_table) {
      part.table = name;
      part.rows = slices.front();
    }
    double turn = is_whole ? kOutputTurn : kTableTurn;
    if (readers.in_layers.contains(parameter.name)) turn = spread(number++);
    Weight weight = {name, round_up(type.bytes(), kPageBytes), is_aligned};
    if (is_whole && (arrangement.dtype != type.dtype || arrangement.head_rows > 0)) weight.arrangement = arrangement;
    order_.emplace_back(turn, std::move(weight));
  }
  parts_.push_back(std::move(part));
  std::stable_sort(order_.begin(), order_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  weights_.clear();
  before_output_ = 0;
  for (const auto& [turn, weight] : order_) {
    weights_.push_back(weight);
    before_output_ += turn < kOutputTurn ? 1 : 0;
  }
}

void StreamSource::add_regions(const Plan& plan, ModelRegions& regions) const {
  for (const Part& part : parts_) {
    const PersistentValue* resident = plan.find(part.table);
    if (part.table.empty() || (resident != nullptr && resident->tier != Tier::model)) continue;
    const WeightTensor table = part.files->require(part.rows.tensor, part.rows.shape);
    regions.set_table(part.source, table.file->file(table.stored), [table](int32_t row, std::span<float> to) {
      const auto features = static_cast<int64_t>(to.size());
      table.read(row * features, features, DType::f32, to.data(), NanCheck::refuse);
    });
  }
  for (const PersistentValue& value : plan.persistent) {
    if (value.tier != Tier::model) continue;
    const Slice& slice = value.binding->slices.front();
    const auto of = std::find_if(parts_.begin(), parts_.end(),
                                 [&](const Part& part) { return part.source == value.binding->source; });
    const WeightTensor tensor = of->files->require(slice.tensor, slice.shape);
    regions.add(value.name, tensor.file->file(tensor.stored), tensor.stored.offset_bytes,
                [tensor](const Tensor& rows, int64_t first_row) { refuse_unusable(tensor, rows, first_row); });
  }
}

FittedJob fit_streamed(const std::vector<Candidate>& ways, const StreamSource* source, const Budget& budget,
                       ReserveInputs reserve, bool has_disk) {
  FirstFit resident = find_first_fit(ways, budget, reserve);
  if (resident.job) return std::move(*resident.job);
  int64_t least_bytes = resident.least_bytes;
  std::function<FittedJob()> leanest = [&] { return plan_candidate(ways[resident.leanest], budget, reserve); };
  const auto note = [&](int64_t bytes, std::function<FittedJob()> plan) {
    if (bytes < least_bytes) leanest = std::move(plan);
    least_bytes = std::min(least_bytes, bytes);
  };
  if (has_disk) {
    int64_t bytes = std::numeric_limits<int64_t>::max();
    if (std::optional<FittedJob> job = fit_spilled(ways, budget, reserve, bytes)) return std::move(*job);
    note(bytes, [&] { return leanest_spilled(ways, budget, reserve); });
  }
  if (source == nullptr || source->weights().empty()) refuse(leanest());
  Streaming streaming(ways, *source, budget, reserve);
  if (std::optional<FittedJob> job = streaming.fit()) return std::move(*job);
  note(streaming.least_bytes(), [&] { return streaming.leanest(); });
  const std::vector<Candidate> spilled = has_disk ? spill_all(ways) : std::vector<Candidate>();
  std::optional<Streaming> both;
  if (has_disk) {
    both.emplace(spilled, *source, budget, reserve);
    if (std::optional<FittedJob> job = both->fit()) return std::move(*job);
    note(both->least_bytes(), [&] { return both->leanest(); });
  }
  refuse(leanest());
}

}  // namespace headroom
