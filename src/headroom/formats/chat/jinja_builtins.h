// What a template may call: filters (`x | trim`), tests (`x is string`), methods (`x.strip()`) and functions
// (`range(3)`), each a table in the file that defines them.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/formats/chat/jinja_run.h"

namespace headroom::jinja {

struct Function {
  std::string_view name;
  // `subject` is what a filter or a test is applied to, or whose method it is; undefined for a function.
  Value (*call)(Run& run, const Value& subject, const Arguments& arguments);
};

std::span<const Function> text_filters();
std::span<const Function> list_filters();
std::span<const Function> number_filters();
std::span<const Function> tests();
std::span<const Function> text_methods();
std::span<const Function> dict_methods();
std::span<const Function> list_methods();
std::span<const Function> loop_methods();
std::span<const Function> functions();

// Null where there is none of that name.
const Function* find_filter(std::string_view name);
const Function* find_test(std::string_view name);
const Function* find_function(std::string_view name);
// A method of what `subject` is; of anything.
const Function* find_method(const Value& subject, std::string_view name);
bool is_method(std::string_view name);

// The arguments of a call, in the order of the parameters' names. Throws InvalidInput for too many, unknown or missing
// ones, and where one has another kind than is asked for.
class Parameters {
 public:
  Parameters(Run& run, std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> names, size_t required = 0);

  bool has(size_t i) const { return values_[i] != nullptr; }
  const Value& operator[](size_t i) const { return *values_[i]; }
  int64_t integer(size_t i, int64_t fallback) const;
  bool truth(size_t i, bool fallback) const { return has(i) ? values_[i]->truth() : fallback; }
  std::string_view text(size_t i) const;
  std::string_view text(size_t i, std::string_view fallback) const { return has(i) ? text(i) : fallback; }

 private:
  Run& run_;
  std::string_view callee_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace headroom::jinja
