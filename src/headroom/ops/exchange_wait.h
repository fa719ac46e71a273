// The wait for what ranks exchange: of the value that arrives, which keeps its storage, and of what it was sent from.
#pragma once

#include <string_view>
#include <vector>

#include "headroom/ops/expect.h"

namespace headroom {

class ExchangeWait final : public Op {
 public:
  ExchangeWait(std::string_view name, Transfer transfer) : Op(name), transfer_(transfer) {}

  Lane lane() const override { return Lane::network; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return transfer_; }

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    return {inputs[0]};
  }
  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }
  Price price(const TypedNode&) const override { return {}; }

 private:
  Transfer transfer_;
};

}  // namespace headroom
