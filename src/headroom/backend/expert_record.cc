#include "headroom/backend/expert_record.h"

#include "headroom/base/bytes.h"
#include "headroom/base/page.h"

namespace headroom {

Type matrix_of_slot(const Attributes& attributes) {
  return {static_cast<DType>(attributes.integer("format")),
          {attributes.integer("matrix_rows"), attributes.integer("matrix_columns")}};
}

ExpertRecord record_of(const std::vector<Type>& stacks) {
  ExpertRecord record;
  for (const Type& stack : stacks) {
    const Type matrix = {stack.dtype, {stack.shape[1], stack.shape[2]}};
    record.matrices.push_back({matrix, record.bytes});
    record.bytes += round_up(matrix.bytes(), kPageBytes);
  }
  return record;
}

}  // namespace headroom
