// Flags of a run that goes on: what nobody gave and its newest checkpoint knows is the checkpoint's (docs/cli.md).
#pragma once

#include "headroom/headroom.h"

namespace headroom {

// With options.resume, `options` in which those of options.unset are taken from the newest checkpoint of
// options.output; says so on standard error unless options.quiet. Otherwise `options` as they are. Where there is no
// checkpoint yet, but a run began there, it begins again; throws InvalidInput where none did.
TrainOptions take_flags_of_checkpoint(TrainOptions options);

}  // namespace headroom
