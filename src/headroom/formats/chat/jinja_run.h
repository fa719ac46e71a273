// One render of a template: its variables, what it has written, and the limits it has to keep.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/chat/jinja_nodes.h"
#include "headroom/formats/chat/jinja_value.h"

namespace headroom::jinja {

// Values of a call, as the callee sees them.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

class Run {
 public:
  struct Limits {
    int64_t live_bytes;    // of values and of text that is being written
    int64_t output_bytes;  // of the result
  };
  // Both are borrowed.
  Run(const Program& program, const std::string& where, const Limits& limits);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Value evaluate(const Expression& expression);
  Arguments evaluate(const CallArguments& arguments);
  Flow execute(const Body& body);
  Value call(const Macro& macro, const Arguments& arguments);

  // Variables of the innermost scope and those around it; a name that nobody has set is a function or undefined.
  Value get(NameId name);
  void set(NameId name, Value value);
  void assign(const Target& target, const Value& value);
  // A variable that the template finds: no effect if it does not name it.
  void define(std::string_view name, Value value);
  const std::string& name_of(NameId name) const { return program_.names[static_cast<size_t>(name)]; }

  // The variables set while it lives are gone with it.
  class Scope {
   public:
    explicit Scope(Run& run);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class Run;
    Run& run_;
    Scope* parent_;
    std::vector<std::pair<NameId, Value>> variables_;
  };
  // What is written while it lives goes into a text of its own.
  class Capture {
   public:
    explicit Capture(Run& run);
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    Value take();

   private:
    friend class Run;
    Run& run_;
    Capture* outer_;
    std::string text_;
    Charge charge_;
  };

  void write(std::string_view text);
  void write(const Value& value);
  // Bytes written so far, outside of captures.
  int64_t written() const { return static_cast<int64_t>(output_.size()); }
  std::string take_output() { return std::move(output_); }
  void mark_generated(int64_t begin, int64_t end) { generated_.emplace_back(begin, end); }
  const std::vector<std::pair<int64_t, int64_t>>& generated() const { return generated_; }

  // New values, charged.
  Value text(std::string bytes);
  Value text(std::string_view bytes) { return text(std::string(bytes)); }
  // Safe where `source`, a text that it was made of, is.
  Value text_of(const Value& source, std::string bytes);
  Value text_of(const Value& source, std::string_view bytes) { return text_of(source, std::string(bytes)); }
  Value safe_text(std::string bytes);
  Value list(std::vector<Value> items, List::Shape shape = List::Shape::list);
  Value dict(std::vector<std::pair<Value, Value>> items);  // the last of equal keys wins, in the place of the first
  Value name_space(std::vector<std::pair<std::string, Value>> members);
  void set_member(Namespace& space, const std::string& name, Value value);

  Meter& meter() { return meter_; }

  // Throws InvalidInput: "WHERE: chat template, line N: ...", at the line of what is being evaluated.
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    refuse(fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  class Depth;
  [[noreturn]] void refuse(const std::string& words) const;

  const Program& program_;
  const std::string& where_;
  Limits limits_;
  Meter meter_;
  std::deque<Namespace> spaces_;  // all alive until the end: they may hold one another
  Scope* scope_ = nullptr;
  Scope root_;
  Capture* capture_ = nullptr;
  std::string output_;
  Charge output_charge_;
  std::vector<std::pair<int64_t, int64_t>> generated_;
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace headroom::jinja
