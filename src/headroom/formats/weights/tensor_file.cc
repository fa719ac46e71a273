#include "headroom/formats/weights/tensor_file.h"

#include <vector>

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

Shape StackPlace::whole(const Shape& one) const {
  if (count == 1) return one;
  std::vector<int64_t> dims = {count};
  dims.insert(dims.end(), one.begin(), one.end());
  return Shape::from(dims);
}

void refuse_nan(const std::string& path, const StoredTensor& tensor, int64_t first, DType dtype, const void* numbers,
                int64_t count) {
  const int64_t at = find_nan(dtype, numbers, count);
  if (at < 0) return;
  throw InvalidInput("{}: tensor {} holds a NaN at element {}; the file is damaged or its training diverged", path,
                     printable(tensor.name), first + at);
}

void TensorFile::regroup(const StoredTensor& tensor, int64_t, std::span<const std::byte>, std::byte*) const {
  throw InternalError("{}: {} has no grouped format that holds it", path(), tensor.name);
}

void TensorFile::fill(const StoredTensor& tensor, std::byte*, StackPlace) const {
  throw InternalError("{}: {} lies in one piece", path(), tensor.name);
}

}  // namespace headroom
