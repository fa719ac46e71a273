#include "headroom/formats/chat/jinja_run.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_operators.h"

namespace headroom::jinja {
namespace {

constexpr int kMaxRunDepth = 600;   // expressions, statements and macros inside one another while they run
constexpr int kMaxValueDepth = 64;  // lists and dicts inside one another
constexpr int64_t kValueBytes = sizeof(Value);
constexpr int64_t kObjectBytes = 96;  // a shared object beside its content: counters, charge, the heap's own

}  // namespace

class Run::Depth {
 public:
  explicit Depth(Run& run) : run_(run) {
    if (++run_.depth_ > kMaxRunDepth) {
      --run_.depth_;
      run_.fail("macros and expressions are more than {} deep; a macro that calls itself?", kMaxRunDepth);
    }
  }
  ~Depth() { --run_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Run& run_;
};

Run::Run(const Program& program, const std::string& where, const Limits& limits)
    : program_(program),
      where_(where),
      limits_(limits),
      meter_(where, limits.live_bytes),
      root_(*this),
      output_charge_(meter_, 0) {}

Run::~Run() {
  for (Namespace& space : spaces_) space.members.clear();
}

void Run::refuse(const std::string& words) const {
  throw InvalidInput("{}: chat template, line {}: {}", where_, line_, words);
}

Value Run::evaluate(const Expression& expression) {
  const Depth depth(*this);
  meter_.step();
  line_ = expression.line;
  return expression.evaluate(*this);
}

Arguments Run::evaluate(const CallArguments& arguments) {
  Arguments values;
  for (const ExpressionPtr& argument : arguments.positional) values.positional.push_back(evaluate(*argument));
  for (const auto& [name, argument] : arguments.named) values.named.emplace_back(name, evaluate(*argument));
  return values;
}

Flow Run::execute(const Body& body) {
  const Depth depth(*this);
  for (const auto& statement : body) {
    meter_.step();
    line_ = statement->line;
    if (const Flow flow = statement->execute(*this); flow != Flow::go_on) return flow;
  }
  return Flow::go_on;
}

Value Run::call(const Macro& macro, const Arguments& arguments) {
  const size_t count = macro.parameters.size();
  if (arguments.positional.size() > count) {
    fail("the macro {} takes {} arguments, got {}", macro.name, count, arguments.positional.size());
  }
  Scope* const caller = std::exchange(scope_, &root_);
  struct Restore {
    Run& run;
    Scope* scope;
    ~Restore() { run.scope_ = scope; }
  } const restore{*this, caller};
  const Scope scope(*this);
  Capture text(*this);
  std::vector<bool> given(count, false);
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    set(macro.parameters[i], arguments.positional[i]);
    given[i] = true;
  }
  for (const auto& [name, value] : arguments.named) {
    size_t i = 0;
    while (i < count && name_of(macro.parameters[i]) != name) ++i;
    if (i == count) fail("the macro {} has no parameter {}", macro.name, name);
    if (given[i]) fail("the macro {} gets its parameter {} twice", macro.name, name);
    set(macro.parameters[i], value);
    given[i] = true;
  }
  for (size_t i = 0; i < count; ++i) {
    if (given[i]) continue;
    const size_t without = count - macro.defaults.size();
    set(macro.parameters[i],
        i < without ? Value(&name_of(macro.parameters[i])) : evaluate(*macro.defaults[i - without]));
  }
  execute(macro.body);
  return text.take();
}

Run::Scope::Scope(Run& run) : run_(run), parent_(run.scope_) { run.scope_ = this; }
Run::Scope::~Scope() { run_.scope_ = parent_; }

Value Run::get(NameId name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent_) {
    meter_.step(static_cast<int64_t>(scope->variables_.size()));
    for (const auto& [id, value] : scope->variables_) {
      if (id == name) return value;
    }
  }
  if (const Function* function = find_function(name_of(name))) return Value(function);
  return Value(&name_of(name));
}

void Run::set(NameId name, Value value) {
  for (auto& [id, old] : scope_->variables_) {
    if (id != name) continue;
    old = std::move(value);
    return;
  }
  meter_.step(static_cast<int64_t>(scope_->variables_.size()));
  scope_->variables_.emplace_back(name, std::move(value));
}

void Run::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const std::vector<Value> items = iterate(*this, value);
    if (items.size() != target.parts.size()) {
      fail("{} variables cannot take {} items", target.parts.size(), items.size());
    }
    for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
  } else if (target.member.empty()) {
    set(target.name, value);
  } else {
    Namespace* space = get(target.name).name_space();
    if (space == nullptr) fail("{} is no namespace; only a namespace's members can be set", name_of(target.name));
    set_member(*space, target.member, value);
  }
}

void Run::define(std::string_view name, Value value) {
  const auto known = std::find(program_.names.begin(), program_.names.end(), name);
  if (known != program_.names.end()) set(static_cast<NameId>(known - program_.names.begin()), std::move(value));
}

Run::Capture::Capture(Run& run) : run_(run), outer_(run.capture_), charge_(run.meter_, 0) { run.capture_ = this; }
Run::Capture::~Capture() {
  if (run_.capture_ == this) run_.capture_ = outer_;
}

Value Run::Capture::take() {
  run_.capture_ = outer_;
  charge_ = Charge();
  return run_.text(std::move(text_));
}

void Run::write(std::string_view text) {
  meter_.step(static_cast<int64_t>(text.size()));
  (capture_ != nullptr ? capture_->charge_ : output_charge_).more(static_cast<int64_t>(text.size()));
  std::string& target = capture_ != nullptr ? capture_->text_ : output_;
  if (capture_ == nullptr && static_cast<int64_t>(text.size()) > limits_.output_bytes - written()) {
    throw InvalidInput("{}: the conversation as the chat template writes it has more than {}; try a shorter one",
                       where_, format_bytes(limits_.output_bytes));
  }
  target += text;
}

void Run::write(const Value& value) {
  if (value.is_text()) {
    write(value.text());
  } else {
    write(to_text(*this, value));
  }
}

Value Run::text(std::string bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  meter_.step(size);
  return Value(std::make_shared<const Text>(Text{std::move(bytes), Charge(meter_, kObjectBytes + size)}));
}

Value Run::safe_text(std::string bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  meter_.step(size);
  return Value(std::make_shared<const Text>(Text{std::move(bytes), Charge(meter_, kObjectBytes + size), true}));
}

Value Run::text_of(const Value& source, std::string bytes) {
  return source.is_safe_text() ? safe_text(std::move(bytes)) : text(std::move(bytes));
}

Value Run::list(std::vector<Value> items, List::Shape shape) {
  const int64_t bytes = kValueBytes * static_cast<int64_t>(items.size());
  meter_.step(bytes);
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  if (++depth > kMaxValueDepth) fail("lists and dicts are more than {} deep", kMaxValueDepth);
  return Value(
      std::make_shared<const List>(List{std::move(items), shape, depth, Charge(meter_, kObjectBytes + bytes), 0}));
}

Value Run::dict(std::vector<std::pair<Value, Value>> items) {
  std::vector<std::pair<Value, Value>> unique;
  int depth = 0;
  for (auto& entry : items) {
    auto& key = entry.first;
    auto& value = entry.second;
    if (key.dict() != nullptr || (key.list() != nullptr && key.list()->shape == List::Shape::list)) {
      fail("{} cannot be the key of a dict", key.kind());
    }
    depth = std::max({depth, key.depth(), value.depth()});
    meter_.step(static_cast<int64_t>(unique.size()));
    const auto same =
        std::find_if(unique.begin(), unique.end(), [&](const auto& item) { return equal(meter_, item.first, key); });
    if (same != unique.end()) {
      same->second = std::move(value);
    } else {
      unique.emplace_back(std::move(key), std::move(value));
    }
  }
  if (++depth > kMaxValueDepth) fail("lists and dicts are more than {} deep", kMaxValueDepth);
  const int64_t bytes = kObjectBytes + 2 * kValueBytes * static_cast<int64_t>(unique.size());
  return Value(std::make_shared<const Dict>(Dict{std::move(unique), depth, Charge(meter_, bytes)}));
}

Value Run::name_space(std::vector<std::pair<std::string, Value>> members) {
  spaces_.push_back({{}, Charge(meter_, kObjectBytes)});
  for (auto& [name, value] : members) set_member(spaces_.back(), name, std::move(value));
  return Value(&spaces_.back());
}

void Run::set_member(Namespace& space, const std::string& name, Value value) {
  if (name.starts_with('_')) fail("a member of a namespace may not begin with _: {}", name);
  meter_.step(static_cast<int64_t>(space.members.size()) * kValueBytes);
  for (auto& [key, old] : space.members) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  space.charge.more(2 * kValueBytes + static_cast<int64_t>(name.size()));
  space.members.emplace_back(name, std::move(value));
}

}  // namespace headroom::jinja
