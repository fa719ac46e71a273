// Runs one graph of a plan: walks its nodes in order and calls each one's kernel, or gives it to the lane it runs on.
// Everything that takes is bound when the executor is made; run() allocates nothing and decides nothing.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "headroom/backend/backend.h"
#include "headroom/backend/offload_file.h"
#include "headroom/backend/transfer_stream.h"
#include "headroom/comm/communicator.h"
#include "headroom/graph/op.h"
#include "headroom/plan/job.h"
#include "headroom/runtime/expert_cache.h"
#include "headroom/runtime/expert_reads.h"
#include "headroom/runtime/model_regions.h"
#include "headroom/runtime/rank_exchange.h"
#include "headroom/runtime/view.h"

namespace headroom {

// Hears what the nodes of a run took.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // After each node, with the moment of its end as below.
  virtual void on_node(const Graph& /*graph*/, size_t /*node*/, int64_t /*moment_ns*/) {}
  // After the wait for an exchange with other ranks: the node that began it, when, and when all had left and arrived.
  virtual void on_exchange(const Graph& /*graph*/, size_t /*begins*/, int64_t /*begin_ns*/, int64_t /*done_ns*/) {}
  // After each run, on the thread that runs: moments[0] is its begin and moments[i + 1] the end of node i, in
  // nanoseconds of the steady clock.
  virtual void on_run(const Graph& graph, std::span<const int64_t> moments_ns) = 0;
};

// Where values are that are not in memory, in files or with other ranks, and what brings them; borrowed, and null where
// there are none.
struct Elsewhere {
  TransferStream* lane = nullptr;  // of files
  const OffloadFile* offload = nullptr;
  ModelRegions* model = nullptr;
  Communicator* ranks = nullptr;
  ExpertCache* experts = nullptr;  // what is in the slots of experts
};

class Executor {
 public:
  // `graph`, `arena`, `threads` and `log` are borrowed; `plan` is read here only. `threads` must count what the plan
  // was made for. Runs in slot `slot` of the plan. Throws InternalError
  // when `backend` has no kernel for an op, or not the lane that it runs on.
  Executor(const Graph& graph, const GraphPlan& plan, std::span<std::byte> arena, const Backend& backend,
           Threads& threads, RunLog& log, const Elsewhere& elsewhere = {}, int32_t slot = 0);

  // Throws MachineFailure when a transfer fails or a rank is lost; no file is in flight any more then, but what the
  // arena and the offload file hold is worth nothing.
  void run();

  // `observer`, which is borrowed, hears of every run from now on; without one no clock is read.
  void observe(RunObserver* observer);

  const Graph& graph() const { return graph_; }
  // Of a result of the graph. Throws InternalError when it has no such result.
  template <class T>
  View<const T> result(std::string_view name) const {
    const Result& found = find_result(name);
    const std::string& full_name = graph_.value(found.value).name;
    return found.is_kept ? View<const T>(found.tensor, full_name)
                         : View<const T>(found.tensor, full_name, graph_, log_);
  }

 private:
  struct Call {
    Kernel kernel = nullptr;   // null: of another lane
    bool begins = false;       // there, or waits
    bool is_exchange = false;  // with other ranks
    uint32_t request = 0;      // there, in requests_ or exchanges_
    const Attributes* attributes = nullptr;
    uint32_t first_operand = 0;  // inputs, then outputs, in operands_
    uint16_t inputs = 0;
    uint16_t outputs = 0;
    std::span<std::byte> scratch;
  };
  struct Result {
    ValueId value = kNoValue;
    Tensor tensor;
    bool is_kept = false;  // in the storage of a graph input
  };
  const Result& find_result(std::string_view name) const;
  Tensor place(ValueId value, const GraphPlan& plan) const;
  Call bind_transfer(size_t index, const GraphPlan& plan);
  uint32_t bind_request(const Node& node, const GraphPlan& plan);
  uint32_t bind_exchange_of(size_t index, const GraphPlan& plan);
  void choose_rows(uint32_t request);
  void run_kernel(const Call& call) const;
  void run_on_lane(const Call& call);
  void look_at_weights(uint32_t request);
  void run(const Call& call) { call.kernel != nullptr ? run_kernel(call) : run_on_lane(call); }
  void run_all();
  void run_observed();

  const Graph& graph_;
  std::span<std::byte> arena_;
  int32_t slot_;
  Threads& threads_;
  RunLog& log_;
  std::vector<Tensor> operands_;
  std::vector<Call> calls_;
  Elsewhere elsewhere_;
  std::vector<TransferRequest> requests_;
  std::vector<RankExchange> exchanges_;
  std::vector<size_t> exchange_begins_;  // of each, the node
  // Of a request that moves some rows of a value only: what says which, and where the whole value lies.
  struct MovedRows {
    Tensor ranges;
    Type type;
    TransferRequest::Part whole;
  };
  std::unordered_map<uint32_t, MovedRows> moved_rows_;      // by request
  std::unordered_map<uint32_t, ExpertReads> expert_reads_;  // by request
  // Weights from the model's files that this executor has not read yet, each with the memory that it comes to.
  struct Unseen {
    uint32_t request = 0;
    ModelRegions::Region* region = nullptr;
    int64_t first_row = 0;
    Tensor rows;  // from that one on
  };
  std::vector<Unseen> unseen_;
  std::unordered_map<ValueId, uint32_t> request_of_buffer_;  // or exchange; of its first buffer, while binding
  std::vector<Result> results_;
  RunObserver* observer_ = nullptr;
  std::vector<int64_t> moments_ns_;  // empty without an observer
};

}  // namespace headroom
