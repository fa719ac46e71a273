// When each byte of a step is in use: the first thing the planner asks of a graph.
//
// Time is the index of a node; moment N, after the last of N nodes, is when results are read. A block is one storage
// with its lifetime: a value together with all values that must share its storage, or the scratch of one node. Graph
// inputs keep their storage from step to step, so they are no blocks; values that live in an input's storage (updates
// in place, carried values) name that input instead.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/page.h"
#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"

namespace headroom {

// Every block starts at a multiple of the alignment and takes whole multiples of it: lines, or where a disk reads and
// writes blocks directly, its pages.
inline constexpr int64_t kAlignmentBytes = 64;
inline constexpr int64_t kDiskAlignmentBytes = kPageBytes;

// `bytes` rounded up to the alignment; throws InvalidInput naming `what` on overflow.
int64_t padded_bytes(int64_t bytes, std::string_view what, int64_t alignment_bytes = kAlignmentBytes);

struct Block {
  int64_t size_bytes = 0;  // a multiple of the alignment
  int32_t first = 0;       // moments, both inclusive
  int32_t last = 0;
};

// Where a value lives: in the storage of a graph input, in a block of its tier, or (a value that no node makes)
// nowhere.
struct Home {
  ValueId input = kNoValue;
  int32_t block = -1;
};

struct Lifetimes {
  std::vector<Block> blocks;            // in memory
  std::vector<Block> host_blocks;       // in the host's memory behind a device
  std::vector<Block> disk_blocks;       // in the file of what is on disk
  std::vector<Home> homes;              // of each value
  std::vector<int32_t> scratch_blocks;  // of each node; -1: it needs none
  std::vector<int64_t> scratch_bytes;   // of each node, as its kernel asks, not rounded

  std::vector<Block>& blocks_in(Tier tier);
};

// Lifetimes of one step of `graph` on `processor`. A value takes over the block of an operand that dies at its
// node where Op::may_reuse allows it and the sizes are equal. The graph is one that verify() accepts. Throws
// InvalidInput when sizes overflow.
Lifetimes find_lifetimes(const Graph& graph, const Processor& processor, int64_t alignment_bytes = kAlignmentBytes);

// Who holds a block when: the values of one block follow each other without gap.
struct Tenant {
  ValueId value = kNoValue;  // kNoValue: the scratch of node `first`
  int32_t block = -1;
  int32_t first = 0;  // moments, both inclusive
  int32_t last = 0;
};

// The tenants of all blocks in memory, block by block, in order of time.
std::vector<Tenant> tenants_of(const Graph& graph, const Lifetimes& lifetimes);

// The sum of the sizes of the blocks alive at each of the first `moments` moments.
std::vector<int64_t> live_bytes(std::span<const Block> blocks, int32_t moments);

}  // namespace headroom
