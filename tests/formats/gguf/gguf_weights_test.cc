#include "headroom/formats/gguf/gguf_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/formats/weights/weight_files.h"
#include "tests/formats/gguf_bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using namespace gguf_bytes;

const std::string kWeightsTestData = HEADROOM_SOURCE_DIR "/tests/data/";

std::string llama_keys() {
  return word("general.architecture", "llama") + number("llama.attention.head_count", 2) +
         number("llama.embedding_length", 16);
}

TEST(GgufNames, TranslateBothWays) {
  for (const auto& [gguf, hugging_face] :
       {std::pair{"token_embd.weight", "model.embed_tokens.weight"},
        {"output_norm.weight", "model.norm.weight"},
        {"output.weight", "lm_head.weight"},
        {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight"},
        {"blk.12.attn_q.bias", "model.layers.12.self_attn.q_proj.bias"},
        {"blk.3.attn_output.weight", "model.layers.3.self_attn.o_proj.weight"},
        {"blk.3.ffn_norm.weight", "model.layers.3.post_attention_layernorm.weight"},
        {"blk.7.attn_kv_b.weight", "model.layers.7.self_attn.kv_b_proj.weight"},
        {"blk.7.ffn_gate_inp.weight", "model.layers.7.mlp.gate.weight"},
        {"blk.7.exp_probs_b.bias", "model.layers.7.mlp.gate.e_score_correction_bias"},
        {"blk.99.ffn_down.weight", "model.layers.99.mlp.down_proj.weight"}}) {
    EXPECT_EQ(hugging_face_name(gguf), hugging_face);
    EXPECT_EQ(gguf_name(hugging_face), gguf);
  }
  for (const char* name :
       {"blk.attn_q.weight", "blk..attn_q.weight", "blk.01.attn_q.weight", "blk.1.attn_x.weight", "blk.1.attn_q",
        "rope_freqs.weight", "blk.1234567890.attn_q.weight", "blk.1.ffn_up.x.weight", "blk.1.ffn_up..weight",
        "blk.1.ffn_up.3.bias", "blk.1.ffn_up_exps.weight", "blk.1attn_q.weight", "blk.1.weight", "blk.1.bias"}) {
    EXPECT_EQ(hugging_face_name(name), std::nullopt) << name;
  }
}

// gqa.gguf was made from gqa/model.safetensors by the Python package and llama.cpp's permutation.
TEST(GgufWeights, AreThoseOfTheHuggingFaceModel) {
  const WeightFiles ours(kWeightsTestData + "gguf/gqa.gguf");
  const WeightFiles theirs(kWeightsTestData + "llama/gqa");
  ASSERT_EQ(ours.count(), theirs.count());
  for (int64_t i = 0; i < theirs.count(); ++i) {
    const StoredTensor wanted = theirs.tensor(i).stored;
    const WeightTensor tensor = ours.require(wanted.name, wanted.shape);
    const int64_t elements = wanted.shape.elements();
    std::vector<float> expected(static_cast<size_t>(elements)), got(expected);
    theirs.tensor(i).read(0, elements, DType::f32, expected.data());
    tensor.read(0, elements, DType::f32, got.data(), NanCheck::refuse);
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * 4), 0) << wanted.name;
    // In pieces that respect no row.
    std::fill(got.begin(), got.end(), 0.0f);
    for (int64_t first = 0; first < elements; first += 37) {
      tensor.read(first, std::min<int64_t>(37, elements - first), DType::f32, got.data() + first);
    }
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * 4), 0) << wanted.name;
  }
}

TEST(GgufNames, OfExpertsAreThoseOfOneTensorOrOfEach) {
  EXPECT_EQ(hugging_face_name("blk.4.ffn_up.17.weight"), "model.layers.4.mlp.experts.17.up_proj.weight");
  EXPECT_EQ(gguf_name("model.layers.4.mlp.experts.17.up_proj.weight"), "blk.4.ffn_up_exps.weight");
  EXPECT_EQ(expert_names("blk.4.ffn_up_exps.weight")->before, "model.layers.4.mlp.experts.");
  EXPECT_EQ(expert_names("blk.4.ffn_up_exps.weight")->behind, ".up_proj.weight");
  for (const char* name : {"blk.4.ffn_up.weight", "blk.ffn_up_exps.weight", "blk.4.ffn_up_exps.bias", "token_embd"}) {
    EXPECT_FALSE(expert_names(name)) << name;
  }
  EXPECT_EQ(gguf_name("model.layers.4.mlp.experts.01.up_proj.weight"), std::nullopt);
}

// Experts in one tensor and kv_b_proj in two, as llama.cpp writes them now; and as it did at first.
TEST(GgufWeights, OfDeepseekAreThoseOfTheHuggingFaceModel) {
  for (const char* name : {"v3", "lite"}) {
    const WeightFiles ours(kWeightsTestData + "gguf/deepseek-" + name + ".gguf");
    const WeightFiles theirs(kWeightsTestData + "deepseek/" + name);
    EXPECT_EQ(ours.count(), theirs.count());
    for (int64_t i = 0; i < theirs.count(); ++i) {
      const StoredTensor wanted = theirs.tensor(i).stored;
      const WeightTensor tensor = ours.require(wanted.name, wanted.shape);
      const int64_t elements = wanted.shape.elements();
      std::vector<float> expected(static_cast<size_t>(elements)), got(expected), pieces(expected);
      theirs.tensor(i).read(0, elements, DType::f32, expected.data());
      tensor.read(0, elements, DType::f32, got.data(), NanCheck::refuse);
      for (int64_t first = 0; first < elements; first += 37) {
        tensor.read(first, std::min<int64_t>(37, elements - first), DType::f32, pieces.data() + first);
      }
      EXPECT_EQ(pieces, got) << wanted.name;
      if (tensor.stored.type_name == "F32") {
        EXPECT_EQ(got, expected) << wanted.name;
        continue;
      }
      EXPECT_EQ(tensor.stored.type_name, "Q8_0") << wanted.name;
      const float largest = std::abs(*std::max_element(expected.begin(), expected.end(),
                                                       [](float a, float b) { return std::abs(a) < std::abs(b); }));
      for (size_t j = 0; j < got.size(); ++j) EXPECT_NEAR(got[j], expected[j], largest / 200) << wanted.name;
    }
  }
}

class GgufWeightsTest : public testing::Test {
 protected:
  // One tensor of 16-element rows in a llama file.
  GgufWeights open(const std::string& entry, const std::string& data) {
    const std::string bytes = head(1, 3) + llama_keys() + entry;
    return GgufWeights(directory_.write("a.gguf", pad(bytes) + data));
  }
  TemporaryDirectory directory_;
};

TEST_F(GgufWeightsTest, RefusesExpertsAndLatentsThatFitNothing) {
  const auto refusal = [&](uint64_t tensors, const std::string& entries) {
    try {
      const std::string bytes = head(tensors, 1) + word("general.architecture", "deepseek2") + entries;
      GgufWeights(directory_.write("a.gguf", pad(bytes) + std::string(4096, '\0')));
    } catch (const InvalidInput& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const auto entry = [](const std::string& name, const std::vector<uint64_t>& dims, uint64_t offset) {
    return tensor("blk.3." + name + ".weight", dims, kGgmlF32, offset);
  };
  EXPECT_EQ(refusal(2, entry("attn_k_b", {2, 4, 3}, 0) + entry("attn_v_b", {4, 5, 3}, 96)), "accepted");
  EXPECT_NE(refusal(1, entry("attn_k_b", {2, 4, 3}, 0)).find("blk.3.attn_v_b.weight is missing; expected it beside"),
            std::string::npos);
  EXPECT_NE(
      refusal(2, entry("attn_k_b", {2, 4, 3}, 0) + entry("attn_v_b", {3, 5, 3}, 96))
          .find("blk.3.attn_k_b.weight has shape [3, 4, 2] beside blk.3.attn_v_b.weight [3, 5, 3]; expected [heads"),
      std::string::npos);
  EXPECT_NE(refusal(1, entry("ffn_up_exps", {2, 4}, 0)).find("has shape [4, 2]; expected [experts, rows, columns]"),
            std::string::npos);
  EXPECT_NE(refusal(2, entry("ffn_up_exps", {2, 4, 3}, 0) + entry("ffn_up.1", {2, 4}, 96))
                .find("holds model.layers.3.mlp.experts.1.up_proj.weight once more"),
            std::string::npos);
}

TEST_F(GgufWeightsTest, ReadsEveryTypeInPiecesThatRespectNoBlock) {
  const GgufFile values(kWeightsTestData + "gguf/values.gguf");
  const auto content = [&](const char* name) {
    const GgufTensor tensor = values.tensor(values.find(name));
    std::string bytes(static_cast<size_t>(tensor.size_bytes), '\0');
    values.file().read(tensor.offset_bytes, bytes.data(), tensor.size_bytes);
    return bytes;
  };
  for (const auto& [name, type] : {std::pair{"f32", kGgmlF32}, {"f16", kGgmlF16}, {"bf16", kGgmlBf16}}) {
    const GgufWeights file = open(tensor("t", {3, 2}, type, 0), content(name));
    float got[4];
    file.read(file.tensor(0), 1, 4, DType::f32, got);
    EXPECT_EQ(got[0], -2.0f);
    EXPECT_EQ(got[3], 1.0f);
    uint16_t narrow[6];
    file.read(file.tensor(0), 0, 6, DType::bf16, narrow);
    EXPECT_EQ(bf16_to_f32(narrow[5]), 2.0f);
  }
  const GgufWeights file = open(tensor("t", {96, 4}, kGgmlQ8_0, 0), content("q8_0"));
  const std::string numbers = content("q8_0.numbers");
  ASSERT_EQ(file.tensor(0).type_name, "Q8_0");
  for (const int64_t step : {384, 100, 33, 1}) {
    std::vector<float> got(384);
    for (int64_t first = 0; first < 384; first += step) {
      file.read(file.tensor(0), first, std::min(step, 384 - first), DType::f32, got.data() + first);
    }
    EXPECT_EQ(std::memcmp(got.data(), numbers.data(), numbers.size()), 0) << step;
  }
}

// The longest runs cross the reader's buffers.
TEST_F(GgufWeightsTest, ReadsLongRowsOfBlocks) {
  std::string blocks;
  for (int block = 0; block < 1500; ++block) {
    blocks += bytes_of(f32_to_f16(1.0f));
    for (int i = 0; i < 32; ++i) blocks += static_cast<char>((block + i) % 127);
  }
  const GgufWeights file = open(tensor("t", {48000}, kGgmlQ8_0, 0), blocks);
  std::vector<float> got(48000 - 5);
  file.read(file.tensor(0), 5, 48000 - 5, DType::f32, got.data());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i], static_cast<float>(((i + 5) / 32 + (i + 5) % 32) % 127)) << i;
  }
}

std::string q8_blocks(int count) {
  std::string blocks;
  for (int block = 0; block < count; ++block) {
    blocks += bytes_of(f32_to_f16(0.01f * static_cast<float>(block + 1)));
    for (int i = 0; i < 32; ++i) blocks += static_cast<char>((37 * block + 11 * i) % 256 - 128);
  }
  return blocks;
}

// Queries have their rows in llama.cpp's order; a block may hold -128; 24 rows leave a panel half empty.
TEST_F(GgufWeightsTest, BlocksOfQ8AreLoadedAsGroupsWithoutLosingABit) {
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.ffn_up.weight"}) {
    const int64_t rows = std::string(name) == "blk.0.ffn_up.weight" ? 24 : 16;
    const std::string bytes = head(1, 3) + llama_keys() + tensor(name, {64, static_cast<uint64_t>(rows)}, kGgmlQ8_0, 0);
    const std::string path = directory_.write("q.gguf", pad(bytes) + q8_blocks(static_cast<int>(2 * rows)));
    const WeightFiles files(path);
    const WeightTensor source = files.tensor(0);
    ASSERT_NE(source.stored.exact_format, nullptr);
    const Type type{source.stored.exact_format->dtype(), source.stored.shape};
    std::vector<std::byte> loaded(static_cast<size_t>(type.bytes()), std::byte{0xcc});
    std::vector<std::byte> staging(static_cast<size_t>(BlockReader::kLeastStagingBytes));
    load_tensors({{.source = source, .wanted = type.dtype, .out = loaded.data()}}, staging, NanCheck::refuse);
    std::vector<float> expected(static_cast<size_t>(64 * rows)), got(expected);
    source.read(0, 64 * rows, DType::f32, expected.data());
    block_format(type.dtype).decode(type.shape, loaded.data(), 0, 64 * rows, got.data());
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0) << name;
    EXPECT_NE(*std::min_element(got.begin(), got.end()), 0.0f);
    EXPECT_EQ(loaded.back(), std::byte{0});
  }
}

// What is kept as the file has it is copied, rows of queries in their order; Q4_0 becomes groups.
TEST_F(GgufWeightsTest, BlocksAreLoadedWithoutLosingABit) {
  const GgufFile values(kWeightsTestData + "gguf/blocks.gguf");
  for (const auto& [name, number, kept] : {std::tuple{"q4_0", 2, "int4_g32"},
                                           {"q4_1", 3, "q4_1"},
                                           {"q5_0", 6, "q5_0"},
                                           {"q4_k", 12, "q4_k"},
                                           {"q6_k", 14, "q6_k"},
                                           {"iq4_xs", 23, "iq4_xs"}}) {
    const GgufTensor blocks = values.tensor(values.find(name));
    std::string bytes(static_cast<size_t>(blocks.size_bytes), '\0');
    values.file().read(blocks.offset_bytes, bytes.data(), blocks.size_bytes);
    const auto rows = static_cast<uint64_t>(16);
    std::string content;
    while (content.size() < bytes.size() / static_cast<size_t>(blocks.shape[0]) * rows) content += bytes;
    for (const char* weight : {"blk.0.attn_q.weight", "blk.0.ffn_up.weight"}) {
      SCOPED_TRACE(fmt::format("{}, {}", name, weight));
      const std::string entry = tensor(weight, {512, rows}, static_cast<uint32_t>(number), 0);
      const WeightFiles files(directory_.write("k.gguf", pad(head(1, 3) + llama_keys() + entry) + content));
      const WeightTensor source = files.tensor(0);
      const BlockFormat& format = *find_block_format(kept);
      ASSERT_EQ(source.stored.exact_format != nullptr ? source.stored.exact_format : source.stored.format, &format);
      const Shape shape = source.stored.shape;
      std::vector<std::byte> loaded(static_cast<size_t>(format.bytes(shape)), std::byte{0xcc});
      std::vector<std::byte> staging(static_cast<size_t>(BlockReader::kLeastStagingBytes));
      load_tensors({{.source = source, .wanted = format.dtype(), .out = loaded.data()}}, staging, NanCheck::refuse);
      std::vector<float> expected(static_cast<size_t>(shape.elements())), got(expected);
      source.read(0, shape.elements(), DType::f32, expected.data());
      format.decode(shape, loaded.data(), 0, shape.elements(), got.data());
      EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
    }
  }
}

TEST_F(GgufWeightsTest, ALargeBlockWhoseScaleIsNoNumberIsRefusedByItsTensor) {
  std::string blocks(144 * 32, '\0');
  blocks.replace(144 * 5 + 2, 2, bytes_of(uint16_t{0xfc00}));  // dmin of row 2
  const std::string entry = tensor("blk.0.ffn_up.weight", {512, 16}, 12, 0);
  const WeightFiles files(directory_.write("k.gguf", pad(head(1, 3) + llama_keys() + entry) + blocks));
  std::vector<std::byte> loaded(blocks.size());
  std::vector<std::byte> staging(static_cast<size_t>(BlockReader::kLeastStagingBytes));
  EXPECT_ERROR(
      InvalidInput, "mlp.up_proj.weight has a scale in row 2 that is NaN or infinite; the file is damaged",
      load_tensors({{.source = files.tensor(0), .wanted = find_block_format("q4_k")->dtype(), .out = loaded.data()}},
                   staging, NanCheck::refuse));
}

TEST_F(GgufWeightsTest, ABlockWhoseScaleIsNoNumberIsRefusedByItsTensor) {
  std::string blocks = q8_blocks(32);
  blocks.replace(34 * 5, 2, bytes_of(uint16_t{0x7e00}));
  const std::string entry = tensor("blk.0.ffn_up.weight", {64, 16}, kGgmlQ8_0, 0);
  const WeightFiles files(directory_.write("q.gguf", pad(head(1, 3) + llama_keys() + entry) + blocks));
  const WeightTensor source = files.tensor(0);
  std::vector<std::byte> loaded(static_cast<size_t>(source.stored.exact_format->bytes(source.stored.shape)));
  std::vector<std::byte> staging(static_cast<size_t>(BlockReader::kLeastStagingBytes));
  EXPECT_ERROR(InvalidInput, "model.layers.0.mlp.up_proj.weight",
               load_tensors({{.source = source, .wanted = source.stored.exact_format->dtype(), .out = loaded.data()}},
                            staging, NanCheck::refuse));
}

TEST_F(GgufWeightsTest, RefusesWhatItCannotRead) {
  EXPECT_ERROR(InvalidInput, "tensor t is stored as IQ1_S, which headroom does not read yet; expected F32, F16, BF16",
               open(tensor("t", {256}, 19, 0), std::string(50, 'x')));
  EXPECT_ERROR(InvalidInput, "tensor blk.0.attn_q.weight has shape [8, 16]; expected 16 rows, for the heads in the",
               open(tensor("blk.0.attn_q.weight", {16, 8}, kGgmlF32, 0), std::string(512, '\0')));
  const GgufWeights nan = open(tensor("t", {4}, kGgmlF32, 0), std::string(16, '\xff'));
  float out[4];
  EXPECT_ERROR(InvalidInput, "tensor t holds a NaN at element 2",
               nan.read(nan.tensor(0), 2, 2, DType::f32, out, NanCheck::refuse));
  EXPECT_ERROR(InvalidInput, "general.architecture: gemma is not supported; expected one of llama, qwen2",
               GgufWeights(directory_.write("b.gguf", head(0, 1) + word("general.architecture", "gemma"))));
}

}  // namespace
}  // namespace headroom
