// Adapters that are trained in place of the model's weights, beside a base that may be kept in few bits
// (docs/techniques/lora.md, docs/techniques/qlora.md).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/base/int8_blocks.h"
#include "headroom/base/nf4.h"
#include "headroom/data/text_source.h"
#include "headroom/models/adapter.h"
#include "headroom/models/weights.h"
#include "headroom/passes/insert_lora.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

// Of latent attention.
constexpr std::string_view kLatentTargets = ",q_a_proj,q_b_proj,kv_a_proj_with_mqa";

std::vector<NamePattern> split(const std::string& list) {
  std::vector<NamePattern> names;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) names.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

void expect_not_quantised(const Model& model, const std::string& weight, DType wanted, const std::string& bits) {
  const DType stored = model.stored_formats()(weight);
  if (is_scalar(stored) || stored == wanted) return;
  throw InvalidInput("--base-bits {}: {} is quantised already, as {}, and stays so; leave the flag out", bits, weight,
                     name_of(stored));
}

// What --lora-targets is where nobody says it: of these names, those that layers of the model have.
std::vector<NamePattern> usual_targets(const std::string& standard, const Model& model) {
  const std::vector<LinearLayer> linear = linear_layers(model);
  std::vector<NamePattern> targets;
  for (const NamePattern& target : split(standard + std::string(kLatentTargets))) {
    const auto names_it = [&](const LinearLayer& layer) {
      return target.matches(std::string_view(layer.weight).substr(0, layer.weight.rfind('.')));
    };
    if (std::ranges::any_of(linear, names_it)) targets.push_back(target);
  }
  return targets;
}

AdapterConfig config_of_flags(const FlagValues& flags, const Model& model) {
  AdapterConfig config;
  config.rank = flags.integer("--lora-rank");
  config.alpha = flags.number("--lora-alpha");
  const std::string targets = flags.text("--lora-targets");
  config.targets = flags.is_given("--lora-targets") ? split(targets) : usual_targets(targets, model);
  if (!(config.alpha > 0) || !std::isfinite(config.alpha)) {
    throw InvalidInput("--lora-alpha {}: expected more than 0", config.alpha);
  }
  return config;
}

AdapterConfig config_of_adapter(const FlagValues& flags) {
  const std::string adapter = flags.text("--adapter");
  const int64_t rank = flags.integer("--lora-rank");
  const double alpha = flags.number("--lora-alpha");
  const AdapterConfig config = read_adapter_config(adapter);
  if (rank != 0 && rank != config.rank) {
    throw InvalidInput("--lora-rank {}: the adapter {} has rank {}; leave the flag out", rank, adapter, config.rank);
  }
  if (flags.is_given("--lora-alpha") && alpha != config.alpha) {
    throw InvalidInput("--lora-alpha {}: the adapter {} has alpha {}; leave the flag out", alpha, adapter,
                       config.alpha);
  }
  return config;
}

// The layers of the adapter, which --lora-targets may name once more.
std::vector<LoraLayer> layers_of_adapter(const FlagValues& flags, const AdapterConfig& config, const Model& model) {
  const std::string adapter = flags.text("--adapter");
  std::vector<LoraLayer> layers = open_adapter_to_train(adapter, model);
  if (!flags.is_given("--lora-targets")) return layers;
  AdapterConfig asked = config;
  asked.targets = split(flags.text("--lora-targets"));
  const std::vector<LoraLayer> wanted = lora_layers(model, asked, "--lora-targets");
  if (!std::ranges::equal(layers, wanted, {}, &LoraLayer::weight, &LoraLayer::weight)) {
    throw InvalidInput("--lora-targets {}: the adapter {} has {}; leave the flag out", flags.text("--lora-targets"),
                       adapter, join_names(config.targets));
  }
  return layers;
}

bool is_asked_for(const FlagValues& flags) { return flags.integer("--lora-rank") > 0 || !flags.is("--adapter", ""); }

class Lora final : public Technique {
 public:
  Lora() : Technique("lora", 130) {}

  std::vector<Flag> flags() const override {
    constexpr std::string_view kGroup = "Adapter (LoRA)";
    return {
        {.name = "--lora-rank",
         .group = kGroup,
         .help = "Train adapters of this rank beside the linear layers, and nothing else; 0: all weights. The "
                 "output is a PEFT adapter",
         .standard = "0",
         .kind = FlagKind::integer},
        {.name = "--lora-alpha",
         .group = kGroup,
         .help = "The adapter's product counts times alpha / rank",
         .standard = "16",
         .kind = FlagKind::number},
        {.name = "--lora-dropout",
         .group = kGroup,
         .help = "Share of the adapters' inputs that a step leaves out",
         .standard = "0",
         .kind = FlagKind::number},
        {.name = "--lora-targets",
         .group = kGroup,
         .help =
             "Linear layers that get one, by name, with commas; by default those of these names that the model has, "
             "and those of latents",
         .standard = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"},
        {.name = "--base-bits",
         .group = kGroup,
         .help = "Keep the linear layers of the model that adapters are trained for in 4 (NF4, doubly quantised) or "
                 "8 bits; without it as they are stored",
         .standard = "",
         .choices = {"4", "8"}},
        {.name = "--adapter",
         .group = kGroup,
         .help = "Continue this PEFT adapter, with its rank, alpha, dropout and targets",
         .standard = ""}};
  }

  void read(const Model& model, TrainingSettings& settings) const override {
    const FlagValues& flags = settings.flags;
    const std::string adapter = flags.text("--adapter");
    const double dropout = flags.number("--lora-dropout");
    if (flags.integer("--lora-rank") < 0) {
      throw InvalidInput("--lora-rank {}: expected 0 (all weights are trained) or more", flags.text("--lora-rank"));
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw InvalidInput("--lora-dropout {}: expected a share, 0 <= dropout < 1", dropout);
    }
    if (!is_asked_for(flags)) return;
    LoraTraining& lora = settings.shape.lora;
    lora.config = adapter.empty() ? config_of_flags(flags, model) : config_of_adapter(flags);
    if (flags.is_given("--lora-dropout") || adapter.empty()) lora.config.dropout = dropout;
    if (flags.is("--base-bits", "4")) lora.base_format = nf4().dtype();
    if (flags.is("--base-bits", "8")) lora.base_format = int8_blocks().dtype();
    if (lora.base_format) {
      for (const LinearLayer& layer : linear_layers(model)) {
        expect_not_quantised(model, layer.weight, *lora.base_format, flags.text("--base-bits"));
        lora.base.insert(layer.weight);
      }
    }
    lora.layers = adapter.empty() ? lora_layers(model, lora.config, "--lora-targets, --lora-rank")
                                  : layers_of_adapter(flags, lora.config, model);
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) {
               return !is_asked_for(settings.flags) && !settings.flags.is("--base-bits", "");
             },
             "--base-bits: it is for adapters, beside which the model stays as it is; add --lora-rank 16"},
            {[](const TrainingSettings& settings) {
               return !is_asked_for(settings.flags) && settings.flags.number("--lora-dropout") > 0;
             },
             "--lora-dropout: it is for adapters, beside which the model stays as it is; add --lora-rank 16"},
            {[](const TrainingSettings& settings) {
               return is_asked_for(settings.flags) &&
                      (settings.shape.precision != DType::f32 || settings.shape.weights != DType::f32);
             },
             "--precision {--precision} with --master-weights {--master-weights}: adapters and what flows through them "
             "are computed in f32; expected f32 for both with --lora-rank or --adapter"}};
  }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    const LoraTraining& lora = settings.shape.lora;
    if (!lora.is_on()) return;
    const auto insert = [&](double dropout) -> Pass {
      return {"lora",
              [layers = lora.layers, dropout](Graph graph) { return insert_lora(std::move(graph), layers, dropout); },
              false};
    };
    way.rewrites.step.push_back({PassPhase::adapters, insert(lora.config.dropout)});
    way.rewrites.evaluation.push_back({PassPhase::adapters, insert(0)});
  }

  std::vector<Offer> offers() const override {
    return {{"--lora-rank 8", Offer::Cost::capacity, "only adapters are trained", set_flag("--lora-rank", "8", "0")}};
  }

  void add_numbers(const TrainingSettings& settings, const Model& model, RunSettings& numbers) const override {
    const LoraTraining& lora = settings.shape.lora;
    if (!lora.is_on()) return;
    const std::string bits = settings.flags.text("--base-bits");
    const std::string adapter = settings.flags.text("--adapter");
    numbers.emplace_back("--lora-rank", fmt::format("{}", lora.config.rank));
    numbers.emplace_back("--lora-alpha", fmt::format("{}", lora.config.alpha));
    numbers.emplace_back("--lora-dropout", fmt::format("{}", lora.config.dropout));
    numbers.emplace_back("--lora-targets", join_names(lora.config.targets));
    numbers.emplace_back("--base-bits", bits.empty() ? "as stored" : bits);
    numbers.emplace_back("a base of fingerprint",
                         fmt::format("{:016x}", fingerprint_of_weights(settings.model, model)));
    if (adapter.empty()) return;
    const uint64_t fingerprint = fingerprint_of_file(adapter + "/" + kAdapterWeights);
    numbers.emplace_back("an adapter of fingerprint", fmt::format("{:016x}", fingerprint));
  }
};

}  // namespace

WeightFormats LoraTraining::formats(const Model& model) const {
  return [this, stored = model.stored_formats()](const std::string& weight) {
    return base.contains(weight) ? *base_format : stored(weight);
  };
}

}  // namespace headroom

static const headroom::Lora lora_technique;
HEADROOM_TECHNIQUE(lora_technique);
