#include "headroom/formats/tokenizer/regex_dialect.h"

#include <algorithm>
#include <cctype>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/unicode_supplement.h"

namespace headroom {
namespace {

class Translator {
 public:
  Translator(std::string_view source, const std::string& where) : source_(source), where_(where) {}

  std::string translate() {
    while (at_ < source_.size()) {
      const char next = source_[at_];
      if (next == '\\') {
        escape(false);
      } else if (next == '[') {
        character_class();
      } else if (next == '(') {
        group();
      } else if (next == '^') {
        refuse("^");
      } else if (next == '{' || next == '#' || next == '}') {
        quantifier_or_literal();
      } else {
        out_ += next;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) const {
    throw InvalidInput("{}: unsupported construct {} in the regular expression (at byte {} of {:.200})", where_,
                       construct, at_, source_);
  }

  std::string_view rest() const { return source_.substr(at_); }

  void copy(size_t count) {
    out_ += source_.substr(at_, count);
    at_ += count;
  }

  void escape(bool in_class) {
    if (at_ + 1 == source_.size()) refuse("\\ at the end");
    const char kind = source_[at_ + 1];
    if (std::ispunct(static_cast<unsigned char>(kind)) != 0 ||
        std::string_view("rntf").find(kind) != std::string::npos) {
      return copy(2);
    }
    if (std::string_view("sSdD").find(kind) != std::string::npos) {
      // PCRE2's own \s counts U+180E, which is no white space any more.
      const bool space = kind == 's' || kind == 'S';
      at_ += 2;
      return property(space ? "White_Space" : "Nd", kind == 'S' || kind == 'D', in_class);
    }
    if (kind == 'w' || kind == 'W') {
      at_ += 2;
      return add_class(R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})", *unicode_supplement("onig word"), kind == 'W', in_class);
    }
    if (kind == 'x') return hexadecimal();
    if (kind == 'u') return four_digits();
    if (kind != 'p' && kind != 'P') refuse(source_.substr(at_, 2));
    const size_t end = source_.find('}', at_);
    if (at_ + 2 >= source_.size() || source_[at_ + 2] != '{' || end == std::string::npos) refuse("\\p without {name}");
    std::string_view name = source_.substr(at_ + 3, end - at_ - 3);
    bool negated = kind == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    at_ = end + 1;
    property(name, negated, in_class);
  }

  void property(std::string_view name, bool negated, bool in_class) {
    const auto supplement = unicode_supplement(name);
    if (!supplement) refuse("\\p{" + std::string(name) + "}");
    add_class("\\p{" + std::string(name) + "}", *supplement, negated, in_class);
  }

  // PCRE2's tables are those of the Unicode version it was built with; what the class has gained since is added.
  void add_class(const std::string& members, std::string_view supplement, bool negated, bool in_class) {
    if (in_class && negated) {
      // A class cannot hold what another one lacks, unless that is a single property.
      if (members.find('}') + 1 != members.size()) refuse("\\W in a class");
      out_ += "\\P" + members.substr(2);
    } else if (in_class) {
      out_ += members + std::string(supplement);
    } else {
      out_ += (negated ? "[^" : "[") + members + std::string(supplement) + "]";
    }
  }

  void four_digits() {
    const std::string_view digits = source_.substr(at_ + 2, 4);
    const auto is_digit = [](char byte) { return std::isxdigit(static_cast<unsigned char>(byte)) != 0; };
    if (digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), is_digit)) refuse("\\u");
    out_ += "\\x{" + std::string(digits) + "}";
    at_ += 6;
  }

  void hexadecimal() {
    if (at_ + 2 >= source_.size()) refuse("\\x");
    size_t digits = 2;
    if (source_[at_ + 2] == '{') {
      const size_t end = source_.find('}', at_);
      if (end == std::string::npos || end - at_ < 4 || end - at_ > 11) refuse("\\x{");
      for (size_t i = at_ + 3; i < end; ++i) {
        if (std::isxdigit(static_cast<unsigned char>(source_[i])) == 0) refuse("\\x{");
      }
      return copy(end - at_ + 1);
    }
    for (; digits < 4; ++digits) {
      // Two digits name a byte to Oniguruma, a code point to PCRE2; they agree on ASCII.
      if (at_ + digits >= source_.size() || std::isxdigit(static_cast<unsigned char>(source_[at_ + digits])) == 0 ||
          (digits == 2 && source_[at_ + 2] > '7')) {
        refuse("\\x");
      }
    }
    copy(4);
  }

  void character_class() {
    copy(1);
    if (rest().starts_with('^')) copy(1);
    if (rest().starts_with(']')) refuse("] as the first character of a class");
    for (;;) {
      if (at_ == source_.size()) refuse("[ without ]");
      if (rest().starts_with(']')) return copy(1);
      if (rest().starts_with('[')) refuse("a class within a class");
      if (rest().starts_with("&&")) refuse("&&");
      if (source_[at_] == '\\') {
        escape(true);
      } else {
        copy(1);
      }
    }
  }

  void group() {
    copy(1);
    if (!rest().starts_with('?')) {
      if (rest().starts_with('*')) refuse("(*");
      return;
    }
    for (const std::string_view known : {"?:", "?!", "?=", "?>", "?i:"}) {
      if (rest().starts_with(known)) return copy(known.size());
    }
    refuse("(" + std::string(source_.substr(at_, 3)));
  }

  void quantifier_or_literal() {
    if (source_[at_] == '#') {
      out_ += "\\#";
      ++at_;
      return;
    }
    if (source_[at_] == '}') refuse("} without {");
    size_t end = at_ + 1;
    bool digits = false;
    while (end < source_.size() &&
           (std::isdigit(static_cast<unsigned char>(source_[end])) != 0 || (source_[end] == ',' && digits))) {
      digits = true;
      ++end;
    }
    if (!digits || end == source_.size() || source_[end] != '}') refuse("{");
    // Oniguruma reads {n}+ as a repeated repeat, PCRE2 as a possessive one.
    if (end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '?'))
      refuse("a quantifier after }");
    copy(end - at_ + 1);
  }

  std::string_view source_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string to_pcre2(std::string_view oniguruma, const std::string& where) {
  return Translator(oniguruma, where).translate();
}

}  // namespace headroom
