// The transfers of a node that fetches experts (ops/fetch_experts.h): what it reads is chosen when it begins.
#pragma once

#include <functional>
#include <vector>

#include "headroom/backend/expert_record.h"
#include "headroom/backend/transfer_stream.h"
#include "headroom/graph/graph.h"
#include "headroom/runtime/expert_cache.h"
#include "headroom/runtime/model_regions.h"

namespace headroom {

class ExpertReads {
 public:
  // `place`: where a value of the graph lies. The others are borrowed.
  ExpertReads(const Graph& graph, const Node& node, const std::function<Tensor(ValueId)>& place, ModelRegions& model,
              ExpertCache& cache);

  // With room for all parts that it can ever have.
  TransferRequest request() const;
  // Its parts this time; none where all that is needed is there. Allocates nothing.
  void choose(TransferRequest& request);
  // At what was read for the first time. Throws as ModelRegions::Look.
  void look();

 private:
  Tensor matrix_at(size_t stack, const ExpertCache::Read& read) const;

  ExpertCache* cache_;
  int64_t layer_;
  Tensor begins_, slots_, table_;
  ExpertRecord record_;
  std::vector<ModelRegions::StackRegions*> stacks_;
  std::vector<ExpertCache::Read> reads_;
};

// For the graphs of a job; null where none has slots of experts.
std::unique_ptr<ExpertCache> make_expert_cache(const std::vector<Graph>& graphs);

}  // namespace headroom
