// Texts that have one hash: what somebody would put into a vocabulary to make its tables slow.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

// 16 bytes each, printable ASCII. hash_bytes takes eight bytes at a time, so the second eight follow from the first.
inline std::vector<std::string> colliding_texts(size_t count) {
  constexpr uint64_t kTarget = 0x0123456789ABCDEF;
  std::vector<std::string> texts;
  for (uint64_t seed = 1; texts.size() < count; ++seed) {
    std::string text(16, ' ');
    uint64_t digits = seed;
    for (size_t at = 0; at < 8; ++at, digits /= 26) text[at] = static_cast<char>('a' + digits % 26);
    uint64_t first = 0;
    std::memcpy(&first, text.data(), 8);
    const uint64_t second = mix_bits(text.size() ^ first) ^ kTarget;
    std::memcpy(text.data() + 8, &second, 8);
    bool printable = true;
    for (const char byte : text) printable = printable && byte > 0x20 && byte < 0x7F;
    if (printable) texts.push_back(text);
  }
  return texts;
}

}  // namespace headroom
