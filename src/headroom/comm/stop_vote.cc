#include "headroom/comm/stop_vote.h"

#include <algorithm>

namespace headroom {

StopVote::StopVote(Communicator& ranks) : ranks_(ranks), answers_(static_cast<size_t>(ranks.size())) {
  std::byte* mine = &answers_[static_cast<size_t>(ranks.rank())];
  for (int peer = 0; peer < ranks.size(); ++peer) {
    if (peer == ranks.rank()) continue;
    exchange_.sends.push_back({peer, mine, 1});
    exchange_.receives.push_back({peer, &answers_[static_cast<size_t>(peer)], 1});
  }
}

int StopVote::ask(int mine) {
  answers_[static_cast<size_t>(ranks_.rank())] = static_cast<std::byte>(mine);
  ranks_.begin(exchange_);
  ranks_.wait(exchange_);
  const auto first =
      std::find_if(answers_.begin(), answers_.end(), [](std::byte answer) { return answer != std::byte{0}; });
  return first == answers_.end() ? 0 : std::to_integer<int>(*first);
}

}  // namespace headroom
