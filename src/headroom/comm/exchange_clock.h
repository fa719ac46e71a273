// How long exchanges were under way, and how long somebody stood and waited for them: what is left was hidden.
#pragma once

#include <chrono>
#include <cstdint>

namespace headroom {

inline int64_t exchange_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Of one rank; its owner calls begin() and done() for each exchange, in any order of exchanges. Moments are of
// exchange_clock_ns() and do not go back.
class ExchangeClock {
 public:
  void begin(int64_t now_ns) {
    if (under_way_++ == 0) since_ns_ = now_ns;
  }
  void done(int64_t now_ns) {
    if (--under_way_ == 0) past_ns_ += now_ns - since_ns_;
  }
  // While one exchange or several were under way, counted once, until now.
  int64_t under_way_ns(int64_t now_ns) const { return past_ns_ + (under_way_ > 0 ? now_ns - since_ns_ : 0); }

 private:
  int under_way_ = 0;
  int64_t since_ns_ = 0;  // of the first of those that are under way
  int64_t past_ns_ = 0;
};

}  // namespace headroom
