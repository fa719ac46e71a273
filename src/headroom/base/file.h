// A file as headroom uses it: opened once, read and written at explicit offsets (so that threads may share it), and no
// error is ever lost. Nothing is mapped into memory: mapped pages would count against the budget.
//
// Errors of the whole file: InvalidInput where the user can mend the path or its rights (missing, a directory, not
// readable, read-only), MachineFailure for everything else (a full disk, an I/O error), both with path and reason.
#pragma once

#include <cstdint>
#include <string>

namespace headroom {

inline constexpr int64_t kLargestTransferBytes = int64_t{1} << 30;  // the kernel takes less than 2 GiB a call

class File {
 public:
  File() = default;  // no file; only assignment and destruction are allowed
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // For reading. Refuses what is not a regular file.
  static File open(const std::string& path);
  // For reading and writing; it must exist.
  static File open_to_update(const std::string& path);
  // A new file for reading and writing; throws InvalidInput if something of that name exists.
  static File create(const std::string& path);

  const std::string& path() const { return path_; }
  bool is_open() const { return descriptor_ >= 0; }
  int64_t size_bytes() const;
  // For system calls that this class has no name for; its own.
  int descriptor() const { return descriptor_; }

  // Exactly `size_bytes` at `offset`; throws InvalidInput ("truncated") if the file ends before.
  void read(int64_t offset, void* data, int64_t size_bytes) const;
  // As many as there are, up to `size_bytes`; 0 only at the end of the file.
  int64_t read_some(int64_t offset, void* data, int64_t size_bytes) const;
  // All of it; a full disk or a file-size limit says how much was to be written where and how much is free.
  void write(int64_t offset, const void* data, int64_t size_bytes);
  void truncate(int64_t size_bytes);
  // Takes the disk's room for a file of `size_bytes`, which it then has, where the file system can do that in advance;
  // throws as write() does where there is not so much.
  void reserve(int64_t size_bytes);
  // Data and metadata are on the disk when it returns.
  void sync();

 private:
  friend class DirectFile;
  friend class DirectWriter;

  [[noreturn]] void throw_full(int64_t offset, int64_t size_bytes, int error) const;

  File(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
};

// Makes renames and new names inside `directory` durable.
void sync_directory(const std::string& directory);

// Makes `directory` and its parents where they are missing. Throws as File does.
void create_directories(const std::string& directory);

// Bytes that this user can still write where `path`, or its nearest existing parent, lies.
int64_t free_disk_bytes(const std::string& path);

// Throws MachineFailure unless `needed_bytes` are free at `path`; `what` begins the sentence ("a checkpoint").
void require_disk_space(const std::string& path, int64_t needed_bytes, const std::string& what);

// "No space left on device": the text of an errno, safe with threads.
std::string describe_errno(int error);

// The directory that holds `path`: "." for a bare name.
std::string parent_of(const std::string& path);

// Throws InvalidInput or MachineFailure for a failed system call: "PATH: cannot VERB it: TEXT OF ERRNO".
[[noreturn]] void throw_file_error(const std::string& path, const std::string& verb, int error);

}  // namespace headroom
