// Qwen2 (Yang et al. 2024, arXiv 2407.10671), whose weights R1-Distill-Qwen continues (arXiv 2501.12948).
// each layer:  h += o_proj(attention(rope(q_proj(n) + b_q), rope(k_proj(n) + b_k), v_proj(n) + b_v))   n = rms_norm(h)
//              h += down_proj(silu(gate_proj(m)) * up_proj(m))                                         m = rms_norm(h)
// in the decoder of decoder.h: queries, keys and values have biases, nothing else has.
#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/decoder.h"
#include "headroom/models/known_fields.h"

namespace headroom {
namespace {

class Qwen2 final : public Decoder {
 public:
  explicit Qwen2(const DecoderConfig& config) : Decoder(config) {}

  std::string_view architecture() const override {
    return classifies() ? "Qwen2ForSequenceClassification" : "Qwen2ForCausalLM";
  }

 private:
  ValueId attention(const Weights& weights, ValueId n, const StepInputs& inputs) const override {
    const ValueId q = weights.linear("q_proj", n, query_features(), true);
    const ValueId k = weights.linear("k_proj", n, key_features(), true);
    const ValueId v = weights.linear("v_proj", n, key_features(), true);
    return weights.linear("o_proj", rotate_and_attend(weights.build(), q, k, v, inputs), c_.features, false);
  }

  ValueId mlp(const Weights& weights, ValueId n) const override {
    return gated_mlp(weights, n, c_.mlp_features, false);
  }
};

// Layers from max_window_layers on, or those that layer_types says, see the last sliding_window tokens only, where
// use_sliding_window is true. No released DeepSeek model does. A window that is as long as the positions hides nothing.
void refuse_sliding_window(const JsonObject& config, const DecoderConfig& qwen2) {
  const bool uses = config.boolean_or("use_sliding_window", false);
  const int64_t window = config.integer_or("sliding_window", 4096, 0, INT64_MAX);
  bool slides = config.integer_or("max_window_layers", 28, 0, INT64_MAX) < qwen2.layers && uses;
  if (config.has("layer_types")) {
    const std::vector<std::string> types = config.texts("layer_types");
    const auto known = [](const std::string& type) { return type == "full_attention" || type == "sliding_attention"; };
    expect_field(config, "layer_types",
                 static_cast<int64_t>(types.size()) == qwen2.layers && std::all_of(types.begin(), types.end(), known),
                 fmt::format("full_attention, once a layer ({})", qwen2.layers));
    slides = std::find(types.begin(), types.end(), "sliding_attention") != types.end();
  }
  if (!slides || (uses && window >= qwen2.max_positions)) return;
  throw InvalidInput(
      "{}: attention in a sliding window is not supported; expected use_sliding_window false, or a sliding_window that "
      "is no shorter than max_position_embeddings ({}), got {}",
      config.where("use_sliding_window"), qwen2.max_positions, config.show("sliding_window"));
}

std::unique_ptr<Model> read_qwen2(const JsonObject& config) {
  DecoderConfig qwen2 = read_decoder_config(config);
  read_heads(config, qwen2);
  refuse_sliding_window(config, qwen2);
  config.has("attention_bias");  // decides nothing: queries, keys and values have biases, the output has none
  expect_field(config, "use_mrope", !config.boolean_or("use_mrope", false), "false");
  refuse_unknown_fields(config);
  return std::make_unique<Qwen2>(qwen2);
}

constexpr Architecture kQwen2{"Qwen2ForCausalLM", "Qwen2ForSequenceClassification", "qwen2", &read_qwen2};

}  // namespace

HEADROOM_ARCHITECTURE(kQwen2);

}  // namespace headroom
