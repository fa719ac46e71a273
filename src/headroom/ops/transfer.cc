// Types and storage of transfers.
#include "headroom/ops/transfer.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/page.h"
#include "headroom/base/row_span.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

constexpr size_t kMostOperands = 64;

// The range that the attributes name, checked against the disk value of type `on_disk`; all of it without attributes.
int64_t elements_of_range(std::string_view op, const Type& on_disk, const Attributes& attributes) {
  const int64_t whole = on_disk.shape.elements();
  if (!attributes.has("first")) return whole;
  const int64_t first = attributes.integer("first");
  const int64_t elements = attributes.integer("elements");
  const bool inside = first >= 0 && elements >= 0 && elements <= whole && first <= whole - elements;
  if (!inside || first % (kPageBytes / size_of(on_disk.dtype)) != 0) {
    throw InvalidInput("{}: the range lies within {} and begins on a page; got {} elements from {}", op,
                       to_string(on_disk), elements, first);
  }
  return elements;
}

// Whole rows of a matrix, which begin a page.
Type rows_of_range(std::string_view op, const Type& whole, const Attributes& attributes) {
  const int64_t first = attributes.integer("first_row");
  const int64_t rows = attributes.integer("rows");
  const bool inside =
      whole.shape.rank() == 2 && first >= 0 && rows > 0 && rows <= whole.shape[0] && first <= whole.shape[0] - rows;
  const Type type{whole.dtype, inside ? Shape{rows, whole.shape[1]} : Shape{}};
  const int64_t before = inside && first > 0 ? Type{whole.dtype, {first, whole.shape[1]}}.bytes() : 0;
  if (!inside || before % kPageBytes != 0 || (as_grouped(whole.dtype) != nullptr && first % kPanelRows != 0)) {
    throw InvalidInput("{}: the rows lie within {} and begin on a page; got {} rows from {}", op, to_string(whole),
                       rows, first);
  }
  return type;
}

double bytes_of(std::span<const Type> types) {
  double bytes = 0;
  for (const Type& type : types) bytes += static_cast<double>(type.bytes());
  return bytes;
}

// What all have in common: the lane.
class TransferOp : public Op {
 public:
  TransferOp(std::string_view name, Lane lane) : TransferOp(name, lane, tier_behind(lane)) {}
  TransferOp(std::string_view name, Lane lane, Tier away) : Op(name), lane_(lane), away_(away) {}
  Lane lane() const override { return lane_; }
  Tier away() const override { return away_; }

 private:
  Lane lane_;
  Tier away_;
};

class Load : public TransferOp {
 public:
  using TransferOp::TransferOp;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, kMostOperands);
    std::vector<Type> outputs(inputs.begin(), inputs.end());
    for (Type& type : outputs) {
      if (attributes.has("first_row")) {
        type = rows_of_range(name(), type, attributes);
        continue;
      }
      const int64_t elements = elements_of_range(name(), type, attributes);
      if (attributes.has("first")) type.shape = {elements};
    }
    return outputs;
  }

  Price price(const TypedNode& node) const override { return {.flops = 0, .bytes = bytes_of(node.outputs)}; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::load; }
};

class Loaded : public TransferOp {
 public:
  using TransferOp::TransferOp;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, kMostOperands);
    return {inputs.begin(), inputs.end()};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    std::vector<StoragePair> pairs;
    for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) pairs.push_back({.output = i, .input = i});
    return pairs;
  }

  Price price(const TypedNode&) const override { return {}; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return Transfer::load; }
};

// What store and stored have in common: buffers, then as many places, which the outputs are.
class Write : public TransferOp {
 public:
  using TransferOp::TransferOp;

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    std::vector<StoragePair> pairs;
    const auto count = static_cast<int>(node.outputs.size());
    if (node.inputs.size() == 2 * node.outputs.size()) {
      for (int i = 0; i < count; ++i) pairs.push_back({.output = i, .input = count + i});
    }
    return pairs;
  }
  bool reads_input(const Node& node, size_t input) const override { return input < node.outputs.size(); }
};

class Store : public Write {
 public:
  using Write::Write;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, kMostOperands);
    if (!attributes.has("first")) return {inputs.begin(), inputs.end()};
    const size_t count = inputs.size() / 2;
    if (inputs.size() % 2 != 0) {
      throw InvalidInput("{}: every buffer has its place; expected {} operands, got {}", name(), 2 * count + 2,
                         inputs.size());
    }
    for (size_t i = 0; i < count; ++i) {
      const Type& place = inputs[count + i];
      expect_dtype(name(), "the place has the buffer's dtype", inputs[i].dtype, place);
      const int64_t elements = elements_of_range(name(), place, attributes);
      if (inputs[i].shape.elements() != elements) {
        throw InvalidInput("{}: the buffer holds the range; expected {} elements, got {}", name(), elements,
                           to_string(inputs[i]));
      }
    }
    return {inputs.begin() + static_cast<std::ptrdiff_t>(count), inputs.end()};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = bytes_of(node.inputs.first(node.outputs.size()))};
  }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::store; }
};

void expect_ranges(std::string_view op, const Type& ranges) {
  const bool pairs = ranges.shape.rank() == 2 && ranges.shape[1] == 2;
  expect_type(op, "ranges are i32[2] or i32[R, 2]", i32(pairs ? ranges.shape : Shape{2}), ranges);
}

class LoadRows : public Load {
 public:
  using Load::Load;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_ranges(name(), inputs[1]);
    return {inputs[0]};
  }
  int rows_input() const override { return 1; }
};

class StoreRows : public Write {
 public:
  using Write::Write;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_type(name(), "the buffer is as its place", inputs[1], inputs[0]);
    expect_ranges(name(), inputs[2]);
    attributes.integer("rows");
    return {inputs[1]};
  }
  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 1}}; }
  bool reads_input(const Node&, size_t input) const override { return input != 1; }

  Price price(const TypedNode& node) const override {
    const Type& whole = node.inputs[0];
    const int64_t rows = std::min(node.attributes.integer("rows"), whole.shape[0]);
    const RowSpan span(whole, 0, rows);
    return {.flops = 0, .bytes = static_cast<double>(span.end_byte)};
  }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::store; }
  int rows_input() const override { return 2; }
};

class Stored : public Write {
 public:
  using Write::Write;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2 * kMostOperands);
    return {inputs.begin() + static_cast<std::ptrdiff_t>(inputs.size() / 2), inputs.end()};
  }

  Price price(const TypedNode&) const override { return {}; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return Transfer::store; }
};

}  // namespace

const TransferOps& transfer_ops(Tier tier) {
  ensure(tier != Tier::device, "no transfer leads from the memory to itself");
  static const TransferOps disk = {find_op("load"),   find_op("loaded"),    find_op("store"),
                                   find_op("stored"), find_op("load_rows"), find_op("store_rows")};
  static const TransferOps host = {find_op("upload"), find_op("uploaded"), find_op("download"), find_op("downloaded")};
  static const TransferOps model = {find_op("fetch"), find_op("fetched"), nullptr, nullptr};
  if (tier == Tier::model) return model;
  return tier == Tier::disk ? disk : host;
}

}  // namespace headroom

static const headroom::Load load_op("load", headroom::Lane::disk);
HEADROOM_OP(load_op);
static const headroom::Loaded loaded_op("loaded", headroom::Lane::disk);
HEADROOM_OP(loaded_op);
static const headroom::Store store_op("store", headroom::Lane::disk);
HEADROOM_OP(store_op);
static const headroom::Stored stored_op("stored", headroom::Lane::disk);
HEADROOM_OP(stored_op);

static const headroom::LoadRows load_rows_op("load_rows", headroom::Lane::disk);
HEADROOM_OP(load_rows_op);
static const headroom::StoreRows store_rows_op("store_rows", headroom::Lane::disk);
HEADROOM_OP(store_rows_op);

static const headroom::Load fetch_op("fetch", headroom::Lane::disk, headroom::Tier::model);
HEADROOM_OP(fetch_op);
static const headroom::Loaded fetched_op("fetched", headroom::Lane::disk, headroom::Tier::model);
HEADROOM_OP(fetched_op);

static const headroom::Load upload_op("upload", headroom::Lane::link);
HEADROOM_OP(upload_op);
static const headroom::Loaded uploaded_op("uploaded", headroom::Lane::link);
HEADROOM_OP(uploaded_op);
static const headroom::Store download_op("download", headroom::Lane::link);
HEADROOM_OP(download_op);
static const headroom::Stored downloaded_op("downloaded", headroom::Lane::link);
HEADROOM_OP(downloaded_op);
