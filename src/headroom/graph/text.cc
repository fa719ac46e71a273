#include "headroom/graph/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"
#include "headroom/graph/interned.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

std::string number_text(const Attributes::Number& number) {
  if (const int64_t* integer = std::get_if<int64_t>(&number)) return fmt::format("{}", *integer);
  std::string text = fmt::format("{}", std::get<double>(number));  // shortest form that reads back to the same bits
  if (text.find_first_of(".ein") == std::string::npos) text += ".0";
  return text;
}

std::string declaration(const Value& value) {
  std::string text = fmt::format("%{}: {} {}", value.name, to_string(value.type), name_of(value.role));
  if (value.tier != Tier::device) text += fmt::format(" on {}", name_of(value.tier));
  return text;
}

std::vector<std::string> lines_of(const Graph& graph) {
  std::vector<std::string> lines = {"graph " + graph.name};
  for (const ValueId id : graph.inputs) lines.push_back("input " + declaration(graph.value(id)));
  for (const Node& node : graph.nodes) {
    std::string line;
    for (const ValueId id : node.outputs) line += (line.empty() ? "" : ", ") + declaration(graph.value(id));
    line += fmt::format(" = {}(", node.op->name());
    for (size_t i = 0; i < node.inputs.size(); ++i) line += (i == 0 ? "%" : ", %") + graph.value(node.inputs[i]).name;
    line += ")";
    if (!node.attributes.entries().empty()) {
      line += " {";
      for (const auto& [key, number] : node.attributes.entries()) {
        line += fmt::format("{}{}={}", line.back() == '{' ? "" : ", ", key, number_text(number));
      }
      line += "}";
    }
    if (!node.segment.name.empty()) line.append(" @").append(node.segment.name);
    line += fmt::format(" {}", name_of(node.phase));
    lines.push_back(std::move(line));
  }
  for (const Carry& carry : graph.carries) {
    lines.push_back(fmt::format("carry %{} = %{}", graph.value(carry.input).name, graph.value(carry.next).name));
  }
  for (const ValueId id : graph.results) lines.push_back("result %" + graph.value(id).name);
  return lines;
}

// A cursor over one line. Every `take` throws, naming the line, when the text goes another way.
class LineReader {
 public:
  LineReader(std::string_view line, int number) : line_(line), number_(number) {}

  [[noreturn]] void fail(std::string_view expected) const {
    throw InvalidInput("graph text, line {}, column {}: expected {}, got '{}'", number_, at_ + 1, expected,
                       line_.substr(at_, 24));
  }
  void skip_spaces() {
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (!line_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void take(std::string_view token) {
    if (!accept(token)) fail(token);
  }
  std::string_view word() {  // up to a delimiter of the grammar
    skip_spaces();
    const size_t begin = at_;
    while (at_ < line_.size() && std::string_view(" ,:()={}[]%").find(line_[at_]) == std::string_view::npos) ++at_;
    if (begin == at_) fail("a name");
    return line_.substr(begin, at_ - begin);
  }
  bool done() {
    skip_spaces();
    return at_ == line_.size();
  }
  Type type() {
    const std::string_view dtype = word();
    std::vector<int64_t> dims;
    take("[");
    while (!accept("]")) {
      if (!dims.empty()) take(",");
      const std::string_view digits = word();
      int64_t dim = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), dim);
      if (error != std::errc() || end != digits.data() + digits.size() || dim < 0 || dims.size() == Shape::kMaxRank)
        fail("a shape");
      dims.push_back(dim);
    }
    const BlockFormat* blocks = find_block_format(dtype);
    return {blocks != nullptr ? blocks->dtype() : parse_dtype(dtype, "graph text"), Shape::from(dims)};
  }
  Attributes::Number number() {
    const std::string text(word());
    int64_t integer = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
    if (error == std::errc() && end == text.data() + text.size()) return integer;
    char* rest = nullptr;
    const double real = std::strtod(text.c_str(), &rest);
    if (rest != text.c_str() + text.size()) fail("a number");
    return real;
  }

 private:
  std::string_view line_;
  int number_;
  size_t at_ = 0;
};

class GraphReader {
 public:
  Graph read(std::string_view text) {
    int number = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      LineReader line(text.substr(0, end), ++number);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!line.done()) read_line(line);
    }
    return std::move(graph_);
  }

 private:
  void read_line(LineReader& line) {
    if (line.accept("graph ")) {
      graph_.name = line.done() ? "" : line.word();
    } else if (line.accept("input ")) {
      graph_.inputs.push_back(declare(line));
    } else if (line.accept("carry ")) {
      const ValueId input = mention(line);
      line.take("=");
      graph_.carries.push_back({input, mention(line)});
    } else if (line.accept("result ")) {
      graph_.results.push_back(mention(line));
    } else {
      read_node(line);
    }
    if (!line.done()) line.fail("the end of the line");
  }

  void read_node(LineReader& line) {
    Node node;
    while (!line.accept("=")) {
      if (!node.outputs.empty()) line.take(",");
      node.outputs.push_back(declare(line));
    }
    const std::string_view op = line.word();
    node.op = find_op(op);
    if (node.op == nullptr) line.fail(fmt::format("a known op before this (there is no op '{}')", op));
    line.take("(");
    while (!line.accept(")")) {
      if (!node.inputs.empty()) line.take(",");
      node.inputs.push_back(mention(line));
    }
    if (line.accept("{")) {
      while (!line.accept("}")) {
        if (!node.attributes.entries().empty()) line.take(",");
        const std::string_view key = interned(line.word());
        line.take("=");
        node.attributes.set(key, line.number());
      }
    }
    if (line.accept("@")) node.segment = parse_segment(line.word());
    node.phase = parse_phase(line.word());
    graph_.nodes.push_back(std::move(node));
  }

  ValueId declare(LineReader& line) {
    line.take("%");
    const std::string name(line.word());
    if (!ids_.emplace(name, static_cast<ValueId>(graph_.values.size())).second) line.fail("a new name before this");
    line.take(":");
    const Type type = line.type();
    const Role role = parse_role(line.word());
    Tier tier = Tier::device;
    if (line.accept("on host")) tier = Tier::host;
    if (line.accept("on disk")) tier = Tier::disk;
    if (line.accept("on model")) tier = Tier::model;
    graph_.values.push_back({name, type, role, tier});
    return static_cast<ValueId>(graph_.values.size() - 1);
  }

  ValueId mention(LineReader& line) {
    line.take("%");
    const auto found = ids_.find(std::string(line.word()));
    if (found == ids_.end()) line.fail("a value defined above before this");
    return found->second;
  }

  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
};

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text;
  for (const std::string& line : lines_of(graph)) text += line + "\n";
  return text;
}

Graph parse_graph(std::string_view text) { return GraphReader().read(text); }

std::string diff(const Graph& before, const Graph& after) {
  const std::vector<std::string> old_lines = lines_of(before);
  const std::vector<std::string> new_lines = lines_of(after);
  std::unordered_map<std::string_view, int> surplus;  // +1 a line of `after`, -1 a line of `before`
  for (const std::string& line : new_lines) ++surplus[line];
  for (const std::string& line : old_lines) --surplus[line];
  std::string text;
  size_t i = 0;
  size_t j = 0;
  while (i < old_lines.size() || j < new_lines.size()) {
    if (i < old_lines.size() && j < new_lines.size() && old_lines[i] == new_lines[j]) {
      ++i;
      ++j;
    } else if (i < old_lines.size() && surplus[old_lines[i]] < 0) {
      ++surplus[old_lines[i]];
      text += "- " + old_lines[i++] + "\n";
    } else if (j < new_lines.size() && surplus[new_lines[j]] > 0) {
      --surplus[new_lines[j]];
      text += "+ " + new_lines[j++] + "\n";
    } else {  // the same lines in another order: one moved
      if (i < old_lines.size()) text += "- " + old_lines[i++] + "\n";
      if (j < new_lines.size()) text += "+ " + new_lines[j++] + "\n";
    }
  }
  return text;
}

}  // namespace headroom
