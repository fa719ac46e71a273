// Formats of KV caches: where each code lies, held against the drawing in docs/weight_formats.md; and codes, scales and
// numbers against the formula in numpy (tests/data/kv_cache/generate.py).
#include "headroom/base/cache_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "headroom/base/cache_kind.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors.h"

namespace headroom {
namespace {

constexpr auto kBothOrders = {CacheFormat::Order::keys, CacheFormat::Order::values};

class NumpyRows {
 public:
  template <class T>
  std::vector<T> read(const std::string& name) const {
    const StoredTensor stored = file_.tensor(file_.find(name));
    std::vector<T> values(static_cast<size_t>(stored.size_bytes) / sizeof(T));
    file_.file(stored).read(stored.offset_bytes, values.data(), stored.size_bytes);
    return values;
  }

 private:
  SafetensorsFile file_{std::string(HEADROOM_SOURCE_DIR) + "/tests/data/kv_cache/rows.safetensors"};
};

// Read off the drawing, not by the layout's own functions.
int code_as_drawn(const CacheFormat& format, const uint8_t* panel, int64_t token, int64_t element) {
  const int64_t b = format.bits(), g = format.group();
  const uint8_t* codes = panel + element / g * (2 * b * g + 64);
  const int64_t k = element % g;
  if (format.order() == CacheFormat::Order::keys) {
    return b == 8 ? codes[16 * k + token] : codes[16 * (k / 2) + token] >> (k % 2 == 0 ? 0 : 4) & 15;
  }
  const uint8_t* of_token = codes + token * g * b / 8;
  return b == 8 ? of_token[k] : of_token[k % (g / 2)] >> (k < g / 2 ? 0 : 4) & 15;
}

TEST(CacheFormat, HasTheBitsOfNumpyWhereTheyAreDrawn) {
  const NumpyRows numpy;
  const std::vector<float> rows = numpy.read<float>("rows");
  const Shape shape = {19, 64};
  for (const int bits : {8, 4}) {
    for (const int64_t group : {32, 8}) {
      for (const auto order : kBothOrders) {
        const CacheFormat& format = *find_cache_format(order, bits, group);
        SCOPED_TRACE(format.name());
        ASSERT_EQ(format.group(), group);
        const std::string name = "q" + std::to_string(bits) + "_g" + std::to_string(group);
        std::vector<std::byte> tensor(static_cast<size_t>(format.bytes(shape)), std::byte{0xee});
        EXPECT_EQ(format.encode(shape, 0, rows, tensor.data(), {}), 6 * 64 + (group == 32 ? 32 : 40));
        const int64_t groups = 64 / group;
        const int64_t group_bytes = 2 * bits * group + 64, panel_bytes = groups * group_bytes;
        ASSERT_EQ(static_cast<int64_t>(tensor.size()), 2 * panel_bytes);
        const std::vector<uint8_t> codes = numpy.read<uint8_t>(name + ".codes");
        const std::vector<uint16_t> scales = numpy.read<uint16_t>(name + ".scales");
        const std::vector<uint16_t> lows = numpy.read<uint16_t>(name + ".lows");
        for (int64_t row = 0; row < 19; ++row) {
          const auto* panel = reinterpret_cast<const uint8_t*>(tensor.data()) + row / 16 * panel_bytes;
          for (int64_t i = 0; i < 64; ++i) {
            ASSERT_EQ(code_as_drawn(format, panel, row % 16, i), codes[static_cast<size_t>(row * 64 + i)])
                << row << " " << i;
            const uint8_t* numbers = panel + i / group * group_bytes + 2 * bits * group;
            const size_t expected = static_cast<size_t>(row * groups + i / group);
            uint16_t scale, low;
            std::memcpy(&scale, numbers + 2 * (row % 16), 2);
            std::memcpy(&low, numbers + 32 + 2 * (row % 16), 2);
            ASSERT_EQ(scale, scales[expected]) << row << " " << i;
            ASSERT_EQ(low, lows[expected]) << row << " " << i;
          }
        }
        const std::vector<float> back = numpy.read<float>(name + ".back");
        std::vector<float> got(back.size());
        format.decode(shape, tensor.data(), 0, 19 * 64, got.data());
        for (size_t i = 0; i < back.size(); ++i) {
          ASSERT_TRUE(got[i] == back[i] || (std::isnan(got[i]) && std::isnan(back[i]))) << i << " " << got[i];
        }
      }
    }
  }
}

// A row's bytes do not depend on what is written beside it, and writing it changes no other's.
TEST(CacheFormat, RowsAreEncodedAlone) {
  const std::vector<float> rows = NumpyRows().read<float>("rows");
  const Shape shape = {19, 64};
  for (const auto order : kBothOrders) {
    for (const int bits : {8, 4}) {
      const CacheFormat& format = *find_cache_format(order, bits, 64);
      std::vector<std::byte> at_once(static_cast<size_t>(format.bytes(shape)));
      std::vector<std::byte> backwards = at_once;
      format.encode(shape, 0, rows, at_once.data(), {});
      for (int64_t row = 18; row >= 0; --row) {
        format.encode(shape, row * 64, std::span(rows).subspan(static_cast<size_t>(row) * 64, 64), backwards.data(),
                      {});
      }
      EXPECT_EQ(at_once, backwards) << format.name();
    }
  }
}

TEST(CacheFormat, AnElementIsWithinHalfAStep) {
  std::vector<float> row(64);
  for (size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(i * i)) * 3;
  for (const int bits : {8, 4}) {
    const CacheFormat& format = *find_cache_format(CacheFormat::Order::keys, bits, 64);
    std::vector<std::byte> tensor(static_cast<size_t>(format.bytes({1, 64})));
    format.encode({1, 64}, 0, row, tensor.data(), {});
    std::vector<float> back(64);
    format.decode({1, 64}, tensor.data(), 0, 64, back.data());
    const float step = 6.0f / static_cast<float>((1 << bits) - 1);
    for (size_t i = 0; i < 64; ++i) EXPECT_NEAR(back[i], row[i], 0.5f * step + 0.01f * step + 0.0015f) << bits;
  }
}

// Panels of 16 bits: each element's place, and that it is rounded to nearest even.
TEST(CacheFormat, KeepsHalvesWhereTheyAreDrawn) {
  const Shape shape = {18, 64};
  std::vector<float> rows(18 * 64);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = std::sin(static_cast<float>(i)) * 5;
  for (const CacheKind kind : {CacheKind::bf16, CacheKind::f16}) {
    const CacheTypes types = cache_types(kind, 64);
    for (const DType dtype : {types.keys, types.values}) {
      const CacheFormat& format = *as_cache_format(dtype);
      ASSERT_EQ(format.bytes(shape), 2 * 16 * 64 * 2) << format.name();
      std::vector<std::byte> tensor(static_cast<size_t>(format.bytes(shape)));
      EXPECT_EQ(format.encode(shape, 0, rows, tensor.data(), {}), -1);
      std::vector<float> back(rows.size());
      format.decode(shape, tensor.data(), 0, 18 * 64, back.data());
      for (int64_t row = 0; row < 18; ++row) {
        for (int64_t i = 0; i < 64; ++i) {
          const float x = rows[static_cast<size_t>(row * 64 + i)];
          const uint16_t expected = kind == CacheKind::bf16 ? f32_to_bf16(x) : f32_to_f16(x);
          const int64_t k = i % 32, token = row % 16;
          const int64_t place = dtype == types.keys ? 16 * k + token : 32 * token + k;
          uint16_t got;
          std::memcpy(&got, tensor.data() + row / 16 * 2048 + i / 32 * 1024 + 2 * place, 2);
          ASSERT_EQ(got, expected) << format.name() << " " << row << " " << i;
          const float number = kind == CacheKind::bf16 ? bf16_to_f32(expected) : f16_to_f32(expected);
          ASSERT_EQ(back[static_cast<size_t>(row * 64 + i)], number);
        }
      }
    }
  }
}

TEST(CacheKind, HeadsThatAreNoWholeGroupsAreRefused) {
  EXPECT_EQ(find_cache_format(CacheFormat::Order::keys, 4, 96)->group(), 32);
  EXPECT_EQ(find_cache_format(CacheFormat::Order::keys, 4, 80)->group(), 8);
  EXPECT_EQ(cache_types(CacheKind::f16, 20).keys, DType::f16);
  try {
    cache_types(CacheKind::q4, 20);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(error.what(),
                 "a KV cache in q4: elements of a head share scales by groups of 32 or 8; expected heads of a multiple "
                 "of 8 elements, got 20; try f16");
  }
}

}  // namespace
}  // namespace headroom
