// headroom: train and run DeepSeek-class language models inside a memory budget. Exit codes: docs/cli.md.
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>

#include "commands.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/agreement.h"
#include "headroom/comm/launcher.h"
#include "headroom/comm/rank_guard.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"

namespace {

enum ExitCode { kDone = 0, kInternal = 1, kBadInput = 2, kOverBudget = 3, kMachineFailed = 4 };

int complain(const std::exception& error, const std::string& what, ExitCode code) {
  if (const auto sentence = headroom::sentence_to_tell(error, what)) headroom::print_note("headroom: {}\n", *sentence);
  return code;
}

// --help and --version arrive as errors with exit code 0.
int end_parsing(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    app.exit(error, text, text);
    headroom::write_result(headroom::wrap_help(text.str(), headroom::help_columns()));
    return kDone;
  }
  return complain(error, headroom::usage_error(app, error), kBadInput);
}

// Each process would do all of it: several write one output, or print one text several times.
void refuse_ranks_of(const CLI::App& verb) {
  const auto launch = headroom::find_launch_of_several();
  if (!launch || verb.get_name() == "train") return;
  throw headroom::InvalidInput("{} started {} processes, and {} is the work of one; expected train; try {} without it",
                               headroom::name_of(launch->launcher), launch->size, verb.get_name(), verb.get_name());
}

}  // namespace

int main(int argc, char** argv) {
  headroom::hold_standard_streams();
  headroom::keep_heap_small();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write, and so is a file-size limit
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // a terminal that goes away takes nothing but the notes
  // A launcher that ends its ranks says so itself.
  if (!headroom::find_launch_of_several()) headroom::end_with_sentence_on_signals();
  try {
    headroom::stand_guard_over_rank();
    CLI::App app{
        "headroom trains and runs DeepSeek-class language models inside a memory budget that you set.\n"
        "It plans every byte before it starts and never runs out of memory on the way."};
    app.set_version_flag("--version", "headroom " HEADROOM_VERSION);
    app.require_subcommand(1);
    app.option_defaults()->always_capture_default();
    headroom::add_plan_command(app);
    headroom::add_init_command(app);
    headroom::add_train_command(app);
    headroom::add_generate_command(app);
    headroom::add_eval_command(app);
    headroom::add_convert_command(app);
    headroom::add_quantize_command(app);
    headroom::add_tokenize_command(app);
    headroom::add_inspect_command(app);
    headroom::add_bench_command(app);
    headroom::check_whole_numbers(app);
    app.footer(  // now, since verbs would inherit it
        "A first model from nothing but text:\n"
        "  headroom init tiny-4m --output model --tokenizer-data *.txt\n"
        "  headroom train model --data *.txt --output trained --memory 256MiB --steps 200\n"
        "  headroom generate trained --prompt \"Once upon\"\n"
        "headroom VERB --help explains a verb and shows its defaults.");
    app.parse_complete_callback([&app] {  // before the verb's own
      if (!app.get_subcommands().empty()) refuse_ranks_of(*app.get_subcommands().front());
    });
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return end_parsing(app, error);
    }
    return kDone;
  } catch (const headroom::ReaderGone&) {
    return 128 + SIGPIPE;
  } catch (const headroom::Interrupted& interrupted) {
    headroom::print_note("headroom: stopped by {}; nothing was written\n",
                         headroom::name_of_signal(interrupted.signal));
    return 128 + interrupted.signal;
  } catch (const headroom::InvalidInput& error) {
    return complain(error, error.what(), kBadInput);
  } catch (const headroom::BudgetExceeded& error) {
    return complain(error, error.what(), kOverBudget);
  } catch (const headroom::MachineFailure& error) {
    return complain(error, error.what(), kMachineFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    return complain(error, fmt::format("{}: {}", error.path1().string(), error.code().message()), kBadInput);
  } catch (const std::bad_alloc& error) {
    return complain(error, "the machine refused memory for a buffer outside the arena; try a larger --memory",
                    kMachineFailed);
  } catch (const std::exception& error) {
    return complain(error, error.what(), kInternal);
  }
}
