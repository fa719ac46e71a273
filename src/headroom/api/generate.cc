// generate(): from a prompt to text, in the order that refuses early.
#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "headroom/api/model_source.h"
#include "headroom/api/prompt.h"
#include "headroom/api/run_report.h"
#include "headroom/formats/json_object.h"
#include "headroom/generate/generation_job.h"
#include "headroom/generate/generator.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

void write_report(const GenerateOptions& options, const FittedJob& job, const GenerateResult& result) {
  nlohmann::ordered_json report = report_of(job);
  const int64_t tokens = result.prompt_tokens + result.new_tokens;
  add_load(report, result);
  report["tokens"] = tokens;
  report["seconds"] = result.seconds;
  report["tokens_per_second"] = result.seconds > 0 ? static_cast<double>(tokens) / result.seconds : 0;
  report["prompt_tokens"] = result.prompt_tokens;
  report["new_tokens"] = result.new_tokens;
  report["prefill_tokens_per_second"] = result.prefill_tokens_per_second;
  report["decode_tokens_per_second"] = result.decode_tokens_per_second;
  report["finish"] = result.finish;
  write_json(options.report, report);
}

}  // namespace

GenerateResult generate(const GenerateOptions& given) {
  restart_peak();
  GenerateOptions options = given;
  const std::unique_ptr<Model> model = open_model_directory(options.model);
  read_generation_shape(options, *model);  // the flags, before the tokenizer takes its time
  const Tokenizer tokenizer = open_tokenizer(options.model, *model);
  std::vector<int32_t> prompt = encode_prompt(options, tokenizer, *model);
  options.context = context_for(options, *model, static_cast<int64_t>(prompt.size()));
  FittedJob job =
      fit_to_run(options, [&] { return fit_generation(options, *model, tokenizer_bytes_of(options.model)); });
  announce_plan(job, options, "plan of generation");

  check_reserve(job.reserve_bytes + job.plan.arena_bytes);
  Workspace workspace(std::move(job.graphs), job.plan, choose_isa());
  Generator generator(options, *model, tokenizer, std::move(prompt), end_ids_of(options.model, *model, tokenizer),
                      workspace);
  const LoadUse load = load_use(generator.load());
  GenerateResult result = generator.run();
  static_cast<LoadUse&>(result) = load;
  static_cast<MemoryUse&>(result) = memory_use(job);
  if (!options.report.empty()) write_report(options, job, result);
  if (!options.quiet) {
    fmt::print(stderr, "\nprompt: {} tokens, {:.1f} tokens/s; text: {} tokens, {:.1f} tokens/s\n", result.prompt_tokens,
               result.prefill_tokens_per_second, result.new_tokens, result.decode_tokens_per_second);
  }
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
