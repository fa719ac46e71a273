#include "headroom/runtime/model_regions.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "headroom/base/errors.h"
#include "headroom/base/page.h"

namespace headroom {

struct ModelRegions::Source {
  const File* file;
  std::string path;
  int descriptor;
  bool is_direct;
  struct stat state;
};

namespace {

int open_again(const File& file, int flags) {
  const std::string name = fmt::format("/proc/self/fd/{}", file.descriptor());
  int descriptor = -1;
  do {
    descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | flags);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// It opens, and takes pages: some file systems want another alignment.
bool reads_pages(int descriptor) {
  alignas(kPageBytes) char page[kPageBytes];
  ssize_t got = 0;
  do {
    got = ::pread(descriptor, page, sizeof page, 0);
  } while (got < 0 && errno == EINTR);
  return got > 0;
}

}  // namespace

ModelRegions::ModelRegions() = default;

ModelRegions::~ModelRegions() {
  for (const auto& source : sources_) ::close(source->descriptor);
}

ModelRegions::Source& ModelRegions::source_of(const File& file) {
  for (const auto& source : sources_) {
    if (source->file == &file) return *source;
  }
  int descriptor = open_again(file, O_DIRECT);
  const bool is_direct = descriptor >= 0 && reads_pages(descriptor);
  if (!is_direct) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = open_again(file, 0);
  }
  if (descriptor < 0) throw_file_error(file.path(), "open", errno);
  sources_.push_back(std::make_unique<Source>(Source{&file, file.path(), descriptor, is_direct, {}}));
  if (::fstat(descriptor, &sources_.back()->state) != 0) throw_file_error(file.path(), "look at", errno);
  return *sources_.back();
}

void ModelRegions::add(const std::string& value, const File& file, int64_t offset_bytes, Look look) {
  const Source& source = source_of(file);
  regions_[value] = {source.descriptor, offset_bytes, &source.path, std::move(look)};
  needs_copies_ |= offset_bytes % kPageBytes != 0;
}

ModelRegions::Region& ModelRegions::at(std::string_view value) {
  const auto found = regions_.find(std::string(value));
  ensure(found != regions_.end(), "'{}' has no place in the model's files", value);
  return found->second;
}

void ModelRegions::add_part(const std::string& value, const File& file, int64_t offset_bytes, const Look& look) {
  const Source& source = source_of(file);
  StackRegions& stack = stacks_[value];
  stack.parts.push_back({source.descriptor, offset_bytes, &source.path});
  stack.seen.push_back(false);
  stack.look = look;
  needs_copies_ |= offset_bytes % kPageBytes != 0;
}

ModelRegions::StackRegions& ModelRegions::stack_at(std::string_view value) {
  const auto found = stacks_.find(std::string(value));
  ensure(found != stacks_.end(), "'{}' has no place in the model's files", value);
  return found->second;
}

const std::string& ModelRegions::path() const { return sources_.front()->path; }

void ModelRegions::set_table(headroom::Source source, const File& file, TableRow row) {
  source_of(file);
  table_rows_[source] = std::move(row);
}

void ModelRegions::check_unchanged() const {
  for (const auto& source : sources_) {
    struct stat now = {};
    if (::fstat(source->descriptor, &now) != 0) throw_file_error(source->path, "look at", errno);
    const struct stat& then = source->state;
    if (now.st_size == then.st_size && now.st_mtim.tv_sec == then.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == then.st_mtim.tv_nsec) {
      continue;
    }
    throw InvalidInput("{}: it has changed while weights were read from it; what follows would be another model's",
                       source->path);
  }
}

}  // namespace headroom
