#include "headroom/formats/gguf/gguf_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "headroom/base/block_format.h"
#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/group_blocks.h"
#include "headroom/base/interleaved_rows.h"
#include "headroom/formats/gguf/gguf_config.h"
#include "headroom/formats/gguf/gguf_elements.h"
#include "headroom/formats/gguf/gguf_latents.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kMostMatrices = int64_t{1} << 18;  // of stacks, of all layers
constexpr std::string_view kOfKeys = ".attn_k_b.weight", kOfValues = ".attn_v_b.weight",
                           kOfLatents = ".attn_kv_b.weight";

void check_type(const GgufTensor& tensor) {
  for (const uint32_t known : {kGgmlF32, kGgmlF16, kGgmlBf16}) {
    if (tensor.type->number == known) return;
  }
  if (tensor.type->blocks() != nullptr) return;
  throw InvalidInput(
      "{}: tensor {} is stored as {}, which headroom does not read yet; expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, "
      "Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4; try such a file of the same model",
      tensor.file->path(), printable(tensor.name), tensor.type->name);
}

}  // namespace

GgufWeights::GgufWeights(const std::string& path) : file_(path) {
  const GgufHeads heads = read_gguf_heads(file_);
  places_.reserve(static_cast<size_t>(file_.count()));
  for (int32_t index = 0; index < file_.count(); ++index) {
    const GgufTensor tensor = file_.tensor(index);
    if (tensor.name == kRopeFactors) continue;
    check_type(tensor);
    if (tensor.name.ends_with(kOfValues)) continue;  // beside the keys'
    if (tensor.name.ends_with(kOfKeys)) {
      add_latents(index);
      continue;
    }
    if (const std::optional<ExpertNames> names = expert_names(tensor.name)) {
      add_experts(index, *names);
      continue;
    }
    const std::optional<std::string> name = hugging_face_name(tensor.name);
    const RotaryProjection projection = rotary_projection(tensor.name);
    const bool interleaved = heads.interleaved && projection != RotaryProjection::none;
    if (interleaved) {
      const int64_t rows = (projection == RotaryProjection::query ? heads.heads : heads.kv_heads) * heads.head_dim;
      if (tensor.shape.rank() == 0 || tensor.shape[0] != rows) {
        throw InvalidInput("{}: tensor {} has shape {}; expected {} rows, for the heads in the metadata",
                           tensor.file->path(), printable(tensor.name), to_string(tensor.shape), rows);
      }
    }
    places_.push_back(
        {name ? *name : std::string(tensor.name), index, interleaved ? static_cast<int32_t>(heads.head_dim) : 0});
  }
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(places_.begin(), places_.end(),
                                        [](const Place& a, const Place& b) { return a.name == b.name; });
  if (twice == places_.end()) return;
  throw InvalidInput("{}: tensor {} holds {} once more; expected it once", file_.path(),
                     printable(file_.tensor(twice[1].tensor).name), printable(twice->name));
}

void GgufWeights::add_experts(int32_t index, const ExpertNames& names) {
  const GgufTensor tensor = file_.tensor(index);
  const int64_t experts = tensor.shape.rank() == 3 && tensor.shape.elements() > 0 ? tensor.shape[0] : 0;
  if (experts == 0) {
    throw InvalidInput("{}: tensor {} has shape {}; expected [experts, rows, columns]", tensor.file->path(),
                       printable(tensor.name), to_string(tensor.shape));
  }
  if (experts > kMostMatrices - static_cast<int64_t>(places_.size())) {
    throw InvalidInput("{}: tensor {} has {} experts, more than {} with those before it", tensor.file->path(),
                       printable(tensor.name), experts, format_count(kMostMatrices));
  }
  for (int32_t expert = 0; expert < experts; ++expert) {
    places_.push_back({fmt::format("{}{}{}", names.before, expert, names.behind), index, 0, expert});
  }
}

void GgufWeights::add_latents(int32_t index) {
  const GgufTensor keys = file_.tensor(index);
  const std::string layer(keys.name.substr(0, keys.name.size() - kOfKeys.size()));
  const int64_t values = file_.find(layer + std::string(kOfValues));
  if (values < 0) {
    throw InvalidInput("{}: tensor {}{} is missing; expected it beside {}", keys.file->path(), printable(layer),
                       kOfValues, printable(keys.name));
  }
  const auto number = static_cast<int32_t>(latents_.size());
  latents_.emplace_back(keys, file_.tensor(values));
  const std::optional<std::string> name = hugging_face_name(layer + std::string(kOfLatents));
  places_.push_back({name ? *name : layer + std::string(kOfLatents), index, 0, -1, number});
}

GgufTensor GgufWeights::tensor_of(const Place& place) const {
  GgufTensor tensor = file_.tensor(place.tensor);
  if (place.expert < 0) return tensor;
  tensor.size_bytes /= tensor.shape[0];
  tensor.offset_bytes += place.expert * tensor.size_bytes;
  tensor.shape = {tensor.shape[1], tensor.shape[2]};
  return tensor;
}

StoredTensor GgufWeights::tensor_of(const Place& place, const GgufLatents& latents) {
  StoredTensor stored;
  stored.name = place.name;
  stored.type = latents.is_plain() ? latents.keys.type->stored : StoredType::encoded;
  stored.type_name = latents.keys.type->name;
  stored.shape = latents.shape();
  stored.part = latents.keys.part;
  stored.offset_bytes = latents.keys.offset_bytes;
  stored.size_bytes = latents.keys.size_bytes + latents.values.size_bytes;
  stored.in_order = false;
  return stored;
}

StoredTensor GgufWeights::tensor(int64_t index) const {
  const Place& place = places_.at(static_cast<size_t>(index));
  if (place.latents >= 0) return tensor_of(place, latents_[static_cast<size_t>(place.latents)]);
  const GgufTensor tensor = tensor_of(place);
  StoredTensor stored;
  stored.name = place.name;
  stored.type = tensor.type->stored;
  stored.type_name = tensor.type->name;
  stored.shape = tensor.shape;
  stored.part = tensor.part;
  stored.offset_bytes = tensor.offset_bytes;
  stored.size_bytes = tensor.size_bytes;
  stored.in_order = place.head_dim == 0;
  stored.head_rows = place.head_dim;
  const BlockFormat* blocks = tensor.type->blocks();
  if (blocks == nullptr || tensor.shape.rank() != 2) return stored;
  const DType kept = arranged_format(blocks->dtype());
  if (kept == blocks->dtype() && place.head_dim == 0) {
    stored.format = blocks;
  } else {
    stored.exact_format = &block_format(kept);
    stored.blocks = blocks;
  }
  return stored;
}

int64_t GgufWeights::find(std::string_view name) const {
  const auto place = std::lower_bound(places_.begin(), places_.end(), name,
                                      [](const Place& a, std::string_view wanted) { return a.name < wanted; });
  return place != places_.end() && place->name == name ? place - places_.begin() : -1;
}

const File& GgufWeights::file(const StoredTensor& tensor) const {
  return *file_.tensor(places_.at(static_cast<size_t>(find(tensor.name))).tensor).file;
}

const GgmlType& GgufWeights::type_of(const StoredTensor& tensor) const {
  return *file_.tensor(places_.at(static_cast<size_t>(find(tensor.name))).tensor).type;
}

int64_t GgufWeights::unit_bytes(const StoredTensor& tensor) const { return type_of(tensor).block_bytes; }

void GgufWeights::decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted,
                         void* out, NanCheck nan_check) const {
  ensure(tensor.in_order, "{}: is not stored in order", tensor.name);
  const GgmlType& type = type_of(tensor);
  const int64_t blocks = static_cast<int64_t>(bytes.size()) / type.block_bytes;
  decode_gguf_blocks(type, bytes.data(), blocks, wanted, out);
  if (nan_check == NanCheck::refuse) {
    refuse_nan(file(tensor).path(), tensor, first, wanted, out, blocks * type.block_elements);
  }
}

void GgufWeights::regroup(const StoredTensor& stored, int64_t first, std::span<const std::byte> bytes,
                          std::byte* out) const {
  const Place& place = places_.at(static_cast<size_t>(find(stored.name)));
  const GgmlType& type = *file_.tensor(place.tensor).type;
  const int64_t columns = stored.shape[1];
  const auto put = [&](const auto& take) {
    for (int64_t block = 0; block < static_cast<int64_t>(bytes.size()) / type.block_bytes; ++block) {
      const int64_t element = first + block * type.block_elements;
      const int64_t file_row = element / columns;
      const int64_t row = place.head_dim == 0 ? file_row : halved_row(file_row, place.head_dim);
      take(bytes.data() + block * type.block_bytes, row * columns + element % columns);
    }
  };
  if (stored.exact_format == stored.blocks) {
    return put([&](const std::byte* block, int64_t element) {
      std::memcpy(out + element / type.block_elements * type.block_bytes, block, static_cast<size_t>(type.block_bytes));
    });
  }
  const GroupedFormat& format = *as_grouped(stored.exact_format->dtype());
  const GroupedLayout layout(format, stored.shape);
  put([&](const std::byte* block, int64_t element) { put_block(format, layout, element, block, out); });
}

void GgufWeights::read(const StoredTensor& stored, int64_t first, int64_t count, DType wanted, void* out,
                       NanCheck nan_check) const {
  ensure(first >= 0 && count >= 0 && first <= stored.shape.elements() - count,
         "{}: elements {} to {} lie outside the tensor", stored.name, first, first + count);
  ensure(wanted != DType::i32, "{}: weights are no integers", stored.name);
  const Place& place = places_.at(static_cast<size_t>(find(stored.name)));
  const GgufTensor tensor = tensor_of(place);
  auto* target = static_cast<std::byte*>(out);
  if (place.latents >= 0) {
    latents_[static_cast<size_t>(place.latents)].read(first, count, wanted, target);
  } else if (place.head_dim == 0) {
    read_gguf_elements(tensor, first, count, wanted, target);
  } else {
    const int64_t row_elements = tensor.shape.elements() / tensor.shape[0];
    for (int64_t done = 0; done < count;) {
      const int64_t row = (first + done) / row_elements;
      const int64_t column = (first + done) % row_elements;
      const int64_t run = std::min(row_elements - column, count - done);
      read_gguf_elements(tensor, interleaved_row(row, place.head_dim) * row_elements + column, run, wanted,
                         target + done * size_of(wanted));
      done += run;
    }
  }
  if (nan_check == NanCheck::refuse) refuse_nan(file(stored).path(), stored, first, wanted, out, count);
}

}  // namespace headroom
