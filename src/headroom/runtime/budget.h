// The budget: what the user allows for the whole process, and what the process takes beside the arena.
//
//   measured (VmHWM) <= predicted = arena + reserve <= budget
//
// The reserve is a pure function of what is known before a job starts, so that plans repeat; start-up makes it true,
// and a job stops before loading if it did not (check_reserve).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "headroom/runtime/memory_claims.h"

namespace headroom {

struct ReserveInputs {
  int threads = 1;
  int ranks = 1;                   // that the process is one of
  int64_t tokenizer_bytes = 0;     // resident bound of the tokenizer (Tokenizer::memory_bound_bytes); 0: none
  int64_t graph_nodes = 0;         // of the job's largest graph: graphs, plans and bindings are on the heap
  int64_t further_nodes = 0;       // of its other graphs
  int64_t stacked_tensors = 0;     // of files that stacks are made of: their names, and what is known of each
  bool searched = false;           // for a way to run it: several jobs are on the heap meanwhile
  int64_t profile_node_bytes = 0;  // for each of those nodes: of a profile
  int64_t buffer_bytes = 0;        // fixed buffers of the job: data pipeline, files, sampling
  int64_t text_bytes = 0;      // of files and texts that flags name, and of configs (named_text_bytes, config_bytes)
  int reading_threads = 0;     // of files, beside those (base/block_reader.h)
  int64_t arena_bytes = 0;     // page tables: 8 bytes for each 4 KiB page
  int64_t released_bytes = 0;  // held before the arena is committed and given back by then: a tokenizer for the data
};

// What texts take that flags name, at most: on the stack, in the parser, in the options, and in so many further copies.
int64_t named_text_bytes(std::span<const std::string> texts, int copies);

// What the config of `model` (a directory, or the config itself) takes beyond that of most, in the copies that jobs
// make of it; 0 where there is none.
int64_t config_bytes(const std::string& model);

// Bytes of the process beside the arena. The environment counts: it is the one thing that is not in `inputs`.
int64_t reserve_bytes(const ReserveInputs& inputs);

struct Budget {
  int64_t bytes = 0;
  bool automatic = false;
  int64_t claimed_bytes = 0;  // of an automatic one: what it leaves to other runs that have planned with it
};

// `flag` is --memory: a size, or "auto": nine tenths of what the machine and the container can give now, beside what
// other runs have claimed (runtime/memory_claims.h).
Budget resolve_budget(std::string_view flag);

// What of `predicted_bytes` the machine or the container cannot give now, beside the claims of others than `own`; 0 or
// less: nothing.
int64_t missing_bytes(int64_t predicted_bytes, const MemoryClaims& own);

// Throws BudgetExceeded when something is missing, whatever the budget.
void check_machine(int64_t predicted_bytes, const Budget& budget, const MemoryClaims& own);

// ", beside 3 MiB that other runs of headroom have claimed", or nothing: for messages.
std::string describe_claims(int64_t bytes);

// Throws MachineFailure when the process already holds more than its reserve, before anything large is allocated.
void check_reserve(int64_t reserve_bytes);

}  // namespace headroom
