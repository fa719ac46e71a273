// Writing a trained tokenizer as tokenizer.json and tokenizer_config.json.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/bpe_trainer.h"
#include "headroom/formats/tokenizer/byte_alphabet.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string in_letters(std::string_view bytes) {
  std::string letters;
  for (const char byte : bytes) append_utf8(letters, letter_of_byte(static_cast<uint8_t>(byte)));
  return letters;
}

OrderedJson byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

int32_t id_of_role(const TrainedBpe& trained, const char* role, const std::string& token) {
  const auto& special = trained.special_tokens;
  const auto found = std::find(special.begin(), special.end(), token);
  if (found == special.end()) throw InvalidInput("the {} \"{}\" is none of the special tokens", role, token);
  return static_cast<int32_t>(found - special.begin());
}

// `<bos> text`, and for a pair of texts `<bos> first <bos> second`.
OrderedJson begin_template(const std::string& token, int32_t id) {
  const OrderedJson begin = {{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
  const OrderedJson first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const OrderedJson second = {{"Sequence", {{"id", "B"}, {"type_id", 0}}}};
  return {{"type", "TemplateProcessing"},
          {"single", OrderedJson::array({begin, first})},
          {"pair", OrderedJson::array({begin, first, begin, second})},
          {"special_tokens", {{token, {{"id", token}, {"ids", {id}}, {"tokens", {token}}}}}}};
}

OrderedJson make_tokenizer(const TrainedBpe& trained, const TokenRoles& roles) {
  const auto special_count = static_cast<int32_t>(trained.special_tokens.size());
  const auto piece = [&](int32_t id) {
    return id < special_count ? trained.pieces[id] : in_letters(trained.pieces[id]);
  };
  OrderedJson added = OrderedJson::array();
  OrderedJson vocabulary = OrderedJson::object();
  OrderedJson merges = OrderedJson::array();
  for (int32_t id = 0; id < special_count; ++id) {
    added.push_back({{"id", id},
                     {"content", trained.special_tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  // push_back, because looking a key up in an ordered object walks all of it.
  auto& entries = vocabulary.get_ref<OrderedJson::object_t&>();
  for (int32_t id = 0; id < static_cast<int32_t>(trained.pieces.size()); ++id) entries.push_back({piece(id), id});
  for (const auto& [left, right] : trained.merges) merges.push_back(OrderedJson::array({piece(left), piece(right)}));

  OrderedJson tokenizer = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  tokenizer["added_tokens"] = std::move(added);
  tokenizer["normalizer"] = nullptr;
  tokenizer["pre_tokenizer"] = byte_level();
  tokenizer["post_processor"] =
      roles.bos_token.empty() ? byte_level()
                              : begin_template(roles.bos_token, id_of_role(trained, "bos_token", roles.bos_token));
  tokenizer["decoder"] = byte_level();
  tokenizer["model"] = {{"type", "BPE"},
                        {"dropout", nullptr},
                        {"unk_token", nullptr},
                        {"continuing_subword_prefix", nullptr},
                        {"end_of_word_suffix", nullptr},
                        {"fuse_unk", false},
                        {"byte_fallback", false},
                        {"ignore_merges", false}};
  tokenizer["model"]["vocab"] = std::move(vocabulary);
  tokenizer["model"]["merges"] = std::move(merges);
  return tokenizer;
}

}  // namespace

void write_tokenizer(const TrainedBpe& trained, const TokenRoles& roles, const std::string& directory) {
  OrderedJson config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const std::pair<const char*, const std::string*> named[] = {
      {"bos_token", &roles.bos_token}, {"eos_token", &roles.eos_token}, {"pad_token", &roles.pad_token}};
  for (const auto& [role, token] : named) {
    if (token->empty()) continue;
    id_of_role(trained, role, *token);
    config[role] = *token;
  }
  const std::filesystem::path folder(directory);
  write_file_atomically((folder / "tokenizer.json").string(), make_tokenizer(trained, roles).dump(1) + "\n");
  write_file_atomically((folder / "tokenizer_config.json").string(), config.dump(2) + "\n");
}

}  // namespace headroom
