// Filters on texts, and the methods of texts.
#include <algorithm>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_json.h"
#include "headroom/formats/chat/jinja_operators.h"
#include "headroom/formats/chat/jinja_text.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom::jinja {
namespace {

constexpr int64_t kMaxIndent = 1024;

std::string upper_of(Run& run, std::string_view text) {
  std::optional<std::string> result = to_upper(text);
  if (!result) run.fail("upper case of letters beyond ASCII is not supported");
  return std::move(*result);
}

std::string lower_of(Run& run, std::string_view text) {
  std::optional<std::string> result = to_lower(text);
  if (!result) run.fail("lower case of letters beyond ASCII is not supported");
  return std::move(*result);
}

std::string capital_of(Run& run, std::string_view text) {
  const size_t first = bytes_of_characters(text, text.empty() ? 0 : 1);
  return upper_of(run, text.substr(0, first)) + lower_of(run, text.substr(first));
}

std::string replaced(Run& run, std::string_view text, std::string_view old, std::string_view replacement,
                     int64_t most) {
  run.meter().step(static_cast<int64_t>(text.size()) * 2);
  const Charge room(run.meter(), bytes_of_replace(text, old, replacement, most));
  return replace(text, old, replacement, most);
}

std::string joined(Run& run, std::string_view separator, const std::vector<std::string>& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    text += parts[i];
    run.meter().step(static_cast<int64_t>(separator.size() + parts[i].size()));
    const Charge room(run.meter(), static_cast<int64_t>(text.size()));
  }
  return text;
}

// Parts of `source`.
Value texts(Run& run, const Value& source, const std::vector<std::string_view>& parts) {
  std::vector<Value> values;
  values.reserve(parts.size());
  for (const std::string_view part : parts) values.push_back(run.text_of(source, part));
  return run.list(std::move(values));
}

// Filters.

Value upper_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "upper", arguments, {});
  return run.text_of(subject, upper_of(run, to_text(run, subject)));
}

Value lower_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "lower", arguments, {});
  return run.text_of(subject, lower_of(run, to_text(run, subject)));
}

Value capitalize_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "capitalize", arguments, {});
  return run.text_of(subject, capital_of(run, to_text(run, subject)));
}

// Words begin behind whitespace and - ( { [ <.
Value title_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "title", arguments, {});
  const std::string text = lower_of(run, to_text(run, subject));
  std::string result;
  bool begins = true;
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char character = read_utf8(rest);
    const bool is_letter = character.code >= 'a' && character.code <= 'z';
    if (begins && is_letter) {
      result += static_cast<char>(character.code - 32);
    } else {
      result += rest.substr(0, static_cast<size_t>(character.length));
    }
    begins =
        is_space(character.code) || std::u32string_view(U"-({[<").find(character.code) != std::u32string_view::npos;
    rest.remove_prefix(static_cast<size_t>(character.length));
  }
  return run.text_of(subject, std::move(result));
}

Value trim_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "trim", arguments, {"chars"});
  const std::string text = to_text(run, subject);
  if (!given.has(0) || given[0].is_none()) return run.text_of(subject, strip_right(strip_left(text)));
  return run.text_of(subject, strip(text, given.text(0), true, true));
}

Value replace_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "replace", arguments, {"old", "new", "count"}, 2);
  const bool all = !given.has(2) || given[2].is_none();
  return run.text(replaced(run, to_text(run, subject), to_text(run, given[0]), to_text(run, given[1]),
                           all ? -1 : given.integer(2, -1)));
}

Value string_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "string", arguments, {});
  return subject.is_text() ? subject : run.text(to_text(run, subject));
}

Value safe_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "safe", arguments, {});
  return run.safe_text(to_text(run, subject));
}

Value indent_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "indent", arguments, {"width", "first", "blank"});
  require_defined(run, subject);
  if (!subject.is_text()) run.fail("indent: expected a text, got {}", subject.kind());
  std::string indent;
  if (given.has(0) && given[0].is_text()) {
    indent = given.text(0);
  } else {
    const int64_t width = given.integer(0, 4);
    if (width > kMaxIndent) run.fail("indent: a width of {} is too large", width);
    indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = given.truth(2, false);
  const std::string source = std::string(subject.text()) + "\n";
  std::vector<std::string> lines;
  Charge room(run.meter(), 0);
  for (const std::string_view line : split_lines(source, false)) {
    const bool indented = lines.empty() ? given.truth(1, false) : blank || !line.empty();
    lines.push_back((indented ? indent : std::string()) + std::string(line));
    room.more(static_cast<int64_t>(lines.back().size() + sizeof(std::string)));
  }
  return run.text_of(subject, joined(run, "\n", lines));
}

Value join_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "join", arguments, {"d", "attribute"});
  std::vector<std::string> parts;
  Charge room(run.meter(), 0);
  for (Value& each : iterate(run, subject)) {
    if (given.has(1) && !given[1].is_none()) each = item(run, each, given[1]);
    parts.push_back(to_text(run, each));
    room.more(static_cast<int64_t>(parts.back().size() + sizeof(std::string)));
  }
  return run.text(joined(run, given.has(0) ? to_text(run, given[0]) : std::string(), parts));
}

// As transformers defines it, not as jinja2 does: json.dumps without escapes for HTML.
Value tojson_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.only_ascii = given.truth(0, false);
  style.sort_keys = given.truth(3, false);
  style.has_indent = given.has(1) && !given[1].is_none();
  if (style.has_indent && given[1].is_text()) {
    style.indent = given.text(1);
  } else if (style.has_indent) {
    const int64_t width = given.integer(1, 0);
    if (width > kMaxIndent) run.fail("tojson: an indent of {} is too large", width);
    style.indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  style.item_separator = style.has_indent ? "," : ", ";
  style.key_separator = ": ";
  if (given.has(2) && !given[2].is_none()) {
    const List* separators = given[2].list();
    if (separators == nullptr || separators->items.size() != 2 || !separators->items[0].is_text() ||
        !separators->items[1].is_text()) {
      run.fail("tojson: separators: expected two texts, got {}", given[2].kind());
    }
    style.item_separator = separators->items[0].text();
    style.key_separator = separators->items[1].text();
  }
  return run.text(to_json(run, subject, style));
}

constexpr Function kTextFilters[] = {
    {"upper", upper_filter},   {"lower", lower_filter},     {"capitalize", capitalize_filter}, {"title", title_filter},
    {"trim", trim_filter},     {"replace", replace_filter}, {"string", string_filter},         {"safe", safe_filter},
    {"indent", indent_filter}, {"join", join_filter},       {"tojson", tojson_filter},
};

// Methods.

template <bool left, bool right>
Value strip_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "strip", arguments, {"chars"});
  std::string_view text = subject.text();
  if (given.has(0) && !given[0].is_none()) return run.text_of(subject, strip(text, given.text(0), left, right));
  if (left) text = strip_left(text);
  if (right) text = strip_right(text);
  return run.text_of(subject, text);
}

template <bool from_right>
Value split_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, from_right ? "rsplit" : "split", arguments, {"sep", "maxsplit"});
  const int64_t most = given.integer(1, -1);
  run.meter().step(static_cast<int64_t>(subject.text().size()) * 8);
  const Charge room(run.meter(), static_cast<int64_t>(subject.text().size()));
  if (!given.has(0) || given[0].is_none()) return texts(run, subject, split_at_space(subject.text(), most, from_right));
  if (given.text(0).empty()) run.fail("split: the separator is empty");
  return texts(run, subject, split(subject.text(), given.text(0), most, from_right));
}

Value splitlines_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "splitlines", arguments, {"keepends"});
  return texts(run, subject, split_lines(subject.text(), given.truth(0, false)));
}

// The prefix may be a tuple of several.
template <bool at_end>
Value starts_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, at_end ? "endswith" : "startswith", arguments, {"prefix"}, 1);
  const auto fits = [&](const Value& affix) {
    if (!affix.is_text()) run.fail("startswith, endswith: expected a text, got {}", affix.kind());
    return at_end ? subject.text().ends_with(affix.text()) : subject.text().starts_with(affix.text());
  };
  const List* several = given[0].list();
  if (several == nullptr || several->shape != List::Shape::tuple) return Value(fits(given[0]));
  return Value(std::any_of(several->items.begin(), several->items.end(), fits));
}

Value upper_method(Run& run, const Value& subject, const Arguments& arguments) {
  return upper_filter(run, subject, arguments);
}
Value lower_method(Run& run, const Value& subject, const Arguments& arguments) {
  return lower_filter(run, subject, arguments);
}
Value capitalize_method(Run& run, const Value& subject, const Arguments& arguments) {
  return capitalize_filter(run, subject, arguments);
}

// Words begin behind everything that is no letter.
Value title_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "title", arguments, {});
  std::string text = lower_of(run, subject.text());
  bool begins = true;
  for (char& byte : text) {
    const bool is_letter = byte >= 'a' && byte <= 'z';
    if (begins && is_letter) byte = static_cast<char>(byte - 32);
    begins = !is_letter;
  }
  return run.text_of(subject, std::move(text));
}

Value replace_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "replace", arguments, {"old", "new", "count"}, 2);
  const std::string replacement = subject.is_safe_text() ? to_safe_text(run, given[1]) : std::string(given.text(1));
  return run.text_of(subject, replaced(run, subject.text(), given.text(0), replacement, given.integer(2, -1)));
}

Value join_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "join", arguments, {"iterable"}, 1);
  std::vector<std::string> parts;
  Charge room(run.meter(), 0);
  for (const Value& each : iterate(run, given[0])) {
    if (!each.is_text()) run.fail("join: expected texts, got {}", each.kind());
    parts.push_back(subject.is_safe_text() ? to_safe_text(run, each) : std::string(each.text()));
    room.more(static_cast<int64_t>(parts.back().size() + sizeof(std::string)));
  }
  return run.text_of(subject, joined(run, subject.text(), parts));
}

template <bool from_right>
Value find_method_of_text(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, from_right ? "rfind" : "find", arguments, {"sub"}, 1);
  run.meter().step(static_cast<int64_t>(subject.text().size()));
  const size_t at = from_right ? subject.text().rfind(given.text(0)) : subject.text().find(given.text(0));
  return Value(at == std::string_view::npos ? int64_t{-1} : count_characters(subject.text().substr(0, at)));
}

Value count_text_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "count", arguments, {"sub"}, 1);
  run.meter().step(static_cast<int64_t>(subject.text().size()));
  const std::string_view wanted = given.text(0);
  if (wanted.empty()) return Value(count_characters(subject.text()) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = subject.text().find(wanted, at)) != std::string_view::npos; at += wanted.size()) ++found;
  return Value(found);
}

template <bool at_end>
Value remove_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, at_end ? "removesuffix" : "removeprefix", arguments, {"affix"}, 1);
  std::string_view text = subject.text();
  const std::string_view affix = given.text(0);
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return run.text_of(subject, text);
}

constexpr Function kMethods[] = {
    {"strip", strip_method<true, true>},
    {"lstrip", strip_method<true, false>},
    {"rstrip", strip_method<false, true>},
    {"split", split_method<false>},
    {"rsplit", split_method<true>},
    {"splitlines", splitlines_method},
    {"startswith", starts_method<false>},
    {"endswith", starts_method<true>},
    {"upper", upper_method},
    {"lower", lower_method},
    {"capitalize", capitalize_method},
    {"title", title_method},
    {"replace", replace_method},
    {"join", join_method},
    {"find", find_method_of_text<false>},
    {"rfind", find_method_of_text<true>},
    {"count", count_text_method},
    {"removeprefix", remove_method<false>},
    {"removesuffix", remove_method<true>},
};

}  // namespace

std::span<const Function> text_filters() { return kTextFilters; }
std::span<const Function> text_methods() { return kMethods; }

}  // namespace headroom::jinja
