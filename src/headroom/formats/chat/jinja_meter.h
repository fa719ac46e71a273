// What one render may take: steps (with the bytes they touch) and live memory. Templates come from outside, so both
// end.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace headroom::jinja {

class Meter {
 public:
  // `where` begins the messages and must outlive the meter.
  Meter(const std::string& where, int64_t max_bytes) : where_(where), max_bytes_(max_bytes) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // Throws InvalidInput beyond the limits. A step touches `bytes`.
  void step(int64_t bytes = 0);
  void take(int64_t bytes);
  void give_back(int64_t bytes) noexcept { bytes_ -= bytes; }

 private:
  const std::string& where_;
  int64_t max_bytes_;
  int64_t bytes_ = 0;
  int64_t steps_ = 0;
};

// Bytes taken from a meter, given back at the end.
class Charge {
 public:
  Charge() = default;
  Charge(Meter& meter, int64_t bytes) : meter_(&meter), bytes_(bytes) { meter.take(bytes); }
  Charge(Charge&& other) noexcept : meter_(std::exchange(other.meter_, nullptr)), bytes_(other.bytes_) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(meter_, other.meter_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (meter_ != nullptr) meter_->give_back(bytes_);
  }
  void more(int64_t bytes) {
    meter_->take(bytes);
    bytes_ += bytes;
  }

 private:
  Meter* meter_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace headroom::jinja
