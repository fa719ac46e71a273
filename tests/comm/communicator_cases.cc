#include "tests/comm/communicator_cases.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/comm/collectives.h"
#include "headroom/comm/exchange_clock.h"
#include "headroom/comm/link_rate.h"

namespace headroom {
namespace {

// The bytes that `from` sends to `to` in round `round`: different wherever one of them is.
std::byte byte_of(int from, int to, int round, int64_t at) {
  return static_cast<std::byte>((from * 31 + to * 7 + round * 13 + at * 5 + at / 256) & 255);
}

// A message to and from every other rank, of `bytes` each; the next round has other contents.
class Everybody {
 public:
  Everybody(Communicator& ranks, int64_t bytes) : ranks_(ranks), bytes_(bytes), stride_(bytes > 65536 ? 61 : 1) {
    for (int peer = 0; peer < ranks.size(); ++peer) {
      if (peer == ranks.rank()) continue;
      for (std::vector<Message>* messages : {&exchange_.sends, &exchange_.receives}) {
        places_.push_back(std::vector<std::byte>(static_cast<size_t>(bytes), std::byte{0xee}));
        messages->push_back({peer, places_.back().data(), bytes});
      }
    }
  }
  void begin(int round) {
    for (const Message& message : exchange_.sends) {
      for (int64_t i = 0; i < bytes_; i += stride_) message.data[i] = byte_of(ranks_.rank(), message.peer, round, i);
    }
    ranks_.begin(exchange_);
  }
  void wait(int round) {
    ranks_.wait(exchange_);
    for (const Message& message : exchange_.receives) {
      for (int64_t i = 0; i < bytes_; i += stride_) {
        ensure(message.data[i] == byte_of(message.peer, ranks_.rank(), round, i),
               "byte {} of {} from rank {} in round {} is wrong at rank {}", i, bytes_, message.peer, round,
               ranks_.rank());
      }
    }
  }

 private:
  Communicator& ranks_;
  int64_t bytes_;
  int64_t stride_;  // from one byte that is looked at to the next: sanitizers take long over each
  Exchange exchange_;
  std::vector<std::vector<std::byte>> places_;
};

constexpr int64_t kSizes[] = {0, 1, 1000, 65537, int64_t{1} << 20};

void bytes_of_every_size_arrive_again_and_again(Communicator& ranks) {
  for (const int64_t bytes : kSizes) {
    Everybody exchange(ranks, bytes);
    for (int round = 0; round < 3; ++round) {
      exchange.begin(round);
      exchange.wait(round);
    }
  }
}

void several_in_flight_are_waited_for_in_any_order(Communicator& ranks) {
  std::vector<std::unique_ptr<Everybody>> exchanges;
  for (const int64_t bytes : kSizes) exchanges.push_back(std::make_unique<Everybody>(ranks, bytes));
  for (int round = 0; round < 4; ++round) {
    const int first = round * static_cast<int>(exchanges.size());
    for (size_t i = 0; i < exchanges.size(); ++i) exchanges[i]->begin(first + static_cast<int>(i));
    std::vector<size_t> order = {0, 1, 2, 3, 4};
    // Another order on each rank.
    std::rotate(order.begin(), order.begin() + (ranks.rank() + round) % 5, order.end());
    for (const size_t i : order) exchanges[i]->wait(first + static_cast<int>(i));
  }
}

void several_messages_between_two_ranks_keep_their_order(Communicator& ranks) {
  const int next = (ranks.rank() + 1) % ranks.size();
  const int before = (ranks.rank() + ranks.size() - 1) % ranks.size();
  if (next == ranks.rank()) return;
  std::vector<int64_t> sent(200), received(200, -1);
  Exchange exchange;
  for (size_t i = 0; i < sent.size(); ++i) {
    sent[i] = ranks.rank() * 1000 + static_cast<int64_t>(i);
    exchange.sends.push_back({next, reinterpret_cast<std::byte*>(&sent[i]), 8});
    exchange.receives.push_back({before, reinterpret_cast<std::byte*>(&received[i]), 8});
  }
  ranks.begin(exchange);
  ranks.wait(exchange);
  for (size_t i = 0; i < received.size(); ++i) {
    ensure(received[i] == before * 1000 + static_cast<int64_t>(i), "message {} is {}", i, received[i]);
  }
}

void a_long_message_arrives_whole(Communicator& ranks) {
  if (ranks.size() < 2) return;
  constexpr int64_t kBytes = 9 * (int64_t{1} << 20) + 5;
  const int next = (ranks.rank() + 1) % ranks.size();
  const int before = (ranks.rank() + ranks.size() - 1) % ranks.size();
  std::vector<std::byte> sent(static_cast<size_t>(kBytes)), received(sent.size());
  const auto byte_at = [](int rank, int64_t at) { return static_cast<std::byte>((rank + at / 4099) & 255); };
  for (int64_t at = 0; at < kBytes; ++at) sent[static_cast<size_t>(at)] = byte_at(ranks.rank(), at);
  Exchange exchange{.sends = {{next, sent.data(), kBytes}}, .receives = {{before, received.data(), kBytes}}};
  ranks.begin(exchange);
  ranks.wait(exchange);
  for (int64_t at = kBytes - 1; at >= 0; at -= 1021) {
    ensure(received[static_cast<size_t>(at)] == byte_at(before, at), "byte {} from rank {} is wrong", at, before);
  }
}

void only_some_ranks_may_take_part(Communicator& ranks) {
  if (ranks.size() < 2 || ranks.rank() > 1) return;
  int64_t number = ranks.rank() == 0 ? 42 : 0;
  Exchange exchange;
  (ranks.rank() == 0 ? exchange.sends : exchange.receives)
      .push_back({1 - ranks.rank(), reinterpret_cast<std::byte*>(&number), 8});
  ranks.begin(exchange);
  ranks.wait(exchange);
  ensure(number == 42, "rank {} has {}", ranks.rank(), number);
}

void an_exchange_of_nothing_ends(Communicator& ranks) {
  Exchange nothing;
  for (int round = 0; round < 2; ++round) {
    ranks.begin(nothing);
    ranks.wait(nothing);
  }
}

void traffic_is_counted_to_the_byte(Communicator& ranks) {
  const Traffic before = ranks.traffic();
  Everybody exchange(ranks, 1001);
  for (int round = 0; round < 2; ++round) {
    exchange.begin(round);
    exchange.wait(round);
  }
  barrier(ranks);
  const int64_t expected = 2 * 1001 * (ranks.size() - 1);
  ensure(ranks.traffic().sent_bytes - before.sent_bytes == expected, "sent {}, expected {}",
         ranks.traffic().sent_bytes - before.sent_bytes, expected);
  ensure(ranks.traffic().received_bytes - before.received_bytes == expected, "received {}, expected {}",
         ranks.traffic().received_bytes - before.received_bytes, expected);
}

// Rank 0 sends late: 30 ms after the others have told it that they did something else for 30 ms.
void what_nobody_waits_for_is_hidden(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const auto do_something_else = [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); };
  std::byte byte{};
  Exchange from_first, to_first;
  for (int peer = 1; peer < ranks.size() && ranks.rank() == 0; ++peer) {
    from_first.sends.push_back({peer, &byte, 1});
    to_first.receives.push_back({peer, nullptr, 0});
  }
  if (ranks.rank() != 0) {
    from_first.receives.push_back({0, &byte, 1});
    to_first.sends.push_back({0, nullptr, 0});
  }
  barrier(ranks);
  const Traffic before = ranks.traffic();
  const int64_t begin_ns = exchange_clock_ns();
  if (ranks.rank() != 0) {
    ranks.begin(from_first);
    do_something_else();
  }
  ranks.begin(to_first);
  ranks.wait(to_first);
  if (ranks.rank() == 0) {
    do_something_else();
    ranks.begin(from_first);
  }
  ranks.wait(from_first);
  const int64_t elapsed_ns = exchange_clock_ns() - begin_ns;
  const Traffic times = ranks.traffic() - before;
  ensure(times.under_way_ns <= elapsed_ns && times.waited_ns <= times.under_way_ns, "{} ns waited of {} in {}",
         times.waited_ns, times.under_way_ns, elapsed_ns);
  ensure(from_first.done_ns > begin_ns && from_first.done_ns <= begin_ns + elapsed_ns, "done {} ns after the begin",
         from_first.done_ns - begin_ns);
  if (ranks.rank() == 0) return;
  ensure(times.hidden_seconds() >= 0.03, "{} s hidden of a sleep of 0.03", times.hidden_seconds());
  ensure(times.under_way_ns >= 60'000'000, "{} ns of the 0.06 s that rank 0 is late", times.under_way_ns);
}

// Exchanges that overlap are under way together: their time counts once.
void time_under_way_counts_once(Communicator& ranks) {
  Everybody first(ranks, 1000), second(ranks, 1000);
  barrier(ranks);
  const Traffic before = ranks.traffic();
  const int64_t begin_ns = exchange_clock_ns();
  first.begin(0);
  second.begin(1);
  second.wait(1);
  first.wait(0);
  const int64_t elapsed_ns = exchange_clock_ns() - begin_ns;
  const Traffic times = ranks.traffic() - before;
  ensure(times.under_way_ns <= elapsed_ns, "{} ns under way in {}", times.under_way_ns, elapsed_ns);
}

// Whatever the link, all know the same of it, and a megabyte takes longer than a byte.
void ranks_measure_their_link_together(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const LinkRate rate = measure_link(ranks, link_probe_bytes(1'000'000 + ranks.rank(), ranks.size()));
  for (const LinkRate& other : all_gather_of(ranks, rate)) {
    ensure(other.bytes_per_second == rate.bytes_per_second && other.exchange_seconds == rate.exchange_seconds &&
               other.processor_share == rate.processor_share,
           "rank {} measured another link than its peers", ranks.rank());
  }
  ensure(rate.bytes_per_second > 1e6 && rate.bytes_per_second < 1e13, "{} bytes/s", rate.bytes_per_second);
  ensure(rate.exchange_seconds > 0 && rate.exchange_seconds < 1, "{} s an exchange", rate.exchange_seconds);
  ensure(rate.processor_share >= 0 && rate.processor_share <= 1, "a share of {}", rate.processor_share);
}

void collectives_gather_and_send_to_all(Communicator& ranks) {
  for (int root = 0; root < ranks.size(); ++root) {
    int64_t number = ranks.rank() == root ? 7 + root : 0;
    broadcast(ranks, std::as_writable_bytes(std::span(&number, 1)), root);
    ensure(number == 7 + root, "rank {} has {} of rank {}", ranks.rank(), number, root);
    const std::string text = broadcast_text(ranks, ranks.rank() == root ? std::string(70000, 'x') : "", root);
    ensure(text == std::string(70000, 'x'), "a text of {} bytes", text.size());
  }
  std::vector<int> all(static_cast<size_t>(ranks.size()), -1);
  const int mine = 100 + ranks.rank();
  all_gather(ranks, std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    ensure(all[static_cast<size_t>(rank)] == 100 + rank, "part {} is {}", rank, all[static_cast<size_t>(rank)]);
  }
  const std::vector<std::string> texts =
      all_gather_texts(ranks, std::string(static_cast<size_t>(ranks.rank()), static_cast<char>('a' + ranks.rank())));
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    ensure(texts[rank] == std::string(rank, static_cast<char>('a' + rank)), "text {} is {}", rank, texts[rank]);
  }
}

void errors_of_the_caller_are_named(Communicator& ranks) {
  const auto refused = [&](Exchange exchange) {
    try {
      ranks.begin(exchange);
    } catch (const InternalError&) {
      return;
    }
    throw InternalError("an exchange that cannot be was begun");
  };
  std::byte byte{};
  refused({.sends = {{ranks.rank(), &byte, 1}}, .receives = {}});
  refused({.sends = {}, .receives = {{ranks.size(), &byte, 1}}});
  if (ranks.size() > 1) refused({.sends = {{(ranks.rank() + 1) % ranks.size(), nullptr, 1}}, .receives = {}});
  Exchange never_begun;
  try {
    ranks.wait(never_begun);
  } catch (const InternalError&) {
    return;
  }
  throw InternalError("an exchange that was not begun was waited for");
}

}  // namespace

std::span<const CommunicatorCase> communicator_cases() {
  static const CommunicatorCase cases[] = {
      {"what nobody waits for is hidden", &what_nobody_waits_for_is_hidden},
      {"time under way counts once", &time_under_way_counts_once},
      {"ranks measure their link together", &ranks_measure_their_link_together},
      {"bytes of every size arrive, again and again", &bytes_of_every_size_arrive_again_and_again},
      {"several in flight are waited for in any order", &several_in_flight_are_waited_for_in_any_order},
      {"several messages between two ranks keep their order", &several_messages_between_two_ranks_keep_their_order},
      {"a long message arrives whole", &a_long_message_arrives_whole},
      {"only some ranks may take part", &only_some_ranks_may_take_part},
      {"an exchange of nothing ends", &an_exchange_of_nothing_ends},
      {"traffic is counted to the byte", &traffic_is_counted_to_the_byte},
      {"collectives gather and send to all", &collectives_gather_and_send_to_all},
      {"errors of the caller are named", &errors_of_the_caller_are_named},
  };
  return cases;
}

}  // namespace headroom
