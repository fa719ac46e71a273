#include "headroom/measure/disk_probe.h"

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/direct_file.h"
#include "headroom/base/errors.h"
#include "headroom/measure/clock.h"
#include "headroom/measure/kernel_bench.h"

namespace headroom {
namespace {

constexpr int64_t kLeastFileBytes = 128 * kMiB;
constexpr int64_t kMostFileBytes = 512 * kMiB;
constexpr double kWriteSeconds = 0.5;
constexpr int kPasses = 3;

// A new file without a name: it ends with the process, however that ends.
File nameless_file(const std::string& directory) {
  const std::string path = fmt::format("{}/headroom-bench-{}", directory, ::getpid());
  File file = File::create(path);
  ::unlink(path.c_str());
  return file;
}

// A file system in memory takes direct requests since Linux 6.6, and would be measured as a disk.
bool is_memory(const std::string& directory) {
  struct statfs about {};
  return ::statfs(directory.c_str(), &about) == 0 && about.f_type == TMPFS_MAGIC;
}

// Numbers that no disk compresses.
void fill(std::span<std::byte> memory) {
  uint64_t state = 0x9e3779b97f4a7c15;
  for (size_t at = 0; at + sizeof(state) <= memory.size(); at += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(memory.data() + at, &state, sizeof(state));
  }
}

constexpr int64_t kBlockBytes = 4 * kMiB;

// Bytes a second of one pass over the file: one request at a time, then as many as the loader makes.
double single_rate(const DirectFile& file, int64_t file_bytes, std::span<std::byte> memory) {
  const Clock::time_point start = Clock::now();
  for (int64_t at = 0; at < file_bytes; at += kBlockBytes) file.read_some(at, memory.data(), kBlockBytes);
  return static_cast<double>(file_bytes) / seconds_since(start);
}

double loading_rate(const File& file, int64_t file_bytes, std::span<std::byte> staging) {
  BlockReader reader(staging);
  const ReadRange whole{.file = &file, .size_bytes = file_bytes};
  const Clock::time_point start = Clock::now();
  reader.read({&whole, 1}, [](const ReadPiece&) {});
  return static_cast<double>(file_bytes) / seconds_since(start);
}

void measure(DiskRates& rates, std::span<std::byte> memory) {
  if (const int64_t free = free_disk_bytes(rates.directory); free < 2 * kLeastFileBytes) {
    rates.skipped = fmt::format("{} has room for {}, which is too little", rates.directory, format_bytes(free));
    return;
  }
  const int64_t most = std::min(kMostFileBytes, free_disk_bytes(rates.directory) / 2);
  File file = nameless_file(rates.directory);
  if (!DirectFile(file).is_direct() || is_memory(rates.directory)) {
    rates.skipped = fmt::format("{} offers no direct access (O_DIRECT)", rates.directory);
    return;
  }
  const int64_t span = static_cast<int64_t>(memory.size()) / kBlockBytes * kBlockBytes;
  fill(memory);
  Clock::time_point start = Clock::now();
  {
    DirectWriter writer(file);
    while (rates.file_bytes + kBlockBytes <= most &&
           (rates.file_bytes < kLeastFileBytes || seconds_since(start) < kWriteSeconds)) {
      writer.write(rates.file_bytes, memory.data() + rates.file_bytes % span, kBlockBytes);
      rates.file_bytes += kBlockBytes;
    }
    file.sync();
  }
  rates.write_bytes_per_second = static_cast<double>(rates.file_bytes) / seconds_since(start);
  const DirectFile direct(file);
  std::array<double, kPasses> several;
  std::array<double, kPasses> single;
  for (size_t pass = 0; pass < kPasses; ++pass) {
    several[pass] = loading_rate(file, rates.file_bytes, memory);
    single[pass] = single_rate(direct, rates.file_bytes, memory);
  }
  rates.read_bytes_per_second = median(several);
  rates.single_read_bytes_per_second = median(single);
  rates.requests = disk_probe_threads();
}

}  // namespace

int disk_probe_threads() { return BlockReader::threads_for(BlockReader::kMostStagingBytes); }

double measure_reading(const std::string& path, std::span<std::byte> memory) {
  const File file = File::open(path);
  const int64_t bytes = std::min(file.size_bytes(), kMostFileBytes) / kBlockBytes * kBlockBytes;
  if (bytes < kLeastFileBytes || !DirectFile(file).is_direct() || is_memory(path)) return 0;
  std::array<double, kPasses> rates;
  for (double& rate : rates) rate = loading_rate(file, bytes, memory);
  return median(rates);
}

double measure_model_file(const Workspace& workspace) {
  const std::span<std::byte> staging = workspace.staging();
  if (workspace.plan().model_bytes == 0 || std::ssize(staging) < BlockReader::kLeastStagingBytes) return 0;
  return measure_reading(workspace.model()->path(), staging);
}

DiskRates measure_disk(const std::string& directory, std::span<std::byte> memory) {
  DiskRates rates;
  try {
    rates.directory = directory.empty() ? std::filesystem::temp_directory_path().string() : directory;
    measure(rates, memory.first(static_cast<size_t>(BlockReader::kMostStagingBytes)));
  } catch (const std::exception& error) {
    if (!directory.empty()) throw;
    rates.skipped = error.what();
  }
  return rates;
}

}  // namespace headroom
