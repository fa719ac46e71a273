#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/collectives.h"
#include "tests/ranks/scenarios.h"

namespace headroom {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Multiply-adds that a compiler cannot drop, about a tenth of a second.
double compute() {
  double sum = 0;
  for (int i = 0; i < 30'000'000; ++i) sum = sum * 0.999 + i;
  return sum;
}

}  // namespace

void measure_speed(Communicator& ranks, const std::vector<int>& numbers) {
  const int64_t bytes = int64_t{numbers.empty() ? 64 : numbers[0]} << 20;
  std::vector<std::byte> out(static_cast<size_t>(bytes), std::byte{1}), in(out.size());
  const int peer = ranks.rank() ^ 1;
  const auto exchange_of = [&](int64_t size) {
    Exchange exchange;
    if (peer < ranks.size()) {
      exchange.sends = {{peer, out.data(), size}};
      exchange.receives = {{peer, in.data(), size}};
    }
    return exchange;
  };
  for (const int64_t size : {int64_t{1}, int64_t{4096}, int64_t{1} << 20, bytes}) {
    Exchange exchange = exchange_of(size);
    const int rounds = size <= 4096 ? 2000 : static_cast<int>(std::max<int64_t>((int64_t{256} << 20) / size, 3));
    barrier(ranks);
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
      ranks.begin(exchange);
      ranks.wait(exchange);
    }
    const double seconds = seconds_since(begin) / rounds;
    if (ranks.rank() == 0) {
      print_result("both ways {:>9} B: {:>10.1f} us, {:.2f} GB/s each way\n", size, 1e6 * seconds,
                   static_cast<double>(size) / seconds / 1e9);
    }
  }
  barrier(ranks);
  double sink = 0;
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) sink += compute();
  const double alone = seconds_since(begin) / 10;
  Exchange exchange = exchange_of(bytes);
  barrier(ranks);
  begin = std::chrono::steady_clock::now();
  double waited = 0;
  for (int i = 0; i < 10; ++i) {
    ranks.begin(exchange);
    sink += compute();
    const auto wait = std::chrono::steady_clock::now();
    ranks.wait(exchange);
    waited += seconds_since(wait) / 10;
  }
  const double beside = seconds_since(begin) / 10;
  ensure(sink != 0, "nothing was computed");
  const std::string mine =
      fmt::format("rank {}: computing {:.1f} ms alone, {:.1f} ms beside {} MiB, waited {:.1f} ms of it\n", ranks.rank(),
                  1e3 * alone, 1e3 * beside, bytes >> 20, 1e3 * waited);
  for (const std::string& one : all_gather_texts(ranks, mine)) {
    if (ranks.rank() == 0) print_result("{}", one);
  }
}

}  // namespace headroom
