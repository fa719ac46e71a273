#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "headroom/api/bench.h"
#include "headroom/api/conversation.h"
#include "headroom/api/model_source.h"
#include "headroom/api/prompt.h"
#include "headroom/api/run_report.h"
#include "headroom/bench/machine_profile.h"
#include "headroom/formats/json_object.h"
#include "headroom/formats/tokenizer.h"
#include "headroom/generate/generation_job.h"
#include "headroom/train/dataset.h"
#include "headroom/train/training_job.h"

namespace headroom {
namespace {

struct PlanOptions {
  std::string model;
  std::string task = "train";
  bool json = false;
  bool measure = false;
  TrainOptions train;
  GenerateOptions generate;
  RunOptions run;
};

FittedJob fit(PlanOptions& options) {
  const std::unique_ptr<Model> model = open_model_config(options.model);
  static_cast<RunOptions&>(options.train) = options.run;
  options.train.model = options.model;
  static_cast<RunOptions&>(options.generate) = options.run;
  if (options.task == "generate") {
    options.generate.model = options.model;
    const int64_t tokenizer_bytes = tokenizer_bytes_of(options.model);
    const bool has_prompt = !options.generate.prompt.empty() || !options.generate.prompt_file.empty();
    if (has_prompt && tokenizer_bytes > 0 && !options.generate.chat) {
      const auto prompt = encode_prompt(options.generate, open_tokenizer(options.model, *model), *model);
      options.generate.context = context_for(options.generate, *model, static_cast<int64_t>(prompt.size()));
    }
    return fit_generation(options.generate, *model, tokenizer_bytes, chat_template_bytes_of(options.generate)).job;
  }
  options.train.model = options.model;
  take_shape_of_tokens(options.train);
  return fit_training(options.train, *model, uses_tokenizer(options.train) ? tokenizer_bytes_of(options.model) : 0);
}

void plan(PlanOptions& options) {
  const FittedJob job = fit_or_report(options.run, [&] { return fit(options); });
  nlohmann::ordered_json report = report_of(job);
  std::string machine;
  if (options.measure) {
    const MachineLimits limits = measure_machine(job.plan.threads);
    report["machine"] = json_of(limits);
    machine = fmt::format("{}\n{}", processor_name(), describe(limits));
  }
  if (!options.run.report.empty()) write_json(options.run.report, report);
  if (options.json) {
    fmt::print("{}\n", report.dump(2));
    return;
  }
  RunOptions to_output = options.run;
  fmt::print("{}{}", describe_plan(job, options.model + " " + options.task), machine);
  to_output.quiet = true;
  announce_plan(job, to_output, "");
}

}  // namespace

void add_plan_command(CLI::App& app) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand("plan", "Say what a job needs and how it would be fitted, without weights");
  command->footer(
      "Examples:\n"
      "  headroom plan deepseek-llm-7b --task train --memory 200GiB --html plan.html\n"
      "  headroom plan model --task generate --context 4096");
  command->add_option("model", options->model, "A model directory, a config.json or a preset's name")->required();
  command->add_option("--task", options->task, "train or generate")->check(CLI::IsMember({"train", "generate"}));
  command->add_flag("--json", options->json, "The plan as JSON on standard output");
  command->add_flag("--measure", options->measure,
                    "Measure the machine's limits now and remember them, for profiles; two or three seconds");
  command->add_option("--output", options->train.output, "As train takes it; nothing is written");
  add_train_flags(*command, options->train);
  add_generate_flags(*command, options->generate);
  add_run_flags(*command, options->run);
  command->callback([options] { plan(*options); });
}

}  // namespace headroom
