// The tensors of adapter_model.safetensors under the names that PEFT writes now:
// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight". Files that were saved past save_pretrained have the
// adapter's own name in them (lora_A.default.weight), or lack the prefix. Layers that stand there whole have the names
// that they have in the model: "lm_head.weight".
#pragma once

#include <string>
#include <vector>

#include "headroom/formats/weights/safetensors.h"

namespace headroom {

class AdapterFile final : public TensorFile {
 public:
  // Throws as SafetensorsFile, and InvalidInput for a tensor that is there under two names.
  explicit AdapterFile(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  int64_t count() const override { return file_.count(); }
  StoredTensor tensor(int64_t index) const override;
  int64_t find(std::string_view name) const override;
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check) const override {
    file_.read(tensor, first, count, wanted, out, nan_check);
  }
  const File& file(const StoredTensor& tensor) const override { return file_.file(tensor); }
  int64_t unit_bytes(const StoredTensor& tensor) const override { return file_.unit_bytes(tensor); }
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override {
    file_.decode(tensor, first, bytes, wanted, out, nan_check);
  }

 private:
  SafetensorsFile file_;
  std::vector<std::string> names_;  // by index
};

}  // namespace headroom
