#include "headroom/formats/gguf/gguf_latents.h"

#include <algorithm>
#include <vector>

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_elements.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

GgufLatents::GgufLatents(const GgufTensor& of_keys, const GgufTensor& of_values) : keys(of_keys), values(of_values) {
  const Shape& k = keys.shape;
  const Shape& v = values.shape;
  if (k.rank() == 3 && v.rank() == 3 && k[0] == v[0] && k[1] == v[2] && k.elements() > 0 && v.elements() > 0) return;
  throw InvalidInput(
      "{}: tensor {} has shape {} beside {} {}; expected [heads, latents, features of a key] and [heads, "
      "features of a value, latents]",
      keys.file->path(), printable(keys.name), to_string(k), printable(values.name), to_string(v));
}

Shape GgufLatents::shape() const { return {keys.shape[0] * (keys.shape[2] + values.shape[1]), keys.shape[1]}; }

bool GgufLatents::is_plain() const { return keys.type == values.type && keys.type->blocks() == nullptr; }

void GgufLatents::read(int64_t first, int64_t count, DType wanted, std::byte* out) const {
  const int64_t latents = keys.shape[1], of_key = keys.shape[2], of_value = values.shape[1];
  const int64_t of_head = of_key + of_value;
  std::vector<float> head;  // [L, N]
  std::vector<float> row(static_cast<size_t>(std::min(latents, count)));
  int64_t taken = -1;
  for (int64_t at = first; at < first + count;) {
    const int64_t number = at / latents / of_head, within = at / latents % of_head, column = at % latents;
    const int64_t run = std::min(latents - column, first + count - at);
    std::byte* to = out + (at - first) * size_of(wanted);
    at += run;
    if (within >= of_key) {
      const int64_t place = (number * of_value + within - of_key) * latents + column;
      read_gguf_elements(values, place, run, wanted, to);
      continue;
    }
    if (taken != number) {
      head.resize(static_cast<size_t>(latents * of_key));
      read_gguf_elements(keys, number * latents * of_key, latents * of_key, DType::f32,
                         reinterpret_cast<std::byte*>(head.data()));
      taken = number;
    }
    for (int64_t i = 0; i < run; ++i) {
      row[static_cast<size_t>(i)] = head[static_cast<size_t>((column + i) * of_key + within)];
    }
    convert_elements(DType::f32, row.data(), wanted, to, run);
  }
}

}  // namespace headroom
