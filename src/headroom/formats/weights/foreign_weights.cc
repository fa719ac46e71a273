#include "headroom/formats/weights/foreign_weights.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/bitsandbytes_weight.h"
#include "headroom/formats/weights/float8_weight.h"
#include "headroom/formats/weights/group_coded_weight.h"

namespace headroom {
namespace {

using Along = PackedCodes::Along;
using Order = ScaleGrid::Order;

constexpr int kMostBits = 8;

class Finder {
 public:
  Finder(const WeightFiles& files, const QuantizationConfig& config) : files_(files), config_(config) {
    found_.weights = std::make_unique<CodedWeights>(files.tensor(0).file->path());
    for (int64_t i = 0; i < files.count() && !has_activations_; ++i) {
      has_activations_ = std::any_of(kOfActivations.begin(), kOfActivations.end(),
                                     [&](std::string_view ending) { return files.name(i).ends_with(ending); });
    }
  }

  ForeignWeights find() {
    for (int64_t i = 0; i < files_.count(); ++i) {
      const WeightTensor tensor = files_.tensor(i);
      const std::string_view name = tensor.stored.name;
      switch (config_.method) {
        case QuantMethod::gptq:
        case QuantMethod::awq:
          if (name.ends_with(kWords)) add_words(tensor);
          break;
        case QuantMethod::compressed_tensors:
          if (name.ends_with(kPacked)) add_packed(tensor);
          if (is_coded(tensor, StoredType::i8)) add_bytes(tensor);
          if (is_coded(tensor, StoredType::f8_e4m3)) add_float8(tensor);
          break;
        case QuantMethod::fp8:
          if (is_coded(tensor, StoredType::f8_e4m3)) add_float8(tensor);
          break;
        case QuantMethod::bitsandbytes:
          if (is_coded(tensor, StoredType::u8)) add_four_bits(tensor);
          if (is_coded(tensor, StoredType::i8)) add_eight_bits(tensor);
          break;
        case QuantMethod::headroom: break;
      }
    }
    return std::move(found_);
  }

 private:
  static constexpr std::array<std::string_view, 4> kOfActivations = {".input_scale", ".input_zero_point",
                                                                     ".input_scale_ub", ".activation_scale"};
  static constexpr std::string_view kWords = ".qweight", kPacked = ".weight_packed", kWeight = ".weight";

  static bool is_coded(const WeightTensor& tensor, StoredType type) {
    return tensor.stored.type == type && tensor.stored.name.ends_with(kWeight);
  }

  static std::string base_of(const WeightTensor& tensor, std::string_view ending) {
    return std::string(tensor.stored.name.substr(0, tensor.stored.name.size() - ending.size()));
  }

  // Of the weight that is being put together.
  std::optional<WeightTensor> find_part(const std::string& name) {
    const std::optional<WeightTensor> part = files_.find(name);
    if (part) found_.parts.insert(part->stored.name);
    return part;
  }

  WeightTensor require_part(const std::string& name, const WeightTensor& beside) {
    if (const std::optional<WeightTensor> part = find_part(name)) return *part;
    throw InvalidInput("{}: tensor {} is missing; expected it beside {}", beside.file->path(), printable(name),
                       printable(beside.stored.name));
  }

  void expect_matrix(const WeightTensor& tensor) const {
    const Shape& shape = tensor.stored.shape;
    if (shape.rank() == 2 && shape.elements() > 0) return;
    throw InvalidInput("{}: tensor {} has shape {}; expected a matrix", tensor.file->path(),
                       printable(tensor.stored.name), to_string(shape));
  }

  void add(std::string name, const WeightTensor& tensor, std::unique_ptr<CodedWeight> weight) {
    found_.parts.insert(tensor.stored.name);
    if (name != tensor.stored.name && files_.find(name)) {
      throw InvalidInput("{}: has tensor {} and, beside it, {}; expected one of them", tensor.file->path(),
                         printable(name), printable(tensor.stored.name));
    }
    found_.weights->add(std::move(name), std::move(weight));
  }

  // Columns of a group, of so many groups.
  int64_t group_of(const WeightTensor& scales, int64_t columns, int64_t groups) const {
    if (groups > 0 && columns % groups == 0) return columns / groups;
    throw InvalidInput("{}: tensor {} has scales for {} groups; expected a divisor of the weight's {} columns",
                       scales.file->path(), printable(scales.stored.name), groups, columns);
  }

  void add_words(const WeightTensor& words) {
    expect_matrix(words);
    const std::string base = base_of(words, kWords);
    const WeightTensor scales = require_part(base + ".scales", words);
    const WeightTensor zeros = require_part(base + ".qzeros", words);
    expect_matrix(scales);
    std::unique_ptr<CodedWeight> weight;
    if (config_.method == QuantMethod::gptq) {
      weight = gptq(words, scales, zeros, find_part(base + ".g_idx"));
    } else if (config_.by_rows) {
      weight = awq_by_rows(words, scales, zeros);
    } else {
      weight = awq(words, scales, zeros);
    }
    add(base + ".weight", words, std::move(weight));
  }

  // Words [in * bits / 32, out]; scales [groups, out]; zeros [groups, out * bits / 32].
  std::unique_ptr<CodedWeight> gptq(const WeightTensor& words, const WeightTensor& scales, const WeightTensor& zeros,
                                    const std::optional<WeightTensor>& groups_of_columns) const {
    const int64_t word_rows = words.stored.shape[0], outputs = words.stored.shape[1];
    int bits = config_.bits;
    int64_t inputs = word_rows * 32 / bits;
    if (groups_of_columns && groups_of_columns->stored.shape.rank() == 1 &&
        groups_of_columns->stored.shape[0] > 0) {  // whose bits may be its own
      inputs = groups_of_columns->stored.shape[0];
      bits = static_cast<int>(std::min<int64_t>(word_rows * 32 / inputs, kMostBits));
    }
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
      throw InvalidInput("{}: tensor {} has {} bits for each of {} columns; expected 2, 3, 4 or 8", words.file->path(),
                         printable(words.stored.name), bits, inputs);
    }
    const Shape shape = {outputs, inputs};
    const int64_t groups = scales.stored.shape[0];
    return std::make_unique<GroupCodedWeight>(
        shape, "GPTQ",
        GroupCodes{.codes = PackedCodes(words, Along::rows, bits, inputs, outputs),
                   .transposed = true,
                   .scales = ScaleGrid(scales, shape, 1, group_of(scales, inputs, groups), Order::transposed),
                   .zeros = PackedCodes(zeros, Along::columns, bits, groups, outputs),
                   .zeros_transposed = true,
                   .zeros_less_one = config_.zeros_less_one,
                   .is_symmetric = config_.is_symmetric,
                   .groups_of_columns = groups_of_columns});
  }

  // Words [in, out / 8]; scales [groups, out]; zeros [groups, out / 8].
  std::unique_ptr<CodedWeight> awq(const WeightTensor& words, const WeightTensor& scales,
                                   const WeightTensor& zeros) const {
    const int64_t inputs = words.stored.shape[0], outputs = words.stored.shape[1] * 8;
    const Shape shape = {outputs, inputs};
    const int64_t groups = scales.stored.shape[0];
    return std::make_unique<GroupCodedWeight>(
        shape, "AWQ",
        GroupCodes{.codes = PackedCodes(words, Along::columns, 4, inputs, outputs, PackedCodes::Kind::awq),
                   .transposed = true,
                   .scales = ScaleGrid(scales, shape, 1, group_of(scales, inputs, groups), Order::transposed),
                   .zeros = PackedCodes(zeros, Along::columns, 4, groups, outputs, PackedCodes::Kind::awq),
                   .zeros_transposed = true,
                   .groups_of_columns = {}});
  }

  // GEMV: words [out, in / 8]; zeros [out, words], scales [out, 8 words], both padded behind the groups.
  std::unique_ptr<CodedWeight> awq_by_rows(const WeightTensor& words, const WeightTensor& scales,
                                           const WeightTensor& zeros) const {
    const int64_t outputs = words.stored.shape[0], inputs = words.stored.shape[1] * 8;
    const int64_t group = config_.group_size > 0 ? config_.group_size : inputs;
    const int64_t padded = scales.stored.shape[1];
    if (inputs % group != 0) {
      throw InvalidInput("{}: tensor {} has {} columns; expected a multiple of group_size, {}", words.file->path(),
                         printable(words.stored.name), inputs, group);
    }
    const Shape shape = {outputs, inputs};
    return std::make_unique<GroupCodedWeight>(
        shape, "AWQ",
        GroupCodes{.codes = PackedCodes(words, Along::columns, 4, outputs, inputs),
                   .scales = ScaleGrid(scales, shape, 1, group, Order::padded_rows),
                   .zeros = PackedCodes(zeros, Along::columns, 4, outputs, padded),
                   .groups_of_columns = {}});
  }

  void add_packed(const WeightTensor& words) {
    expect_matrix(words);
    const std::string base = base_of(words, kPacked);
    const WeightTensor scales = require_part(base + ".weight_scale", words);
    const WeightTensor stored_shape = require_part(base + ".weight_shape", words);
    const Shape shape = read_shape(stored_shape);
    const int64_t bits = shape[1] > 0 ? words.stored.shape[1] * 32 / shape[1] : 0;
    if (shape[0] != words.stored.shape[0] || (bits != 2 && bits != 3 && bits != 4 && bits != 8)) {
      throw InvalidInput(
          "{}: tensor {} has shape {} for a weight {}; expected as many rows, and 2, 3, 4 or 8 bits for "
          "each column",
          words.file->path(), printable(words.stored.name), to_string(words.stored.shape), to_string(shape));
    }
    GroupCodes parts;
    parts.codes = PackedCodes(words, Along::columns, static_cast<int>(bits), shape[0], shape[1]);
    parts.scales = grid_of(scales, shape);
    if (const auto zeros = find_part(base + ".weight_zero_point")) {
      refuse_one_scale(scales, shape);
      parts.zeros = PackedCodes(*zeros, Along::rows, static_cast<int>(bits), shape[0], parts.scales.column_pieces());
    }
    parts.groups_of_columns = find_part(base + ".weight_g_idx");
    pass_over(base);
    add(base + ".weight", words, std::make_unique<GroupCodedWeight>(shape, "compressed-tensors", std::move(parts)));
  }

  void add_bytes(const WeightTensor& codes) {
    expect_matrix(codes);
    const std::string base = base_of(codes, kWeight);
    const Shape& shape = codes.stored.shape;
    const WeightTensor scales = require_part(base + ".weight_scale", codes);
    GroupCodes parts;
    parts.codes = PackedCodes(codes, Along::columns, 8, shape[0], shape[1], PackedCodes::Kind::with_sign);
    parts.scales = grid_of(scales, shape);
    if (const auto zeros = find_part(base + ".weight_zero_point")) {
      refuse_one_scale(scales, shape);
      parts.zeros =
          PackedCodes(*zeros, Along::columns, 8, shape[0], parts.scales.column_pieces(), PackedCodes::Kind::with_sign);
    }
    parts.groups_of_columns = find_part(base + ".weight_g_idx");
    pass_over(base);
    add(std::string(codes.stored.name), codes,
        std::make_unique<GroupCodedWeight>(shape, "compressed-tensors", std::move(parts)));
  }

  void add_float8(const WeightTensor& codes) {
    expect_matrix(codes);
    const std::string base = base_of(codes, kWeight);
    const Shape& shape = codes.stored.shape;
    std::optional<ScaleGrid> scales;
    const std::string inverse_name = base + ".weight_scale_inv";
    auto inverse = find_part(inverse_name);
    if (!inverse && config_.has_blocks && !find_part(base + ".weight_scale"))
      inverse = require_part(inverse_name, codes);
    if (inverse) {
      scales.emplace(*inverse, shape, config_.block_rows, config_.block_columns, Order::rows);
    } else {
      scales = grid_of(require_part(base + ".weight_scale", codes), shape, true);
    }
    pass_over(base);
    add(std::string(codes.stored.name), codes, std::make_unique<Float8Weight>(codes, *scales));
  }

  void add_four_bits(const WeightTensor& codes) {
    const std::string name(codes.stored.name);
    std::unique_ptr<CodedWeight> weight =
        bitsandbytes_four_bits(codes, [&](const std::string& ending) { return find_part(name + ending); });
    add(name, codes, std::move(weight));
  }

  void add_eight_bits(const WeightTensor& codes) {
    expect_matrix(codes);
    const std::string base = base_of(codes, kWeight);
    std::optional<WeightTensor> scales = find_part(base + ".SCB");
    if (!scales) scales = require_part(base + ".weight.SCB", codes);
    find_part(base + ".weight_format");
    find_part(base + ".weight.weight_format");
    add(std::string(codes.stored.name), codes, bitsandbytes_eight_bits(codes, *scales));
  }

  // A scale for the tensor, a row, a group of columns, or of floats a block.
  ScaleGrid grid_of(const WeightTensor& scales, const Shape& shape, bool has_blocks = false) const {
    const Shape& stored = scales.stored.shape;
    if (stored.elements() == 1) return {scales, shape, shape[0], shape[1], Order::rows};
    if (has_blocks && stored.rank() == 2 && stored[0] > 0 && stored[0] < shape[0] && shape[0] % stored[0] == 0 &&
        stored[1] > 0) {
      const int64_t columns = group_of(scales, shape[1], stored[1]);
      return {scales, shape, shape[0] / stored[0], columns, Order::rows};  // blocks
    }
    return {scales, shape, 1, stored.rank() == 2 ? group_of(scales, shape[1], stored[1]) : shape[1], Order::rows};
  }

  void refuse_one_scale(const WeightTensor& scales, const Shape& shape) const {
    if (scales.stored.shape.rank() > 0 && scales.stored.shape[0] == shape[0]) return;
    throw InvalidInput("{}: tensor {} has shape {} beside zeros; expected a scale for each of {} rows",
                       scales.file->path(), printable(scales.stored.name), to_string(scales.stored.shape), shape[0]);
  }

  // What says how activations were rounded, which is not done here.
  void pass_over(const std::string& base) {
    if (!has_activations_) return;
    for (const std::string_view ending : kOfActivations) find_part(base + std::string(ending));
  }

  static Shape read_shape(const WeightTensor& tensor) {
    const StoredTensor& stored = tensor.stored;
    std::array<int64_t, 2> dims = {};
    if (stored.shape == Shape{2} && stored.type == StoredType::i64) {
      read_stored(tensor, 0, 2, dims.data());
    } else if (stored.shape == Shape{2} && stored.type == StoredType::i32) {
      std::array<int32_t, 2> narrow;
      read_stored(tensor, 0, 2, narrow.data());
      dims = {narrow[0], narrow[1]};
    }
    constexpr int64_t kLargest = int64_t{1} << 31;
    if (dims[0] > 0 && dims[1] > 0 && dims[0] < kLargest && dims[1] < kLargest) return {dims[0], dims[1]};
    throw InvalidInput("{}: tensor {} holds no shape; expected two numbers above 0, in I64 or I32", tensor.file->path(),
                       printable(stored.name));
  }

  const WeightFiles& files_;
  const QuantizationConfig& config_;
  ForeignWeights found_;
  bool has_activations_ = false;  // there are tensors of kOfActivations
};

}  // namespace

ForeignWeights find_foreign_weights(const WeightFiles& files, const QuantizationConfig& config) {
  return Finder(files, config).find();
}

}  // namespace headroom
