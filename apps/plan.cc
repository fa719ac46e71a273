#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "commands.h"
#include "headroom/api/conversation.h"
#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/prompt.h"
#include "headroom/api/prompt_rows.h"
#include "headroom/api/resumed_options.h"
#include "headroom/api/run_report.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/threads.h"
#include "headroom/data/data_file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/generate/generation_job.h"
#include "headroom/measure/machine_profile.h"
#include "headroom/train/dataset.h"
#include "headroom/train/training_job.h"
#include "headroom/verbs/bench.h"
#include "headroom/verbs/device_floor.h"
#include "headroom/verbs/mesh_plan.h"
#include "headroom/verbs/rank_plan.h"

namespace headroom {
namespace {

struct PlanOptions {
  std::string model;
  std::string task = "train";
  bool json = false;
  bool measure = false;
  std::string device;
  std::string mesh;
  std::string dtype;
  TrainOptions train;
  GenerateOptions generate;
  RunOptions run;
};

std::unique_ptr<Model> open_model_to_plan(const PlanOptions& options) {
  const OpenSettings settings = open_settings(options.run);
  if (!options.dtype.empty()) {
    if (options.task != "generate") {
      throw InvalidInput("--dtype {}: expected with --task generate; training has --precision", options.dtype);
    }
    return open_model_converted(options.model, options.dtype, settings);
  }
  if (options.train.labels.empty()) return open_model_config(options.model, settings);
  return make_model_and_note(config_to_train(options.model, options.train.labels, settings), options.model, settings);
}

// That of each of `ranks`; an automatic one is shared by them, as when they run on this machine.
Budget budget_of_rank(const std::string& memory, int64_t ranks) {
  Budget budget = resolve_budget(memory);
  if (budget.automatic) budget.bytes /= ranks;
  return budget;
}

FittedJob fit(PlanOptions& options, std::optional<Forecast>& forecast) {
  static_cast<RunOptions&>(options.train) = options.run;
  options.train.model = options.model;
  static_cast<RunOptions&>(options.generate) = options.run;
  if (options.task == "train") {
    check_training_paths(options.train);
    options.train = take_flags_of_checkpoint(options.train);
  } else {
    check_output_paths(outputs_of(options.run), {{"MODEL", options.model},
                                                 {"--prompt-file", options.generate.prompt_file},
                                                 {"--prompts", options.generate.prompts}});
  }
  const std::unique_ptr<Model> model = open_model_to_plan(options);
  if (options.task == "generate") {
    options.generate.model = options.model;
    options.generate.adapter = FlagValues(options.train.techniques).text("--adapter");
    GenerationSettings settings = generation_settings(options.generate);
    const int64_t tokenizer_bytes = tokenizer_bytes_of(options.model);
    const bool has_prompt = !options.generate.prompt.empty() || !options.generate.prompt_file.empty();
    if (!options.generate.prompts.empty() && tokenizer_bytes > 0) {
      const PromptSurvey survey = survey_prompts(options.generate, open_tokenizer(options.model, *model), *model);
      settings.prompts = survey.prompts;
      settings.context = context_for(settings, *model, survey.longest);
    } else if (has_prompt && tokenizer_bytes > 0 && !options.generate.chat) {
      const auto prompt = encode_prompt(options.generate, open_tokenizer(options.model, *model), *model);
      settings.context = context_for(settings, *model, static_cast<int64_t>(prompt.size()));
    }
    const StreamSource source = has_weight_files(options.model) && options.dtype.empty()
                                    ? StreamSource(options.model, *model)
                                    : StreamSource(*model, options.dtype == "q8_0");
    FittedGeneration fitted = fit_generation(settings, *model, resolve_budget(options.run.memory), tokenizer_bytes,
                                             chat_template_bytes_of(options.generate), &source);
    forecast = fitted.forecast;
    return std::move(fitted.job);
  }
  TrainingRequest request = training_request(options.train);
  request.place = {0, parse_mesh(options.mesh).data};
  check_data_files(request.data);
  check_data_files(request.eval_data);
  take_shape_of_tokens(request);
  return fit_training(request, *model, budget_of_rank(options.run.memory, request.place.ranks),
                      uses_tokenizer(request) ? tokenizer_bytes_of(options.model) : 0);
}

// What data ranks of a mesh share; nothing where that is left to the budget.
int zero_of(const PlanOptions& options) {
  const FlagValues flags(options.train.techniques);
  return flags.is("--zero", "auto") ? 0 : static_cast<int>(flags.integer("--zero"));
}

// What no run of headroom does: a model without shapes, one that is cut into parts, ranks that generate or are cards, a
// card with weights in another format.
bool is_of_mesh(const PlanOptions& options) {
  if (is_parameter_count(options.model) || (!options.dtype.empty() && !options.device.empty())) return true;
  if (options.task == "generate") return !options.mesh.empty() || zero_of(options) != 0;
  const Mesh mesh = parse_mesh(options.mesh);
  return mesh.pipe > 1 || mesh.tensor > 1 || (!options.mesh.empty() && !options.device.empty());
}

void write_mesh(const PlanOptions& options, const nlohmann::ordered_json& report, const std::string& text) {
  if (!options.run.report.empty()) write_json(options.run.report, report);
  write_result(text);
}

void print_mesh(const PlanOptions& options) {
  check_output_paths(outputs_of(options.run), {{"MODEL", options.model}});
  if (!options.run.html.empty()) {
    throw InvalidInput(
        "--html {}: expected without --mesh, or with --mesh data=N alone and --task train, which ranks can run",
        options.run.html);
  }
  MeshJob job;
  job.model = options.model;
  job.trains = options.task == "train";
  job.mesh = parse_mesh(options.mesh);
  job.zero = zero_of(options);
  job.dtype = options.dtype;
  job.train = options.train;
  job.generate = options.generate;
  job.ignore_unknown_fields = options.run.ignore_unknown_fields;
  job.train.threads = job.generate.threads = options.run.threads;
  const TrainingRequest request = training_request(job.train);
  if (!job.trains || uses_tokenizer(request)) job.tokenizer_bytes = tokenizer_bytes_of(options.model);
  if (!options.device.empty()) {
    const Device& device = find_device(options.device);
    job.device = device.name;
    job.memory_bytes = device.memory_bytes;
    job.context_bytes = Device::kContextBytes;
  }
  if (options.run.memory != "auto") job.memory_bytes = parse_bytes(options.run.memory, "--memory");
  if (!is_parameter_count(job.model)) open_model_config(job.model, open_settings(options.run));  // says its note
  const MeshPlan plan = plan_mesh(job);
  nlohmann::ordered_json report = json_of(plan, job);
  const std::string text = options.json ? report.dump(2) + "\n" : describe(plan, job);
  try {
    require_fit(plan, job);
  } catch (const BudgetExceeded& error) {
    report["refused"] = error.what();
    write_mesh(options, report, text);
    throw;
  }
  write_mesh(options, report, text);
}

// That of --disk, or where generation may leave weights in their file, the file.
std::string disk_to_measure(const PlanOptions& options) {
  if (options.task != "generate" || !has_weight_files(options.model)) return options.run.disk;
  const WeightFiles files(options.model);
  return files.count() > 0 ? files.tensor(0).file->path() : "";
}

void plan(PlanOptions& options) {
  if (options.device == "list") {
    write_result(device_table());
    return;
  }
  if (options.model.empty()) throw CLI::RequiredError("model");
  if (is_of_mesh(options)) {
    print_mesh(options);
    return;
  }
  const Device* const device = options.device.empty() ? nullptr : &find_device(options.device);
  if (device != nullptr && options.run.memory == "auto") {
    options.run.memory = fmt::format("{}", device->usable_bytes());
  }
  std::optional<MachineLimits> limits;
  if (options.measure) limits = measure_machine(threads_to_use(options.run.threads), disk_to_measure(options));
  std::optional<Forecast> forecast;
  FittedJob job = fit_or_report(options.run, [&] { return fit(options, forecast); });
  if (device != nullptr) {  // what was predicted is of this machine
    job.step_seconds = 0;
    job.forecast.clear();
    forecast.reset();
  }
  nlohmann::ordered_json report = report_of(job);
  if (forecast) add_forecast(report, *forecast);
  std::string machine;
  if (!options.mesh.empty()) {
    const RankPlan ranks = rank_plan_of(job, parse_mesh(options.mesh).data, FlagValues(options.train.techniques));
    add_ranks(report, ranks);
    machine += describe(ranks);
  }
  if (device != nullptr) {
    const bool trains = options.task == "train";
    const DeviceFloor floor = device_floor(*device, job, trains ? "update" : "token",
                                           !trains || !FlagValues(options.train.techniques).is("--precision", "f32"));
    report["device"] = json_of(*device, floor);
    machine += describe(*device, floor, trains);
  }
  if (limits) {
    report["machine"] = json_of(*limits);
    machine += fmt::format("{}\n{}", processor_name(), describe(*limits));
  }
  if (!options.run.report.empty()) write_json(options.run.report, report);
  RunOptions silent = options.run;
  silent.quiet = true;
  announce_plan(job, silent, options.task == "train" ? "plan of the training step" : "plan of generation",
                options.model);  // the picture of --html
  write_result(options.json ? report.dump(2) + "\n" : describe_plan(job, options.model + " " + options.task) + machine);
}

}  // namespace

void add_plan_command(CLI::App& app) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand("plan", "Say what a job needs and how it would be fitted, without weights");
  command->footer(
      "Examples:\n"
      "  headroom plan deepseek-llm-7b --task train --memory 200GiB --html plan.html\n"
      "  headroom plan model --task generate --context 4096\n"
      "  headroom plan deepseek-llm-67b --mesh data=8,tensor=8 --zero 1 --precision bf16 --device a100-80gb\n"
      "  headroom plan 13B --task generate --dtype f16 --mesh tensor=2");
  command->add_option("model", options->model,
                      "A model directory, a config.json or a preset's name; with --mesh also a size such as 13B");
  command->add_option("--task", options->task, "train or generate")->check(CLI::IsMember({"train", "generate"}));
  command->add_flag("--json", options->json, "The plan as JSON on standard output");
  command->add_flag("--measure", options->measure,
                    "Measure the machine now and remember it, for predicted times and profiles; about ten seconds");
  command
      ->add_option("--device", options->device,
                   "Plan for this card instead of this machine; 'list' prints those that are known")
      ->group("Machines");
  command
      ->add_option("--mesh", options->mesh,
                   "Divide the job over ranks: data=D,pipe=P,tensor=T; what is left out is 1. Prints what each holds")
      ->group("Machines");
  command
      ->add_option("--dtype", options->dtype,
                   "With --task generate: as if `convert` had written the weights in f32, bf16, f16 or q8_0; with "
                   "--mesh or --device also int8")
      ->group("Machines");
  command->add_option("--output", options->train.output, "As train takes it; nothing is written");
  add_train_flags(*command, options->train);
  add_generate_flags(*command, options->generate);
  add_run_flags(*command, options->run);
  add_disk_flags(*command, options->run);
  command->callback([options, command] {
    options->train.unset = unset_flags(*command);
    plan(*options);
  });
}

}  // namespace headroom
