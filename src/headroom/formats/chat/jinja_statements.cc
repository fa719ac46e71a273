#include "headroom/formats/chat/jinja_statements.h"

#include "headroom/formats/chat/jinja_operators.h"

namespace headroom::jinja {

Flow Data::execute(Run& run) const {
  run.write(text);
  return Flow::go_on;
}

Flow Output::execute(Run& run) const {
  run.write(run.evaluate(*value));
  return Flow::go_on;
}

Flow If::execute(Run& run) const {
  for (const auto& [condition, body] : branches) {
    if (run.evaluate(*condition).truth()) return run.execute(body);
  }
  return run.execute(otherwise);
}

Flow For::execute(Run& run) const {
  std::vector<Value> all = iterate(run, run.evaluate(*items));
  Charge room(run.meter(), static_cast<int64_t>(all.size() * sizeof(Value) + sizeof(Loop)));
  if (condition) {
    std::vector<Value> kept;
    for (Value& value : all) {
      const Run::Scope scope(run);
      run.assign(target, value);
      if (run.evaluate(*condition).truth()) kept.push_back(std::move(value));
    }
    all = std::move(kept);
  }
  if (all.empty()) {
    const Run::Scope scope(run);
    return run.execute(otherwise);
  }
  const auto state = std::make_shared<Loop>(Loop{std::move(all), 0, std::move(room)});
  bool completed = false;
  for (; state->index < static_cast<int64_t>(state->items.size()); ++state->index) {
    const Run::Scope scope(run);
    run.assign(target, state->items[static_cast<size_t>(state->index)]);
    run.set(loop, Value(LoopPtr(state)));
    const Flow flow = run.execute(body);
    if (flow == Flow::end_loop) break;
    completed |= flow == Flow::go_on;
  }
  // A quirk of jinja2: what counts for else is whether any pass came to its end.
  if (completed) return Flow::go_on;
  const Run::Scope scope(run);
  return run.execute(otherwise);
}

Flow LoopControl::execute(Run& /*run*/) const { return flow; }

Flow Set::execute(Run& run) const {
  run.assign(target, run.evaluate(*value));
  return Flow::go_on;
}

Flow SetBlock::execute(Run& run) const {
  Value text;
  {
    Run::Capture capture(run);
    const Run::Scope scope(run);
    run.execute(body);
    text = capture.take();
  }
  run.assign(target, text);
  return Flow::go_on;
}

Flow MacroDefinition::execute(Run& run) const {
  run.set(name, Value(&macro));
  return Flow::go_on;
}

Flow Generation::execute(Run& run) const {
  const Run::Scope scope(run);
  const int64_t begin = run.written();
  run.execute(body);
  run.mark_generated(begin, run.written());
  return Flow::go_on;
}

}  // namespace headroom::jinja
