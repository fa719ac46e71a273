// The balance loss of a gate (backend/balance_rows.h).
#include "headroom/backend/balance_rows.h"

namespace headroom::reference {

void balance_losses(const Invocation& call) { balance_rows(call); }
void balance_losses_backward(const Invocation& call) { balance_rows_backward(call); }

}  // namespace headroom::reference

HEADROOM_KERNEL(balance_losses);
HEADROOM_KERNEL(balance_losses_backward);
