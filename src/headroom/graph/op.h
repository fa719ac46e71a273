// What an operation says about itself. One file an op in ops/, found by name through a table that the linker
// collects: adding an op edits no list.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

class Builder;

// What running a node once costs, for the cost model.
struct Price {
  double flops = 0;
  double bytes = 0;  // read and written
};

// output -> input, by position.
struct StoragePair {
  int output = 0;
  int input = 0;
};

// What runs a node: the computation, or beside it what moves bytes, to the disk, to the host's memory behind a device,
// to other ranks. A backend says which of them it has.
enum class Lane : uint8_t { compute, disk, link, network };
inline constexpr int kLanes = 4;
std::string_view name_of(Lane lane);
// The tier that transfers of the lane move values from and to; device for a lane that moves none.
Tier tier_behind(Lane lane);

// A node of another lane than compute begins its work there; until a second node has waited for it, what it reads must
// stay as it is and what it writes is not there yet. The wait takes all of the buffers that the begin touches.
enum class Course : uint8_t { whole, begin, wait };

// Where a transfer moves bytes: into the budgeted memory or out of it (ops/transfer.h); from all ranks to all, each its
// part of a whole, or to each of them its part (ops/gather.h, ops/scatter.h).
enum class Transfer : uint8_t { none, load, store, gather, scatter };

class Op {
 public:
  explicit Op(std::string_view name) : name_(name) {}
  virtual ~Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  std::string_view name() const { return name_; }

  // Types of the outputs for these inputs. Throws InvalidInput that starts with the op's name when they do not fit.
  virtual std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const = 0;

  // Outputs that live in an input's storage, always (state that is updated, chains that go on).
  virtual std::vector<StoragePair> in_place(const TypedNode&) const { return {}; }

  // Outputs that may take an input's storage when that input is not read again. The kernel must allow both.
  virtual std::vector<StoragePair> may_reuse(const TypedNode&) const { return {}; }

  virtual Price price(const TypedNode& node) const;  // default: no flops, every operand touched once

  // The gradient of each input given that of each output (kNoValue where none flows), built from other ops; kNoValue
  // for an input that has none. Throws InternalError when the op has no gradient.
  virtual std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                        std::span<const ValueId> output_gradients) const;

  // Whether output 0 can go on from an extra last input (of the same type, storage shared) instead of from +0, with
  // the bits of one uninterrupted sum: what gradient accumulation needs.
  virtual bool continues_sum() const { return false; }

  // Whether input `input` of the node is read; false for one that is there only for its storage, which the node writes,
  // all of it or a range.
  virtual bool reads_input(const Node&, size_t /*input*/) const { return true; }

  // Whether kernels read input `input` in any block format as well, decoding its elements on the way.
  virtual bool reads_blocks(size_t /*input*/) const { return false; }

  virtual Lane lane() const { return Lane::compute; }
  virtual Course course() const { return Course::whole; }
  // Not none: the node moves values between tiers or ranks, and has no kernel.
  virtual Transfer transfer() const { return Transfer::none; }
  // From and to which tier it moves them.
  virtual Tier away() const { return tier_behind(lane()); }
  // Of a node that begins to move some rows of a value only, or some experts: the input that says which, i32 in memory;
  // -1: it moves all.
  virtual int rows_input() const { return -1; }
  // Of a node that begins to move into a value that is in memory already: the input that it is; -1: it makes one.
  virtual int place_input() const { return -1; }

  // Not 0: the op is an update, element by element and all of it in place, that can be done panel by panel
  // (ops/panel.h). Panels are whole multiples of so many elements, but for the last.
  virtual int64_t panel_unit() const { return 0; }

 private:
  std::string_view name_;
};

// The op of that name, or null.
const Op* find_op(std::string_view name);
// All ops, ordered by name.
std::vector<const Op*> all_ops();

}  // namespace headroom

// In an op's source file, at global scope: adds the constant `object` (of a class derived from Op) to the table.
#define HEADROOM_OP(object) \
  [[gnu::used, gnu::section("headroom_ops")]] static const headroom::Op* const object##_entry = &(object)
