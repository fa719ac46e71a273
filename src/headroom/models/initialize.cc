#include "headroom/models/initialize.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <set>
#include <vector>

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/page.h"
#include "headroom/base/threads.h"
#include "headroom/formats/weights/weight_writer.h"
#include "headroom/models/fill_random.h"
#include "headroom/models/stack.h"

namespace headroom {
namespace {

constexpr int64_t kPieceElements = 1024 * 1024;  // written at once
constexpr int64_t kStepElements = 32 * 1024;     // made at once

// What a thread fills and writes.
struct Buffers {
  std::vector<float> values;
  std::vector<std::byte> stored;

  // In `stored`, with the place in a page that `file_offset` has, so that writing needs no copy.
  std::byte* place(int64_t file_offset) { return place_in_page(stored.data(), file_offset); }
};

// A tensor of a new model's files: elements from number `first` on of what its parameter is.
struct NewTensor {
  std::string name;
  Shape shape;
  std::shared_ptr<const Binding> binding;
  int64_t first = 0;
};

std::vector<NewTensor> new_tensors(const Model& model) {
  std::vector<NewTensor> tensors;
  for (const Parameter& parameter : model.parameters()) {
    if (!is_stack(*parameter.binding, parameter.shape)) {
      tensors.push_back({parameter.name, parameter.shape, parameter.binding});
      continue;
    }
    int64_t first = 0;
    for (const Slice& slice : parameter.binding->slices) {
      tensors.push_back({slice.tensor, slice.shape, parameter.binding, first});
      first += slice.shape.elements();
    }
  }
  return tensors;
}

// The tensors of one file in pieces, for threads to take one after the other until one of them fails.
class PieceQueue {
 public:
  struct Piece {
    size_t tensor = 0;
    size_t place = 0;  // in the file
    int64_t first = 0;
    int64_t count = 0;
  };

  PieceQueue(const std::vector<NewTensor>& tensors, std::span<const size_t> members)
      : tensors_(tensors), members_(members) {}

  bool next(Piece& piece) {
    const std::lock_guard lock(mutex_);
    while (place_ < members_.size() && first_ == tensors_[members_[place_]].shape.elements()) {
      ++place_;
      first_ = 0;
    }
    if (place_ == members_.size() || error_) return false;
    const size_t tensor = members_[place_];
    piece = {tensor, place_, first_, std::min(kPieceElements, tensors_[tensor].shape.elements() - first_)};
    first_ += piece.count;
    return true;
  }

  void fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::vector<NewTensor>& tensors_;
  std::span<const size_t> members_;
  std::mutex mutex_;
  size_t place_ = 0;
  int64_t first_ = 0;
  std::exception_ptr error_;
};

// The elements from number `first` on.
void fill_initial(std::span<float> out, const Initial& initial, uint64_t seed, int64_t first) {
  switch (initial.kind) {
    case Initial::Kind::constant: return std::fill(out.begin(), out.end(), static_cast<float>(initial.scale));
    case Initial::Kind::normal: return fill_random(out, seed, initial.stream, first, initial.scale);
    case Initial::Kind::uniform: return fill_uniform(out, seed, initial.stream, first, initial.scale);
  }
}

}  // namespace

void initialize_values(const Workspace& workspace, Source source, uint64_t seed, Threads& threads) {
  static_assert(kFillBytes == kStepElements * sizeof(float));
  std::vector<std::vector<float>> buffers(static_cast<size_t>(threads.count()));
  for (const PersistentValue& value : workspace.plan().persistent) {
    if (value.binding == nullptr || value.binding->source != source) continue;
    const StoredValue weight = workspace.stored(value.name);
    threads.split(weight.type.shape.elements(), kStepElements, [&](int64_t begin, int64_t end, int thread) {
      if (weight.data != nullptr && !weight.parts && weight.type.dtype == DType::f32) {
        float* numbers = reinterpret_cast<float*>(weight.data) + begin;
        return fill_initial({numbers, static_cast<size_t>(end - begin)}, value.binding->initial, seed, begin);
      }
      std::vector<float>& buffer = buffers[static_cast<size_t>(thread)];
      buffer.resize(kStepElements);
      for (int64_t first = begin; first < end; first += kStepElements) {
        const auto values = std::span(buffer).first(static_cast<size_t>(std::min(kStepElements, end - first)));
        fill_initial(values, value.binding->initial, seed, first);
        weight.write(first, values);
      }
    });
  }
}

void fill_new_weights(const Model& other, const Workspace& workspace, uint64_t seed) {
  std::set<std::string> known;
  for (const ModelTensor& tensor : other.tensors()) known.insert(tensor.name);
  std::vector<float> values(kStepElements);
  for (const PersistentValue& value : workspace.plan().persistent) {
    if (value.binding == nullptr || value.binding->source != Source::model) continue;
    if (known.contains(value.binding->slices.front().tensor)) continue;
    const StoredValue weight = workspace.stored(value.name);
    const int64_t elements = weight.type.shape.elements();
    for (int64_t first = 0; first < elements; first += kStepElements) {
      const auto step = std::span(values).first(static_cast<size_t>(std::min(kStepElements, elements - first)));
      fill_initial(step, value.binding->initial, seed, first);
      weight.write(first, step);
    }
  }
}

void write_initial_weights(const Model& model, const std::string& directory, DType dtype, uint64_t seed,
                           int64_t shard_bytes,
                           const std::function<void(int64_t done_bytes, int64_t total_bytes)>& progress) {
  const std::vector<NewTensor> tensors = new_tensors(model);
  std::vector<TensorDeclaration> declarations;
  for (const NewTensor& tensor : tensors) declarations.push_back({tensor.name, {dtype, tensor.shape}});
  const WeightWriter weights(std::move(declarations), shard_bytes);
  require_disk_space(directory, weights.file_bytes(), "the model " + directory);
  // More than there are processors, so that some compute while others wait for the disk; 4 MiB each at most.
  Threads threads(std::clamp(2 * available_processors(), 4, 8));
  std::vector<Buffers> buffers(static_cast<size_t>(threads.count()));
  for (Buffers& buffer : buffers) {
    buffer.values.resize(kStepElements);
    buffer.stored.resize(static_cast<size_t>(kPieceElements * size_of(dtype) + kPageBytes));
  }
  std::atomic<int64_t> done_bytes{0};
  weights.write(directory, [&](SafetensorsWriter& file, std::span<const size_t> members) {
    PieceQueue pieces(tensors, members);
    threads.run([&](int thread) {
      Buffers& buffer = buffers[static_cast<size_t>(thread)];
      for (PieceQueue::Piece piece; pieces.next(piece);) {
        try {
          const NewTensor& tensor = tensors[piece.tensor];
          std::byte* stored = buffer.place(file.offset_of(piece.place, piece.first));
          for (int64_t done = 0; done < piece.count; done += kStepElements) {
            const int64_t count = std::min(kStepElements, piece.count - done);
            const std::span<float> values(buffer.values.data(), static_cast<size_t>(count));
            fill_initial(values, tensor.binding->initial, seed, tensor.first + piece.first + done);
            convert_elements(DType::f32, values.data(), dtype, stored + done * size_of(dtype), count);
          }
          file.write_at(piece.place, piece.first, stored, piece.count);
          const int64_t bytes = piece.count * size_of(dtype);
          const int64_t done = done_bytes.fetch_add(bytes) + bytes;
          if (thread == 0) progress(done, weights.tensor_bytes());
        } catch (...) {
          pieces.fail(std::current_exception());
        }
      }
    });
    pieces.rethrow();
  });
}

}  // namespace headroom
