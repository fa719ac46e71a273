// GPT-2's byte alphabet: byte-level tokenizers write every byte as one printable letter, so that their pieces are
// readable text. Bytes that are printable in Latin-1 are themselves, the other 68 are U+0100, U+0101 ... in order
// (Radford et al. 2019, released encoder).
#pragma once

#include <cstdint>

namespace headroom {

char32_t letter_of_byte(uint8_t byte);

// -1 if the letter stands for no byte.
int byte_of_letter(char32_t letter);

}  // namespace headroom
