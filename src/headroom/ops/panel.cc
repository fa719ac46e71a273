#include "headroom/ops/panel.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {

void expect_panel(std::string_view op, std::string_view rule, const Type& type, const Type& got,
                  const Attributes& attributes) {
  if (!attributes.has("first")) return expect_type(op, rule, type, got);
  expect_dtype(op, rule, type.dtype, got);
  const int64_t first = attributes.integer("first");
  const int64_t elements = attributes.integer("elements");
  const int64_t held = got.shape.elements();
  if (first >= 0 && elements >= 0 && (held == elements || held - elements >= first)) return;
  throw InvalidInput("{}: {}, or the panel of {} elements from {}; got {}", op, rule, elements, first, to_string(got));
}

int64_t updated_elements(const Type& weight, const Attributes& attributes) {
  return attributes.has("first") ? attributes.integer("elements") : weight.shape.elements();
}

}  // namespace headroom
