#include "headroom/formats/tokenizer/byte_alphabet.h"

#include <array>

namespace headroom {
namespace {

constexpr char32_t kFirstSubstitute = 0x100;
constexpr int kAlphabetEnd = 0x100 + 68;

constexpr bool is_its_own_letter(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Tables {
  std::array<char32_t, 256> letter{};
  std::array<int16_t, kAlphabetEnd> byte{};
};

constexpr Tables make_tables() {
  Tables tables;
  tables.byte.fill(-1);
  char32_t substitute = kFirstSubstitute;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t letter = is_its_own_letter(byte) ? static_cast<char32_t>(byte) : substitute++;
    tables.letter[byte] = letter;
    tables.byte[letter] = static_cast<int16_t>(byte);
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

char32_t letter_of_byte(uint8_t byte) { return kTables.letter[byte]; }

int byte_of_letter(char32_t letter) { return letter < kAlphabetEnd ? kTables.byte[letter] : -1; }

}  // namespace headroom
