#include "headroom/api/adapter_notes.h"

#include "headroom/base/console.h"
#include "headroom/models/adapter.h"

namespace headroom {

void note_adapter(const std::string& directory, const Model& model, bool quiet) {
  if (quiet) return;
  for (const std::string& remark : remarks_on_adapter(directory, model)) print_note("headroom: warning: {}\n", remark);
}

}  // namespace headroom
