// The ranks of a job and the bytes that go between them. Only bytes move: every sum is an op of the graph, in its
// written order (docs/arithmetic.md), so no result depends on whose library moves them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom {

// Bytes to or from one other rank; `data` is borrowed.
struct Message {
  int peer = 0;
  std::byte* data = nullptr;
  int64_t size_bytes = 0;
};

// Messages that are begun and waited for together: made once by its owner, used again and again. Until it has been
// waited for, what it sends must stay as it is and what it receives is not there.
struct Exchange {
  std::vector<Message> sends;
  std::vector<Message> receives;
  int64_t done_ns = 0;  // when all had left and arrived, of the steady clock: set by wait()
};

// What went over the wire since the start, of this rank.
struct Traffic {
  int64_t sent_bytes = 0;
  int64_t received_bytes = 0;
  // While exchanges were under way, from begin() until all had left and arrived, and the part of it that wait() took.
  int64_t under_way_ns = 0;
  int64_t waited_ns = 0;

  double waited_seconds() const { return 1e-9 * static_cast<double>(waited_ns); }
  // Of transfer, beside which this rank did something else.
  double hidden_seconds() const { return 1e-9 * static_cast<double>(under_way_ns - waited_ns); }
};

inline Traffic operator-(const Traffic& now, const Traffic& before) {
  return {now.sent_bytes - before.sent_bytes, now.received_bytes - before.received_bytes,
          now.under_way_ns - before.under_way_ns, now.waited_ns - before.waited_ns};
}

// One rank's end. One thread at a time begins and waits.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }  // ranks of the job

  // Starts to move the messages and returns. `exchange` is borrowed until it has been waited for. All ranks begin
  // exchanges that belong together in the same order: the n-th message from one rank to another meets the n-th that the
  // other receives from it, and is as long. Several may be in flight. Allocates nothing once each exchange has been
  // begun once.
  virtual void begin(Exchange& exchange) = 0;
  // Until all of it has left and arrived. Throws MachineFailure that names the rank when a peer is lost or silent.
  virtual void wait(Exchange& exchange) = 0;

  // Bytes as of the last begin(), times as of the last wait().
  const Traffic& traffic() const { return traffic_; }

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}
  // At the end of wait(): when it began, when all was done, and for how long exchanges have been under way so far.
  void note_wait(Exchange& exchange, int64_t waited_from_ns, int64_t done_ns, int64_t under_way_ns) {
    exchange.done_ns = done_ns;
    if (done_ns > waited_from_ns) traffic_.waited_ns += done_ns - waited_from_ns;
    traffic_.under_way_ns = under_way_ns;
  }
  Traffic traffic_;  // bytes are counted by begin()

 private:
  int rank_;
  int size_;
};

}  // namespace headroom
