#include "headroom/comm/local_ranks.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/comm/exchange_clock.h"
#include "headroom/comm/exchange_traffic.h"

namespace headroom {
namespace {

constexpr int kNobody = -1;

// One end of a message that its rank has begun; `flight` is the slot of its exchange.
struct PostedEnd {
  std::byte* data = nullptr;
  int64_t size_bytes = 0;
  size_t flight = 0;
};

// First in, first out; keeps its room.
class EndQueue {
 public:
  bool empty() const { return head_ == ends_.size(); }
  const PostedEnd& front() const { return ends_[head_]; }
  void push(const PostedEnd& end) {
    if (ends_.size() == ends_.capacity() && head_ > 0) {
      ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    ends_.push_back(end);
  }
  void pop() {
    if (++head_ == ends_.size()) clear();
  }
  void clear() {
    ends_.clear();
    head_ = 0;
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t i = head_; i < ends_.size(); ++i) visit(ends_[i]);
  }

 private:
  std::vector<PostedEnd> ends_;
  size_t head_ = 0;
};

// An exchange between its begin and its wait; a slot is free while `exchange` is null.
struct Flight {
  const Exchange* exchange = nullptr;
  int open_ends = 0;
  int lost_peer = kNobody;  // a rank that left before its end of a message was there
  int64_t done_ns = 0;      // when no end was open any more
};

struct LocalRankState {
  std::vector<Flight> flights;
  std::condition_variable changed;
  ExchangeClock clock;
  int left_because_of = kNobody;  // the rank that left first: this one, or one that it waited for
};

// What the ranks share; everything in it is under `mutex`.
class Mailboxes {
 public:
  explicit Mailboxes(int size)
      : ranks_(static_cast<size_t>(size)), sends_(ranks_.size() * ranks_.size()), receives_(sends_.size()) {}

  void begin(int rank, const Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    LocalRankState& own = ranks_[index(rank)];
    ensure(own.left_because_of == kNobody, "rank {} begins an exchange after it has left", rank);
    const size_t slot = free_slot(own, exchange);
    own.flights[slot] = {&exchange, 0, kNobody, 0};
    own.clock.begin(exchange_clock_ns());
    for (const Message& message : exchange.receives) {
      post(rank, slot, message, receives_[pair(message.peer, rank)], sends_[pair(message.peer, rank)], false);
    }
    for (const Message& message : exchange.sends) {
      post(rank, slot, message, sends_[pair(rank, message.peer)], receives_[pair(rank, message.peer)], true);
    }
    if (own.flights[slot].open_ends == 0) finish(own, slot);
  }

  struct Times {
    int64_t done_ns = 0;
    int64_t under_way_ns = 0;
  };
  Times wait(int rank, const Exchange& exchange) {
    std::unique_lock lock(mutex_);
    LocalRankState& own = ranks_[index(rank)];
    const size_t slot = slot_of(own, exchange);
    ensure(slot < own.flights.size(), "rank {} waits for an exchange that it has not begun", rank);
    own.changed.wait(lock, [&] { return own.flights[slot].open_ends == 0 || own.flights[slot].lost_peer != kNobody; });
    const Flight flight = own.flights[slot];
    own.flights[slot].exchange = nullptr;
    if (flight.open_ends == 0) return {flight.done_ns, own.clock.under_way_ns(exchange_clock_ns())};
    const int lost = ranks_[index(flight.lost_peer)].left_because_of;
    leave_locked(rank, lost);
    throw MachineFailure("rank {} has left the job, and rank {} waits for it; what it said last tells why", lost, rank);
  }

  void leave(int rank) {
    const std::lock_guard lock(mutex_);
    leave_locked(rank, rank);
  }

 private:
  static size_t index(int rank) { return static_cast<size_t>(rank); }
  size_t pair(int from, int to) const { return index(from) * ranks_.size() + index(to); }

  static size_t slot_of(const LocalRankState& rank, const Exchange& exchange) {
    size_t slot = 0;
    while (slot < rank.flights.size() && rank.flights[slot].exchange != &exchange) ++slot;
    return slot;
  }

  static size_t free_slot(LocalRankState& rank, const Exchange& exchange) {
    ensure(slot_of(rank, exchange) == rank.flights.size(), "an exchange is begun again before it has been waited for");
    for (size_t slot = 0; slot < rank.flights.size(); ++slot) {
      if (rank.flights[slot].exchange == nullptr) return slot;
    }
    rank.flights.emplace_back();
    return rank.flights.size() - 1;
  }

  static void finish(LocalRankState& rank, size_t slot) {
    rank.clock.done(rank.flights[slot].done_ns = exchange_clock_ns());
    rank.changed.notify_all();
  }

  // One end of a message: it meets the other end in `others`, or waits for it in `own`.
  void post(int rank, size_t slot, const Message& message, EndQueue& own, EndQueue& others, bool sends) {
    Flight& flight = ranks_[index(rank)].flights[slot];
    LocalRankState& peer = ranks_[index(message.peer)];
    if (!others.empty()) {
      const PostedEnd& other = others.front();
      ensure(other.size_bytes == message.size_bytes, "rank {} has {} bytes for rank {}, which has {} for it", rank,
             message.size_bytes, message.peer, other.size_bytes);
      if (message.size_bytes > 0) {
        std::memcpy(sends ? other.data : message.data, sends ? message.data : other.data,
                    static_cast<size_t>(message.size_bytes));
      }
      if (--peer.flights[other.flight].open_ends == 0) finish(peer, other.flight);
      others.pop();
      return;
    }
    ++flight.open_ends;
    if (peer.left_because_of != kNobody) {
      flight.lost_peer = message.peer;
    } else {
      own.push({message.data, message.size_bytes, slot});
    }
  }

  void leave_locked(int rank, int because_of) {
    LocalRankState& own = ranks_[index(rank)];
    if (own.left_because_of != kNobody) return;
    own.left_because_of = because_of;
    for (int peer = 0; peer < static_cast<int>(ranks_.size()); ++peer) {
      sends_[pair(rank, peer)].clear();
      receives_[pair(peer, rank)].clear();
      const auto lose = [&](const PostedEnd& end) { ranks_[index(peer)].flights[end.flight].lost_peer = rank; };
      sends_[pair(peer, rank)].for_each(lose);
      receives_[pair(rank, peer)].for_each(lose);
      sends_[pair(peer, rank)].clear();
      receives_[pair(rank, peer)].clear();
      ranks_[index(peer)].changed.notify_all();
    }
  }

  std::mutex mutex_;
  std::deque<LocalRankState> ranks_;
  std::vector<EndQueue> sends_;  // of each pair of ranks: what waits for its other end
  std::vector<EndQueue> receives_;
};

class LocalRank : public Communicator {
 public:
  LocalRank(std::shared_ptr<Mailboxes> mailboxes, int rank, int size)
      : Communicator(rank, size), mailboxes_(std::move(mailboxes)) {}
  ~LocalRank() override { mailboxes_->leave(rank()); }

  void begin(Exchange& exchange) override {
    const Traffic traffic = exchange_traffic(exchange, *this);
    traffic_.sent_bytes += traffic.sent_bytes;
    traffic_.received_bytes += traffic.received_bytes;
    mailboxes_->begin(rank(), exchange);
  }
  void wait(Exchange& exchange) override {
    const int64_t from_ns = exchange_clock_ns();
    const Mailboxes::Times times = mailboxes_->wait(rank(), exchange);
    note_wait(exchange, from_ns, times.done_ns, times.under_way_ns);
  }

 private:
  std::shared_ptr<Mailboxes> mailboxes_;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> make_local_ranks(int size) {
  ensure(size >= 1, "a job of {} ranks", size);
  auto mailboxes = std::make_shared<Mailboxes>(size);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<LocalRank>(mailboxes, rank, size));
  return ranks;
}

}  // namespace headroom
