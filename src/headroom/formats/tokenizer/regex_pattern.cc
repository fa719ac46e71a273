#include "headroom/formats/tokenizer/regex_pattern.h"

#include <cctype>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/regex_dialect.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace headroom {
namespace {

constexpr uint32_t kMatchStackKib = 256;
constexpr uint32_t kMatchSteps = 10'000'000;
constexpr size_t kLongestCharacterBytes = 4;

std::string describe_pcre2(int error) {
  char text[256] = {};
  pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

}  // namespace

RegexPattern::RegexPattern(const std::string& pattern, std::string where) : code_(nullptr), where_(std::move(where)) {
  const std::string translated = to_pcre2(pattern, where_);
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  if (context == nullptr) throw MachineFailure("{}: no memory for a regular expression", where_);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context, 32);
  int error = 0;
  size_t offset = 0;
  // In Ruby's syntax $ always matches before a line feed: MULTILINE.
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE, &error,
                    &offset, context);
  pcre2_compile_context_free(context);
  if (code == nullptr) {
    throw InvalidInput("{}: bad regular expression ({}): {:.200}", where_, describe_pcre2(error), pattern);
  }
  uint32_t may_match_nothing = 0;
  pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &may_match_nothing);
  if (may_match_nothing != 0) {
    pcre2_code_free(code);
    throw InvalidInput("{}: a regular expression that may match nothing is not supported: {:.200}", where_, pattern);
  }
  // Where the machine forbids code made at run time, PCRE2 interprets: slower, the same matches.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
  code_ = code;
}

RegexPattern::~RegexPattern() { pcre2_code_free(static_cast<pcre2_code*>(code_)); }

RegexStage::RegexStage(const RegexPattern& pattern, TextStage& next)
    : TextFilter(next),
      pattern_(pattern),
      context_(pcre2_match_context_create(nullptr)),
      match_(pcre2_match_data_create(1, nullptr)),
      window_(kStageWindowBytes + kLongestCharacterBytes) {
  if (context_ == nullptr || match_ == nullptr) {
    throw MachineFailure("{}: no memory for a regular expression", pattern_.where_);
  }
  pcre2_set_heap_limit(static_cast<pcre2_match_context*>(context_), kMatchStackKib);
  pcre2_set_match_limit(static_cast<pcre2_match_context*>(context_), kMatchSteps);
}

RegexStage::~RegexStage() {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(match_));
  pcre2_match_context_free(static_cast<pcre2_match_context*>(context_));
}

void RegexStage::text(std::string_view fragment) {
  while (!fragment.empty()) {
    size_t taken = std::min(fragment.size(), window_.size() - size_);
    while (taken < fragment.size() && (fragment[taken] & 0xC0) == 0x80) --taken;
    std::memcpy(window_.data() + size_, fragment.data(), taken);
    size_ += taken;
    fragment.remove_prefix(taken);
    if (size_ >= kStageWindowBytes) split(false);
  }
}

void RegexStage::end_piece() {
  split(true);
  end_matches();
}

// Hands out everything that is decided, and keeps the rest at the front of the window, which then has room.
void RegexStage::split(bool at_end) {
  size_t passed = 0;
  const auto pass_gap = [&](size_t end) {
    if (passed < end) gap({window_.data() + passed, end - passed});
    passed = end;
  };
  while (passed < size_) {
    int result = run(passed, at_end ? 0 : PCRE2_PARTIAL_HARD);
    const size_t* range = pcre2_get_ovector_pointer(static_cast<pcre2_match_data*>(match_));
    if (result == PCRE2_ERROR_PARTIAL) {
      if (range[0] > 0) {
        pass_gap(range[0]);
        break;
      }
      result = run(0, 0);
    }
    if (result == PCRE2_ERROR_NOMATCH) {
      pass_gap(size_);
      break;
    }
    pass_gap(range[0]);
    match({window_.data() + range[0], range[1] - range[0]});
    passed = range[1];
  }
  std::memmove(window_.data(), window_.data() + passed, size_ - passed);
  size_ -= passed;
}

int RegexStage::run(size_t from, uint32_t options) {
  const auto* code = static_cast<const pcre2_code*>(pattern_.code_);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(window_.data());
  auto* data = static_cast<pcre2_match_data*>(match_);
  auto* context = static_cast<pcre2_match_context*>(context_);
  options |= PCRE2_NO_UTF_CHECK;
  int result = pcre2_match(code, subject, size_, from, options, data, context);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
    result = pcre2_match(code, subject, size_, from, options | PCRE2_NO_JIT, data, context);
  }
  if (result < 0 && result != PCRE2_ERROR_NOMATCH && result != PCRE2_ERROR_PARTIAL) {
    throw InvalidInput("{}: the regular expression cannot be matched ({}) on this text", pattern_.where_,
                       describe_pcre2(result));
  }
  return result;
}

std::string quote_regex(const std::string& literal) {
  std::string quoted;
  for (const char byte : literal) {
    if (std::ispunct(static_cast<unsigned char>(byte)) != 0) quoted += '\\';
    quoted += byte;
  }
  return quoted;
}

}  // namespace headroom
