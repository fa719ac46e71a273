#include "headroom/backend/transfer_stream.h"

#include <algorithm>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

bool touch(const TransferRequest& a, const TransferRequest& b) {
  return std::any_of(a.parts.begin(), a.parts.end(), [&](const TransferRequest::Part& x) {
    return std::any_of(b.parts.begin(), b.parts.end(), [&](const TransferRequest::Part& y) {
      return x.offset_bytes < y.offset_bytes + y.size_bytes && y.offset_bytes < x.offset_bytes + x.size_bytes;
    });
  });
}

}  // namespace

TransferStream::TransferStream(OffloadFile& file, size_t most_requests) : file_(file) {
  in_flight_.reserve(most_requests);
}

void TransferStream::begin(TransferRequest& request) {
  for (TransferRequest* other : in_flight_) {
    if ((request.is_write || other->is_write) && touch(request, *other)) await(*other);
  }
  ensure(in_flight_.size() < in_flight_.capacity(), "{} transfers in flight", in_flight_.size());
  in_flight_.push_back(&request);
  request.pending = 0;
  request.error = 0;
  start(request);
}

void TransferStream::wait(TransferRequest& request) {
  await(request);
  std::erase(in_flight_, &request);
  if (request.error != 0) throw_offload_error(file_.directory(), request.is_write ? "write" : "read", request.error);
}

void TransferStream::drain() {
  for (TransferRequest* request : in_flight_) await(*request);
  in_flight_.clear();
}

}  // namespace headroom
