// Types and storage of transfers.
#include "headroom/ops/transfer.h"

#include "headroom/base/errors.h"
#include "headroom/base/page.h"
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

double bytes_of(std::span<const Type> types) {
  double bytes = 0;
  for (const Type& type : types) bytes += static_cast<double>(type.bytes());
  return bytes;
}

class Load : public Op {
 public:
  Load() : Op("load") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, kMostOperands);
    std::vector<Type> outputs(inputs.begin(), inputs.end());
    for (Type& type : outputs) {
      const int64_t elements = elements_of_range(name(), type, attributes);
      if (attributes.has("first")) type.shape = {elements};
    }
    return outputs;
  }

  Price price(const TypedNode& node) const override { return {.flops = 0, .bytes = bytes_of(node.outputs)}; }
  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::load; }
};

class Loaded : public Op {
 public:
  Loaded() : Op("loaded") {}

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
  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return Transfer::load; }
};

// What store and stored have in common: buffers, then as many disk values, which the outputs are.
class Write : public Op {
 public:
  using Op::Op;

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
  Store() : Write("store") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, kMostOperands);
    if (!attributes.has("first")) return {inputs.begin(), inputs.end()};
    const size_t count = inputs.size() / 2;
    if (inputs.size() % 2 != 0) {
      throw InvalidInput("store: every buffer has its place on disk; expected {} operands, got {}", 2 * count + 2,
                         inputs.size());
    }
    for (size_t i = 0; i < count; ++i) {
      const Type& on_disk = inputs[count + i];
      expect_dtype(name(), "the place on disk has the buffer's dtype", inputs[i].dtype, on_disk);
      const int64_t elements = elements_of_range(name(), on_disk, attributes);
      if (inputs[i].shape.elements() != elements) {
        throw InvalidInput("store: the buffer holds the range; expected {} elements, got {}", elements,
                           to_string(inputs[i]));
      }
    }
    return {inputs.begin() + static_cast<std::ptrdiff_t>(count), inputs.end()};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = bytes_of(node.inputs.first(node.outputs.size()))};
  }
  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::store; }
};

class Stored : public Write {
 public:
  Stored() : Write("stored") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2 * kMostOperands);
    return {inputs.begin() + static_cast<std::ptrdiff_t>(inputs.size() / 2), inputs.end()};
  }

  Price price(const TypedNode&) const override { return {}; }
  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return Transfer::store; }
};

}  // namespace
}  // namespace headroom

static const headroom::Load load_op;
HEADROOM_OP(load_op);
static const headroom::Loaded loaded_op;
HEADROOM_OP(loaded_op);
static const headroom::Store store_op;
HEADROOM_OP(store_op);
static const headroom::Stored stored_op;
HEADROOM_OP(stored_op);
