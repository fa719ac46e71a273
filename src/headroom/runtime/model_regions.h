// Values whose home is the model's own files: where the bytes of each lie. They are read from there while graphs run,
// past the page cache where the file system allows it, and written nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headroom/backend/kernel.h"
#include "headroom/base/file.h"
#include "headroom/graph/binding.h"

namespace headroom {

class ModelRegions {
 public:
  // At rows of a value from `first_row` on, each part once; throws InvalidInput for what is no weight. Empty: nobody
  // needs to.
  using Look = std::function<void(const Tensor& rows, int64_t first_row)>;
  struct Region {
    int descriptor = -1;
    int64_t offset_bytes = 0;
    const std::string* path = nullptr;
    Look look = nullptr;
    std::set<int64_t> seen = {};  // first rows of the parts that were looked at
  };

  ModelRegions();
  ~ModelRegions();
  ModelRegions(const ModelRegions&) = delete;
  ModelRegions& operator=(const ModelRegions&) = delete;

  // `size_bytes` of `file` from `offset_bytes` on, as they are, are the value. Opens the file once more, whatever has
  // become of its name. `look` is called when rows are first read. Throws InvalidInput or MachineFailure where it
  // cannot.
  void add(const std::string& value, const File& file, int64_t offset_bytes, Look look = nullptr);

  // Of a value that is a stack, where each of its tensors lies; `look` as above, with the first row of the stack.
  struct StackRegions {
    struct Part {
      int descriptor = -1;
      int64_t offset_bytes = 0;
      const std::string* path = nullptr;
    };
    std::vector<Part> parts;
    Look look = nullptr;
    std::vector<bool> seen = {};  // which were looked at
  };
  void add_part(const std::string& value, const File& file, int64_t offset_bytes, const Look& look);
  StackRegions& stack_at(std::string_view value);

  // Of a table that stays in `file`, that of the model or of its reference: what reads a row of it, as f32.
  using TableRow = std::function<void(int32_t row, std::span<float> to)>;
  void set_table(headroom::Source source, const File& file, TableRow row);
  const TableRow& table_row(headroom::Source source) const { return table_rows_.at(source); }

  // Throws InternalError for a value that has not been added.
  Region& at(std::string_view value);
  bool is_empty() const { return sources_.empty(); }
  // Of the first of the files; there is one.
  const std::string& path() const;
  // Whether a region does not begin on a page, and its file is read past the page cache.
  bool needs_copies() const { return needs_copies_; }
  // Throws InvalidInput naming a file that was written, or grew or shrank, since it was added.
  void check_unchanged() const;

 private:
  struct Source;
  Source& source_of(const File& file);

  std::vector<std::unique_ptr<Source>> sources_;
  std::unordered_map<std::string, Region> regions_;
  std::unordered_map<std::string, StackRegions> stacks_;
  bool needs_copies_ = false;
  std::map<headroom::Source, TableRow> table_rows_;
};

}  // namespace headroom
