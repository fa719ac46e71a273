#include "headroom/formats/weights/name_pattern.h"

#include <algorithm>

#include "headroom/base/errors.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace headroom {
namespace {

constexpr uint32_t kMostSteps = 100'000;
constexpr uint32_t kMostHeapKib = 256;
constexpr uint32_t kDeepestParens = 32;

// No sign of a regular expression but the dot, which names are full of: such a one needs no PCRE2.
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           c == '-';
  });
}

std::string words_of_pcre2(int error) {
  char text[256] = {};
  pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

// `any`: what stands for any character; 0: none.
bool ends_in(std::string_view layer, std::string_view name, char any) {
  if (layer.size() < name.size()) return false;
  const std::string_view before = layer.substr(0, layer.size() - name.size());
  if (!before.empty() && before.back() != '.') return false;
  return std::equal(name.begin(), name.end(), layer.begin() + static_cast<ptrdiff_t>(before.size()),
                    [any](char wanted, char got) { return wanted == got || (any != 0 && wanted == any); });
}

// A regular expression; without code, names in which a dot is any character.
struct Matcher {
  pcre2_code* code = nullptr;
  Matcher() = default;
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;
  ~Matcher() { pcre2_code_free(code); }
};

template <class T, class Free>
std::unique_ptr<T, Free> owned(T* object, Free free) {
  if (object == nullptr) throw MachineFailure("no memory for a regular expression");
  return {object, free};
}

}  // namespace

NamePattern::NamePattern(std::string text, const std::string& regex, const std::string& where)
    : text_(std::move(text)) {
  if (regex.size() > kMaxBytes) {
    throw InvalidInput("{}: a regular expression of {} bytes; expected at most {}", where, regex.size(), kMaxBytes);
  }
  const auto context = owned(pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_parens_nest_limit(context.get(), kDeepestParens);
  int error = 0;
  size_t offset = 0;
  auto matcher = std::make_shared<Matcher>();
  matcher->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                                PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error,
                                &offset, context.get());
  if (matcher->code == nullptr) {
    throw InvalidInput("{}: bad regular expression ({}): {:.200}", where, words_of_pcre2(error), text_);
  }
  code_ = std::move(matcher);
}

NamePattern NamePattern::whole(std::string regex, const std::string& where) {
  const std::string text = regex;
  return {std::move(regex), text, where};
}

NamePattern NamePattern::ending(std::string regex, const std::string& where) {
  if (is_name(regex)) {
    NamePattern name(std::move(regex));
    if (name.text_.find('.') != std::string::npos) name.code_ = std::make_shared<Matcher>();
    return name;
  }
  const std::string text = "(.*\\.)?(" + regex + ")";
  return {std::move(regex), text, where};
}

NamePattern NamePattern::all() { return {"all-linear", ".*", "all-linear"}; }

bool NamePattern::matches(std::string_view layer) const {
  if (code_ == nullptr) return ends_in(layer, text_, 0);
  const pcre2_code* const code = static_cast<const Matcher*>(code_.get())->code;
  if (code == nullptr) return ends_in(layer, text_, '.');
  const auto context = owned(pcre2_match_context_create(nullptr), pcre2_match_context_free);
  const auto data = owned(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  pcre2_set_match_limit(context.get(), kMostSteps);
  pcre2_set_heap_limit(context.get(), kMostHeapKib);
  const int result =
      pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(layer.data()), layer.size(), 0, 0, data.get(), context.get());
  if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
    throw InvalidInput("the regular expression {:.200} cannot be matched on {} ({})", text_, layer,
                       words_of_pcre2(result));
  }
  return result >= 0;
}

}  // namespace headroom
