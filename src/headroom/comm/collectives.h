// What ranks do together while a job is set up: each a few direct messages, so for tens of ranks. All ranks call the
// same ones in the same order. They allocate; what a step moves is planned (communicator.h).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/comm/communicator.h"

namespace headroom {

// Returns when all ranks have called it. Puts no bytes on the wire.
void barrier(Communicator& ranks);

// The bytes of `root` become those of all; `bytes` is as long on each.
void broadcast(Communicator& ranks, std::span<std::byte> bytes, int root);

// Part r of `all` becomes what rank r has as `mine`, which may lie in its place in `all`. All parts are as long.
void all_gather(Communicator& ranks, std::span<const std::byte> mine, std::span<std::byte> all);

// What each rank has as `mine`, a number or a struct of them, by rank.
template <class T>
std::vector<T> all_gather_of(Communicator& ranks, const T& mine) {
  std::vector<T> all(static_cast<size_t>(ranks.size()));
  all_gather(ranks, std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

// The same for texts of any lengths up to 64 MiB.
std::string broadcast_text(Communicator& ranks, std::string_view text, int root);
std::vector<std::string> all_gather_texts(Communicator& ranks, std::string_view mine);

}  // namespace headroom
