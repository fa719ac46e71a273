#include "headroom/backend/transfer_stream.h"

#include <algorithm>
#include <cerrno>

#include "headroom/backend/offload_file.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"

namespace headroom {
namespace {

bool touch(const TransferRequest& a, const TransferRequest& b) {
  return std::any_of(a.parts.begin(), a.parts.end(), [&](const TransferRequest::Part& x) {
    return std::any_of(b.parts.begin(), b.parts.end(), [&](const TransferRequest::Part& y) {
      return x.descriptor == y.descriptor && x.offset_bytes < y.offset_bytes + y.size_bytes &&
             y.offset_bytes < x.offset_bytes + x.size_bytes;
    });
  });
}

}  // namespace

TransferStream::TransferStream(std::string directory, size_t most_requests) : directory_(std::move(directory)) {
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
  if (request.error != 0) fail(&request, request.is_write ? "write" : "read", request.error);
}

void TransferStream::drain() {
  for (TransferRequest* request : in_flight_) await(*request);
  in_flight_.clear();
}

void TransferStream::fail(const TransferRequest* request, const char* verb, int error) const {
  if (request == nullptr || request->model_file == nullptr) throw_offload_error(directory_, verb, error);
  throw MachineFailure("{}: cannot {} the weights that stay in the file: {}; start again when it can be read",
                       *request->model_file, verb, error == ENODATA ? "it has become shorter" : describe_errno(error));
}

}  // namespace headroom
