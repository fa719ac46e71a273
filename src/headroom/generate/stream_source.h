// Which weights of a model may stay in its files, in which order they leave the memory, and where they lie there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/model.h"
#include "headroom/passes/arrange_fetched.h"
#include "headroom/plan/job.h"
#include "headroom/runtime/model_regions.h"

namespace headroom {

// The weights of a model that its files hold each in one piece, as they are kept or as arrange() makes them that; and
// those of a reference beside it, under the names that they have there (generate/evaluation_graphs.h).
class StreamSource {
 public:
  struct Weight {
    std::string name;
    int64_t bytes = 0;                                          // in memory, whole pages
    bool is_aligned = true;                                     // begins on a page of its file
    std::optional<FileArrangement> arrangement = std::nullopt;  // where the file holds it otherwise
  };

  // The files are those at `path`; `model` knows what they hold (models/weights.h).
  StreamSource(const std::string& path, const Model& model);
  // As if headroom had written them: for plans. `in_blocks`: into a GGUF file of Q8_0.
  explicit StreamSource(const Model& model, bool in_blocks = false);
  // A reference, which is in the files at `path`.
  void add_reference(const std::string& path, const Model& reference);

  // In the order in which they leave the memory: the tables of embeddings, of which the host reads the rows of a
  // step; the layers' weights, spread over the layers, so that reading and computing take turns; last the outputs', and
  // with them tables that are outputs, too.
  const std::vector<Weight>& weights() const { return weights_; }
  // How many of them are not the outputs'.
  size_t before_output() const { return before_output_; }
  // Tables that may leave, and what then stands before the names of the rows that the host reads of them.
  struct Table {
    std::string name;
    std::string_view prefix;
  };
  std::vector<Table> tables() const;
  bool is_table(const std::string& name) const;

  // Stacks of experts, whose matrices the files hold each in one piece.
  const std::unordered_set<std::string>& stacks() const { return stacks_; }
  // What knowing of their matrices takes of the process.
  int64_t stack_bytes() const { return stack_bytes_; }
  // Whether each matrix begins on a page of its file.
  bool stacks_are_aligned() const { return stacks_are_aligned_; }

  // Where the weights that `plan` leaves in the files lie; of a source with files. Throws as ModelRegions::add.
  void add_regions(const Plan& plan, ModelRegions& regions) const;

 private:
  // One of the models.
  struct Part {
    Source source = Source::model;
    std::optional<WeightFiles> files;
    std::string table = "";  // that may leave
    Slice rows = {};         // where it lies, the whole of a tensor
    std::string_view prefix() const;
  };
  void list_weights(Part part, const Model& model, bool in_blocks);

  std::vector<Part> parts_;
  std::vector<std::pair<double, Weight>> order_;  // weights_, each with its turn
  std::vector<Weight> weights_;
  size_t before_output_ = 0;
  std::unordered_set<std::string> stacks_;
  int64_t stack_bytes_ = 0;
  bool stacks_are_aligned_ = true;
};

}  // namespace headroom
