// What every Communicator asks of an exchange before it moves a byte.
#pragma once

#include "headroom/comm/communicator.h"

namespace headroom {

// What `exchange` puts on the wire. Throws InternalError unless each message has another rank of `ranks` as its peer,
// and bytes where it has a size.
Traffic exchange_traffic(const Exchange& exchange, const Communicator& ranks);

}  // namespace headroom
