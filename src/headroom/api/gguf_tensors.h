// The tensors of a GGUF file that is made of a model, as llama.cpp's converter makes them: in which order they have the
// elements of which tensors of the model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/formats/gguf/gguf_keys.h"
#include "headroom/formats/gguf/gguf_writer.h"
#include "headroom/formats/weights/weight_files.h"

namespace headroom {

// Rows of kv_b_proj that are of one head: first those of its key, then those of its value (gguf_latents.h).
struct LatentRows {
  int64_t heads = 0, of_key = 0, of_value = 0;
};

struct GgufSource {
  enum class Order : uint8_t {
    rows,         // as the model has them
    interleaved,  // those of a head of so many rows, interleaved
    keys,         // of each head the rows of its key, transposed
    values        // of each head the rows of its value
  };

  std::vector<WeightTensor> tensors;  // of one shape, one behind the other
  Order order = Order::rows;
  int64_t head_dim = 0;
  LatentRows latent_rows = {};

  Shape shape() const;
  int64_t size_bytes() const;  // of the files
  // Elements [first, first + count) in the order of the GGUF file. Throws InvalidInput for a NaN. Keys are read a head
  // at a time, by way of the heap.
  void read(int64_t first, int64_t count, float* out) const;
};

// The source of the GGUF tensor `name`, which a model's tensor belongs to: another expert of the last of `sources`,
// whose names are `names`, or a new one, of kv_b_proj two.
void add_gguf_sources(const WeightTensor& tensor, const std::string& name, const GgufArchitecture& architecture,
                      int64_t head_dim, const LatentRows& latent_rows, std::vector<GgufSource>& sources,
                      std::vector<std::string>& names);

}  // namespace headroom
