// Puts tokens of documents into rows of a token file: texts follow one another without a gap; an example, and a text
// that is to be isolated, stays whole if a row can hold it.
#pragma once

#include <span>
#include <vector>

#include "headroom/data/document_encoder.h"
#include "headroom/data/token_file.h"

namespace headroom {

class RowPacker final : public DocumentTokens {
 public:
  // `isolate`: attention begins anew at each text; at an example, and behind it, it always does. Borrows the writer.
  // Holds one row.
  RowPacker(TokenFileWriter& writer, int64_t row_length, bool isolate);

  void begin_text() override;
  void text(std::span<const int32_t> ids) override;
  void example(std::span<const int32_t> marked, int64_t lost) override;

  // Fills the last row, if rows are what the file holds, and what is known here into `info`.
  void finish(TokenFileInfo& info);

 private:
  void place(std::span<const int32_t> piece);
  void end_isolated_text();
  void pad_row();

  TokenFileWriter& writer_;
  int64_t row_length_;
  bool isolate_;
  bool behind_example_ = false;
  bool begins_ = false;         // the next token of text does
  std::vector<int32_t> piece_;  // of a text that is to be isolated, less than a row
  TokenFileInfo counts_;
};

}  // namespace headroom
