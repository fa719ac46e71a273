// Transfers by io_uring (Axboe 2019): requests are handed to the kernel with one call, and it tells when they are done.
#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "headroom/backend/transfer_stream.h"
#include "headroom/base/bytes.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

constexpr unsigned kPieces = 128;  // in flight

class UringStream : public TransferStream {
 public:
  UringStream(const std::string& directory, size_t most_requests, const io_uring& ring)
      : TransferStream(directory, most_requests), ring_(ring) {
    for (Piece& piece : pieces_) free_[free_count_++] = &piece;
  }
  ~UringStream() override { io_uring_queue_exit(&ring_); }

 private:
  struct Piece {
    TransferRequest* request = nullptr;
    TransferRequest::Part left;  // what is wanted, without the rest of its last page
  };

  void start(TransferRequest& request) override {
    for (const TransferRequest::Part& part : request.parts) {
      for (int64_t done = 0; done < part.size_bytes; done += kPieceBytes) {
        while (free_count_ == 0) finish_one();
        Piece& piece = *free_[--free_count_];
        piece = {&request, part};
        piece.left.offset_bytes += done;
        piece.left.data += done;
        piece.left.size_bytes = std::min(kPieceBytes, part.size_bytes - done);
        ++request.pending;
        enqueue(piece);
      }
    }
    submit();
  }

  void await(TransferRequest& request) override {
    while (request.pending > 0) finish_one();
  }

  // There is room: as many entries as pieces.
  void enqueue(Piece& piece) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    const auto bytes = static_cast<unsigned>(round_up(piece.left.size_bytes, kPageBytes));
    if (piece.request->is_write) {
      io_uring_prep_write(entry, piece.left.descriptor, piece.left.data, bytes,
                          static_cast<uint64_t>(piece.left.offset_bytes));
    } else {
      io_uring_prep_read(entry, piece.left.descriptor, piece.left.data, bytes,
                         static_cast<uint64_t>(piece.left.offset_bytes));
    }
    io_uring_sqe_set_data(entry, &piece);
  }

  // Entries that the kernel does not take now (EAGAIN, EBUSY) go with the next call.
  void submit() { io_uring_submit(&ring_); }

  void finish_one() {
    io_uring_cqe* done = nullptr;
    if (const int result = io_uring_submit_and_wait(&ring_, 1);
        result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      fail(nullptr, "wait for", -result);
    }
    bool goes_on = false;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, done) {
      goes_on |= take(*static_cast<Piece*>(io_uring_cqe_get_data(done)), done->res);
      ++seen;
    }
    io_uring_cq_advance(&ring_, seen);
    if (goes_on) submit();
  }

  // True: the rest of the piece was enqueued again.
  bool take(Piece& piece, int result) {
    if (result == -EINTR || result == -EAGAIN) {
      enqueue(piece);
      return true;
    }
    if (result > 0 && result < piece.left.size_bytes) {
      piece.left.offset_bytes += result;
      piece.left.data += result;
      piece.left.size_bytes -= result;
      enqueue(piece);
      return true;
    }
    if (result <= 0 && piece.request->error == 0) {
      piece.request->error = result < 0 ? -result : piece.request->is_write ? ENOSPC : ENODATA;
    }
    --piece.request->pending;
    free_[free_count_++] = &piece;
    return false;
  }

  io_uring ring_;
  std::array<Piece, kPieces> pieces_;
  std::array<Piece*, kPieces> free_ = {};
  size_t free_count_ = 0;
};

}  // namespace

std::unique_ptr<TransferStream> make_uring_stream(const std::string& directory, size_t most_requests) {
  io_uring ring = {};
  if (io_uring_queue_init(kPieces, &ring, 0) != 0) return nullptr;
  return std::make_unique<UringStream>(directory, most_requests, ring);
}

}  // namespace headroom
