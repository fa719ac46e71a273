// Many prompts, some of them side by side: every step over the weights carries the next token of each text that is
// being written and, in the rows that are left, prompts that are still to be read. As soon as a text is over the next
// prompt takes its place (continuous batching: Yu et al. 2022, Orca; prompts in pieces: Agrawal et al. 2023, Sarathi).
// Each text has the bits that it would have alone.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "headroom/generate/answer.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/token_picker.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {

// Answers that may wait for an earlier one, for each sequence.
inline constexpr int64_t kHeldAnswers = 4;

struct Prompt {
  int64_t number = 0;        // whatever tells it from others
  std::vector<int32_t> ids;  // not empty, in the vocabulary, and there is room for them
  uint64_t seed = 0;         // of the sampling
};

class PromptBatch {
 public:
  using Next = std::function<std::optional<Prompt>()>;
  // Calls come in the order of the prompts.
  using Done = std::function<void(const Prompt& prompt, const Answer& answer)>;

  // All borrowed. `shape` and `workspace` are those of fit_generation(settings, ...); the weights are loaded.
  PromptBatch(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
              const Tokenizer& tokenizer, std::span<const int32_t> end_ids, Workspace& workspace);

  // Until `next` gives none and all are answered, or a signal, which is returned (0: none): `done` has then been called
  // for all that were complete.
  int run(const Next& next, const Done& done, const InterruptGuard& interrupt);

 private:
  struct Text {
    Text(Prompt given, const PromptBatch& batch);
    Prompt prompt;
    Answer answer;
    int64_t sequence = -1;            // where it is in the cache; -1: nowhere, it is over
    std::span<const int32_t> unread;  // of the prompt, or the new token
    int32_t token = 0;
  };

  // The next prompt, if there are a free sequence, room to hold it, and one. Returns whether there was.
  bool admit(const Next& next);
  void step();

  const GenerationSettings& settings_;
  const Tokenizer& tokenizer_;
  std::span<const int32_t> end_ids_;
  GenerationShape shape_;
  GenerationSteps steps_;
  TokenPicker picker_;
  std::deque<Text> texts_;     // in the order of the prompts
  std::vector<int64_t> free_;  // sequences
};

}  // namespace headroom
