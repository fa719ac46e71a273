#include "headroom/formats/tokenizer/apply_settings.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/added_tokens.h"
#include "headroom/formats/tokenizer/component_spec.h"
#include "headroom/formats/tokenizer/postprocessor.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"

namespace headroom {
namespace {

class Application {
 public:
  Application(const TokenizerSettings& settings, const std::string& file, TokenizerOutline& outline)
      : settings_(settings), file_(file), outline_(outline), in_file_(outline.added.size()) {
    for (size_t i = 0; i < outline.added.size(); ++i) places_.emplace(outline.added[i].text, i);
  }

  void add_tokens(const FindPieces& find_pieces) {
    std::map<std::string, int64_t, std::less<>> ids;
    const auto ask = [&](const std::string& text) {
      if (!text.empty() && !places_.contains(text)) ids.emplace(text, -1);
    };
    for (const AddedTokenEntry& token : settings_.listed) ask(token.text);
    for (const TokenRole& role : settings_.special) ask(role.text);
    if (!ids.empty()) find_pieces(ids);
    for (const AddedTokenEntry& token : outline_.added) largest_ = std::max<int64_t>(largest_, token.id);

    for (AddedTokenEntry token : settings_.listed) {
      token.special = token.special || is_role(token.text);
      const auto place = places_.find(token.text);
      if (place == places_.end()) {
        add(token, ids);
      } else if (settings_.listed_anew) {
        find_otherwise(token, outline_.added[place->second]);
      }
    }
    std::set<std::string_view> seen;
    for (const TokenRole& role : settings_.special) {
      if (role.text.empty() || !seen.insert(role.text).second) continue;
      if (const auto place = places_.find(role.text); place != places_.end()) {
        if (role.has_flags && !has_last_word(place->second)) find_otherwise(role.flags, outline_.added[place->second]);
        continue;
      }
      if (!role.is_named && ids.find(role.text)->second < 0) continue;
      AddedTokenEntry token = role.flags;
      token.text = role.text;
      token.special = true;
      add(token, ids);
    }
  }

  void set_frame(const TokenizerSettings::Frame& frame) {
    const SurroundingIds before = surrounding_ids();
    const auto begin = frame.begins ? token_of("bos", settings_.bos, frame.says_begins) : std::nullopt;
    const auto end = frame.ends ? token_of("eos", settings_.eos, frame.says_ends) : std::nullopt;
    set_surrounding_tokens(begin, end, outline_);
    const SurroundingIds after = surrounding_ids();
    if (before.before == after.before && before.after == after.after) return;
    note(fmt::format("{} puts {} before and {} after a text", settings_.loader, begin ? begin->text : "nothing",
                     end ? end->text : "nothing"));
  }

 private:
  // Whether what is known of an added token cannot be changed by the flags of a role.
  bool has_last_word(size_t place) const {
    if (!settings_.listed_anew) return place < in_file_;
    return std::any_of(settings_.listed.begin(), settings_.listed.end(),
                       [&](const AddedTokenEntry& token) { return token.text == outline_.added[place].text; });
  }

  bool is_role(const std::string& text) const {
    return std::any_of(settings_.special.begin(), settings_.special.end(),
                       [&](const TokenRole& role) { return role.text == text; });
  }

  void add(AddedTokenEntry token, const std::map<std::string, int64_t, std::less<>>& ids) {
    if (token.text.empty()) return;
    if (token.text.size() > AddedTokens::kMaxTokenBytes) {
      throw InvalidInput("{}: an added token of {} bytes; expected 1 to {}", settings_.file, token.text.size(),
                         AddedTokens::kMaxTokenBytes);
    }
    const int64_t piece = ids.find(token.text)->second;
    const int64_t expected = piece >= 0 ? piece : std::max(outline_.pieces, largest_ + 1);
    if (token.id >= 0 && token.id != expected) {
      throw InvalidInput("{}: the added token \"{:.80}\" has id {}; expected {}, its place in the vocabulary of {}",
                         settings_.file, token.text, token.id, expected, file_);
    }
    token.id = static_cast<int32_t>(expected);
    largest_ = std::max(largest_, expected);
    outline_.largest_id = std::max(outline_.largest_id, expected);
    outline_.piece_bytes += static_cast<int64_t>(token.text.size());
    note_token(fmt::format("is added as {}", token.id), token);
    places_.emplace(token.text, outline_.added.size());
    outline_.added.push_back(std::move(token));
  }

  // What is special once, or looked for in the text as it is, stays so; a special token is looked for where it was.
  void find_otherwise(AddedTokenEntry token, AddedTokenEntry& known) {
    token.id = known.id;
    token.text = known.text;
    token.normalized = known.normalized && (known.special || token.normalized);
    token.special = token.special || known.special;
    const auto flags = [](const AddedTokenEntry& entry) {
      return std::tuple(entry.normalized, entry.special, entry.single_word, entry.lstrip, entry.rstrip);
    };
    if (flags(token) == flags(known)) return;
    note_token("is found otherwise", token);
    known = std::move(token);
  }

  SurroundingIds surrounding_ids() const {
    return read_postprocessor(ComponentSpec(outline_.post_processor, file_ + ": post_processor"));
  }

  // The token of a role; nothing where there is none and no file asks for it.
  std::optional<NamedToken> token_of(const char* name, const TokenRole& role, bool is_asked_for) const {
    const auto place = places_.find(role.text);
    if (place != places_.end()) return NamedToken{outline_.added[place->second].id, role.text};
    if (!is_asked_for) return std::nullopt;
    throw InvalidInput("{}: add_{}_token is true, but there is no such token; expected {}_token, a token of {}",
                       settings_.file, name, name, file_);
  }

  // "<|a|> is added as 700 (special)"
  void note_token(const std::string& what, const AddedTokenEntry& token) {
    std::string flags;
    for (const auto& [flag, name] : {std::pair{token.special, " special"},
                                     {token.normalized, " normalized"},
                                     {token.single_word, " single_word"},
                                     {token.lstrip, " lstrip"},
                                     {token.rstrip, " rstrip"}}) {
      if (flag) flags += name;
    }
    note(fmt::format("{} {}{}", token.text, what, flags.empty() ? "" : fmt::format(" ({})", flags.substr(1))));
  }

  void note(const std::string& change) {
    outline_.changes += outline_.changes.empty() ? "" : ", ";
    outline_.changes += change;
  }

  const TokenizerSettings& settings_;
  const std::string& file_;
  TokenizerOutline& outline_;
  const size_t in_file_;                               // added tokens of the tokenizer.json
  std::map<std::string, size_t, std::less<>> places_;  // of texts in outline_.added
  int64_t largest_ = -1;                               // id of an added token
};

}  // namespace

void apply_settings(const TokenizerSettings& settings, const std::string& file, const FindPieces& find_pieces,
                    TokenizerOutline& outline) {
  Application application(settings, file, outline);
  application.add_tokens(find_pieces);
  if (settings.frame) application.set_frame(*settings.frame);
}

}  // namespace headroom
