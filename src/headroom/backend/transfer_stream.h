// Moves bytes between the arena and files while nodes run: what the transfers of a graph (ops/transfer.h) are given to.
// Many requests are in flight at a time, direct, into and out of the arena itself: io_uring where the kernel allows it,
// else a few threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace headroom {

// One transfer: made once by its owner, begun and waited for in every run.
struct TransferRequest {
  struct Part {
    int descriptor = -1;
    int64_t offset_bytes = 0;   // in the file; a multiple of kPageBytes, but see open_disk_lane
    std::byte* data = nullptr;  // on a page, with room for whole pages: the last page of a file may end in it
    int64_t size_bytes = 0;
  };
  bool is_write = false;
  const std::string* model_file = nullptr;  // that is read, for messages; null: the offload file
  std::vector<Part> parts;
  // The stream's.
  int64_t pending = 0;  // pieces that are not done
  int error = 0;        // errno of the first that failed; ENODATA where a file ended
};

class TransferStream {
 public:
  // What a stream takes of the process at most, threads included; and beside it where it copies.
  static constexpr int64_t kReserveBytes = 512 * 1024;
  static constexpr int64_t kCopyBytes = 4 * (1024 * 1024 + 4096);

  virtual ~TransferStream() = default;
  TransferStream(const TransferStream&) = delete;
  TransferStream& operator=(const TransferStream&) = delete;

  // Begins `request`, which is borrowed until it has been waited for. If one that is in flight touches the same place
  // of a file and either writes, that one is finished first.
  void begin(TransferRequest& request);
  // Until it is done. Throws MachineFailure when a part of it failed.
  void wait(TransferRequest& request);
  // Waits for all that is in flight, whatever became of it.
  void drain();

 protected:
  TransferStream(std::string directory, size_t most_requests);

  static constexpr int64_t kPieceBytes = 1024 * 1024;

  virtual void start(TransferRequest& request) = 0;
  virtual void await(TransferRequest& request) = 0;

  // "cannot VERB": throws MachineFailure with the file, or the offload file's directory.
  [[noreturn]] void fail(const TransferRequest* request, const char* verb, int error) const;

 private:
  std::string directory_;  // of the offload file, for messages
  std::vector<TransferRequest*> in_flight_;
};

// At most `most_requests` are in flight at a time. The first is null where the kernel or the container denies io_uring;
// the bytes are the same. The second also reads what does not begin on a page, by way of a copy.
std::unique_ptr<TransferStream> make_uring_stream(const std::string& directory, size_t most_requests);
std::unique_ptr<TransferStream> make_thread_stream(const std::string& directory, size_t most_requests);

}  // namespace headroom
