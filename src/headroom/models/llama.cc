// each layer:  h += o_proj(attention(rope(q_proj(n)), rope(k_proj(n)), v_proj(n)))    n = rms_norm(h)
//              h += down_proj(silu(gate_proj(m)) * up_proj(m))                        m = rms_norm(h)
// in the decoder of decoder.h; projections without biases, unless the config asks for them.
#include "headroom/models/llama.h"

#include "headroom/formats/json/json_object.h"
#include "headroom/models/known_fields.h"

namespace headroom {
namespace {

class Llama final : public Decoder {
 public:
  explicit Llama(const LlamaConfig& config)
      : Decoder(config), attention_bias_(config.attention_bias), mlp_bias_(config.mlp_bias) {}

  std::string_view architecture() const override {
    return classifies() ? "LlamaForSequenceClassification" : "LlamaForCausalLM";
  }

 private:
  ValueId attention(const Weights& weights, ValueId n, const StepInputs& inputs) const override {
    const ValueId q = weights.linear("q_proj", n, query_features(), attention_bias_);
    const ValueId k = weights.linear("k_proj", n, key_features(), attention_bias_);
    const ValueId v = weights.linear("v_proj", n, key_features(), attention_bias_);
    const ValueId attended = rotate_and_attend(weights.build(), q, k, v, inputs);
    return weights.linear("o_proj", attended, c_.features, attention_bias_);
  }

  ValueId mlp(const Weights& weights, ValueId n) const override {
    return gated_mlp(weights, n, c_.mlp_features, mlp_bias_);
  }

  const bool attention_bias_;
  const bool mlp_bias_;
};

std::unique_ptr<Model> read_llama(const JsonObject& config) {
  LlamaConfig llama{read_decoder_config(config)};
  read_heads(config, llama);
  llama.attention_bias = config.boolean_or("attention_bias", false);
  llama.mlp_bias = config.boolean_or("mlp_bias", false);
  refuse_unknown_fields(config);
  return make_llama(llama);
}

constexpr Architecture kLlama{"LlamaForCausalLM", "LlamaForSequenceClassification", "llama", &read_llama};

}  // namespace

std::unique_ptr<Model> make_llama(const LlamaConfig& config) { return std::make_unique<Llama>(config); }

HEADROOM_ARCHITECTURE(kLlama);

}  // namespace headroom
