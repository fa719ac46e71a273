#include "headroom/generate/generation_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "headroom/backend/isa.h"
#include "headroom/base/errors.h"
#include "tests/generate/tiny_model.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using testing::make_workspace;
using testing::some_ids;
using testing::tiny_config;

constexpr int64_t kContext = 100;

// The logits behind the prompt and behind three more tokens, and their lse.
std::vector<float> logits_of(const LlamaConfig& config, int64_t chunk, int threads = 1,
                             const Backend& backend = choose_backend(), int64_t context = kContext,
                             CacheKind cache_kind = CacheKind::f32) {
  const auto model = make_llama(config);
  const GenerationShape shape{.context = context, .prefill_chunk = chunk, .cache_kind = cache_kind};
  const auto workspace = make_workspace(*model, build_generation_graphs(*model, shape), threads, backend);
  GenerationSteps steps(*workspace, *model, shape);
  const std::vector<int32_t> ids = some_ids(77);
  std::vector<float> all;
  const auto feed = [&](std::span<const int32_t> tokens) {
    while (!tokens.empty()) tokens = tokens.subspan(static_cast<size_t>(steps.feed(tokens)));
    all.insert(all.end(), steps.logits().begin(), steps.logits().end());
    all.push_back(steps.lse());
  };
  feed(std::span(ids).first(74));
  for (size_t i = 74; i < ids.size(); ++i) feed(std::span(ids).subspan(i, 1));
  EXPECT_EQ(steps.tokens(), 77);
  return all;
}

TEST(GenerationSteps, ChunksOfAnySizeGiveTheSameBits) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const LlamaConfig config = tiny_config(dtype != DType::bf16, dtype);
    const std::vector<float> whole = logits_of(config, 74);
    ASSERT_GT(*std::max_element(whole.begin(), whole.end()), 0.0f);
    for (const int64_t chunk : {1, 2, 7, 16, 64}) EXPECT_EQ(logits_of(config, chunk), whole) << chunk;
  }
}

TEST(GenerationSteps, ThreadsInstructionsAndContextChangeNoBit) {
  const LlamaConfig config = tiny_config();
  const std::vector<float> expected = logits_of(config, 64);
  EXPECT_EQ(logits_of(config, 64, 2), expected);
  EXPECT_EQ(logits_of(config, 64, 3), expected);
  EXPECT_EQ(logits_of(config, 64, 1, cpu_backend(Isa::reference)), expected);
  EXPECT_EQ(logits_of(config, 64, 1, choose_backend(), 256), expected);
}

// Every key is read as it was rounded, in the step that writes it, too.
TEST(GenerationSteps, ASmallerCacheGivesTheSameBitsInChunksOfAnySize) {
  const LlamaConfig config = tiny_config();
  const std::vector<float> exact = logits_of(config, 74);
  for (const auto& [kind, precision] : {std::pair(CacheKind::bf16, 0x1p-8f), std::pair(CacheKind::f16, 0x1p-11f),
                                        std::pair(CacheKind::q8, 0x1p-8f), std::pair(CacheKind::q4, 0x1p-4f)}) {
    const std::vector<float> whole = logits_of(config, 74, 1, choose_backend(), kContext, kind);
    for (const int64_t chunk : {1, 7, 64}) {
      EXPECT_EQ(logits_of(config, chunk, 2, choose_backend(), kContext, kind), whole) << chunk;
    }
    EXPECT_EQ(logits_of(config, 16, 1, cpu_backend(Isa::reference), 256, kind), whole);
    float largest = 0, farthest = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      largest = std::max(largest, std::fabs(exact[i]));
      farthest = std::max(farthest, std::fabs(exact[i] - whole[i]));
    }
    EXPECT_LT(farthest, 8 * precision * largest) << name_of(kind);
    EXPECT_GT(farthest, precision * largest / 1000) << name_of(kind);
  }
}

TEST(GenerationSteps, ATokenSeesWhatCameBefore) {
  const auto model = make_llama(tiny_config());
  const GenerationShape shape{.context = 8, .prefill_chunk = 4};
  const auto workspace = make_workspace(*model, build_generation_graphs(*model, shape));
  std::vector<std::vector<float>> seen;
  for (const int32_t first : {1, 2}) {
    GenerationSteps steps(*workspace, *model, shape);
    const std::vector<int32_t> ids = {first, 3};
    steps.feed(std::span(ids).first(1));
    steps.feed(std::span(ids).last(1));
    seen.emplace_back(steps.logits().begin(), steps.logits().end());
  }
  EXPECT_NE(seen[0], seen[1]);
}

TEST(GenerationSteps, WhatIsKeptOfTheCacheGivesTheBitsOfAFreshOne) {
  const auto model = make_llama(tiny_config());
  const GenerationShape shape{.context = kContext, .prefill_chunk = 16};
  const auto workspace = make_workspace(*model, build_generation_graphs(*model, shape));
  const std::vector<int32_t> ids = some_ids(60);
  const std::vector<int32_t> others = some_ids(90);
  const auto logits_behind = [](GenerationSteps& steps, std::span<const int32_t> tokens) {
    while (!tokens.empty()) tokens = tokens.subspan(static_cast<size_t>(steps.feed(tokens)));
    return std::vector<float>(steps.logits().begin(), steps.logits().end());
  };
  GenerationSteps fresh(*workspace, *model, shape);
  const std::vector<float> expected = logits_behind(fresh, ids);
  GenerationSteps steps(*workspace, *model, shape);
  logits_behind(steps, std::span(ids).first(37));
  logits_behind(steps, std::span(others).last(40));
  steps.keep(37);
  EXPECT_EQ(steps.tokens(), 37);
  EXPECT_EQ(logits_behind(steps, std::span(ids).subspan(37)), expected);
  EXPECT_ERROR(InternalError, "61 tokens to keep of 60", steps.keep(61));
}

// Prompts of several lengths in pieces beside the new tokens of others, in steps of all sizes.
TEST(GenerationSteps, EachOfManySequencesHasTheBitsOfOneAlone) {
  const auto model = make_llama(tiny_config());
  const std::vector<int32_t> ids = some_ids(120);
  const std::vector<std::span<const int32_t>> texts = {std::span(ids).first(40), std::span(ids).subspan(7, 3),
                                                       std::span(ids).last(33), std::span(ids).subspan(50, 21),
                                                       std::span(ids).subspan(2, 1)};
  constexpr size_t kNew = 4;  // of each text, fed one by one
  const auto bits = [](const GenerationSteps& steps, size_t part) {
    std::vector<float> all(steps.logits(part).begin(), steps.logits(part).end());
    all.push_back(steps.lse(part));
    return all;
  };
  std::vector<std::vector<float>> expected;
  for (const std::span<const int32_t> text : texts) {
    const GenerationShape alone{.context = kContext, .prefill_chunk = 16};
    const auto workspace = make_workspace(*model, build_generation_graphs(*model, alone));
    GenerationSteps steps(*workspace, *model, alone);
    for (std::span<const int32_t> rest = text; !rest.empty();) {
      rest = rest.subspan(static_cast<size_t>(steps.feed(rest)));
    }
    expected.push_back(bits(steps, 0));
    for (size_t i = 0; i < kNew; ++i) {
      steps.feed(std::span(ids).subspan(i, 1));
      expected.push_back(bits(steps, 0));
    }
  }
  for (const auto& [sequences, chunk] : {std::pair<int64_t, int64_t>(5, 16), {6, 4}, {8, 64}, {5, 1}}) {
    const GenerationShape shape{.sequences = sequences, .context = kContext, .prefill_chunk = chunk};
    const auto workspace = make_workspace(*model, build_generation_graphs(*model, shape), 2);
    GenerationSteps steps(*workspace, *model, shape);
    std::vector<std::vector<float>> got(expected.size());
    std::vector<std::span<const int32_t>> unread = texts;
    std::vector<size_t> written(texts.size(), 0);
    for (;;) {
      std::vector<GenerationSteps::Part> parts;
      std::vector<size_t> owners;
      for (size_t t = 0; t < texts.size(); ++t) {
        if (unread[t].empty()) continue;
        parts.push_back({sequences - 1 - static_cast<int64_t>(t), unread[t]});
        owners.push_back(t);
      }
      if (parts.empty()) break;
      steps.feed(parts);
      for (size_t p = 0; p < parts.size(); ++p) {
        const size_t t = owners[p];
        unread[t] = parts[p].tokens;
        if (!unread[t].empty()) continue;
        got[t * (kNew + 1) + written[t]] = bits(steps, p);
        if (written[t] < kNew) unread[t] = std::span(ids).subspan(written[t]++, 1);
      }
    }
    EXPECT_EQ(got, expected) << sequences << " sequences, chunks of " << chunk;
  }
}

TEST(GenerationSteps, AFullCacheTakesNoMore) {
  const auto model = make_llama(tiny_config());
  const GenerationShape shape{.context = 6, .prefill_chunk = 4};
  const auto workspace = make_workspace(*model, build_generation_graphs(*model, shape));
  GenerationSteps steps(*workspace, *model, shape);
  const std::vector<int32_t> ids = some_ids(10);
  EXPECT_EQ(steps.feed(ids), 4);
  EXPECT_EQ(steps.feed(ids), 2);
  EXPECT_ERROR(InternalError, "holds 6 of 6", steps.feed(ids));
}

}  // namespace
}  // namespace headroom
