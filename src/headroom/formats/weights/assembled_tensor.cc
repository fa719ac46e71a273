#include "headroom/formats/weights/assembled_tensor.h"

#include "headroom/base/errors.h"

namespace headroom {
namespace {

// How many elements of the box come before element `place` of the tensor that it is a part of.
int64_t elements_before(const Box& box, const Shape& shape, int64_t place) {
  int64_t low = 0, high = box.elements();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (run_from(box, shape, middle).first < place) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

AssembledTensor::AssembledTensor(std::string name, const Shape& shape, std::vector<TensorPart> parts)
    : name_(std::move(name)), shape_(shape), parts_(std::move(parts)) {
  int64_t elements = 0;
  is_stack_ = true;
  for (const TensorPart& part : parts_) {
    expect_inside(part.from, part.source.stored.shape);
    expect_inside(part.to, shape_);
    ensure(part.from.elements() == part.to.elements(), "{}: a part of {} elements for {}", name_, part.from.elements(),
           part.to.elements());
    const Run first = run_from(part.to, shape_, 0);
    is_stack_ = is_stack_ && part.source.stored.shape.elements() == parts_[0].to.elements() &&
                part.to.elements() == parts_[0].to.elements() && first.first == elements &&
                first.count == part.to.elements();
    elements += part.to.elements();
  }
  ensure(elements == shape_.elements(), "{}: parts of {} elements for {}", name_, elements, to_string(shape_));
}

WeightTensor AssembledTensor::value() const { return {this, tensor(0)}; }

StoredTensor AssembledTensor::tensor(int64_t) const {
  StoredTensor stored = parts_.front().source.stored;
  stored.name = name_;
  stored.shape = shape_;
  stored.size_bytes = 0;
  for (const TensorPart& part : parts_) {
    const StoredTensor& whole = part.source.stored;
    const double share = static_cast<double>(part.from.elements()) / static_cast<double>(whole.shape.elements());
    stored.size_bytes += static_cast<int64_t>(static_cast<double>(whole.size_bytes) * share);
  }
  stored.in_order = false;
  stored.format = nullptr;
  stored.exact_format = nullptr;
  return stored;
}

std::span<const TensorPart> AssembledTensor::parts_of(int64_t first, int64_t count) const {
  if (!is_stack_ || count == 0) return parts_;
  const int64_t elements = parts_[0].to.elements();
  const int64_t begin = first / elements, end = (first + count - 1) / elements + 1;
  return std::span(parts_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

void AssembledTensor::read(const StoredTensor&, int64_t first, int64_t count, DType wanted, void* out,
                           NanCheck nan_check) const {
  for (const TensorPart& part : parts_of(first, count)) {
    for_each_run(part.from, part.source.stored.shape, part.to, shape_, elements_before(part.to, shape_, first),
                 elements_before(part.to, shape_, first + count), [&](int64_t from, int64_t to, int64_t run) {
                   part.source.read(from, run, wanted, static_cast<std::byte*>(out) + (to - first) * size_of(wanted),
                                    nan_check);
                 });
  }
}

const File& AssembledTensor::file(const StoredTensor&) const {
  throw InternalError("an assembled tensor lies in no file");
}

int64_t AssembledTensor::unit_bytes(const StoredTensor&) const {
  throw InternalError("an assembled tensor lies in no file");
}

void AssembledTensor::decode(const StoredTensor&, int64_t, std::span<const std::byte>, DType, void*, NanCheck) const {
  throw InternalError("an assembled tensor lies in no file");
}

}  // namespace headroom
