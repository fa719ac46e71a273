// Runs one op's kernel on given tensors, for an instruction set and a number of threads, the way the executor does:
// outputs where Op::in_place puts them, scratch of exactly what the kernel asks for. Guards behind every buffer catch
// writes beyond it, and fresh buffers start as garbage. expect_kernels_agree is the test of a CPU kernel: equality with
// the reference, bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/backend/isa.h"
#include "headroom/base/block_format.h"
#include "headroom/base/bytes.h"
#include "headroom/base/dtype.h"
#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom::testing {

// A buffer aligned to 64 bytes, filled with `garbage`, that checks its guard when asked.
class Buffer {
 public:
  explicit Buffer(int64_t bytes, int garbage = 0xcd)
      : bytes_(bytes), data_(new (std::align_val_t{64}) std::byte[static_cast<size_t>(bytes + kGuardBytes)]) {
    std::memset(data_.get(), garbage, static_cast<size_t>(bytes));
    std::memset(data_.get() + bytes, kGuard, kGuardBytes);
  }
  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }
  bool is_guard_intact() const {
    for (int64_t i = 0; i < kGuardBytes; ++i) {
      if (data_[static_cast<size_t>(bytes_ + i)] != static_cast<std::byte>(kGuard)) return false;
    }
    return true;
  }

 private:
  static constexpr int64_t kGuardBytes = 256;
  static constexpr int kGuard = 0x5a;
  struct Free {
    void operator()(std::byte* data) const { ::operator delete[](data, std::align_val_t{64}); }
  };
  int64_t bytes_;
  std::unique_ptr<std::byte[], Free> data_;
};

// A tensor that owns its elements.
class Array {
 public:
  explicit Array(const Type& type, int garbage = 0xcd)
      : type_(type), buffer_(std::make_shared<Buffer>(type.bytes(), garbage)) {}
  Array(const Type& type, std::shared_ptr<Buffer> storage) : type_(type), buffer_(std::move(storage)) {}

  const Type& type() const { return type_; }
  int64_t elements() const { return type_.shape.elements(); }
  Tensor tensor() const { return {buffer_->data(), type_}; }
  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(buffer_->data());
  }
  // In a buffer of at least so many bytes.
  Array copy(int64_t bytes = 0) const {
    Array other(type_, std::make_shared<Buffer>(std::max(bytes, type_.bytes())));
    std::memcpy(other.buffer_->data(), buffer_->data(), static_cast<size_t>(type_.bytes()));
    return other;
  }
  // Element i as a number, whatever the format.
  double at(int64_t i) const {
    switch (type_.dtype) {
      case DType::f32: return static_cast<double>(as<float>()[i]);
      case DType::bf16: return static_cast<double>(bf16_to_f32(as<uint16_t>()[i]));
      case DType::f16: return static_cast<double>(f16_to_f32(as<uint16_t>()[i]));
      case DType::f64: return as<double>()[i];
      case DType::i32: return as<int32_t>()[i];
      case DType::u8: return as<uint8_t>()[i];
    }
    return 0;
  }
  // Sets element i, rounded to the format.
  void set(int64_t i, double value) const {
    switch (type_.dtype) {
      case DType::f32: as<float>()[i] = static_cast<float>(value); break;
      case DType::bf16: as<uint16_t>()[i] = f32_to_bf16(static_cast<float>(value)); break;
      case DType::f16: as<uint16_t>()[i] = f32_to_f16(static_cast<float>(value)); break;
      case DType::f64: as<double>()[i] = value; break;
      case DType::i32: as<int32_t>()[i] = static_cast<int32_t>(value); break;
      case DType::u8: as<uint8_t>()[i] = static_cast<uint8_t>(value); break;
    }
  }

 private:
  Type type_;
  std::shared_ptr<Buffer> buffer_;
};

// An array of these elements.
template <class Values>
Array array_of(const Type& type, const Values& values) {
  const Array array(type);
  ensure(static_cast<int64_t>(std::size(values)) == type.shape.elements(), "array_of: {} values", std::size(values));
  int64_t i = 0;
  for (const auto value : values) array.set(i++, static_cast<double>(value));
  return array;
}

// Repeatable test data.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  // low <= result <= high
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(engine_()) / 4294967296.0; }
  Array array(const Type& type, double low = -1, double high = 1) {
    const Array result(type);
    for (int64_t i = 0; i < result.elements(); ++i) result.set(i, uniform(low, high));
    return result;
  }
  Array integers(const Type& type, int64_t low, int64_t high) {
    const Array result(type);
    for (int64_t i = 0; i < result.elements(); ++i) result.set(i, static_cast<double>(integer(low, high)));
    return result;
  }

 private:
  std::mt19937 engine_;
};

// A weight in blocks that a file may hold (BlockFormat::has_rows): random bytes, but no block whose scale is no number.
inline Array random_blocks(std::string_view format, const Shape& shape, Random& random) {
  const BlockFormat& blocks = *find_block_format(format);
  const Array result(Type{blocks.dtype(), shape});
  const Shape one = {blocks.block_elements(shape)};
  const int64_t block_bytes = blocks.bytes(one);
  for (int64_t at = 0; at < blocks.bytes(shape); at += block_bytes) {
    std::byte* block = result.as<std::byte>() + at;
    do {
      for (int64_t i = 0; i < block_bytes; ++i) block[i] = static_cast<std::byte>(random.integer(0, 255));
    } while (blocks.find_bad_scale(one, block) >= 0);
  }
  return result;
}

// The same numbers, rounded to another format.
inline Array in_format(const Array& from, DType dtype) {
  const Array result(Type{dtype, from.type().shape});
  for (int64_t i = 0; i < from.elements(); ++i) result.set(i, from.at(i));
  return result;
}

// The outputs of one call. Inputs are left as they are: those whose storage an output takes are copied first, both for
// Op::in_place and for `reuse`, a choice among Op::may_reuse.
inline std::vector<Array> run_kernel(Isa isa, std::string_view name, const std::vector<Array>& inputs,
                                     const Attributes& attributes = {}, int threads = 1,
                                     const std::vector<StoragePair>& reuse = {}) {
  const Op* op = find_op(name);
  ensure(op != nullptr, "no op {}", name);
  const Kernel kernel = find_kernel(isa, name);
  ensure(kernel != nullptr, "no kernel {} on {}", name, name_of(isa));

  std::vector<Type> input_types;
  for (const Array& input : inputs) input_types.push_back(input.type());
  const std::vector<Type> output_types = op->output_types(input_types, attributes);
  const TypedNode node{input_types, output_types, attributes};

  std::vector<Array> used = inputs;
  std::vector<Array> outputs;
  const int garbage = isa == Isa::reference ? 0xcd : 0xab;  // an element left unwritten differs from the reference's
  for (const Type& type : output_types) outputs.emplace_back(type, garbage);
  std::vector<StoragePair> shared = op->in_place(node);
  shared.insert(shared.end(), reuse.begin(), reuse.end());
  for (const StoragePair& pair : shared) {
    const size_t input = static_cast<size_t>(pair.input);
    const size_t output = static_cast<size_t>(pair.output);
    used[input] = inputs[input].copy(output_types[output].bytes());
    outputs[output] = Array(output_types[output], used[input].buffer());
  }

  std::vector<Tensor> input_tensors;
  std::vector<Tensor> output_tensors;
  for (const Array& input : used) input_tensors.push_back(input.tensor());
  for (const Array& output : outputs) output_tensors.push_back(output.tensor());
  const Buffer scratch(cpu_backend(isa).scratch_bytes(op->name(), node, threads));
  Threads pool(threads);
  kernel({input_tensors, output_tensors, attributes, {scratch.data(), static_cast<size_t>(scratch.bytes())}, pool});

  EXPECT_TRUE(scratch.is_guard_intact()) << name << " writes beyond its scratch on " << name_of(isa);
  for (const Array& array : used) EXPECT_TRUE(array.buffer()->is_guard_intact()) << name << " writes beyond an input";
  for (const Array& array : outputs)
    EXPECT_TRUE(array.buffer()->is_guard_intact()) << name << " writes beyond an output";
  return outputs;
}

// Whether two elements have the same bits; NaNs are equal to each other.
template <class Number>
bool is_same(Number a, Number b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0 || (a != a && b != b);
}

inline bool is_same_at(const Array& a, const Array& b, int64_t i) {
  switch (a.type().dtype) {
    case DType::f32: return is_same(a.as<float>()[i], b.as<float>()[i]);
    case DType::f64: return is_same(a.as<double>()[i], b.as<double>()[i]);
    case DType::i32: return is_same(a.as<int32_t>()[i], b.as<int32_t>()[i]);
    case DType::u8: return is_same(a.as<uint8_t>()[i], b.as<uint8_t>()[i]);
    default: return is_same(a.as<uint16_t>()[i], b.as<uint16_t>()[i]) || is_same(a.at(i), b.at(i));
  }
}

inline void expect_same_bits(const Array& expected, const Array& got, const std::string& where) {
  ASSERT_EQ(expected.type(), got.type()) << where;
  if (!is_scalar(expected.type().dtype)) {
    const auto bytes = static_cast<size_t>(expected.type().bytes());
    EXPECT_EQ(std::memcmp(expected.tensor().data, got.tensor().data, bytes), 0) << where;
    return;
  }
  int64_t differing = 0;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    if (is_same_at(expected, got, i)) continue;
    if (++differing == 1)
      ADD_FAILURE() << where << ": element " << i << " is " << got.at(i) << ", expected " << expected.at(i);
  }
  EXPECT_EQ(differing, 0) << where << ": elements that differ, of " << expected.elements();
}

// Whether this machine has the instruction set, and the set a kernel that is not another's.
inline bool has_own_kernel(Isa isa, std::string_view name) {
  return is_supported(isa) && (base_of(isa) == isa || find_kernel(isa, name) != find_kernel(base_of(isa), name));
}

// Runs `name` on every instruction set that this machine has, on 1 to 4 threads, in fresh storage and in each storage
// that the op may reuse; all must have the bits of the reference on one thread, which is returned.
inline std::vector<Array> expect_kernels_agree(std::string_view name, const std::vector<Array>& inputs,
                                               const Attributes& attributes = {}) {
  const std::vector<Array> expected = run_kernel(Isa::reference, name, inputs, attributes);
  std::vector<Type> input_types;
  for (const Array& input : inputs) input_types.push_back(input.type());
  std::vector<Type> output_types;
  for (const Array& output : expected) output_types.push_back(output.type());
  std::vector<std::vector<StoragePair>> storages = {{}};
  for (const StoragePair& pair : find_op(name)->may_reuse({input_types, output_types, attributes}))
    storages.push_back({pair});

  for (const Isa isa : kIsas) {
    if (!has_own_kernel(isa, name)) continue;
    for (int threads = 1; threads <= 4; ++threads) {
      for (size_t storage = 0; storage < storages.size(); ++storage) {
        const std::vector<Array> got = run_kernel(isa, name, inputs, attributes, threads, storages[storage]);
        for (size_t output = 0; output < expected.size(); ++output) {
          expect_same_bits(
              expected[output], got[output],
              fmt::format("{} on {}, {} threads, storage {}, output {}", name, name_of(isa), threads, storage, output));
        }
      }
    }
  }
  return expected;
}

}  // namespace headroom::testing
