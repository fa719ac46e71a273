// What the data pipeline asks of a tokenizer: text in fragments of any size in, token ids out, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace headroom {

class TextEncoder {
 public:
  using Emit = std::function<void(std::span<const int32_t>)>;

  virtual ~TextEncoder() = default;

  // More text of the current document: UTF-8, whole characters. Ids come out as soon as they are certain.
  virtual void feed(std::string_view fragment, const Emit& emit) = 0;
  // The document is over: the remaining ids come out, and the next feed() begins another document. The ids of a
  // document do not depend on how it was cut into fragments.
  virtual void end_document(const Emit& emit) = 0;

  // Every id is below it.
  virtual int64_t vocabulary() const = 0;
  // The token that separates documents, if there is one; the pipeline adds it, the encoder does not.
  virtual std::optional<int32_t> end_of_text() const = 0;
  // Two encoders with the same fingerprint give the same ids.
  virtual uint64_t fingerprint() const = 0;
};

}  // namespace headroom
