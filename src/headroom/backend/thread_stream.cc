// Transfers by a few threads that read and write, where io_uring is denied.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "headroom/backend/transfer_stream.h"
#include "headroom/base/bytes.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

constexpr size_t kThreads = 4;
constexpr size_t kQueuedPieces = 128;  // that wait for a thread

class ThreadStream : public TransferStream {
 public:
  ThreadStream(const std::string& directory, size_t most_requests) : TransferStream(directory, most_requests) {
    for (std::thread& thread : threads_) thread = std::thread([this] { work(); });
  }

  ~ThreadStream() override {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  struct Piece {
    TransferRequest* request = nullptr;
    TransferRequest::Part part;
  };

  void start(TransferRequest& request) override {
    std::unique_lock lock(mutex_);
    for (const TransferRequest::Part& part : request.parts) {
      for (int64_t done = 0; done < part.size_bytes; done += kPieceBytes) {
        changed_.wait(lock, [this] { return count_ < kQueuedPieces; });
        Piece& piece = queue_[(first_ + count_++) % kQueuedPieces];
        piece = {&request, part};
        piece.part.offset_bytes += done;
        piece.part.data += done;
        piece.part.size_bytes = std::min(kPieceBytes, part.size_bytes - done);
        ++request.pending;
        changed_.notify_all();
      }
    }
  }

  void await(TransferRequest& request) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return request.pending == 0; });
  }

  void work() {
    std::unique_ptr<std::byte[], decltype(&std::free)> copy(nullptr, &std::free);  // where a piece begins within a page
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return count_ > 0 || ends_; });
      if (count_ == 0) return;
      const Piece piece = queue_[first_];
      first_ = (first_ + 1) % kQueuedPieces;
      --count_;
      lock.unlock();
      int error = 0;
      if (piece.part.offset_bytes % kPageBytes == 0) {
        error = move(piece.part, piece.request->is_write);
      } else {
        if (copy == nullptr) {
          copy.reset(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, kPieceBytes + 2 * kPageBytes)));
        }
        error = copy == nullptr ? ENOMEM : read_by_copy(piece.part, copy.get());
      }
      lock.lock();
      if (piece.request->error == 0) piece.request->error = error;
      --piece.request->pending;
      changed_.notify_all();
    }
  }

  // 0, or what went wrong. Whole pages are moved; of the last as much as there is must do.
  static int move(TransferRequest::Part left, bool is_write) {
    while (left.size_bytes > 0) {
      const auto bytes = static_cast<size_t>(round_up(left.size_bytes, kPageBytes));
      const ssize_t moved = is_write ? ::pwrite(left.descriptor, left.data, bytes, left.offset_bytes)
                                     : ::pread(left.descriptor, left.data, bytes, left.offset_bytes);
      if (moved < 0 && errno == EINTR) continue;
      if (moved <= 0) return moved < 0 ? errno : is_write ? ENOSPC : ENODATA;
      left.offset_bytes += moved;
      left.data += moved;
      left.size_bytes -= moved;
    }
    return 0;
  }

  static int read_by_copy(const TransferRequest::Part& part, std::byte* copy) {
    const int64_t skipped = part.offset_bytes % kPageBytes;
    const int error = move({part.descriptor, part.offset_bytes - skipped, copy, skipped + part.size_bytes}, false);
    if (error == 0) std::memcpy(part.data, copy + skipped, static_cast<size_t>(part.size_bytes));
    return error;
  }

  std::mutex mutex_;
  std::condition_variable changed_;  // the queue, or how much of a request is left
  std::array<Piece, kQueuedPieces> queue_ = {};
  size_t first_ = 0;
  size_t count_ = 0;
  bool ends_ = false;
  std::array<std::thread, kThreads> threads_;
};

}  // namespace

std::unique_ptr<TransferStream> make_thread_stream(const std::string& directory, size_t most_requests) {
  return std::make_unique<ThreadStream>(directory, most_requests);
}

}  // namespace headroom
