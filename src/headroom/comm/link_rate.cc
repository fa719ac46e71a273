#include "headroom/comm/link_rate.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/comm/collectives.h"
#include "headroom/comm/exchange_clock.h"

namespace headroom {
namespace {

constexpr int64_t kLeastBytes = kMiB, kMostBytes = 16 * kMiB;  // each way
constexpr int64_t kFirstBytes = 16 * kKiB;
constexpr double kLongEnough = 50e-3;  // seconds of a stream of exchanges that says something
constexpr int kSmallRounds = 32, kRounds = 3;

double seconds_since(int64_t begin_ns) { return 1e-9 * static_cast<double>(exchange_clock_ns() - begin_ns); }

// As steps do it, the next exchange is begun before the one before has been waited for.
class LinkProbe {
 public:
  LinkProbe(Communicator& ranks, int64_t probe_bytes)
      : ranks_(ranks),
        most_bytes_(probe_bytes / kMessages / (ranks.size() - 1)),
        memory_(std::make_unique<std::byte[]>(static_cast<size_t>(probe_bytes))) {}

  LinkRate run() {
    LinkRate rate;
    rate.exchange_seconds = median(kSmallRounds, [&] { return stream(1, 1, 0); });
    int64_t bytes = std::min(kFirstBytes, most_bytes_);
    int64_t exchanges = 2;
    while (slowest(stream(bytes, exchanges, 0)) < kLongEnough) {
      bytes < most_bytes_ ? bytes = std::min(2 * bytes, most_bytes_) : exchanges *= 2;
    }
    const double seconds = median(kRounds, [&] { return stream(bytes, exchanges, 0); });
    const double sent = static_cast<double>(bytes * exchanges * (ranks_.size() - 1));
    rate.bytes_per_second = sent / std::max(seconds - rate.exchange_seconds, seconds / 2);  // of a busy machine
    const int64_t work = work_of(seconds);
    const double alone = median(kRounds, [&] { return compute(work); });
    const double beside = median(kRounds, [&] { return stream(bytes, exchanges, work); });
    rate.processor_share = std::clamp((beside - std::max(alone, seconds)) / std::min(alone, seconds), 0.0, 1.0);
    return rate;
  }

 private:
  static constexpr int64_t kMessages = 4;  // with each other rank: out and in, of the exchange before and the next

  // Of all ranks.
  double slowest(double seconds) const {
    const std::vector<double> all = all_gather_of(ranks_, seconds);
    return *std::max_element(all.begin(), all.end());
  }

  template <class Measure>
  double median(int rounds, Measure measure) const {
    std::vector<double> seconds;
    for (int i = 0; i < rounds; ++i) seconds.push_back(slowest(measure()));
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }

  void set_size(int64_t bytes) {
    int64_t place = 0;
    for (Exchange& exchange : exchanges_) {
      exchange = {};
      for (int peer = 0; peer < ranks_.size(); ++peer) {
        if (peer == ranks_.rank()) continue;
        exchange.sends.push_back({peer, memory_.get() + place++ * most_bytes_, bytes});
        exchange.receives.push_back({peer, memory_.get() + place++ * most_bytes_, bytes});
      }
    }
  }

  // So many exchanges of so many bytes to and from each other rank, beside so much work.
  double stream(int64_t bytes, int64_t exchanges, int64_t work) {
    set_size(bytes);
    barrier(ranks_);
    const int64_t begin_ns = exchange_clock_ns();
    ranks_.begin(exchanges_[0]);
    for (int64_t i = 0; i < exchanges; ++i) {
      if (i + 1 < exchanges) ranks_.begin(exchanges_[static_cast<size_t>((i + 1) % 2)]);
      compute(work / exchanges);
      ranks_.wait(exchanges_[static_cast<size_t>(i % 2)]);
    }
    return seconds_since(begin_ns);
  }

  // A chain of multiply-adds, which nothing shortens.
  double compute(int64_t work) {
    const int64_t begin_ns = exchange_clock_ns();
    for (int64_t i = 0; i < work; ++i) sum_ = sum_ * 0.999 + 1;
    ensure(sum_ >= 0, "a sum of positive numbers is {}", sum_);
    return seconds_since(begin_ns);
  }

  // That takes so long, on all ranks the same.
  int64_t work_of(double seconds) {
    constexpr int64_t kTrial = 1'000'000;
    const double trial = median(kRounds, [&] { return compute(kTrial); });
    return static_cast<int64_t>(static_cast<double>(kTrial) * seconds / trial);
  }

  Communicator& ranks_;
  const int64_t most_bytes_;  // of a message
  const std::unique_ptr<std::byte[]> memory_;
  std::array<Exchange, 2> exchanges_;
  double sum_ = 0;
};

}  // namespace

int64_t link_probe_bytes(int64_t elements, int64_t ranks) {
  if (ranks == 1) return 0;
  return 2 * std::clamp(elements / ranks, kLeastBytes, kMostBytes);
}

LinkRate measure_link(Communicator& ranks, int64_t probe_bytes) {
  ensure(ranks.size() > 1, "a link of one rank");
  const std::vector<int64_t> all = all_gather_of(ranks, probe_bytes);  // ranks may still find that their models differ
  return LinkProbe(ranks, *std::min_element(all.begin(), all.end())).run();
}

}  // namespace headroom
