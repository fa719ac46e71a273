#include "headroom/comm/agreement.h"

#include <chrono>
#include <filesystem>
#include <new>
#include <string_view>
#include <thread>
#include <vector>

#include "headroom/comm/collectives.h"
#include "headroom/comm/join_ranks.h"
#include "headroom/comm/launcher.h"

namespace headroom {
namespace {

constexpr auto kTurnOfRank0 = std::chrono::seconds(5);  // mpirun takes one or two to end the others
constexpr std::string_view kInternalPrefix = "internal error: ";

template <class Base>
struct Agreed : Base, AgreedFailure {
  template <class... Before>
  Agreed(bool is_told, const std::string& sentence, Before... before) : Base(before..., "{}", sentence) {
    is_told_here = is_told;
  }
};

enum class OutcomeKind : char { fine, invalid, over_budget, machine, internal, no_error };

struct OutcomeText {
  OutcomeKind kind = OutcomeKind::fine;
  int64_t smallest_budget_bytes = 0;
  std::string sentence;
};

OutcomeText describe_outcome(const std::exception_ptr& error) {
  if (!error) return {};
  try {
    std::rethrow_exception(error);
  } catch (const InvalidInput& invalid) {
    return {OutcomeKind::invalid, 0, invalid.what()};
  } catch (const BudgetExceeded& exceeded) {
    return {OutcomeKind::over_budget, exceeded.smallest_budget_bytes, exceeded.what()};
  } catch (const MachineFailure& failure) {
    return {OutcomeKind::machine, 0, failure.what()};
  } catch (const std::filesystem::filesystem_error& failure) {
    return {OutcomeKind::invalid, 0, failure.path1().string() + ": " + failure.code().message()};
  } catch (const std::bad_alloc&) {
    return {OutcomeKind::machine, 0, "the machine refused memory for a buffer outside the arena"};
  } catch (const std::exception& other) {
    const std::string_view what = other.what();
    return {OutcomeKind::internal, 0,
            std::string(what.starts_with(kInternalPrefix) ? what.substr(kInternalPrefix.size()) : what)};
  } catch (...) {
    return {OutcomeKind::no_error, 0, "the work was stopped"};
  }
}

// "KIND BUDGET SENTENCE", and back.
std::string pack(const OutcomeText& outcome) {
  return fmt::format("{} {} {}", static_cast<int>(outcome.kind), outcome.smallest_budget_bytes, outcome.sentence);
}

OutcomeText unpack(const std::string& text) {
  const size_t first = text.find(' '), second = text.find(' ', first + 1);
  return {static_cast<OutcomeKind>(std::stoi(text.substr(0, first))),
          std::stoll(text.substr(first + 1, second - first - 1)), text.substr(second + 1)};
}

// Each name and each value behind its length, so that nothing in them can be mistaken for a border.
std::string pack(std::span<const RankFact> facts) {
  std::string text;
  for (const RankFact& fact : facts) {
    for (const std::string* part : {&fact.name, &fact.value}) text += fmt::format("{} {}", part->size(), *part);
  }
  return text;
}

std::vector<RankFact> unpack_facts(std::string_view text) {
  const auto take = [&] {
    const size_t blank = text.find(' ');
    const auto size = static_cast<size_t>(std::stoull(std::string(text.substr(0, blank))));
    std::string part(text.substr(blank + 1, size));
    text.remove_prefix(blank + 1 + size);
    return part;
  };
  std::vector<RankFact> facts;
  while (!text.empty()) {
    std::string name = take();
    facts.push_back({std::move(name), take()});
  }
  return facts;
}

std::string tell_difference(int rank, const std::vector<RankFact>& first, const std::vector<RankFact>& other) {
  size_t at = 0;
  while (at < first.size() && at < other.size() && first[at].name == other[at].name &&
         first[at].value == other[at].value) {
    ++at;
  }
  const auto tell = [&](const std::vector<RankFact>& facts) {
    return at < facts.size() ? fmt::format("{} {}", facts[at].name, facts[at].value) : "nothing more";
  };
  return fmt::format("the ranks differ: rank {} has {}, rank 0 has {}; try the same program, flags and files for all",
                     rank, tell(other), tell(first));
}

}  // namespace

void check_agreement(Communicator& ranks, std::span<const RankFact> facts) {
  const std::vector<std::string> all = all_gather_texts(ranks, pack(facts));
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw Agreed<InvalidInput>(ranks.rank() == 0,
                               tell_difference(static_cast<int>(rank), unpack_facts(all[0]), unpack_facts(all[rank])));
  }
}

void RankOutcome::settle(Communicator& ranks) const {
  const std::vector<std::string> all = all_gather_texts(ranks, pack(describe_outcome(error_)));
  size_t first = 0;
  bool are_alike = true;
  while (first < all.size() && unpack(all[first]).kind == OutcomeKind::fine) ++first;
  if (first == all.size()) return;
  for (const std::string& one : all) are_alike = are_alike && one == all[first];
  const OutcomeText outcome = unpack(all[first]);
  if (error_ && describe_outcome(error_).kind == OutcomeKind::no_error) std::rethrow_exception(error_);
  const std::string sentence = are_alike ? outcome.sentence : fmt::format("rank {}: {}", first, outcome.sentence);
  const bool is_told = ranks.rank() == 0;
  switch (outcome.kind) {
    case OutcomeKind::invalid: throw Agreed<InvalidInput>(is_told, sentence);
    case OutcomeKind::over_budget: throw Agreed<BudgetExceeded>(is_told, sentence, outcome.smallest_budget_bytes);
    case OutcomeKind::internal: throw Agreed<InternalError>(is_told, sentence);
    default: throw Agreed<MachineFailure>(is_told, sentence);
  }
}

std::optional<std::string> sentence_to_tell(const std::exception& error, const std::string& sentence) {
  if (const auto* agreed = dynamic_cast<const AgreedFailure*>(&error)) {
    return agreed->is_told_here ? std::optional(sentence) : std::nullopt;
  }
  const std::optional<Launch> launch = find_launch_of_several();
  if (!launch || launch->rank == 0) return sentence;
  if (teller_of_failure() != Teller::this_rank) std::this_thread::sleep_for(kTurnOfRank0);
  return fmt::format("rank {}: {}", launch->rank, sentence);
}

}  // namespace headroom
