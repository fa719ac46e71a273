#include "headroom/verbs/mesh_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/generate/generation_job.h"
#include "headroom/models/labels.h"
#include "headroom/models/rank_part.h"
#include "headroom/plan/working_memory.h"
#include "headroom/train/training_job.h"
#include "headroom/train/training_pricing.h"

namespace headroom {
namespace {

constexpr int64_t kNoLimit = int64_t{1} << 50;

struct WeightFormat {
  std::string_view name;
  double bytes;
  std::string_view runs_as;  // the dtype of the config whose graphs stand for it
};

// q8_0: blocks of 32 with a scale of 16 bits. int8: a byte each; its scales, one a row, are below a thousandth.
constexpr std::array<WeightFormat, 5> kWeightFormats = {{{"f32", 4, "float32"},
                                                         {"bf16", 2, "bfloat16"},
                                                         {"f16", 2, "float16"},
                                                         {"q8_0", 34.0 / 32, "bfloat16"},
                                                         {"int8", 1, "bfloat16"}}};

const WeightFormat& weight_format(std::string_view name) {
  for (const WeightFormat& format : kWeightFormats) {
    if (format.name == name) return format;
  }
  throw InvalidInput("--dtype {}: expected f32, bf16, f16, q8_0 or int8", name);
}

// "13B", "67b", "0.5T": up to a thousand trillions.
std::optional<int64_t> parameter_count_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (error != std::errc()) return std::nullopt;
  for (const auto& [names, size] : {std::pair{"Mm", 1e6}, {"Bb", 1e9}, {"Tt", 1e12}}) {
    if (unit.size() != 1 || std::string_view(names).find(unit[0]) == std::string_view::npos) continue;
    if (number * size >= 1 && number * size <= 1e15) return static_cast<int64_t>(number * size);
  }
  return std::nullopt;
}

TrainingFormat training_format(const FlagValues& flags) {
  if (flags.integer("--lora-rank") > 0) {
    throw InvalidInput("--lora-rank {}: expected without --mesh; the states of an adapter fit on one machine",
                       flags.text("--lora-rank"));
  }
  TrainingFormat format;
  format.half_weights = !flags.is("--precision", "f32");
  format.master_weights = flags.is("--master-weights", "f32");
  if (flags.is("--optimizer", "adamw8bit")) format.optimizer_bytes = 2 + 2 * 4.0 / 256;  // docs/techniques
  if (flags.is("--optimizer", "sgd")) format.optimizer_bytes = 0;
  return format;
}

// Rows of an update that one data rank has.
int64_t rows_of_rank(const MeshJob& job) {
  const int64_t rows = job.train.batch_size;
  if (rows % job.mesh.data != 0) {
    throw InvalidInput("--batch-size {}: expected a multiple of the data ranks, {}; it counts the rows of all ranks",
                       rows, job.mesh.data);
  }
  return rows / job.mesh.data;
}

// The job of one rank, with the whole of its states, in this or that much memory. Borrows both.
class Rank {
 public:
  Rank(const MeshJob& job, const Model& part) : job_(job), part_(part) {
    if (!job.trains) return;
    request_ = training_request(job.train);
    request_.batch_size = rows_of_rank(job);
    request_.disk.clear();
    if (job.mesh.pipe > 1 && request_.flags.is("--grad-accum", "0")) {
      request_.flags.set("--grad-accum", fmt::format("{}", request_.batch_size));
    }
    pricing_.emplace(request_, part, job.tokenizer_bytes);
  }

  struct Fit {
    FittedJob job;
    TrainingShape shape;  // of training: its micro-batches
  };

  Fit fit(int64_t memory_bytes) {
    if (!job_.trains) {
      return {fit_generation(generation_settings(job_.generate), part_, {memory_bytes}, job_.tokenizer_bytes).job, {}};
    }
    FittedTraining fitted = fit_training(*pricing_, request_.trace, {memory_bytes});
    const TrainingShape shape = fitted.shape;
    return {std::move(fitted), shape};
  }

 private:
  const MeshJob& job_;
  const Model& part_;
  TrainingRequest request_;
  std::optional<TrainingPricing> pricing_;
};

// The same in so little memory that the working memory fits `limit_bytes`, or as little as can be. The planner counts
// states as they lie on one machine, so its budget is lowered by what is too much until that is nothing.
struct RankWork {
  WorkingMemory memory;
  int64_t process_bytes = 0;
  std::string choice;
  TrainingShape shape;
};

RankWork work_of(const MeshJob& job, const Rank::Fit& rank) {
  const int64_t process_bytes = job.context_bytes > 0 ? 0 : rank.job.reserve_bytes;
  return {working_memory(rank.job.graphs, choose_backend().on(rank.job.plan.threads)), process_bytes, rank.job.choice,
          rank.shape};
}

RankWork fit_work(const MeshJob& job, const Model& part, int64_t limit_bytes, int64_t in_flight) {
  Rank rank(job, part);
  if (limit_bytes <= 0) {  // whatever it takes is too much: the least that there is
    try {
      return work_of(job, rank.fit(1));
    } catch (const BudgetExceeded& refusal) {
      return work_of(job, rank.fit(refusal.smallest_budget_bytes));
    }
  }
  Rank::Fit fitted = rank.fit(kNoLimit);
  for (;;) {
    RankWork work = work_of(job, fitted);
    const int64_t excess =
        work.process_bytes + work.memory.peak_bytes + (in_flight - 1) * work.memory.saved_bytes - limit_bytes;
    if (excess <= 0) return work;
    const int64_t before = fitted.job.predicted_peak_bytes;
    try {
      fitted = rank.fit(std::max<int64_t>(1, before - std::max<int64_t>(excess, 1)));
    } catch (const BudgetExceeded& refusal) {
      if (refusal.smallest_budget_bytes <= 0 || refusal.smallest_budget_bytes >= before) return work;
      return work_of(job, rank.fit(refusal.smallest_budget_bytes));
    }
  }
}

// The stages of a model whose config is known, one after the other.
class StagePlanner {
 public:
  StagePlanner(const MeshJob& job, const JsonObject& config, const BytesPerParameter& bytes)
      : job_(job),
        flags_(job.train.techniques),
        config_(config),
        bytes_(bytes),
        counts_(count_parameters(config_of_rank(config, job.mesh.tensor, layers_of(config)))),
        rows_(job.trains ? rows_of_rank(job) : 1),
        layers_(divide_layers(layers_of(config), job.mesh.pipe, counts_.layer, counts_.embedding,
                              counts_.head + (counts_.tied ? counts_.embedding : 0))) {}

  // Without what depends on a plan of the stage's graphs: no stage takes less than its states.
  StagePlan states(int64_t at) const {
    StagePlan stage;
    stage.layers = layers_[static_cast<size_t>(at)];
    stage.parameters = parameters_of_stage(counts_, stage.layers, is_first(at), is_last(at));
    stage.states = states_of(stage.parameters, bytes_, job_.zero, job_.mesh.data);
    stage.gathered_bytes = gathered_bytes(at);
    return stage;
  }

  StagePlan stage(int64_t at) {
    StagePlan stage = states(at);
    const int64_t asked = flags_.integer("--grad-accum");
    const int64_t micro_batches = asked == 0 ? rows_ : asked;
    if (job_.trains) stage.in_flight = micro_batches_in_flight(at, job_.mesh.pipe, micro_batches);
    const RankWork& work = work_of_stage(stage);
    stage.working_bytes = work.memory.peak_bytes + (stage.in_flight - 1) * work.memory.saved_bytes;
    stage.cache_bytes = work.memory.cache_bytes;
    stage.process_bytes = work.process_bytes;
    stage.choice = work.choice;
    return stage;
  }

  SentBytes sent(int64_t at, const StagePlan& stage) {
    const TrainingShape& shape = work_of_stage(stage).shape;
    const int64_t features = config_.integer("hidden_size", 1, kNoLimit);
    if (!job_.trains) {  // one token
      const int64_t row = 4 * features;
      return {.tensor = 2 * (2 * stage.layers + (is_first(at) ? 1 : 0)) * sent_by_gather(row, job_.mesh.tensor),
              .pipe = is_last(at) ? 0 : row};
    }
    const int64_t element_bytes = flags_.is("--precision", "f32") ? 4 : 2;
    const int64_t activations =
        multiply_sizes(shape.micro_tokens() * shape.micro_batches, element_bytes * features, "the activations");
    // Two sums a layer forward and backward, one behind the embedding, and one before the head on the way back.
    const int64_t sums = 4 * stage.layers + (is_first(at) ? 1 : 0) + (is_last(at) ? 1 : 0);
    const int64_t borders = (is_first(at) ? 0 : 1) + (is_last(at) ? 0 : 1);
    return {.states = sent_for_states(stage.parameters, bytes_, job_.zero, job_.mesh.data, shape.micro_batches),
            .tensor = multiply_sizes(2 * sums, sent_by_gather(activations, job_.mesh.tensor), "the activations"),
            .pipe = multiply_sizes(borders, activations, "the activations")};
  }

 private:
  static int64_t layers_of(const JsonObject& config) { return make_model(config)->layers(); }
  static bool is_first(int64_t at) { return at == 0; }
  bool is_last(int64_t at) const { return at == job_.mesh.pipe - 1; }

  int64_t gathered_bytes(int64_t at) const {
    if (job_.mesh.data == 1 || job_.zero < 2) return 0;
    const double each = bytes_.gradients + (job_.zero >= 3 ? bytes_.weights : 0);
    const int64_t largest =
        std::max({counts_.layer, is_first(at) ? counts_.embedding : 0, is_last(at) ? counts_.head : 0});
    return static_cast<int64_t>(2 * each * static_cast<double>(largest));
  }

  // Stages that differ in nothing that counts here are planned once.
  const RankWork& work_of_stage(const StagePlan& stage) {
    const int64_t limit = job_.memory_bytes == 0
                              ? kNoLimit
                              : job_.memory_bytes - job_.context_bytes - stage.states.all() - stage.gathered_bytes;
    const std::tuple key{stage.layers, stage.in_flight, limit};
    auto found = works_.find(key);
    if (found == works_.end()) {
      const std::unique_ptr<Model> part = make_model(config_of_rank(config_, job_.mesh.tensor, stage.layers));
      found = works_.emplace(key, fit_work(job_, *part, limit, stage.in_flight)).first;
    }
    return found->second;
  }

  const MeshJob& job_;
  const FlagValues flags_;
  const JsonObject config_;
  const BytesPerParameter bytes_;
  const ParameterCounts counts_;
  const int64_t rows_;
  const std::vector<int64_t> layers_;
  std::map<std::tuple<int64_t, int64_t, int64_t>, RankWork> works_;
};

// Of a parameter of a model in few bits, over all of them; nothing for others.
std::optional<double> quantised_bytes(const MeshJob& job) {
  const std::unique_ptr<Model> model = open_model_config(job.model, {job.ignore_unknown_fields, true});
  const WeightFormats formats = model->stored_formats();
  double bytes = 0;
  bool is_quantised = false;
  for (const Parameter& parameter : model->parameters()) {
    const Type type = {formats(parameter.name), parameter.shape};
    bytes += static_cast<double>(type.bytes());
    is_quantised |= as_grouped(type.dtype) != nullptr;
  }
  if (!is_quantised) return std::nullopt;
  return bytes / static_cast<double>(parameter_count(*model));
}

// A model of which only the number of parameters is known: states alone, evenly divided.
MeshPlan plan_count(const MeshJob& job, int64_t parameters, const BytesPerParameter& bytes) {
  const int64_t parts = job.mesh.pipe * job.mesh.tensor;
  StagePlan stage;
  stage.parameters = (parameters + parts - 1) / parts;
  stage.states = states_of(stage.parameters, bytes, job.zero, job.mesh.data);
  MeshPlan plan{parameters, bytes, std::vector<StagePlan>(static_cast<size_t>(job.mesh.pipe), stage), 0, {}};
  if (job.trains) plan.sent.states = sent_for_states(stage.parameters, bytes, job.zero, job.mesh.data, 1);
  return plan;
}

}  // namespace

bool is_parameter_count(const std::string& model) {
  std::error_code error;
  return parameter_count_of(model).has_value() && !std::filesystem::exists(model, error);
}

MeshPlan plan_mesh(const MeshJob& job, bool must_fit) {
  if (job.zero < 0 || job.zero > 3) throw InvalidInput("--zero {}: expected 0, 1, 2 or 3", job.zero);
  if (job.zero > 0 && !job.trains) throw InvalidInput("--zero {}: expected with --task train", job.zero);
  if (job.trains && !job.dtype.empty()) {
    throw InvalidInput("--dtype {}: expected with --task generate; training has --precision", job.dtype);
  }
  const bool counted = is_parameter_count(job.model);
  const JsonObject given = counted ? JsonObject::of(nlohmann::ordered_json::object(), job.model)
                                   : config_of_model(job.model, {job.ignore_unknown_fields, true});
  const std::string dtype = !job.dtype.empty() ? job.dtype
                            : counted          ? "f16"
                                               : std::string(name_of(make_model(given)->stored_dtype()));
  WeightFormat format = weight_format(dtype);
  if (!job.trains && !counted && job.dtype.empty()) {
    if (const std::optional<double> bytes_each = quantised_bytes(job)) format = {"as stored", *bytes_each, "bfloat16"};
  }
  const BytesPerParameter bytes = job.trains ? bytes_per_parameter(training_format(FlagValues(job.train.techniques)))
                                             : BytesPerParameter{format.bytes, 0, 0};
  if (counted) return plan_count(job, *parameter_count_of(job.model), bytes);

  if (is_classifier(given)) {
    throw InvalidInput("--mesh: {} is a classifier, which is not divided; expected a language model", job.model);
  }
  const JsonObject config = given.with("dtype", nullptr).with("torch_dtype", std::string(format.runs_as));
  MeshPlan plan{parameter_count(*make_model(config)), bytes, {}, 0, {}};
  StagePlanner planner(job, config, bytes);
  for (int64_t at = 0; must_fit && at < job.mesh.pipe; ++at) {
    const int64_t least_bytes = planner.states(at).planned_bytes() + job.context_bytes;
    if (least_bytes <= job.memory_bytes) continue;
    throw BudgetExceeded(least_bytes, "the states of a rank of {} alone take more than there is", name_of(job.mesh));
  }
  for (int64_t at = 0; at < job.mesh.pipe; ++at) {
    plan.stages.push_back(planner.stage(at));
    if (plan.stages.back().planned_bytes() > plan.fullest_stage().planned_bytes()) {
      plan.fullest = static_cast<size_t>(at);
    }
  }
  plan.sent = planner.sent(static_cast<int64_t>(plan.fullest), plan.fullest_stage());
  return plan;
}

}  // namespace headroom
