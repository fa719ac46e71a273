// The hash table of tokenizers: what was put in is found, in tables of every size, and nothing else; keys that were
// made to collide are refused instead of slowing anything down.
#include "headroom/formats/tokenizer/two_place_table.h"

#include <gtest/gtest.h>

#include <random>

#include "headroom/formats/tokenizer/merge_table.h"
#include "headroom/formats/tokenizer/piece_table.h"
#include "tests/formats/colliding_texts.h"

namespace headroom {
namespace {

struct Number {
  uint64_t value = 0;
  bool is_free() const { return value == 0; }
};

TEST(TwoPlaceTable, FindsWhatWasAdded) {
  std::mt19937_64 random(1);
  for (const int64_t size : {1, 2, 5, 9, 30, 64, 100, 257, 1000, 5000, 200'000}) {
    for (int round = 0; round < (size < 2000 ? 100 : 1); ++round) {
      TwoPlaceTable<Number> table(size);
      const auto hash_of = [](const Number& number) { return mix_bits(number.value); };
      const auto find = [&](uint64_t value) {
        return table.find(mix_bits(value), [&](const Number& number) { return number.value == value; });
      };
      std::vector<uint64_t> values(static_cast<size_t>(size));
      for (uint64_t& value : values) {
        value = random() | 1;
        if (find(value) == nullptr) {
          ASSERT_TRUE(table.add({value}, hash_of)) << "size " << size;
        }
      }
      for (const uint64_t value : values) {
        ASSERT_NE(find(value), nullptr);
        ASSERT_EQ(find(value)->value, value);
        ASSERT_EQ(find(value & ~uint64_t{1}), nullptr);
      }
    }
  }
}

TEST(TwoPlaceTable, RefusesKeysThatCollide) {
  TwoPlaceTable<Number> table(10'000);
  const auto hash_of = [](const Number& number) { return mix_bits(number.value / 1000); };
  for (uint64_t at = 0; at < 8; ++at) EXPECT_TRUE(table.add({1000 + at}, hash_of));
  EXPECT_TRUE(table.add({2000}, hash_of));
  EXPECT_FALSE(table.add({1008}, hash_of));
}

TEST(PieceTable, RefusesPiecesThatCollide) {
  PieceTable table(1000, 1000, 20'000);
  const std::vector<std::string> texts = colliding_texts(9);
  for (int32_t id = 0; id < 8; ++id) EXPECT_EQ(table.add(id, texts[id]), PieceTable::Added::yes);
  for (int32_t id = 0; id < 8; ++id) EXPECT_EQ(table.find(texts[id]), id);
  EXPECT_EQ(table.find(texts[8]), -1);
  EXPECT_EQ(table.add(8, texts[8]), PieceTable::Added::no_place);
}

TEST(MergeTable, TakesTheLastOfMergesOfOnePair) {
  MergeTable table(3);
  EXPECT_TRUE(table.add({1, 2, 0, 3}));
  EXPECT_TRUE(table.add({2, 1, 1, 4}));
  EXPECT_TRUE(table.add({1, 2, 2, 5}));
  EXPECT_EQ(table.find(1, 2)->rank, 2);
  EXPECT_EQ(table.find(2, 1)->result, 4);
  EXPECT_EQ(table.find(1, 1), nullptr);
}

}  // namespace
}  // namespace headroom
