#include "headroom/base/atomic_file.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string temporary_name(const std::string& path) { return path + std::string(kTemporarySuffix); }

// A leftover of a killed run must not be written through: it may be a link to elsewhere.
File create_temporary(const std::string& path) {
  std::error_code error;
  const fs::file_status target = fs::status(path, error);
  if (fs::is_directory(target)) throw InvalidInput("{}: is a directory; expected the name of a file to write", path);
  if (fs::exists(target) && !fs::is_regular_file(target)) {
    throw InvalidInput("{}: is not a regular file; expected the name of a file to write", path);
  }
  remove_tree(temporary_name(path));
  return File::create(temporary_name(path));
}

void rename_durably(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_file_error(to, "put the finished output in place of", errno);
  sync_directory(parent_of(to));
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), file_(create_temporary(path_)) {}

AtomicFile::~AtomicFile() {
  std::error_code ignored;  // nothing better can be done with a temporary file that cannot be removed
  if (!committed_) fs::remove(temporary_name(path_), ignored);
}

void AtomicFile::commit() {
  ensure(!committed_, "{}: committed twice", path_);
  file_.sync();
  rename_durably(temporary_name(path_), path_);
  committed_ = true;
}

AtomicDirectory::AtomicDirectory(std::string path)
    : path_(without_trailing_slash(std::move(path))), temporary_path_(temporary_name(path_)) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path_, error);
  if (fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(path_, error))) {
    throw InvalidInput("{}: exists already; choose another name", path_);
  }
  remove_tree(temporary_path_);
  create_directories(temporary_path_);
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_path_, ignored);
}

void AtomicDirectory::commit() {
  ensure(!committed_, "{}: committed twice", path_);
  sync_directory(temporary_path_);
  rename_durably(temporary_path_, path_);
  committed_ = true;
}

void write_file_atomically(const std::string& path, std::string_view text) {
  AtomicFile output(path);
  output.file().write(0, text.data(), static_cast<int64_t>(text.size()));
  output.commit();
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw_file_error(path, "remove", error.value());
}

void remove_leftovers(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> leftovers;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().string();
    if (name.ends_with(kTemporarySuffix)) leftovers.push_back(std::move(name));
  }
  if (error) throw_file_error(directory, "list", error.value());
  for (const std::string& leftover : leftovers) remove_tree(leftover);
}

}  // namespace headroom
