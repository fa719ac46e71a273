// Ranks against one: the update of a batch that is cut over ranks, of every stage of ZeRO, gives the weights, losses
// and norms of one rank with as many data shards, to the bit; and holds what the formulas say.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "headroom/backend/backend.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/constants.h"
#include "headroom/models/fill_random.h"
#include "headroom/ops/sum.h"
#include "headroom/passes/divide_updates.h"
#include "headroom/plan/rank_sends.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/training_graphs.h"
#include "tests/local_rank_threads.h"
#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

constexpr int64_t kBatchRows = 24;
constexpr int64_t kRowTokens = 5;  // predictions of a row
constexpr int kUpdates = 2;
using Floats = std::vector<float>;

// Of an embedding of 13 blocks, matrices of 10 and of 4, and vectors.
std::unique_ptr<Model> small_model(bool tied) {
  nlohmann::ordered_json config = {{"architectures", {"LlamaForCausalLM"}},
                                   {"vocab_size", 201},
                                   {"hidden_size", 64},
                                   {"intermediate_size", 160},
                                   {"num_hidden_layers", 2},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 2},
                                   {"max_position_embeddings", 64},
                                   {"rms_norm_eps", 1e-5},
                                   {"tie_word_embeddings", tied},
                                   {"torch_dtype", "float32"}};
  return make_model(JsonObject::of(std::move(config), "small"));
}

struct RankedRun {
  int64_t ranks = 1;
  int64_t shards = 1;         // of the batch
  int64_t micro_batches = 1;  // of a rank
  std::map<std::string, std::string> flags = {};
  int level = 0;  // of --zero
  bool two_pass = false;
  UpdateSettings updates = {};
  bool tied = true;
};

// What a run leaves: every value that lives from step to step, whole, and what the host reads.
struct Outcome {
  std::map<std::string, Floats> values;
  std::vector<double> losses;
  std::vector<float> norms;
  int64_t arena_bytes = 0;
  Traffic traffic;    // of rank 0 in the last update
  RankSends planned;  // of rank 0
  bool operator==(const Outcome& other) const {
    return values == other.values && losses == other.losses && norms == other.norms;
  }
};

TrainingSettings settings_of(const RankedRun& run, int64_t rank) {
  TrainingSettings settings;
  settings.flags = FlagValues(run.flags);
  settings.updates = run.updates;
  settings.place = {rank, run.ranks};
  settings.shape = {.micro_rows = kBatchRows / run.ranks / run.micro_batches,
                    .micro_batches = run.micro_batches,
                    .seq_len = kRowTokens + 1,
                    .data_shards = run.shards / run.ranks,
                    .place = settings.place};
  return settings;
}

Job job_of(const Model& model, const RankedRun& run, int64_t rank) {
  const TrainingSettings settings = settings_of(run, rank);
  TrainingWay way{.shape = settings.shape};
  testing::technique_called("data shards").apply(settings, 0, way);
  testing::technique_called("ranks").apply(settings, run.level, way);
  testing::technique_called("compressed communication").apply(settings, 0, way);
  if (run.two_pass) testing::technique_called("clipping").apply(settings, 1, way);
  Job job = build_training_job(model, way, run.updates, true);
  job.processor = choose_backend().on(1);
  return job;
}

// A byte of f32 numbers or codes as a number.
float element(const Tensor& tensor, int64_t index) {
  if (tensor.type.dtype == DType::u8) return static_cast<float>(tensor.as<uint8_t>()[index]);
  if (tensor.type.dtype == DType::bf16) return static_cast<float>(tensor.as<uint16_t>()[index]);
  return tensor.as<float>()[index];
}

void run_rank(const Model& model, const RankedRun& run, Communicator* ranks, std::mutex& mutex, Outcome& outcome) {
  const int64_t rank = ranks == nullptr ? 0 : ranks->rank();
  Job job = job_of(model, run, rank);
  Plan plan = plan_job(job);
  const RankSends planned = sends_of(job.graphs, plan.schedule("update"), rank);
  Workspace workspace(std::move(job.graphs), std::move(plan), choose_backend(), "", nullptr, ranks);
  const TrainingShape shape = settings_of(run, rank).shape;
  std::map<std::string, RankParts> parts;
  for (const PersistentValue& value : workspace.plan().persistent) {
    if (value.binding && value.binding->cut) parts[value.name] = value.binding->cut->parts;
  }
  uint64_t index = 0;
  for (const Parameter& parameter : model.parameters()) {
    Floats numbers(static_cast<size_t>(parameter.shape.elements()));
    fill_random(numbers, 7, index++, 0, 0.3);
    int64_t first = 0;
    int64_t count = parameter.shape.elements();
    if (const auto cut = parts.find(parameter.name); cut != parts.end()) {
      first = cut->second.first(rank);
      count = cut->second.held(rank);
    }
    const Tensor weight = workspace.persistent(parameter.name);
    for (int64_t i = 0; i < count; ++i) {
      const float number = numbers[static_cast<size_t>(first + i)];
      if (weight.type.dtype == DType::bf16) {
        weight.as<uint16_t>()[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(number) >> 16);
      } else {
        weight.as<float>()[i] = number;
      }
    }
  }
  fill_constants(model, workspace);
  for (int32_t row = 0; row < shape.micro_rows; ++row) {
    const auto first = static_cast<int32_t>(row * kRowTokens);
    const std::array<int32_t, 4> sequence = {first, kRowTokens, first, 0};
    std::copy(sequence.begin(), sequence.end(), workspace.persistent("sequences").as<int32_t>() + 4 * row);
  }
  *workspace.persistent("loss_gradient").as<float>() = 1.0f / static_cast<float>(kBatchRows * kRowTokens);
  if (workspace.has("random_key")) workspace.persistent("random_key").as<int32_t>()[0] = 5;
  for (int update = 0; update < kUpdates; ++update) {
    const Floats scalars = {0.05f, 0.1f, 0.3f};
    std::copy(scalars.begin(), scalars.end(), workspace.persistent("update_scalars").as<float>());
    const Traffic before = ranks == nullptr ? Traffic{} : ranks->traffic();
    int64_t micro = 0;
    double loss = 0;
    float norm = 0;
    for_each_run(workspace.plan().schedule("update"), [&](const Row& row) {
      if (!row.fills.empty()) {
        const int64_t first_row = rank * shape.rows() + shape.micro_rows * (micro % shape.micro_batches);
        for (int64_t t = 0; t < shape.micro_rows * kRowTokens; ++t) {
          const int64_t at = first_row * kRowTokens + t + update;
          workspace.persistent("tokens").as<int32_t>()[t] = static_cast<int32_t>((at * 37 + at * at * 11) % 201);
          workspace.persistent("targets").as<int32_t>()[t] = static_cast<int32_t>((at * 23 + at * at * 7) % 201);
          workspace.persistent("positions").as<int32_t>()[t] = static_cast<int32_t>(t % kRowTokens);
        }
        const std::array<int32_t, 2> range = {static_cast<int32_t>(first_row * kRowTokens),
                                              static_cast<int32_t>(shape.micro_rows * kRowTokens)};
        std::copy(range.begin(), range.end(), workspace.persistent("loss_range").as<int32_t>());
        ++micro;
      }
      Executor& graph = workspace.at(row);
      graph.run();
      for (const std::string& name : row.reads) {
        if (name == "loss_sum") loss = *graph.result<double>(name);
        if (name == "gradient_norm") norm = *graph.result<float>(name);
      }
    });
    const std::lock_guard lock(mutex);
    if (rank != 0) continue;
    outcome.losses.push_back(loss);
    outcome.norms.push_back(norm);
    if (ranks != nullptr) {
      outcome.traffic = {ranks->traffic().sent_bytes - before.sent_bytes,
                         ranks->traffic().received_bytes - before.received_bytes};
    }
  }
  const std::lock_guard lock(mutex);
  if (rank == 0) {
    outcome.arena_bytes = workspace.plan().arena_bytes;
    outcome.planned = planned;
  }
  for (const PersistentValue& value : workspace.plan().persistent) {
    if (value.role != Role::weight && value.role != Role::optimizer_state) continue;
    const Tensor tensor = workspace.persistent(value.name);
    const auto cut = parts.find(value.name);
    Floats& whole = outcome.values[value.name];
    const int64_t elements = cut == parts.end() ? tensor.elements() : cut->second.elements;
    whole.resize(static_cast<size_t>(elements));
    const int64_t first = cut == parts.end() ? 0 : cut->second.first(rank);
    const int64_t count = cut == parts.end() ? elements : cut->second.held(rank);
    for (int64_t i = 0; i < count; ++i) whole[static_cast<size_t>(first + i)] = element(tensor, i);
  }
}

Outcome outcome_of(const RankedRun& run) {
  const auto model = small_model(run.tied);
  Outcome outcome;
  std::mutex mutex;
  if (run.ranks == 1) {
    run_rank(*model, run, nullptr, mutex, outcome);
    return outcome;
  }
  run_local_ranks(static_cast<int>(run.ranks),
                  [&](Communicator& ranks) { run_rank(*model, run, &ranks, mutex, outcome); });
  return outcome;
}

// The same job on one rank.
Outcome alone(RankedRun run) {
  run.micro_batches = std::max(run.shards, run.micro_batches * run.ranks);
  if (run.two_pass) run.two_pass = false;
  run.ranks = 1;
  run.flags.erase("--zero");
  return outcome_of(run);
}

// Of a weight in one step: forward and backward, which for the last layer are one, and for the embedding the forward.
int64_t visits(const std::string& name) {
  return name.find("embed_tokens") != std::string::npos || name.find("lm_head") != std::string::npos ? 1 : 2;
}

TEST(Ranks, EveryStageGivesTheBitsOfOneRankWithAsManyShards) {
  for (const bool tied : {true, false}) {
    for (const int64_t ranks : {2, 3, 4}) {
      const Outcome expected = alone({.ranks = ranks, .shards = ranks, .tied = tied});
      for (const std::string stage : {"0", "1", "2", "3"}) {
        for (const int level : {0, 1}) {
          const Outcome got =
              outcome_of({.ranks = ranks, .shards = ranks, .flags = {{"--zero", stage}}, .level = level, .tied = tied});
          EXPECT_EQ(got.losses, expected.losses) << stage << " on " << ranks;
          EXPECT_EQ(got.norms, expected.norms) << stage << " on " << ranks;
          EXPECT_EQ(got.values, expected.values) << stage << " on " << ranks << ", level " << level;
        }
      }
    }
  }
}

void expect_same(const RankedRun& run, const std::string& what) {
  const Outcome expected = alone(run);
  const Outcome got = outcome_of(run);
  EXPECT_EQ(got.losses, expected.losses) << what;
  EXPECT_EQ(got.norms, expected.norms) << what;
  EXPECT_EQ(got.values, expected.values) << what;
}

TEST(Ranks, AgreeWithOneInMicroBatchesAndSubtreesOfShards) {
  for (const std::string stage : {"0", "1", "2", "3"}) {
    const std::map<std::string, std::string> flags = {{"--zero", stage}};
    expect_same({.ranks = 2, .shards = 2, .micro_batches = 3, .flags = flags}, "micro-batches, stage " + stage);
    expect_same({.ranks = 2, .shards = 4, .micro_batches = 2, .flags = flags}, "4 shards on 2, stage " + stage);
    expect_same({.ranks = 3, .shards = 12, .micro_batches = 8, .flags = flags}, "12 shards on 3, stage " + stage);
  }
}

TEST(Ranks, AgreeWithOneInTwoPassesAndWithoutClipping) {
  UpdateSettings unclipped;
  unclipped.grad_clip = 0;
  for (const std::string stage : {"0", "1", "2", "3"}) {
    const std::map<std::string, std::string> flags = {{"--zero", stage}};
    expect_same({.ranks = 2, .shards = 2, .flags = flags, .two_pass = true}, "two passes, stage " + stage);
    expect_same({.ranks = 2, .shards = 2, .flags = flags, .updates = unclipped}, "unclipped, stage " + stage);
  }
}

TEST(Ranks, AgreeWithOneInEveryOptimizer) {
  UpdateSettings eight_bits;
  eight_bits.optimizer = Optimizer::adamw8bit;
  UpdateSettings plain;
  plain.optimizer = Optimizer::sgd;
  for (const std::string stage : {"1", "3"}) {
    const std::map<std::string, std::string> flags = {{"--zero", stage}};
    expect_same({.ranks = 2, .shards = 2, .flags = flags, .updates = eight_bits}, "adamw8bit, stage " + stage);
    expect_same({.ranks = 2, .shards = 2, .flags = flags, .updates = plain}, "sgd, stage " + stage);
  }
}

// 2 n of gradients and weights, 3 n where weights are gathered twice, times (D - 1) / D; and what is small, each by
// name.
TEST(Ranks, SendWhatTheFormulasSay) {
  const auto model = small_model(false);
  for (const int64_t ranks : {2, 3}) {
    for (const int stage : {0, 1, 2, 3}) {
      const Outcome got =
          outcome_of({.ranks = ranks, .shards = ranks, .flags = {{"--zero", std::to_string(stage)}}, .tied = false});
      int64_t expected = (ranks - 1) * 4 * kBatchRows * kRowTokens / ranks;  // losses
      for (const Parameter& parameter : model->parameters()) {
        const RankParts parts = parts_of_weight(parameter.shape.elements(), ranks);
        if (parts.ranks == 1) {
          expected += (ranks - 1) * 4 * parts.elements;  // all of its gradient to all
          continue;
        }
        const int64_t own = parts.held(0);
        expected += 4 * (parts.elements - own);                                        // its gradient to their ranks
        expected += (stage < 3 ? 1 : visits(parameter.name)) * (ranks - 1) * 4 * own;  // the sum, or the weight
        if (stage > 0) expected += (ranks - 1) * 8 * (parts.first(1) / kNormBlock);    // norms of blocks
      }
      EXPECT_EQ(got.traffic.sent_bytes, expected) << "stage " << stage << " on " << ranks;
      EXPECT_EQ(got.planned.all_bytes(), expected) << "stage " << stage << " on " << ranks;
    }
  }
}

// A block of 1,024 elements is 528 bytes of a gradient, 1,040 of a weight, at each of its visits; all else as it was.
TEST(Ranks, CompressedSendWhatTheFormulasSay) {
  const auto model = small_model(false);
  for (const int64_t ranks : {2, 3}) {
    const Outcome got = outcome_of({.ranks = ranks,
                                    .shards = ranks,
                                    .flags = {{"--zero", "3"}, {"--compress-communication", "both"}},
                                    .tied = false});
    int64_t expected = (ranks - 1) * 4 * kBatchRows * kRowTokens / ranks;  // losses
    for (const Parameter& parameter : model->parameters()) {
      const RankParts parts = parts_of_weight(parameter.shape.elements(), ranks);
      if (parts.ranks == 1) {
        expected += (ranks - 1) * 4 * parts.elements;
        continue;
      }
      const int64_t own = parts.first(1) / kNormBlock;
      expected += 528 * (parts.blocks() - own);
      expected += (ranks - 1) * own * (1040 * visits(parameter.name) + 8);
    }
    EXPECT_EQ(got.traffic.sent_bytes, expected) << ranks;
    EXPECT_EQ(got.planned.all_bytes(), expected) << ranks;
  }
}

// Lossy, but a function of the run: budgets decide how it is run, and change no bit.
TEST(Ranks, CompressedGiveTheSameBitsHoweverTheStepIsRun) {
  for (const std::string choice : {"weights", "gradients", "both"}) {
    RankedRun run = {.ranks = 2, .shards = 2, .flags = {{"--zero", "3"}, {"--compress-communication", choice}}};
    const Outcome expected = outcome_of(run);
    run.level = 1;
    EXPECT_EQ(outcome_of(run), expected) << choice << ", one transfer at a time";
    run.two_pass = true;
    EXPECT_EQ(outcome_of(run), expected) << choice << ", in two passes";
    run.two_pass = false;
    run.micro_batches = 3;
    EXPECT_EQ(outcome_of(run), expected) << choice << ", in micro-batches";
  }
}

TEST(Ranks, CompressedChangeNumbersALittle) {
  const Outcome exact = outcome_of({.ranks = 2, .shards = 2, .flags = {{"--zero", "3"}}});
  for (const std::string choice : {"weights", "gradients", "both"}) {
    const Outcome got =
        outcome_of({.ranks = 2, .shards = 2, .flags = {{"--zero", "3"}, {"--compress-communication", choice}}});
    EXPECT_EQ(got.losses[0] == exact.losses[0], choice == "gradients") << choice;  // before the first update
    EXPECT_NE(got.norms[0], exact.norms[0]) << choice;
    for (int update = 0; update < kUpdates; ++update) {
      const auto at = static_cast<size_t>(update);
      EXPECT_NEAR(got.losses[at] / exact.losses[at], 1, 0.01) << choice;
      EXPECT_NEAR(got.norms[at] / exact.norms[at], 1, 0.1) << choice;
    }
  }
  // Every stage sends gradients alike.
  const auto with_stage = [](const std::string& stage) {
    return outcome_of(
        {.ranks = 3, .shards = 3, .flags = {{"--zero", stage}, {"--compress-communication", "gradients"}}});
  };
  const Outcome divided = with_stage("3");
  for (const std::string stage : {"0", "1", "2"}) EXPECT_EQ(with_stage(stage), divided) << stage;
}

}  // namespace
}  // namespace headroom
