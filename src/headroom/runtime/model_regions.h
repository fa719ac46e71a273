// Values whose home is the model's own files: where the bytes of each lie. They are read from there while graphs run,
// past the page cache where the file system allows it, and written nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headroom/base/file.h"

namespace headroom {

class ModelRegions {
 public:
  struct Region {
    int descriptor = -1;
    int64_t offset_bytes = 0;
    const std::string* path = nullptr;
    std::function<void(const std::byte* bytes)> look;  // at the value, once; empty: nobody needs to
  };

  ModelRegions();
  ~ModelRegions();
  ModelRegions(const ModelRegions&) = delete;
  ModelRegions& operator=(const ModelRegions&) = delete;

  // `size_bytes` of `file` from `offset_bytes` on, as they are, are the value. Opens the file once more, whatever has
  // become of its name. `look` is called with the bytes when they are first read, and throws InvalidInput for what is
  // no weight. Throws InvalidInput or MachineFailure where it cannot.
  void add(const std::string& value, const File& file, int64_t offset_bytes,
           std::function<void(const std::byte* bytes)> look = nullptr);

  // Throws InternalError for a value that has not been added.
  Region& at(std::string_view value);
  // Whether a region does not begin on a page, and its file is read past the page cache.
  bool needs_copies() const { return needs_copies_; }
  // Throws InvalidInput naming a file that was written, or grew or shrank, since it was added.
  void check_unchanged() const;

 private:
  struct Source;
  Source& source_of(const File& file);

  std::vector<std::unique_ptr<Source>> sources_;
  std::unordered_map<std::string, Region> regions_;
  bool needs_copies_ = false;
};

}  // namespace headroom
