// The graphs of a calibration: which weights share an input, and what each step reads and keeps.
#include "headroom/quantize/calibration_graphs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "headroom/base/grouped_format.h"
#include "headroom/models/llama.h"

namespace headroom {
namespace {

std::unique_ptr<Model> two_layers() {
  LlamaConfig config;
  config.vocabulary = 100;
  config.features = 32;
  config.mlp_features = 64;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.max_positions = 64;
  config.tied_embeddings = true;
  return make_llama(config);
}

CalibrationGraphs graphs_of(const Model& model, std::initializer_list<std::string_view> kept = {},
                            const SolveSettings& settings = {}) {
  NewFormats formats;
  for (const Parameter& parameter : model.parameters()) {
    const bool is_kept =
        std::any_of(kept.begin(), kept.end(), [&](auto name) { return parameter.name.ends_with(name); });
    if (parameter.shape.rank() == 2 && !is_kept) formats[parameter.name] = find_grouped(4, false, 32)->dtype();
  }
  return {model, formats, {.tokens = 16}, settings};
}

std::vector<std::string> names_of_inputs(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs) names.push_back(graph.value(id).name);
  return names;
}

TEST(CalibrationGraphs, WeightsThatReadOneInputAreSolvedTogether) {
  const auto model = two_layers();
  const CalibrationGraphs graphs = graphs_of(*model);
  ASSERT_EQ(graphs.groups().size(), static_cast<size_t>(4 * model->layers()));
  const std::string layer = "model.layers.1.";
  EXPECT_EQ(graphs.groups()[4].weights,
            (std::vector<std::string>{layer + "self_attn.q_proj.weight", layer + "self_attn.k_proj.weight",
                                      layer + "self_attn.v_proj.weight"}));
  EXPECT_EQ(graphs.groups()[5].weights, std::vector<std::string>{layer + "self_attn.o_proj.weight"});
  EXPECT_EQ(graphs.groups()[6].weights,
            (std::vector<std::string>{layer + "mlp.gate_proj.weight", layer + "mlp.up_proj.weight"}));
  EXPECT_EQ(graphs.groups()[7].weights, std::vector<std::string>{layer + "mlp.down_proj.weight"});
  EXPECT_EQ(graphs.groups()[7].layer, 1);
}

TEST(CalibrationGraphs, AStepReadsWhatIsBeforeItInItsNewFormat) {
  const auto model = two_layers();
  const CalibrationGraphs graphs = graphs_of(*model, {"k_proj.weight"});
  const std::vector<Graph> step = graphs.choose(1);
  const std::string attention = "model.layers.0.self_attn.";
  EXPECT_EQ(names_of_inputs(step[0]),
            (std::vector<std::string>{"positions", "sequences", "rotary_table", "model.layers.0.input_layernorm.weight",
                                      attention + "k_proj.weight", "hidden", "quantised." + attention + "q_proj.weight",
                                      "quantised." + attention + "v_proj.weight", "gram"}));
  EXPECT_EQ(names_of_inputs(step[1]), (std::vector<std::string>{"gram", attention + "o_proj.weight",
                                                                "quantised." + attention + "o_proj.weight"}));
  EXPECT_EQ(step[0].carries.size(), 1u);
  EXPECT_TRUE(step[0].results.empty());
}

TEST(CalibrationGraphs, TheWholeModelGoesAlongWhereItsChangesAreMadeGood) {
  const auto model = two_layers();
  const CalibrationGraphs graphs = graphs_of(*model, {}, {.corrects = true});
  const std::vector<Graph> step = graphs.choose(1);
  const std::string attention = "model.layers.0.self_attn.";
  const std::vector<std::string> inputs = names_of_inputs(step[0]);
  for (const std::string name : {"hidden", "original_hidden", "gram"}) {
    EXPECT_EQ(std::count(inputs.begin(), inputs.end(), name), 1) << name;
  }
  for (const std::string part : {"q_proj", "k_proj", "v_proj"}) {
    EXPECT_EQ(std::count(inputs.begin(), inputs.end(), attention + part + ".weight"), 1);
    EXPECT_EQ(std::count(inputs.begin(), inputs.end(), "quantised." + attention + part + ".weight"), 1);
  }
  EXPECT_EQ(step[0].carries.size(), 2u);
  EXPECT_EQ(names_of_inputs(step[1]),
            (std::vector<std::string>{"gram", attention + "o_proj.weight", "quantised." + attention + "o_proj.weight",
                                      attention + "o_proj.weight.pull"}));
  EXPECT_EQ(graphs.advance(1).results.size(), 2u);
  EXPECT_EQ(graphs.embed().results.size(), 2u);
}

TEST(CalibrationGraphs, TheTableIsReadAsItWillBe) {
  const auto model = two_layers();
  const Graph embed = graphs_of(*model).embed();
  EXPECT_EQ(embed.nodes[0].op->name(), "encode");
  EXPECT_EQ(names_of_inputs(embed), (std::vector<std::string>{"tokens", "model.embed_tokens.weight"}));
  EXPECT_EQ(graphs_of(*model, {"embed_tokens.weight"}).embed().nodes.size(), 1u);
}

TEST(CalibrationGraphs, AdvanceReadsNoWeightOfTheLayerThatHasBeenReplaced) {
  const auto model = two_layers();
  const Graph advance = graphs_of(*model).advance(1);
  int replaced = 0;
  for (const std::string& name : names_of_inputs(advance)) {
    EXPECT_FALSE(name.starts_with("model.layers.1.") && name.ends_with("_proj.weight")) << name;
    replaced += name.starts_with("quantised.") ? 1 : 0;
  }
  EXPECT_EQ(replaced, 7);
  EXPECT_EQ(advance.value(advance.results.at(0)).name, "next_hidden");
}

}  // namespace
}  // namespace headroom
