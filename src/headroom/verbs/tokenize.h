// The job of `headroom tokenize`: a JSON file of texts to one of ids, or back, streamed: neither the file nor one of
// its texts is ever held whole.
#pragma once

#include <string>

namespace headroom {

struct TokenizeOptions {
  std::string tokenizer;  // a tokenizer.json or a directory that holds one
  std::string input;      // an array of strings; with `decode`, an array of arrays of ids
  std::string output;     // the other of the two, written atomically; empty: standard output
  bool add_special_tokens = true;
  bool decode = false;
  bool skip_special_tokens = false;  // when decoding
};

// Throws InvalidInput for a tokenizer or input that is not what it should be (an id that the tokenizer does not have
// included), MachineFailure when the output cannot be written. There is no output file then.
void tokenize_json(const TokenizeOptions& options);

}  // namespace headroom
