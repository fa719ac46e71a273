#include "headroom/verbs/tokenize.h"

#include <fmt/format.h>

#include <optional>

#include "headroom/api/output_paths.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/tokenizer/token_encoder.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {
namespace {

// Text to a file or to standard output, through one fixed buffer; until a signal comes.
class Output {
 public:
  Output(const std::string& path, const InterruptGuard& interrupt) : interrupt_(interrupt) {
    if (!path.empty()) file_.emplace(path);
    buffer_.reserve(kBufferBytes + 64);
  }

  void write(std::string_view text) {
    if (buffer_.size() + text.size() > kBufferBytes) flush();
    if (text.size() > kBufferBytes) {
      write_through(text);
    } else {
      buffer_ += text;
    }
  }

  void finish() {
    flush();
    if (file_) file_->commit();
  }

 private:
  static constexpr size_t kBufferBytes = 65536;

  void flush() {
    write_through(buffer_);
    buffer_.clear();
  }

  void write_through(std::string_view text) {
    interrupt_.check();
    if (text.empty()) return;
    if (file_) {
      file_->file().write(written_, text.data(), static_cast<int64_t>(text.size()));
    } else {
      write_result(text);
    }
    written_ += static_cast<int64_t>(text.size());
  }

  const InterruptGuard& interrupt_;
  std::optional<AtomicFile> file_;
  std::string buffer_;
  int64_t written_ = 0;
};

// The inside of a JSON string: quotes, backslashes and control characters escaped, everything else as it is.
void write_escaped(std::string_view text, Output& output) {
  size_t plain = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    output.write(text.substr(plain, at - plain));
    output.write(byte == '\n' ? "\\n" : byte >= 0x20 ? fmt::format("\\{:c}", byte) : fmt::format("\\u{:04x}", byte));
    plain = at + 1;
  }
  output.write(text.substr(plain));
}

void encode_all(const Tokenizer& tokenizer, bool add_special_tokens, JsonReader& texts, Output& output) {
  TokenEncoder encoder(tokenizer);
  bool is_first = true;
  const TokenSink write_ids = [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids) {
      const fmt::format_int digits(id);
      if (!is_first) output.write(", ");
      output.write({digits.data(), digits.size()});
      is_first = false;
    }
  };
  std::string_view separator = "[\n";
  for (texts.begin_array(); texts.next_element(); separator = ",\n") {
    if (texts.peek() != JsonReader::Kind::text) texts.fail("expected an array of strings");
    output.write(separator);
    output.write("[");
    is_first = true;
    encoder.begin(add_special_tokens, write_ids);
    texts.text_in_pieces([&](std::string_view piece) { encoder.text(piece); });
    encoder.finish();
    output.write("]");
  }
  output.write(separator == "[\n" ? "[]\n" : "\n]\n");
}

void decode_all(const Tokenizer& tokenizer, bool skip_special_tokens, JsonReader& rows, Output& output) {
  StreamDecoder decoder(tokenizer, skip_special_tokens);
  std::string_view separator = "[\n";
  for (rows.begin_array(); rows.next_element(); separator = ",\n") {
    if (rows.peek() != JsonReader::Kind::array) rows.fail("expected an array of arrays of ids");
    output.write(separator);
    output.write("\"");
    for (rows.begin_array(); rows.next_element();) {
      write_escaped(decoder.push(static_cast<int32_t>(rows.integer(0, tokenizer.vocab_size() - 1))), output);
    }
    write_escaped(decoder.finish(), output);
    output.write("\"");
  }
  output.write(separator == "[\n" ? "[]\n" : "\n]\n");
}

}  // namespace

void tokenize_json(const TokenizeOptions& options) {
  check_output_paths({{"--output", options.output}}, {{"MODEL", options.tokenizer}, {"--input", options.input}});
  const Tokenizer tokenizer(options.tokenizer);
  const File input = File::open(options.input);
  JsonReader reader(input, 0, input.size_bytes(), options.input);
  const InterruptGuard interrupt;
  Output output(options.output, interrupt);
  if (options.decode) {
    decode_all(tokenizer, options.skip_special_tokens, reader, output);
  } else {
    encode_all(tokenizer, options.add_special_tokens, reader, output);
  }
  reader.finish();
  output.finish();
}

}  // namespace headroom
