// How fast a tokenizer loads and encodes: the half of bench/tokenizer_speed.py that runs headroom.
//
//   bench_tokenize TOKENIZER.json TEXT DOCUMENT_BYTES ROUNDS IDS
//
// TEXT is encoded as documents of DOCUMENT_BYTES each, cut between characters, without special tokens. Prints a line
// with the processor seconds of each loading, then one with those of each encoding, and writes all ids to IDS (int32).
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include "headroom/formats/tokenizer/token_encoder.h"

namespace {

using headroom::TokenEncoder;
using headroom::Tokenizer;

// Of the processor.
double seconds_of(const auto& work) {
  const std::clock_t start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

void measure(char** arguments) {
  std::ifstream file(arguments[2], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t document_bytes = std::strtoull(arguments[3], nullptr, 10);
  const int rounds = std::atoi(arguments[4]);

  for (int round = 0; round < rounds; ++round) {
    std::printf("%.6f ", seconds_of([&] { const Tokenizer tokenizer(arguments[1]); }));
  }
  const Tokenizer tokenizer(arguments[1]);
  TokenEncoder encoder(tokenizer);
  std::vector<int32_t> ids;
  const headroom::TokenSink append = [&](std::span<const int32_t> more) {
    ids.insert(ids.end(), more.begin(), more.end());
  };
  std::printf("\n");
  for (int round = 0; round < rounds; ++round) {
    ids.clear();
    std::printf("%.6f ", seconds_of([&] {
                  for (size_t at = 0; at < text.size();) {
                    size_t end = std::min(text.size(), at + document_bytes);
                    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
                    encoder.begin(false, append);
                    encoder.text(std::string_view(text).substr(at, end - at));
                    encoder.finish();
                    at = end;
                  }
                }));
  }
  std::printf("\n");
  std::ofstream(arguments[5], std::ios::binary)
      .write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(ids.size() * sizeof(int32_t)));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::fprintf(stderr, "usage: bench_tokenize TOKENIZER.json TEXT DOCUMENT_BYTES ROUNDS IDS\n");
    return 2;
  }
  try {
    measure(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
