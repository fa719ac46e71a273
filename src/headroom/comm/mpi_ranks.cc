#include "headroom/comm/mpi_ranks.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/collectives.h"
#include "headroom/comm/exchange_clock.h"
#include "headroom/comm/exchange_traffic.h"

namespace headroom {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kPieceBytes = kMiB;  // of a message: MPI's counts are int, and a piece is moved in one go
// Of pieces that are on their way to one rank together; the others wait, so that what was begun first arrives first.
constexpr int64_t kWindowBytes = 4 * kMiB;
constexpr int kDataTag = 0, kLifeTag = 1;
constexpr auto kLifeInterval = seconds(1);
constexpr auto kProgressInterval = microseconds(300);  // between looks at messages while the others compute
// Of a wait: a look after the other, then with its processor offered to others, then asleep between looks.
constexpr auto kSpinTime = microseconds(200);
constexpr auto kYieldTime = milliseconds(1);
constexpr auto kSleepTime = microseconds(50);
constexpr auto kLastWords = seconds(3);  // for the launcher to end this process once another rank has said why
constexpr auto kMomentToSay = milliseconds(200);
constexpr int kEndedByMachine = 4;  // the exit code of a MachineFailure (docs/cli.md)

constexpr unsigned char kGoesOn = 1, kEndsByError = 2;  // what ranks say to each other

// The pieces of an exchange between its begin and its wait. Free while `exchange` is null; keeps its room.
struct MpiFlight {
  const Exchange* exchange = nullptr;
  std::vector<HeadroomMpiRequest> receives;
  size_t arrived = 0;    // of the receives, from the front
  int64_t to_leave = 0;  // pieces that it sends
  int64_t done_ns = 0;   // when the last of all was seen to have come or gone; 0: not yet
};

struct SendPiece {
  MpiFlight* flight = nullptr;
  const std::byte* data = nullptr;
  int size_bytes = 0;
  HeadroomMpiRequest request = {};
};

// What goes to one rank, in the order in which it was begun; keeps its room.
struct SendQueue {
  std::vector<SendPiece> pieces;
  size_t first = 0;  // that is on its way
  size_t next = 0;   // that waits
  int64_t under_way_bytes = 0;

  void push(const SendPiece& piece) {
    if (pieces.size() == pieces.capacity() && first > 0) {
      pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(first));
      next -= first;
      first = 0;
    }
    pieces.push_back(piece);
  }
  bool has_room() const {
    return next < pieces.size() && (under_way_bytes == 0 || under_way_bytes + pieces[next].size_bytes <= kWindowBytes);
  }
};

struct PeerLife {
  int rank = 0;
  HeadroomMpiRequest receive = {}, send = {};
  unsigned char heard = 0, said = 0;
  bool is_saying = false;
  Clock::time_point last_heard;
};

int64_t pieces_of(const std::vector<Message>& messages) {
  int64_t pieces = 0;
  for (const Message& message : messages) {
    pieces += std::max<int64_t>((message.size_bytes + kPieceBytes - 1) / kPieceBytes, 1);
  }
  return pieces;
}

// Calls visit(first byte, bytes) for each piece; one of nothing for a message of nothing.
template <class Visit>
void for_each_piece(const Message& message, Visit visit) {
  int64_t at = 0;
  do {
    const auto size = static_cast<int>(std::min(kPieceBytes, message.size_bytes - at));
    visit(message.data + at, size);
    at += size;
  } while (at < message.size_bytes);
}

class MpiRanks : public Communicator {
 public:
  MpiRanks(const HeadroomMpi& mpi, const RankSettings& settings)
      : Communicator(mpi.rank(), mpi.size()),
        mpi_(mpi),
        timeout_(seconds(settings.timeout_seconds)),
        exceptions_(std::uncaught_exceptions()),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        sends_(static_cast<size_t>(mpi.size())) {
    if (wake_ < 0) throw MachineFailure("the kernel gives no eventfd for the thread that moves messages");
    peers_.reserve(static_cast<size_t>(size()));  // MPI writes into them
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      peers_.push_back({.rank = peer, .last_heard = Clock::now()});
      listen_to(peers_.back());
    }
    thread_ = std::thread([this] { stand_watch(); });
  }

  ~MpiRanks() override {
    const bool by_error = std::uncaught_exceptions() > exceptions_;
    if (!by_error) meet_others_at_the_end();
    is_ending_ = true;
    wake_thread();
    thread_.join();
    ::close(wake_);
    if (by_error) {
      tell_end_by_error();
      if (rank() != 0 && has_heard_end_of_rank_0()) note_that_rank_0_ends();
      return;  // MPI ends with the process: others are in the middle of something
    }
    for (PeerLife& peer : peers_) mpi_.cancel(&peer.receive);
    mpi_.finish();
  }

  void begin(Exchange& exchange) override {
    const Traffic traffic = exchange_traffic(exchange, *this);
    traffic_.sent_bytes += traffic.sent_bytes;
    traffic_.received_bytes += traffic.received_bytes;
    {
      const std::lock_guard lock(mutex_);
      MpiFlight& flight = free_flight(exchange);
      flight.exchange = &exchange;
      for (const Message& message : exchange.receives) begin_receive(flight, message);
      for (const Message& message : exchange.sends) begin_send(flight, message);
      clock_.begin(exchange_clock_ns());
      ++in_flight_;
    }
    if (sleeps_long_.exchange(false)) wake_thread();
  }

  void wait(Exchange& exchange) override {
    MpiFlight& flight = flight_of(exchange);
    const int64_t from_ns = exchange_clock_ns();
    const Clock::time_point begin = Clock::now();
    is_waiting_ = true;
    while (!has_arrived(flight)) {
      check_others();
      const Clock::duration waited = Clock::now() - begin;
      if (waited < kSpinTime) continue;
      if (waited < kYieldTime) {
        ::sched_yield();
      } else {
        std::this_thread::sleep_for(kSleepTime);
      }
    }
    is_waiting_ = false;
    bool is_last = false;
    {
      const std::lock_guard lock(mutex_);
      advance_all();  // what arrived beside this one is done as well
      note_wait(exchange, from_ns, flight.done_ns, clock_.under_way_ns(exchange_clock_ns()));
      flight.exchange = nullptr;
      is_last = --in_flight_ == 0;
    }
    if (!is_last && sleeps_long_.exchange(false)) wake_thread();
  }

 private:
  void check(int error) const {
    if (error == 0) return;
    char text[256] = "";
    mpi_.error_text(error, text, sizeof(text));
    throw MachineFailure("{} fails to move bytes between ranks: {}", mpi_.library, text);
  }

  // ---- Messages

  MpiFlight& flight_of(const Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    for (const std::unique_ptr<MpiFlight>& flight : flights_) {
      if (flight->exchange == &exchange) return *flight;
    }
    throw InternalError("rank {} waits for an exchange that it has not begun", rank());
  }

  // The free one with the least room that is enough.
  MpiFlight& free_flight(const Exchange& exchange) {
    const auto pieces = static_cast<size_t>(pieces_of(exchange.receives));
    MpiFlight* best = nullptr;
    for (const std::unique_ptr<MpiFlight>& flight : flights_) {
      ensure(flight->exchange != &exchange, "an exchange is begun again before it has been waited for");
      if (flight->exchange != nullptr || flight->receives.capacity() < pieces) continue;
      if (best == nullptr || flight->receives.capacity() < best->receives.capacity()) best = flight.get();
    }
    if (best == nullptr) {
      best = flights_.emplace_back(std::make_unique<MpiFlight>()).get();
      best->receives.reserve(pieces);
    }
    best->receives.clear();
    best->arrived = 0;
    best->to_leave = pieces_of(exchange.sends);
    best->done_ns = 0;
    return *best;
  }

  void begin_receive(MpiFlight& flight, const Message& message) {
    for_each_piece(message, [&](std::byte* data, int size_bytes) {
      HeadroomMpiRequest request = {};
      check(mpi_.receive(data, size_bytes, message.peer, kDataTag, &request));
      flight.receives.push_back(request);
    });
  }

  void begin_send(MpiFlight& flight, const Message& message) {
    SendQueue& queue = sends_[static_cast<size_t>(message.peer)];
    for_each_piece(message, [&](std::byte* data, int size_bytes) { queue.push({&flight, data, size_bytes, {}}); });
    send_on(message.peer);
  }

  // Takes out what has left, and begins to send what there is room for.
  void send_on(int peer) {
    SendQueue& queue = sends_[static_cast<size_t>(peer)];
    for (; queue.first < queue.next; ++queue.first) {
      SendPiece& piece = queue.pieces[queue.first];
      int done = 0;
      check(mpi_.test(&piece.request, &done));
      if (done == 0) break;
      queue.under_way_bytes -= piece.size_bytes;
      --piece.flight->to_leave;
    }
    for (; queue.has_room(); ++queue.next) {
      SendPiece& piece = queue.pieces[queue.next];
      check(mpi_.send(piece.data, piece.size_bytes, peer, kDataTag, &piece.request));
      queue.under_way_bytes += piece.size_bytes;
    }
    if (queue.first < queue.pieces.size()) return;
    queue.pieces.clear();
    queue.first = queue.next = 0;
  }

  void send_on_to_all() {
    for (int peer = 0; peer < size(); ++peer) send_on(peer);
  }

  bool has_arrived(MpiFlight& flight) {
    const std::lock_guard lock(mutex_);
    send_on_to_all();
    return advance(flight);
  }

  // A look at one message lets all of them go on, so the first that has not arrived is enough.
  bool advance(MpiFlight& flight) {
    while (flight.arrived < flight.receives.size()) {
      int done = 0;
      check(mpi_.test(&flight.receives[flight.arrived], &done));
      if (done == 0) return false;
      ++flight.arrived;
    }
    if (flight.to_leave > 0) return false;
    if (flight.done_ns == 0) clock_.done(flight.done_ns = exchange_clock_ns());
    return true;
  }

  bool advance_all() {
    bool have_arrived = true;
    send_on_to_all();
    for (const std::unique_ptr<MpiFlight>& flight : flights_) {
      if (flight->exchange != nullptr) have_arrived = advance(*flight) && have_arrived;
    }
    return have_arrived;
  }

  // ---- The thread

  void wake_thread() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));
  }

  void stand_watch() {
    ::prctl(PR_SET_TIMERSLACK, 1000L);
    Clock::time_point next_sign = Clock::now();
    while (!is_ending_) {
      bool has_work = false;
      sleeps_long_ = true;  // before the look at what is in flight, so that what is begun after it wakes this thread
      try {
        const std::lock_guard lock(mutex_);
        has_work = !is_waiting_ && !advance_all();
        if (Clock::now() >= next_sign) {
          watch_others(Clock::now() > next_sign + kLifeInterval);
          next_sign = Clock::now() + kLifeInterval;
        }
      } catch (const MachineFailure& failure) {
        give_up({.sentence = failure.what(), .is_told_here = true});
      }
      end_if_given_up();
      if (has_work) sleeps_long_ = false;
      sleep_for(has_work ? kProgressInterval : kLifeInterval);
    }
  }

  void sleep_for(Clock::duration most) const {
    const auto nanoseconds = std::chrono::nanoseconds(most).count();
    const timespec time = {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    pollfd woken = {wake_, POLLIN, 0};
    if (::ppoll(&woken, 1, &time, nullptr) <= 0) return;
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t bytes = ::read(wake_, &count, sizeof(count));
  }

  // ---- Signs of life

  void listen_to(PeerLife& peer) { check(mpi_.receive(&peer.heard, 1, peer.rank, kLifeTag, &peer.receive)); }

  // After a sleep that was too long (this process was stopped) nobody is blamed for what was not heard.
  void watch_others(bool has_overslept) {
    int silent = -1;
    int first_alive = rank();
    for (PeerLife& peer : peers_) {
      int done = 0;
      check(mpi_.test(&peer.receive, &done));
      if (done != 0 || has_overslept) peer.last_heard = Clock::now();
      if (done != 0 && peer.heard == kEndsByError) give_up({});
      if (done != 0) listen_to(peer);
      if (Clock::now() - peer.last_heard > timeout_) {
        if (silent < 0) silent = peer.rank;
      } else {
        first_alive = std::min(first_alive, peer.rank);
      }
      say(peer, kGoesOn);
    }
    if (silent < 0) return;
    give_up(
        {.sentence = fmt::format("rank {} has not answered for {} s: its machine, its network or the process stands "
                                 "still; the job ends",
                                 silent, std::chrono::duration_cast<seconds>(timeout_).count()),
         .is_told_here = first_alive == rank()});
  }

  void say(PeerLife& peer, unsigned char what) {
    int done = 1;
    if (peer.is_saying) check(mpi_.test(&peer.send, &done));
    if (done == 0) return;
    peer.said = what;
    check(mpi_.send(&peer.said, 1, peer.rank, kLifeTag, &peer.send));
    peer.is_saying = true;
  }

  // ---- The end

  // Why the job cannot go on; no sentence where another rank tells it.
  struct End {
    std::string sentence;
    bool is_told_here = false;
  };

  void give_up(End end) {
    if (given_up_) return;
    end_ = std::move(end);
    given_up_at_ = Clock::now();
    given_up_ = true;
  }

  // Of the thread that waits: the one rank that tells it throws; others are to be ended by the launcher meanwhile.
  void check_others() {
    if (!given_up_) return;
    if (!end_.is_told_here) std::this_thread::sleep_for(2 * kLastWords);
    throw MachineFailure("{}", end_.sentence);
  }

  // Where nothing has ended the process by now: no wait, no launcher.
  void end_if_given_up() const {
    if (!given_up_ || Clock::now() - given_up_at_ < kLastWords) return;
    if (end_.is_told_here) print_note("headroom: {}\n", end_.sentence);
    std::_Exit(kEndedByMachine);
  }

  void meet_others_at_the_end() {
    try {
      barrier(*this);
    } catch (const MachineFailure& failure) {
      print_note("headroom: {}\n", failure.what());
      std::_Exit(kEndedByMachine);
    }
  }

  // Alone by now. A moment for what was said before to leave.
  void tell_end_by_error() {
    try {
      for (PeerLife& peer : peers_) {
        if (peer.is_saying) finish_saying(peer);
        say(peer, kEndsByError);
      }
      for (PeerLife& peer : peers_) finish_saying(peer);
    } catch (const MachineFailure&) {  // the others will miss this rank instead
    }
  }

  bool has_heard_end_of_rank_0() {
    PeerLife& peer = peers_.front();
    const Clock::time_point begin = Clock::now();
    while (peer.heard != kEndsByError && Clock::now() - begin < kMomentToSay) {
      int done = 0;
      if (mpi_.test(&peer.receive, &done) != 0) return false;
      if (done != 0 && peer.heard != kEndsByError) listen_to(peer);
      std::this_thread::sleep_for(kSleepTime);
    }
    return peer.heard == kEndsByError;
  }

  void finish_saying(PeerLife& peer) {
    const Clock::time_point begin = Clock::now();
    for (int done = 0; done == 0 && Clock::now() - begin < kMomentToSay; std::this_thread::sleep_for(kSleepTime)) {
      check(mpi_.test(&peer.send, &done));
      if (done != 0) peer.is_saying = false;
    }
  }

  const HeadroomMpi& mpi_;
  const Clock::duration timeout_;
  const int exceptions_;
  const int wake_;
  std::mutex mutex_;  // MPI, what is in flight, and the clock
  std::vector<std::unique_ptr<MpiFlight>> flights_;
  std::vector<SendQueue> sends_;  // by rank
  int in_flight_ = 0;
  ExchangeClock clock_;
  std::atomic<bool> is_waiting_ = false;   // the owner looks at messages itself
  std::atomic<bool> sleeps_long_ = false;  // the thread, until it is woken
  std::atomic<bool> is_ending_ = false;
  std::atomic<bool> given_up_ = false;
  End end_;  // written by the thread before given_up_
  Clock::time_point given_up_at_;
  std::vector<PeerLife> peers_;  // of the thread
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_ranks(const HeadroomMpi& mpi, const RankSettings& settings) {
  return std::make_unique<MpiRanks>(mpi, settings);
}

}  // namespace headroom
