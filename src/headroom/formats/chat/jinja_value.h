// The values of a template: Python's, as far as templates can tell, and constant once made (as in the sandbox that
// transformers renders in), so that they are shared and never form a cycle; namespaces, which can change, belong to the
// render. Each value that takes memory is charged to the render's meter as long as it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "headroom/formats/chat/jinja_meter.h"

namespace headroom::jinja {

struct Text;
struct List;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Function;

struct Undefined {
  const std::string* name = nullptr;  // of the template's source, for messages; may be null
};
struct None {};

using TextPtr = std::shared_ptr<const Text>;
using ListPtr = std::shared_ptr<const List>;
using DictPtr = std::shared_ptr<const Dict>;
using LoopPtr = std::shared_ptr<const Loop>;

class Value {
 public:
  Value() = default;  // undefined
  explicit Value(const std::string* undefined_name) : data_(Undefined{undefined_name}) {}
  explicit Value(None none) : data_(none) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(TextPtr text) : data_(std::move(text)) {}
  explicit Value(ListPtr list) : data_(std::move(list)) {}
  explicit Value(DictPtr dict) : data_(std::move(dict)) {}
  explicit Value(LoopPtr loop) : data_(std::move(loop)) {}
  explicit Value(Namespace* space) : data_(space) {}
  explicit Value(const Macro* macro) : data_(macro) {}
  explicit Value(const Function* function) : data_(function) {}

  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_text() const { return is<TextPtr>(); }
  bool is_integral() const { return is<int64_t>() || is<bool>(); }  // as in Python, a boolean is a number
  bool is_number() const { return is_integral() || is<double>(); }

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  // The alternative, or null; for the shared ones the object itself.
  const List* list() const { return pointee<List>(); }
  const Dict* dict() const { return pointee<Dict>(); }
  const Loop* loop() const { return pointee<Loop>(); }
  Namespace* name_space() const { return is<Namespace*>() ? std::get<Namespace*>(data_) : nullptr; }
  const Macro* macro() const { return is<const Macro*>() ? std::get<const Macro*>(data_) : nullptr; }
  const Function* function() const { return is<const Function*>() ? std::get<const Function*>(data_) : nullptr; }
  const std::string* undefined_name() const { return is<Undefined>() ? std::get<Undefined>(data_).name : nullptr; }
  bool boolean() const { return std::get<bool>(data_); }
  // Only for is_integral(), is_number(), is_text().
  int64_t integer() const { return is<bool>() ? static_cast<int64_t>(boolean()) : std::get<int64_t>(data_); }
  double real() const { return is<double>() ? std::get<double>(data_) : static_cast<double>(integer()); }
  std::string_view text() const;
  bool is_safe_text() const;

  // As Python's bool().
  bool truth() const;
  // "a text", "a list": for messages.
  std::string_view kind() const;
  // Levels of lists and dicts.
  int depth() const;

 private:
  template <class T>
  const T* pointee() const {
    const auto* shared = std::get_if<std::shared_ptr<const T>>(&data_);
    return shared != nullptr ? shared->get() : nullptr;
  }

  std::variant<Undefined, None, bool, int64_t, double, TextPtr, ListPtr, DictPtr, LoopPtr, Namespace*, const Macro*,
               const Function*>
      data_;
};

struct Text {
  std::string bytes;  // UTF-8
  Charge charge;
  bool is_safe = false;  // markupsafe.Markup, which the filter safe makes: + escapes what it is added to
};

struct List {
  // What Python would have here. An iterator gives its items once and has no length.
  enum class Shape : uint8_t { list, tuple, range, view, iterator };
  std::vector<Value> items;
  Shape shape = Shape::list;
  int depth = 1;
  Charge charge;
  mutable size_t taken = 0;  // items of an iterator that are gone
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in the order they came
  int depth = 1;
  Charge charge;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
  Charge charge;
};

// What a for statement knows about its place.
struct Loop {
  std::vector<Value> items;
  int64_t index = 0;  // from 0
  Charge charge;
};

// `a == b` and hashing as Python's: True == 1 == 1.0; a list is no tuple. Charges the meter for what it compares.
bool equal(Meter& meter, const Value& a, const Value& b);
// The value of `key`, or null.
const Value* find(Meter& meter, const Dict& dict, const Value& key);
const Value* find(Meter& meter, const Dict& dict, std::string_view key);

}  // namespace headroom::jinja
