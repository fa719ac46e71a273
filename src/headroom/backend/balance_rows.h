// The balance loss of a gate (ops/balance_losses.h), token by token: written once, for every instruction set, as the
// gate is.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom {

void balance_rows(const Invocation& call);
void balance_rows_backward(const Invocation& call);

}  // namespace headroom
