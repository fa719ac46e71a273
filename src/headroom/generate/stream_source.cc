#include "headroom/generate/stream_source.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_set>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/interleaved_rows.h"
#include "headroom/base/page.h"
#include "headroom/formats/weights/grouped_reader.h"
#include "headroom/generate/evaluation_graphs.h"
#include "headroom/graph/op.h"
#include "headroom/models/stack.h"
#include "headroom/ops/arrange.h"

namespace headroom {
namespace {

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

// How the file holds a weight of `type`; nothing where it cannot be read as it is needed.
std::optional<FileArrangement> find_arrangement(const StoredTensor& stored, const Type& type) {
  if (stored.shape != type.shape) return std::nullopt;
  FileArrangement found = {type.dtype, stored.head_rows};
  if (stored.exact_format != nullptr) {
    if (stored.blocks == nullptr || !comes_of(stored.blocks->dtype(), type)) return std::nullopt;
    found.dtype = stored.blocks->dtype();
  } else if (stored.format != nullptr) {
    if (stored.format->dtype() != type.dtype) return std::nullopt;
  } else {
    const bool is_ordered = stored.in_order || stored.head_rows > 0;
    if (!is_ordered || dtype_of(stored.type) != type.dtype) return std::nullopt;
  }
  if (stored.size_bytes != Type{found.dtype, type.shape}.bytes()) return std::nullopt;
  return found;
}

// Of a part of a stack: where it lies, and what the cache knows of it.
constexpr int64_t kBytesOfPart = 96;

// Whether files (none: those that headroom would write) hold each matrix of the stack as it is kept.
bool holds_whole(const std::optional<WeightFiles>& files, const Parameter& stack, DType kept) {
  if (!files) return true;
  return std::all_of(stack.binding->slices.begin(), stack.binding->slices.end(), [&](const Slice& slice) {
    const std::optional<WeightTensor> tensor = files->find(slice.tensor);
    if (!tensor) return false;
    const auto found = find_arrangement(tensor->stored, {kept, slice.shape});
    return found && found->dtype == kept && found->head_rows == 0;
  });
}

// Throws InvalidInput for what loading the tensor refuses: a NaN, a scale that is no number. `rows` are as in the file.
void refuse_unusable(const WeightTensor& tensor, const Tensor& rows, int64_t first_row) {
  const StoredTensor& stored = tensor.stored;
  const File& file = tensor.file->file(stored);
  if (stored.format != nullptr) {
    return refuse_bad_scales(file.path(), stored, *stored.format, rows.type.shape, first_row, rows.data, true);
  }
  if (stored.blocks != nullptr) {
    return refuse_bad_scales(file.path(), stored, *stored.blocks, rows.type.shape, first_row, rows.data, true);
  }
  const int64_t columns = rows.type.shape[1];
  const int64_t bad = find_nan(rows.type.dtype, rows.data, rows.elements());
  if (bad < 0) return;
  int64_t row = first_row + bad / columns;
  if (stored.head_rows > 0) row = halved_row(row, stored.head_rows);
  const std::byte* element = rows.data + bad * size_of(rows.type.dtype);
  refuse_nan(file.path(), stored, row * columns + bad % columns, rows.type.dtype, element, 1);
}

bool begins_on_pages(const WeightFiles& files, const Binding& stack) {
  return std::all_of(stack.slices.begin(), stack.slices.end(), [&](const Slice& slice) {
    return files.require(slice.tensor, slice.shape).stored.offset_bytes % kPageBytes == 0;
  });
}

void add_stack(const WeightFiles& files, const PersistentValue& stack, ModelRegions& regions) {
  const int64_t rows_of_one = stack.type.shape[1];
  const auto look = [&files, rows_of_one, binding = stack.binding](const Tensor& rows, int64_t first_row) {
    const Slice& slice = binding->slices[static_cast<size_t>(first_row / rows_of_one)];
    refuse_unusable(files.require(slice.tensor, slice.shape), rows, 0);
  };
  for (const Slice& slice : stack.binding->slices) {
    const WeightTensor tensor = files.require(slice.tensor, slice.shape);
    regions.add_part(stack.name, tensor.file->file(tensor.stored), tensor.stored.offset_bytes, look);
  }
}

// The fraction of i times the golden ratio: beginnings of this sequence are spread evenly.
double spread(size_t i) {
  const double turns = static_cast<double>(i) * 0.6180339887498949;
  return turns - std::floor(turns);
}

// Of a weight of the layers it is between 0 and 1.
constexpr double kTableTurn = -1.0;
constexpr double kOutputTurn = 1.0;

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
    if (is_stack(*parameter.binding, parameter.shape)) {
      if (part.source == Source::model && holds_whole(part.files, parameter, formats(parameter.name))) {
        stacks_.insert(parameter.name);
        stack_bytes_ += static_cast<int64_t>(slices.size()) * kBytesOfPart;
        stacks_are_aligned_ &= part.files ? begins_on_pages(*part.files, *parameter.binding) : !in_blocks;
      }
      continue;
    }
    if (parameter.shape.rank() < 2 || slices.size() != 1) continue;
    const Type type = {formats(parameter.name), parameter.shape};
    const bool is_table = readers.by_rows.contains(parameter.name);
    const bool is_whole = !is_table || is_tied(model, parameter.name);  // that is read
    bool is_aligned = !in_blocks;
    FileArrangement arrangement = {type.dtype, 0};
    if (in_blocks && as_grouped(type.dtype) != nullptr) {
      if (is_whole && !comes_of(q8_blocks(), type)) continue;
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
    if (is_stack(*value.binding, value.type.shape)) {
      add_stack(*parts_.front().files, value, regions);
      continue;
    }
    const Slice& slice = value.binding->slices.front();
    const auto of = std::find_if(parts_.begin(), parts_.end(),
                                 [&](const Part& part) { return part.source == value.binding->source; });
    const WeightTensor tensor = of->files->require(slice.tensor, slice.shape);
    regions.add(value.name, tensor.file->file(tensor.stored), tensor.stored.offset_bytes,
                [tensor](const Tensor& rows, int64_t first_row) { refuse_unusable(tensor, rows, first_row); });
  }
}

}  // namespace headroom
