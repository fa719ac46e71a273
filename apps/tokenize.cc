// headroom tokenize: text to token ids and back.
#include <memory>

#include "commands.h"

#include "headroom/verbs/tokenize.h"

namespace headroom {

void add_tokenize_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize", "Text to token ids and back");
  command->footer(
      "Examples:\n"
      "  echo '[\"Once upon a time\"]' > texts.json\n"
      "  headroom tokenize model --input texts.json --output ids.json\n"
      "  headroom tokenize model --input ids.json --decode");
  const auto options = std::make_shared<TokenizeOptions>();
  command->add_option("MODEL", options->tokenizer, "A tokenizer.json, or a model directory that holds one")->required();
  command->add_option("--input", options->input, "A JSON array of strings; with --decode, of arrays of ids")
      ->type_name("FILE.json")
      ->required();
  command->add_option("--output", options->output, "Where to write the result; standard output if not given")
      ->type_name("FILE.json");
  command->add_flag_callback(
      "--no-special-tokens", [options] { options->add_special_tokens = false; },
      "Encode the texts alone, without begin and end tokens");
  command->add_flag("--decode", options->decode, "Ids to text");
  command->add_flag("--skip-special-tokens", options->skip_special_tokens, "With --decode: leave special tokens out");
  command->callback([options] { tokenize_json(*options); });
}

}  // namespace headroom
