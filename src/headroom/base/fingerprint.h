// FNV-1a, 64 bits (Fowler, Noll, Vo; RFC 9923): tells whether inputs are the same as last time. Not against forgers.
// The result does not depend on how the bytes were cut into pieces.
#pragma once

#include <cstdint>
#include <string_view>

namespace headroom {

class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  }
  void add(int64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      value_ = (value_ ^ (static_cast<uint64_t>(number) >> shift & 0xff)) * 0x100000001b3u;
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace headroom
