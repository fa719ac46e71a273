// Weights in bf16 alone, rounded stochastically (docs/techniques/bf16_weights.md).
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class Bf16Weights final : public Technique {
 public:
  Bf16Weights() : Technique("bf16 weights", 20) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--master-weights",
             .group = "Lossy",
             .help = "bf16: weights in bf16 alone, updated by stochastic rounding; half their memory, other numbers",
             .standard = "f32",
             .choices = {"f32", "bf16"}}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    settings.shape.weights = parse_dtype(settings.flags.text("--master-weights"), "--master-weights");
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) {
               return settings.shape.precision == DType::f16 && settings.shape.weights == DType::bf16;
             },
             "--master-weights bf16: products in f16 would round the weights again; expected --precision bf16 or f32"}};
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    numbers.emplace_back("--master-weights", settings.flags.text("--master-weights"));
  }
};

}  // namespace
}  // namespace headroom

static const headroom::Bf16Weights bf16_weights;
HEADROOM_TECHNIQUE(bf16_weights);
