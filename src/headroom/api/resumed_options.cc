#include "headroom/api/resumed_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/techniques/technique.h"
#include "headroom/train/checkpoint.h"

namespace headroom {
namespace {

enum class Taken : uint8_t { no_value, same, other };

// The member becomes what the text says; whether it is another value than before.
template <auto Member>
Taken take(TrainOptions& options, const std::string& text) {
  auto& value = options.*Member;
  auto before = value;
  using T = decltype(before);
  if constexpr (std::is_same_v<T, std::string>) {
    value = text;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text != "on" && text != "off") return Taken::no_value;
    value = text == "on";
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return Taken::no_value;
  }
  return value == before ? Taken::same : Taken::other;
}

struct Taker {
  std::string_view flag;
  Taken (*take)(TrainOptions&, const std::string& text);
};

// Those of no technique.
constexpr std::array kTakers = {Taker{"--batch-size", take<&TrainOptions::batch_size>},
                                Taker{"--seq-len", take<&TrainOptions::seq_len>},
                                Taker{"--steps", take<&TrainOptions::steps>},
                                Taker{"--lr", take<&TrainOptions::lr>},
                                Taker{"--lr-schedule", take<&TrainOptions::lr_schedule>},
                                Taker{"--warmup-steps", take<&TrainOptions::warmup_steps>},
                                Taker{"--weight-decay", take<&TrainOptions::weight_decay>},
                                Taker{"--beta1", take<&TrainOptions::beta1>},
                                Taker{"--beta2", take<&TrainOptions::beta2>},
                                Taker{"--eps", take<&TrainOptions::eps>},
                                Taker{"--grad-clip", take<&TrainOptions::grad_clip>},
                                Taker{"--seed", take<&TrainOptions::seed>},
                                Taker{"--labels", take<&TrainOptions::labels>},
                                Taker{"--isolate-documents", take<&TrainOptions::isolate_documents>},
                                Taker{"--save-every", take<&TrainOptions::save_every>},
                                Taker{"--keep-checkpoints", take<&TrainOptions::keep_checkpoints>},
                                Taker{"--eval-every", take<&TrainOptions::eval_every>},
                                Taker{"--ignore-unknown-fields", take<&TrainOptions::ignore_unknown_fields>}};

Taken take_of_technique(TrainOptions& options, const Flag& flag, const std::string& text) {
  // An adapter brings its own flags. What is no value of a flag says what was chosen where none was given.
  const bool is_adapters = flag.name.starts_with("--lora-") && !FlagValues(options.techniques).is("--adapter", "");
  if (is_adapters || !is_value(flag, text)) return Taken::same;
  std::string& value = options.techniques.emplace(flag.name, flag.standard).first->second;
  if (value == text) return Taken::same;
  value = text;
  return Taken::other;
}

Taken take_flag(TrainOptions& options, const std::string& flag, const std::string& text) {
  const auto taker = std::ranges::find(kTakers, flag, &Taker::flag);
  if (taker != kTakers.end()) return taker->take(options, text);
  const Flag* const of_technique = find_flag(flag);
  return of_technique == nullptr ? Taken::same : take_of_technique(options, *of_technique, text);
}

// The newest checkpoint. None where a run has begun that has not come to its first; throws where none did.
std::optional<int64_t> newest_of(const std::string& output) {
  std::error_code error;
  std::optional<int64_t> newest;
  if (std::filesystem::is_directory(output, error)) newest = Checkpoints(output).newest();
  if (newest || std::filesystem::exists(std::filesystem::path(output) / ".lock", error)) return newest;
  throw InvalidInput("--resume: {} holds no run to go on with; start without --resume", output);
}

}  // namespace

TrainOptions take_flags_of_checkpoint(TrainOptions options) {
  if (!options.resume) return options;
  if (options.output.empty()) throw InvalidInput("--resume: expected with --output DIR, where the run is");
  const std::optional<int64_t> newest = newest_of(options.output);
  if (!newest) {
    if (!options.quiet) {
      print_note("{}: the run there ended before its first checkpoint; it begins again, with the flags given now\n",
                 options.output);
    }
    return options;
  }
  const Checkpoints checkpoints(options.output);
  const std::string path = checkpoints.path_of(*newest);
  const CheckpointState state = checkpoints.read_state(*newest);
  std::vector<std::string> taken;
  for (const RunSettings* known : {&state.settings, &state.course}) {
    for (const auto& [flag, text] : *known) {
      if (std::ranges::find(options.unset, flag) == options.unset.end()) continue;
      const Taken result = take_flag(options, flag, text);
      if (result == Taken::no_value) throw InvalidInput("{}: has {} {}, which is no value of it", path, flag, text);
      if (result == Taken::other) taken.push_back(fmt::format("{} {}", flag, text));
    }
  }
  if (!options.quiet) {
    print_note("resuming {}{}{}\n", path, taken.empty() ? "" : " with its ", fmt::join(taken, ", "));
  }
  return options;
}

}  // namespace headroom
