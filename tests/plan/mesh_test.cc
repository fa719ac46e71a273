// The formulas of states and wire, against sums over single elements and against the figures of the ZeRO paper.
#include "headroom/plan/mesh.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

const BytesPerParameter kMixed = bytes_per_parameter({.half_weights = true});

double gigabytes(int64_t parameters, int stage, int64_t ranks) {
  return static_cast<double>(states_of(parameters, kMixed, stage, ranks).all()) / 1e9;
}

TEST(Mesh, IsReadAndRefused) {
  const Mesh mesh = parse_mesh("tensor=4,data=8");
  EXPECT_EQ(name_of(mesh), "data=8,pipe=1,tensor=4");
  EXPECT_EQ(mesh.ranks(), 32);
  EXPECT_EQ(parse_mesh("").ranks(), 1);
  for (const char* text : {"data", "data=", "data=0", "data=-2", "expert=2", "data=2x", "data=2000000", ",",
                           "data=1048576,pipe=2", "data=9223372036854775807,tensor=9223372036854775807"}) {
    EXPECT_THROW(parse_mesh(text), InvalidInput) << text;
  }
}

// Rajbhandari et al. 2020, figure 1: 7.5 billion parameters over 64 ranks.
TEST(Mesh, StatesAreThoseOfTheZeroPaper) {
  EXPECT_NEAR(gigabytes(7'500'000'000, 0, 64), 120, 0.05);
  EXPECT_NEAR(gigabytes(7'500'000'000, 1, 64), 31.4, 0.05);
  EXPECT_NEAR(gigabytes(7'500'000'000, 2, 64), 16.6, 0.05);
  EXPECT_NEAR(gigabytes(7'500'000'000, 3, 64), 1.9, 0.05);
}

// Every element of a few tensors is given to the rank of its share, and its bytes are counted there.
TEST(Mesh, StatesEqualACountOfEveryElement) {
  for (const std::vector<int64_t>& tensors : std::vector<std::vector<int64_t>>{{1}, {7, 5, 1}, {64, 33, 2, 2, 100}}) {
    const int64_t parameters = std::accumulate(tensors.begin(), tensors.end(), int64_t{0});
    for (const int64_t ranks : {1, 2, 3, 8, 300}) {
      const int64_t share = (parameters + ranks - 1) / ranks;
      for (int stage = 0; stage <= 3; ++stage) {
        std::vector<int64_t> held(static_cast<size_t>(ranks));
        int64_t at = 0;
        for (const int64_t elements : tensors) {
          for (int64_t i = 0; i < elements; ++i, ++at) {
            for (int64_t rank = 0; rank < ranks; ++rank) {
              const bool owns = at / share == rank;
              int64_t& bytes = held[static_cast<size_t>(rank)];
              bytes += stage < 3 || owns ? 2 : 0;
              bytes += stage < 2 || owns ? 2 : 0;
              bytes += stage < 1 || owns ? 12 : 0;
            }
          }
        }
        EXPECT_EQ(states_of(parameters, kMixed, stage, ranks).all(), *std::max_element(held.begin(), held.end()))
            << parameters << " on " << ranks << ", stage " << stage;
      }
    }
  }
}

TEST(Mesh, AbsurdSizesAreRefused) { EXPECT_THROW(states_of(int64_t{1} << 60, kMixed, 0, 1), InvalidInput); }

TEST(Mesh, BytesOfAParameter) {
  EXPECT_EQ(bytes_per_parameter({}).all(), 16);
  EXPECT_EQ(kMixed.all(), 16);
  EXPECT_EQ(bytes_per_parameter({.half_weights = true, .master_weights = false}).all(), 12);
  EXPECT_EQ(bytes_per_parameter({.half_weights = true, .master_weights = false, .optimizer_bytes = 2.03125}).all(),
            6.03125);
  EXPECT_EQ(bytes_per_parameter({.optimizer_bytes = 0}).all(), 8);
}

// Section 7 of the paper: 2P, 2P, 2P and 3P elements; here with the exact (N-1)/N of a ring.
TEST(Mesh, WireVolume) {
  const std::vector<int64_t> elements = {2000, 2000, 2000, 3000};
  for (int stage = 0; stage <= 3; ++stage) {
    EXPECT_EQ(sent_for_states(1000, kMixed, stage, 4, 1), elements[static_cast<size_t>(stage)] * 2 * 3 / 4);
    EXPECT_EQ(sent_for_states(1000, kMixed, stage, 1, 1), 0);
  }
  // With four micro-batches only what keeps whole gradients sends them once.
  EXPECT_EQ(sent_for_states(1000, kMixed, 1, 4, 4), 3000);
  EXPECT_EQ(sent_for_states(1000, kMixed, 2, 4, 4), 1500 * 4 + 1500);
  EXPECT_EQ(sent_for_states(1000, kMixed, 3, 4, 4), 4 * 4500);
}

// Against all ways to divide the layers.
TEST(Mesh, NoDivisionOfLayersIsFullerThanItMustBe) {
  const auto fullest = [](const std::vector<int64_t>& counts, int64_t embedding, int64_t head) {
    int64_t most = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      int64_t held = 10 * counts[i];
      if (i == 0) held += embedding;
      if (i + 1 == counts.size()) held += head;
      most = std::max(most, held);
    }
    return most;
  };
  for (const int64_t embedding : {0, 9, 12, 35}) {
    for (const int64_t head : {0, 5, 12}) {
      for (int64_t layers = 3; layers <= 14; ++layers) {
        const std::vector<int64_t> counts = divide_layers(layers, 3, 10, embedding, head);
        EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), layers);
        int64_t least = fullest(counts, embedding, head);
        const int64_t found = least;
        for (int64_t a = 1; a < layers - 1; ++a) {
          for (int64_t b = 1; a + b < layers; ++b) {
            least = std::min(least, fullest({a, b, layers - a - b}, embedding, head));
          }
        }
        EXPECT_EQ(found, least) << layers << " layers, " << embedding << " and " << head;
      }
    }
  }
  EXPECT_EQ(divide_layers(5, 1, 10, 3, 3), std::vector<int64_t>{5});
  EXPECT_THROW(divide_layers(3, 4, 10, 0, 0), InvalidInput);
}

TEST(Mesh, MicroBatchesInFlight) {
  EXPECT_EQ(micro_batches_in_flight(0, 4, 8), 4);
  EXPECT_EQ(micro_batches_in_flight(3, 4, 8), 1);
  EXPECT_EQ(micro_batches_in_flight(0, 4, 2), 2);
}

}  // namespace
}  // namespace headroom
