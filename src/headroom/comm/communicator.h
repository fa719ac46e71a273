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
};

// What went over the wire since the start, of this rank.
struct Traffic {
  int64_t sent_bytes = 0;
  int64_t received_bytes = 0;
};

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

  const Traffic& traffic() const { return traffic_; }

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}
  Traffic traffic_;  // counted by begin()

 private:
  int rank_;
  int size_;
};

}  // namespace headroom
