#include "headroom/comm/exchange_traffic.h"

#include "headroom/base/errors.h"

namespace headroom {
namespace {

int64_t check_messages(const std::vector<Message>& messages, const Communicator& ranks) {
  int64_t bytes = 0;
  for (const Message& message : messages) {
    ensure(message.peer >= 0 && message.peer < ranks.size() && message.peer != ranks.rank(),
           "rank {} of {} has a message with rank {}", ranks.rank(), ranks.size(), message.peer);
    ensure(message.size_bytes >= 0 && (message.data != nullptr || message.size_bytes == 0),
           "a message of {} bytes with rank {} has no place", message.size_bytes, message.peer);
    bytes += message.size_bytes;
  }
  return bytes;
}

}  // namespace

Traffic exchange_traffic(const Exchange& exchange, const Communicator& ranks) {
  return {check_messages(exchange.sends, ranks), check_messages(exchange.receives, ranks)};
}

}  // namespace headroom
