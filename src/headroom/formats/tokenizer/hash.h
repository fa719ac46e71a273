// The hash of the tokenizer's flat tables: small, fast, the same on every run.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace headroom {

// The finalizer of MurmurHash3: every bit of the input reaches every bit of the output.
constexpr uint64_t mix_bits(uint64_t value) {
  value ^= value >> 33;
  value *= 0xFF51AFD7ED558CCDull;
  value ^= value >> 33;
  value *= 0xC4CEB9FE1A85EC53ull;
  value ^= value >> 33;
  return value;
}

inline uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = bytes.size();
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t taken = bytes.size() < 8 ? bytes.size() : 8;
    std::memcpy(&word, bytes.data(), taken);
    hash = mix_bits(hash ^ word);
    bytes.remove_prefix(taken);
  }
  return hash;
}

// Two ids as one key.
constexpr uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// `hash` scaled to [0, range): no power of two needed, so no memory is rounded away.
constexpr uint64_t hash_to_range(uint64_t hash, uint64_t range) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(hash) * range >> 64);
}

}  // namespace headroom
