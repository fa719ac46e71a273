// The operators of expressions, with Python's results. All throw InvalidInput where Python raises an exception.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/chat/jinja_run.h"

namespace headroom::jinja {

enum class Arithmetic : uint8_t { add, subtract, multiply, divide, divide_floor, modulo, power };
Value calculate(Run& run, Arithmetic operation, const Value& a, const Value& b);

// Negative, 0 or positive: a < b, a == b, a > b. Numbers, texts, lists of such.
int compare(Run& run, const Value& a, const Value& b);
bool contains(Run& run, const Value& container, const Value& item);

// The items that a for statement sees; of an iterator, once.
std::vector<Value> iterate(Run& run, const Value& value);
int64_t length(Run& run, const Value& value);

// subject.name, subject[key] and subject[begin:end:step]. What is not there is undefined; undefined has nothing.
Value attribute(Run& run, const Value& subject, const std::string& name);
Value item(Run& run, const Value& subject, const Value& key);
Value slice(Run& run, const Value& subject, const Value& begin, const Value& end, const Value& step);

// str(value): undefined is "". repr(value).
std::string to_text(Run& run, const Value& value);
std::string to_source(Run& run, const Value& value);

// The text of a value as + has it beside a safe text: with &, <, >, ' and " escaped where it is none itself.
std::string to_safe_text(Run& run, const Value& value);

// Any callable value.
Value call(Run& run, const Value& callee, const Arguments& arguments);

// Throws for undefined, naming it.
void require_defined(Run& run, const Value& value);

}  // namespace headroom::jinja
