// Documents (text_source.h) -> token ids, and which of them count in the loss. docs/data.md is the definition.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/data/marked_token.h"
#include "headroom/data/text_encoder.h"
#include "headroom/data/text_source.h"

namespace headroom {

// Whether a token of the example counts that another one predicts: the first has none before it.
bool has_prediction(std::span<const int32_t> marked);

// Receives what documents became.
class DocumentTokens {
 public:
  virtual ~DocumentTokens() = default;

  // A text: begin_text, then its ids, some at a time. All count.
  virtual void begin_text() = 0;
  virtual void text(std::span<const int32_t> ids) = 0;

  // A whole example, the first token marked as a beginning, the others as counting or not. `lost`: how many more it
  // had behind those that were asked for. The span is not kept.
  virtual void example(std::span<const int32_t> marked, int64_t lost) = 0;
};

class DocumentEncoder final : public DocumentSink {
 public:
  // Of an example, at most `max_example_tokens` go on. The other two are borrowed.
  DocumentEncoder(TextEncoder& encoder, int64_t max_example_tokens, DocumentTokens& tokens);

  // The most memory that examples of that many tokens take at any time, beside the encoder.
  static int64_t memory_bound_bytes(int64_t max_example_tokens);

  void text(std::string_view piece) override;
  void end_text(bool open_ended) override;
  void prompt_completion(const std::string& prompt, const std::string& completion) override;
  // By the chat template, as a conversation; without one as Stanford's Alpaca wrote it.
  void instruction(const Instruction& instruction) override;
  void conversation(const ChatExample& example) override;
  void left_out() override;

  int64_t documents() const { return documents_; }
  int64_t text_bytes() const { return text_bytes_; }
  // Borders between what counts and what does not that lie inside a token; it counts.
  int64_t split_borders() const { return split_borders_; }
  // Conversations whose reasoning, or whose tools and documents, the chat template does not write.
  int64_t without_reasoning() const { return without_reasoning_; }
  int64_t without_tools() const { return without_tools_; }

 private:
  void begin_document();
  void end_document();
  void add_example(std::span<const ChatSegment> segments, bool framed);
  int64_t encode_prefix(std::string_view prefix, bool framed);

  TextEncoder& encoder_;
  size_t max_example_tokens_;
  DocumentTokens& tokens_;
  TextEncoder::Emit emit_text_;
  bool in_text_ = false;
  bool end_is_due_ = false;  // behind a text that was open-ended, if anything follows
  int32_t last_id_ = -1;
  int64_t documents_ = 0;
  int64_t text_bytes_ = 0;
  int64_t split_borders_ = 0;
  int64_t without_reasoning_ = 0;
  int64_t without_tools_ = 0;
  std::vector<int32_t> ids_;     // of the example
  std::vector<int32_t> prefix_;  // of its text up to a border
};

}  // namespace headroom
