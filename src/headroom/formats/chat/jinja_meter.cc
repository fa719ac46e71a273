#include "headroom/formats/chat/jinja_meter.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom::jinja {
namespace {

constexpr int64_t kMaxSteps = 2'000'000;  // a conversation of a hundred turns takes some ten thousand
constexpr int64_t kBytesOfStep = 64;      // that cost as much time as a step

}  // namespace

void Meter::step(int64_t bytes) {
  steps_ += 1 + bytes / kBytesOfStep;
  if (steps_ > kMaxSteps) {
    throw InvalidInput("{}: the chat template does not come to an end within {} steps; it is refused", where_,
                       format_count(kMaxSteps));
  }
}

void Meter::take(int64_t bytes) {
  if (bytes > max_bytes_ - bytes_) {
    throw InvalidInput("{}: the chat template needs more than {} of memory for this conversation; try a shorter one",
                       where_, format_bytes(max_bytes_));
  }
  bytes_ += bytes;
}

}  // namespace headroom::jinja
