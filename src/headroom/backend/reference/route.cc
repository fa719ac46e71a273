// The gate of a mixture of experts, and the rows of each (backend/route_rows.h).
#include "headroom/backend/route_rows.h"

namespace headroom::reference {

void route(const Invocation& call) { route_rows(call); }
void route_backward(const Invocation& call) { route_rows_backward(call); }
void group_rows(const Invocation& call) { group_expert_rows(call); }

}  // namespace headroom::reference

HEADROOM_KERNEL(route);
HEADROOM_KERNEL(route_backward);
HEADROOM_KERNEL(group_rows);
