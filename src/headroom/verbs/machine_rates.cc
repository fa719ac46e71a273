#include "headroom/verbs/machine_rates.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_map>

#include "headroom/backend/arena.h"
#include "headroom/base/block_format.h"
#include "headroom/base/block_reader.h"
#include "headroom/generate/generation_graphs.h"
#include "headroom/measure/disk_probe.h"
#include "headroom/measure/kernel_bench.h"
#include "headroom/measure/op_profile.h"
#include "headroom/models/constants.h"
#include "headroom/models/initialize.h"
#include "headroom/models/presets.h"
#include "headroom/passes/fuse_loss_gradients.h"
#include "headroom/plan/job.h"
#include "headroom/runtime/workspace.h"
#include "headroom/tasks/step_filler.h"
#include "headroom/train/batch_inputs.h"
#include "headroom/train/training_graphs.h"

namespace headroom {
namespace {

// A step that is run: the model's dimensions, the batch, and which of two ways the loss goes.
struct Sample {
  PresetSize size;
  TrainingShape shape;
  bool fuse_loss_gradients;
  int runs;
  bool in_bf16 = false;  // a second time, in mixed precision
};

// From a few rows of a narrow model to many of a wide one; long rows for attention, few heads and many.
std::vector<Sample> samples() {
  return {{{512, 64, 172, 2, 8, 8}, {4, 1, 129}, true, 8, true},
          {{2048, 256, 688, 2, 4, 4}, {1, 2, 65}, true, 6},
          {{2048, 256, 688, 2, 4, 4}, {4, 1, 257}, false, 4, true},
          {{4096, 512, 1408, 1, 8, 4}, {1, 1, 1025}, true, 3, true},
          {{1024, 128, 344, 1, 2, 2}, {1, 1, 2049}, true, 3},
          {{8192, 768, 2048, 1, 12, 12}, {2, 2, 257}, false, 3, true},
          {{4096, 1024, 2752, 1, 16, 16}, {1, 1, 513}, true, 3, true}};
}

// What each op took on operands of each size.
class Collector final : public RunObserver {
 public:
  void on_run(const Graph& graph, std::span<const int64_t> moments_ns) override {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      const Price price = price_of(graph, node);
      seconds_[{node.op->name(), narrowest_format(graph, node), price.flops, price.bytes}].push_back(
          1e-9 * static_cast<double>(moments_ns[i + 1] - moments_ns[i]));
    }
  }

  // The median of each, by op.
  std::vector<OpSample> samples() {
    std::vector<OpSample> all;
    for (auto& [key, seconds] : seconds_) {
      const auto& [op, format, flops, bytes] = key;
      all.push_back({std::string(op), format, {flops, bytes}, median(seconds)});
    }
    return all;
  }

 private:
  std::map<std::tuple<std::string_view, DType, double, double>, std::vector<double>> seconds_;
};

void run(Sample sample, DType precision, const Backend& backend, int threads, Collector& collector) {
  sample.shape.precision = precision;
  Preset preset = *find_preset("tiny-4m");
  preset.size = sample.size;
  const auto model = make_model(config_of(preset));
  TrainingWay way{.shape = sample.shape};
  if (sample.fuse_loss_gradients) {
    way.rewrites.step.push_back({PassPhase::loss, {"fuse_loss_gradients", fuse_loss_gradients}});
  }
  Job job = build_training_job(*model, way, {}, false);
  job.processor = backend.on(threads);
  Plan plan = plan_job(job);
  Workspace workspace(std::move(job.graphs), std::move(plan), backend);
  initialize_values(workspace, Source::model, 0, workspace.threads());
  BatchInputs(workspace, *model, sample.shape).fill_sample();
  for (int run = 0; run <= sample.runs; ++run) {  // the first warms up
    workspace.observe(run == 0 ? nullptr : &collector);
    workspace.run(job.schedules.front());
  }
}

// Steps of generation that are run: weights in one format, kept and multiplied so, and a KV cache of one kind.
struct GenerationSample {
  const char* format;
  CacheKind cache_kind;
  Compute compute = Compute::f32;
  int64_t layers = 1;  // so that decoding reads memory and no cache
  int64_t rows = 1;
  int runs = 8;
};

std::vector<GenerationSample> generation_samples() {
  std::vector<GenerationSample> all;
  for (const auto& [format, layers] : {std::pair<const char*, int64_t>{"f32", 1}, {"bf16", 2}, {"f16", 2}}) {
    const CacheKind cache = parse_cache_kind(format, "format");
    all.push_back({format, cache, Compute::f32, layers});
    all.push_back({format, cache, Compute::f32, 1, 256, 2});
  }
  for (const Compute compute : {Compute::int8, Compute::f32}) {
    for (const auto& [format, layers] : {std::pair<const char*, int64_t>{"int8_g128", 4}, {"int4_g128", 8}}) {
      const CacheKind cache = layers == 4 ? CacheKind::q8 : CacheKind::q4;
      all.push_back({format, cache, compute, layers});
      all.push_back({format, cache, compute, layers / 2, 8, 4});
      all.push_back({format, cache, compute, 1, 256, 2});
    }
  }
  return all;
}

// Zeros as weights: what a kernel takes does not depend on the numbers.
void run(const GenerationSample& sample, const Backend& backend, int threads, Collector& collector) {
  Preset preset = *find_preset("tiny-4m");
  preset.size = {4096, 2048, 5504, sample.layers, 16, 16};
  const auto model = make_model(config_of(preset));
  const BlockFormat* const block = find_block_format(sample.format);
  const DType format = block != nullptr ? block->dtype() : parse_dtype(sample.format, "format");
  std::unordered_map<std::string, DType> formats;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.shape.rank() == 2) formats[parameter.name] = format;
  }
  model->set_stored_formats(std::move(formats));
  const GenerationShape shape{.context = std::max<int64_t>(1024, sample.rows),
                              .prefill_chunk = sample.rows,
                              .cache_kind = sample.cache_kind,
                              .compute = sample.compute};
  Job job;
  job.graphs = build_generation_graphs(*model, shape);
  job.graphs.erase(job.graphs.begin() + 1, job.graphs.end());  // that of all rows
  job.processor = backend.on(threads);
  const std::string name = job.graphs.front().name;
  Plan plan = plan_job(job);
  Workspace workspace(std::move(job.graphs), std::move(plan), backend);
  fill_constants(*model, workspace);
  StepFiller step(workspace, shape.step(sample.rows));
  const int64_t position = shape.context - sample.rows;
  for (int64_t row = 0; row < sample.rows; ++row) step.token(row, static_cast<int32_t>(row), position + row);
  step.cached_sequence(0, sample.rows, 0, position);
  for (int run = 0; run <= sample.runs; ++run) {  // the first warms up
    workspace.observe(run == 0 ? nullptr : &collector);
    workspace.at(name).run();
  }
}

void add_disk(MachineRates& rates, const std::string& disk) {
  Threads threads(1);
  const Arena arena(BlockReader::kMostStagingBytes, threads);  // in huge pages, as jobs read
  const std::span<std::byte> memory = arena.bytes();
  std::error_code error;
  if (std::filesystem::is_regular_file(disk, error)) {
    const double read = measure_reading(disk, memory);
    if (read > 0) rates.disk_read_bytes_per_second = read;
    return;
  }
  const DiskRates measured = measure_disk(disk, memory);
  if (!measured.skipped.empty()) return;
  rates.disk_read_bytes_per_second = measured.read_bytes_per_second;
  rates.disk_write_bytes_per_second = measured.write_bytes_per_second;
}

}  // namespace

MachineRates measure_rates(const MachineLimits& limits, const Backend& backend, int threads, const std::string& disk) {
  MachineRates rates = typical_rates(threads);
  rates.flops_per_second = limits.fma_flops_per_second(backend, threads);
  add_bf16(rates, backend);
  for (const MemoryRates& memory : limits.memory) {
    if (memory.threads == threads) rates.bytes_per_second = memory.stream_bytes_per_second;
  }
  Collector collector;
  for (const Sample& sample : samples()) {
    run(sample, DType::f32, backend, threads, collector);
    if (sample.in_bf16) run(sample, DType::bf16, backend, threads, collector);
  }
  for (const GenerationSample& sample : generation_samples()) run(sample, backend, threads, collector);
  rates.samples = collector.samples();
  std::vector<double> least;
  for (const OpSample& sample : rates.samples) {
    if (sample.price.bytes < 4096 && sample.price.flops < 4096) least.push_back(sample.seconds);
  }
  if (!least.empty()) rates.node_seconds = median(least);
  if (!disk.empty()) add_disk(rates, disk);
  rates.source = "rates measured on this machine";
  remember_rates(rates, backend, threads);
  return rates;
}

}  // namespace headroom
