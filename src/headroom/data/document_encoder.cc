#include "headroom/data/document_encoder.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/dtype.h"
#include "headroom/base/errors.h"
#include "headroom/data/json_value.h"

namespace headroom {
namespace {

constexpr size_t kFragmentBytes = 16 * 1024;

// Ends of fragments of `text` lie between characters.
size_t fragment_end(std::string_view text, size_t begin) {
  size_t end = std::min(begin + kFragmentBytes, text.size());
  while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) ++end;
  return end;
}

}  // namespace

bool has_prediction(std::span<const int32_t> marked) {
  return !marked.empty() && std::any_of(marked.begin() + 1, marked.end(), marked_counts);
}

DocumentEncoder::DocumentEncoder(TextEncoder& encoder, int64_t max_example_tokens, DocumentTokens& tokens)
    : encoder_(encoder), max_example_tokens_(static_cast<size_t>(max_example_tokens)), tokens_(tokens) {
  emit_text_ = [this](std::span<const int32_t> ids) {
    if (ids.empty()) return;
    last_id_ = ids.back();
    tokens_.text(ids);
  };
}

// The text of an example in its parts, in parts that count or do not, and as a whole; its ids, its prefix's and a row
// of them.
int64_t DocumentEncoder::memory_bound_bytes(int64_t max_example_tokens) {
  const int64_t ids = multiply_sizes(3 * size_of(DType::i32), max_example_tokens, "tokens of an example");
  return add_sizes(3 * kMaxExampleBytes, ids, "an example");
}

void DocumentEncoder::begin_document() {
  if (end_is_due_) end_document();
  end_is_due_ = false;
  last_id_ = -1;
  ++documents_;
}

// The end token, unless the tokenizer or the text itself has put it there.
void DocumentEncoder::end_document() {
  const std::optional<int32_t> end = encoder_.end_of_text();
  if (end && last_id_ != *end) tokens_.text({&*end, 1});
}

void DocumentEncoder::text(std::string_view piece) {
  if (!in_text_) {
    begin_document();
    tokens_.begin_text();
    encoder_.begin(TextEncoder::Frame::whole, emit_text_);
    in_text_ = true;
  }
  text_bytes_ += static_cast<int64_t>(piece.size());
  encoder_.feed(piece);
}

void DocumentEncoder::end_text(bool open_ended) {
  encoder_.end();
  in_text_ = false;
  end_is_due_ = open_ended;
  if (!open_ended) end_document();
}

void DocumentEncoder::prompt_completion(const std::string& prompt, const std::string& completion) {
  add_example(std::vector<ChatSegment>{{prompt, false}, {completion, true}}, true);
}

// https://github.com/tatsu-lab/stanford_alpaca, train.py; the line end before the response is that of its data.
void DocumentEncoder::instruction(const Instruction& instruction) {
  if (encoder_.has_chat_template()) {
    ChatExample example;
    const auto add = [&](const char* role, std::string text) {
      example.messages.push_back({{"role", role}, {"content", std::move(text)}});
      example.learned.push_back(std::string_view(role) == "assistant");
    };
    if (!instruction.system.empty()) add("system", instruction.system);
    add("user", instruction.instruction + (instruction.input.empty() ? "" : "\n" + instruction.input));
    add("assistant", instruction.output);
    return conversation(example);
  }
  if (!instruction.system.empty()) {
    throw InvalidInput("\"system\" beside an instruction; expected it with a model that has a chat template");
  }
  const bool has_input = !instruction.input.empty();
  const char* more = ", paired with an input that provides further context";
  prompt_completion(
      fmt::format("Below is an instruction that describes a task{}. Write a response that appropriately completes the "
                  "request.\n\n### Instruction:\n{}\n\n{}### Response:\n",
                  has_input ? more : "", instruction.instruction,
                  has_input ? "### Input:\n" + instruction.input + "\n\n" : ""),
      instruction.output);
}

void DocumentEncoder::conversation(const ChatExample& example) {
  const ChatText text = encoder_.conversation(example);
  if (text.segments.empty()) throw InvalidInput("the chat template makes no text of this conversation");
  without_reasoning_ += text.leaves_reasoning_out ? 1 : 0;
  without_tools_ += text.leaves_variables_out ? 1 : 0;
  add_example(text.segments, false);
}

void DocumentEncoder::left_out() {
  begin_document();
  tokens_.example({}, 0);
}

// How many ids the text up to a border has in common with the whole: those that the model sees as its prompt.
int64_t DocumentEncoder::encode_prefix(std::string_view prefix, bool framed) {
  prefix_.clear();
  const TextEncoder::Emit emit = [&](std::span<const int32_t> ids) {
    const size_t room = std::min(ids.size(), ids_.size() - std::min(prefix_.size(), ids_.size()));
    prefix_.insert(prefix_.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(room));
  };
  encoder_.begin(framed ? TextEncoder::Frame::before : TextEncoder::Frame::none, emit);
  for (size_t begin = 0; begin < prefix.size() && prefix_.size() < ids_.size();) {
    const size_t end = fragment_end(prefix, begin);
    encoder_.feed(prefix.substr(begin, end - begin));
    begin = end;
  }
  encoder_.end();
  const auto differ = std::mismatch(prefix_.begin(), prefix_.end(), ids_.begin(), ids_.end());
  if (differ.first != prefix_.end()) ++split_borders_;
  return differ.first - prefix_.begin();
}

// The segments are encoded as one text, as they are when the model reads them. A border lies where the ids of the text
// before it cease to agree with those of the whole.
void DocumentEncoder::add_example(std::span<const ChatSegment> segments, bool framed) {
  begin_document();
  std::string text;
  for (const ChatSegment& segment : segments) text += segment.text;
  text_bytes_ += static_cast<int64_t>(text.size());
  int64_t count = 0;
  ids_.clear();
  const TextEncoder::Emit emit = [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids) {
      if (ids_.size() < max_example_tokens_) ids_.push_back(id);
      last_id_ = id;
      ++count;
    }
  };
  encoder_.begin(framed ? TextEncoder::Frame::whole : TextEncoder::Frame::none, emit);
  if (!text.empty()) encoder_.feed(text);
  encoder_.end();

  std::vector<int64_t> borders;  // in ids, one behind each segment
  size_t end_bytes = 0;
  const int64_t kept = static_cast<int64_t>(ids_.size());
  for (const ChatSegment& segment : segments.first(segments.size() - 1)) {
    end_bytes += segment.text.size();
    const bool is_beyond = !borders.empty() && borders.back() == kept;
    borders.push_back(is_beyond ? kept : encode_prefix(std::string_view(text).substr(0, end_bytes), framed));
  }
  const std::optional<int32_t> end = encoder_.end_of_text();
  if (framed && end && last_id_ != *end) emit({&*end, 1});
  borders.push_back(static_cast<int64_t>(ids_.size()));

  int64_t first = 0;
  for (size_t index = 0; index < segments.size(); ++index) {
    for (int64_t at = first; at < borders[index]; ++at) {
      int32_t& id = ids_[static_cast<size_t>(at)];
      id = mark_token(id, segments[index].counts, at == 0);
    }
    first = std::max(first, borders[index]);
  }
  tokens_.example(ids_, count - static_cast<int64_t>(ids_.size()));
}

}  // namespace headroom
