// The table of architectures.
#include "headroom/models/model.h"

#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

TEST(Architectures, AreFoundByNameOrModelType) {
  EXPECT_EQ(make_model(llama())->architecture(), "LlamaForCausalLM");
  EXPECT_EQ(make_model(qwen2())->architecture(), "Qwen2ForCausalLM");
  EXPECT_EQ(make_model(qwen2({{"architectures", nullptr}, {"model_type", "qwen2"}}))->architecture(),
            "Qwen2ForCausalLM");
}

TEST(Architectures, AreRefusedByNameWithTheKnownOnes) {
  EXPECT_EQ(refusal(llama({{"architectures", {"MambaForCausalLM"}}})),
            "config.json: architectures: unknown architecture [\"MambaForCausalLM\"]; expected one of "
            "DeepseekV2ForCausalLM, DeepseekV2ForSequenceClassification, DeepseekV3ForCausalLM, "
            "DeepseekV3ForSequenceClassification, LlamaForCausalLM, LlamaForSequenceClassification, Qwen2ForCausalLM, "
            "Qwen2ForSequenceClassification");
  EXPECT_EQ(refusal(llama({{"architectures", nullptr}, {"model_type", "mamba"}})),
            "config.json: model_type: unknown architecture \"mamba\"; expected one of DeepseekV2ForCausalLM, "
            "DeepseekV2ForSequenceClassification, DeepseekV3ForCausalLM, DeepseekV3ForSequenceClassification, "
            "LlamaForCausalLM, "
            "LlamaForSequenceClassification, Qwen2ForCausalLM, Qwen2ForSequenceClassification");
}

}  // namespace
}  // namespace headroom::testing
