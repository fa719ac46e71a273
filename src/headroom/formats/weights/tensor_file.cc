#include "headroom/formats/weights/tensor_file.h"

#include "headroom/base/errors.h"

namespace headroom {

void TensorFile::regroup(const StoredTensor& tensor, int64_t, std::span<const std::byte>, std::byte*) const {
  throw InternalError("{}: {} has no grouped format that holds it", path(), tensor.name);
}

}  // namespace headroom
