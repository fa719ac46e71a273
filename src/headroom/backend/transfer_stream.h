// Moves bytes between the arena and the offload file while nodes run: what the transfers of a graph (ops/transfer.h)
// are given to. Many requests are in flight at a time, direct, into and out of the arena itself: io_uring where the
// kernel allows it, else a few threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "headroom/backend/offload_file.h"

namespace headroom {

// One transfer: made once by its owner, begun and waited for in every run.
struct TransferRequest {
  struct Part {
    int64_t offset_bytes = 0;  // in the file; like memory and size a multiple of kPageBytes
    std::byte* data = nullptr;
    int64_t size_bytes = 0;
  };
  bool is_write = false;
  std::vector<Part> parts;
  // The stream's.
  int64_t pending = 0;  // pieces that are not done
  int error = 0;        // errno of the first that failed; ENODATA where the file ended
};

class TransferStream {
 public:
  // What a stream takes of the process at most, threads included.
  static constexpr int64_t kReserveBytes = 512 * 1024;

  virtual ~TransferStream() = default;
  TransferStream(const TransferStream&) = delete;
  TransferStream& operator=(const TransferStream&) = delete;

  // Begins `request`, which is borrowed until it has been waited for. If one that is in flight touches the same place
  // of the file and either writes, that one is finished first.
  void begin(TransferRequest& request);
  // Until it is done. Throws MachineFailure when a part of it failed.
  void wait(TransferRequest& request);
  // Waits for all that is in flight, whatever became of it.
  void drain();

 protected:
  TransferStream(OffloadFile& file, size_t most_requests);

  static constexpr int64_t kPieceBytes = 1024 * 1024;

  virtual void start(TransferRequest& request) = 0;
  virtual void await(TransferRequest& request) = 0;

  OffloadFile& file_;

 private:
  std::vector<TransferRequest*> in_flight_;
};

// `file` is borrowed. At most `most_requests` are in flight at a time. The first is null where the kernel or the
// container denies io_uring; the bytes are the same.
std::unique_ptr<TransferStream> make_uring_stream(OffloadFile& file, size_t most_requests);
std::unique_ptr<TransferStream> make_thread_stream(OffloadFile& file, size_t most_requests);

}  // namespace headroom
