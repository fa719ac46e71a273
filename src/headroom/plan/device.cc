#include "headroom/plan/device.h"

#include <array>
#include <cctype>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kPcie4 = 31.5 * kGiga;  // 16 lanes, each way
constexpr double kPcie5 = 63.0 * kGiga;

struct Card {
  std::string_view name;
  int64_t memory_mib;
  double memory_gb_per_second;
  double f32_tflops, tf32_tflops, bf16_tflops;
  double host_link_bytes_per_second;
  int multiprocessors;
};

// Whole cards; of the data-centre ones those on SXM boards.
constexpr std::array<Card, 6> kCards = {{{"rtx-3090", 24576, 936, 35.6, 35.6, 71.2, kPcie4, 82},
                                         {"rtx-4090", 24564, 1008, 82.6, 82.6, 165.2, kPcie4, 128},
                                         {"a100-40gb", 40960, 1555, 19.5, 156, 312, kPcie4, 108},
                                         {"a100-80gb", 81920, 2039, 19.5, 156, 312, kPcie4, 108},
                                         {"h100", 81559, 3352, 66.9, 494.7, 989.4, kPcie5, 132},
                                         {"h200", 143771, 4800, 66.9, 494.7, 989.4, kPcie5, 132}}};

// A slice has a number of the card's eight parts of memory, and with them of its bandwidth, and some multiprocessors.
struct Slice {
  std::string_view card;
  std::string_view profile;
  int64_t memory_mib;
  int memory_parts;
  int multiprocessors;
};

constexpr std::array<Slice, 23> kSlices = {
    {{"a100-40gb", "1g.5gb", 4864, 1, 14},   {"a100-40gb", "1g.10gb", 9984, 2, 14},
     {"a100-40gb", "2g.10gb", 9984, 2, 28},  {"a100-40gb", "3g.20gb", 20096, 4, 42},
     {"a100-40gb", "4g.20gb", 20096, 4, 56}, {"a100-40gb", "7g.40gb", 40448, 8, 98},
     {"a100-80gb", "1g.10gb", 9728, 1, 14},  {"a100-80gb", "1g.20gb", 19968, 2, 14},
     {"a100-80gb", "2g.20gb", 19968, 2, 28}, {"a100-80gb", "3g.40gb", 40192, 4, 42},
     {"a100-80gb", "4g.40gb", 40192, 4, 56}, {"a100-80gb", "7g.80gb", 80896, 8, 98},
     {"h100", "1g.10gb", 9984, 1, 16},       {"h100", "1g.20gb", 20096, 2, 26},
     {"h100", "2g.20gb", 20096, 2, 32},      {"h100", "3g.40gb", 40448, 4, 60},
     {"h100", "4g.40gb", 40448, 4, 64},      {"h100", "7g.80gb", 81152, 8, 132},
     {"h200", "1g.18gb", 16384, 1, 16},      {"h200", "2g.35gb", 33280, 2, 32},
     {"h200", "3g.71gb", 71168, 4, 60},      {"h200", "4g.71gb", 71168, 4, 64},
     {"h200", "7g.141gb", 143360, 8, 132}}};

Device device_of(const Card& card) {
  return {std::string(card.name),         card.memory_mib * kMiB,   card.memory_gb_per_second * kGiga,
          card.f32_tflops * kTera,        card.tf32_tflops * kTera, card.bf16_tflops * kTera,
          card.host_link_bytes_per_second};
}

Device device_of(const Slice& slice, const Card& card) {
  Device device = device_of(card);
  const double share = static_cast<double>(slice.multiprocessors) / card.multiprocessors;
  device.name += fmt::format("-{}", slice.profile);
  device.memory_bytes = slice.memory_mib * kMiB;
  device.memory_bytes_per_second *= slice.memory_parts / 8.0;
  device.f32_flops_per_second *= share;
  device.tf32_flops_per_second *= share;
  device.bf16_flops_per_second *= share;
  return device;
}

// Lower case letters, digits and points, without the words that tell apart what is one device here.
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.') text += static_cast<char>(std::tolower(byte));
  }
  for (const std::string_view word : {"nvidia", "geforce", "sxm4", "sxm5", "hbm3e", "hbm3", "mig"}) {
    if (const size_t at = text.find(word); at != std::string::npos) text.erase(at, word.size());
  }
  if (text.starts_with("h10080gb")) text.erase(4, 4);  // "h100 80gb": there is one h100 here
  return text;
}

}  // namespace

const std::vector<Device>& devices() {
  static const std::vector<Device> all = [] {
    std::vector<Device> made;
    for (const Card& card : kCards) made.push_back(device_of(card));
    for (const Slice& slice : kSlices) {
      for (const Card& card : kCards) {
        if (card.name == slice.card) made.push_back(device_of(slice, card));
      }
    }
    return made;
  }();
  return all;
}

const Device& find_device(std::string_view name) {
  const std::string wanted = plain(name);
  std::string known;
  for (const Device& device : devices()) {
    if (plain(device.name) == wanted) return device;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", device.name);
  }
  throw InvalidInput("--device {}: unknown device; expected one of {}; for another one say --memory SIZE", name, known);
}

std::string device_table() {
  std::string text = fmt::format("{:<20} {:>11} {:>10} {:>8} {:>8} {:>8} {:>9}\n", "device", "memory", "bandwidth",
                                 "f32", "tf32", "bf16", "host link");
  text += fmt::format("{:<20} {:>11} {:>10} {:>8} {:>8} {:>8} {:>9}\n", "", "MiB", "GB/s", "TFLOP/s", "TFLOP/s",
                      "TFLOP/s", "GB/s");
  for (const Device& device : devices()) {
    text += fmt::format("{:<20} {:>11} {:>10.0f} {:>8.1f} {:>8.1f} {:>8.1f} {:>9.1f}\n", device.name,
                        format_count(device.memory_bytes / kMiB), device.memory_bytes_per_second / kGiga,
                        device.f32_flops_per_second / kTera, device.tf32_flops_per_second / kTera,
                        device.bf16_flops_per_second / kTera, device.host_link_bytes_per_second / kGiga);
  }
  return text;
}

}  // namespace headroom
