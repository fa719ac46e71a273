#include "headroom/data/data_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/gzip/gzip_source.h"

namespace headroom {
namespace {

constexpr int64_t kHeadBytes = 4096;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Kinds of files that people have their data in, by their first bytes. {0} in what helps is the file.
struct Foreign {
  std::string_view magic;
  std::string_view name;
  std::string_view help;
  size_t at = 0;
};
constexpr Foreign kForeign[] = {
    {"PAR1", "a Parquet file",
     "python3 -c \"import pandas; pandas.read_parquet('{0}').to_json('data.jsonl', orient='records', lines=True)\""},
    {"ARROW1", "an Arrow file",
     "python3 -c \"import pandas; pandas.read_feather('{0}').to_json('data.jsonl', orient='records', lines=True)\""},
    {"\xff\xff\xff\xff", "an Arrow stream",
     "python3 -c \"import pyarrow; pyarrow.ipc.open_stream('{0}').read_pandas().to_json('data.jsonl', "
     "orient='records', "
     "lines=True)\""},
    {"\x28\xb5\x2f\xfd", "packed with zstd", "zstd -d '{0}'"},
    {"\xfd"
     "7zXZ",
     "packed with xz", "xz -dk '{0}'"},
    {"BZh", "packed with bzip2", "bzip2 -dk '{0}'"},
    {"\x1f\x8b", "packed with gzip twice", "gzip -dk '{0}'"},
    {"PK\x03\x04", "a zip archive", "unzip '{0}'"},
    {"ustar", "a tar archive", "tar -xf '{0}'", 257},
    {"%PDF-", "a PDF", "pdftotext '{0}'"},
    {"SQLite format 3", "an SQLite database", "sqlite3 -json '{0}' 'select * from TABLE' > data.json"},
    {"GGUF", "a model in GGUF", "a file of text"},
    {"\xff\xfe", "UTF-16", "iconv -f UTF-16 -t UTF-8 '{0}' > data.txt"},
    {"\xfe\xff", "UTF-16", "iconv -f UTF-16 -t UTF-8 '{0}' > data.txt"},
};

void refuse_foreign(std::string_view head, const std::string& path) {
  for (const Foreign& kind : kForeign) {
    if (head.size() < kind.at || !head.substr(kind.at).starts_with(kind.magic)) continue;
    throw InvalidInput("{}: is {}; expected text, JSON or a table; try {}", path, kind.name,
                       fmt::format(fmt::runtime(kind.help), path));
  }
}

// The name in lower case, without what only says how it is packed or that it is text.
std::string plain_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char byte) { return std::tolower(byte); });
  for (bool cut = true; cut;) {
    cut = false;
    for (const std::string_view end : {".gz", ".gzip", ".txt"}) {
      if (name.size() <= end.size() || !name.ends_with(end)) continue;
      name.resize(name.size() - end.size());
      cut = true;
    }
  }
  return name;
}

bool ends_in(const std::string& name, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return name.ends_with(end); });
}

std::string_view without_space(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// `{ "name" :` and what may stand between.
bool begins_object(std::string_view text) {
  if (!text.starts_with('{')) return false;
  text = without_space(text.substr(1));
  if (!text.starts_with('"')) return false;
  for (size_t at = 1; at < text.size() && text[at] != '\n'; ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      return without_space(text.substr(at + 1)).starts_with(':');
  }
  return false;
}

bool begins_list(std::string_view text) {
  return text.starts_with('[') && begins_object(without_space(text.substr(1)));
}

// The names of a first line, if they are cut at `delimiter`; none where one of them is no word.
std::vector<std::string_view> names_of(std::string_view line, char delimiter) {
  std::vector<std::string_view> names;
  for (;;) {
    const size_t end = line.find(delimiter);
    std::string_view name = line.substr(0, end);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    if (name.size() > 64 || name.find_first_of(" \"{}[]<>") != std::string_view::npos) return {};
    names.push_back(name);
    if (end == std::string_view::npos) return names;
    line.remove_prefix(end + 1);
  }
}

bool say_what_to_learn(const std::vector<std::string_view>& names) {
  const auto has = [&](std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return names.size() > 1 && (has("text") || (has("prompt") && has("completion")) ||
                              (has("instruction") && has("output")) || (has("chosen") && has("rejected")));
}

std::string_view first_line(std::string_view head) {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

constexpr std::array<char, 3> kDelimiters = {',', '\t', ';'};

// Of what is said to be a table: what its first line has most of.
char likeliest_delimiter(std::string_view line) {
  return *std::max_element(kDelimiters.begin(), kDelimiters.end(), [&](char a, char b) {
    return std::count(line.begin(), line.end(), a) < std::count(line.begin(), line.end(), b);
  });
}

int64_t read_all(ByteSource& source, char* data, int64_t size) {
  int64_t filled = 0;
  while (const int64_t got = filled < size ? source.read(data + filled, size - filled) : 0) filled += got;
  return filled;
}

// The last four bytes of a gzip file are the size of what it holds, modulo 2^32.
int64_t unpacked_bytes(const File& file) {
  uint32_t size = 0;
  const int64_t packed = file.size_bytes();
  if (packed >= 18) file.read(packed - 4, &size, 4);
  return std::max<int64_t>(size, packed);
}

}  // namespace

DataFile::DataFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw InvalidInput("{0}: is a directory; expected a file; try {0}/*", path);
  }
  file_ = File::open(path);
  std::string head(kHeadBytes, '\0');
  const int64_t magic = file_.read_some(0, head.data(), 2);
  is_packed_ = is_gzip(std::string_view(head).substr(0, static_cast<size_t>(magic)));
  text_bytes_ = is_packed_ ? unpacked_bytes(file_) : file_.size_bytes();
  head.resize(static_cast<size_t>(read_all(*open(), head.data(), kHeadBytes)));
  refuse_foreign(head, path);
  std::string_view text = head;
  if (text.starts_with(kByteOrderMark)) {
    mark_bytes_ = static_cast<int64_t>(kByteOrderMark.size());
    text.remove_prefix(kByteOrderMark.size());
  }
  if (text.empty()) throw InvalidInput("{}: is empty; expected text", path);

  const std::string name = plain_name(path);
  const std::string_view begin = without_space(text);
  const std::string_view line = first_line(text);
  const bool is_json = ends_in(name, {".json", ".jsonl", ".jsonlines", ".ndjson"});
  if (begins_list(begin) || (is_json && begin.starts_with('['))) {
    form_ = DataForm::list;
  } else if (begins_object(begin) || is_json) {
    form_ = DataForm::objects;
  } else if (ends_in(name, {".csv", ".tsv"})) {
    form_ = DataForm::table;
    delimiter_ = likeliest_delimiter(line);
  } else {
    for (const char delimiter : kDelimiters) {
      if (!say_what_to_learn(names_of(line, delimiter))) continue;
      form_ = DataForm::table;
      delimiter_ = delimiter;
    }
  }
}

std::unique_ptr<ByteSource> DataFile::open() const {
  std::unique_ptr<ByteSource> source;
  if (is_packed_) {
    source = std::make_unique<GzipSource>(file_);
  } else {
    source = std::make_unique<FileBytes>(file_, 0, file_.size_bytes());
  }
  std::array<char, kByteOrderMark.size()> mark;
  read_all(*source, mark.data(), mark_bytes_);
  return source;
}

void check_data_files(std::span<const std::string> paths) {
  for (const std::string& path : paths) DataFile{path};
}

bool any_hold_records(std::span<const std::string> paths) {
  return std::any_of(paths.begin(), paths.end(),
                     [](const std::string& path) { return DataFile(path).form() != DataForm::text; });
}

int64_t text_bytes_of(std::span<const std::string> paths) {
  int64_t bytes = 0;
  for (const std::string& path : paths) bytes += DataFile(path).text_bytes();
  return bytes;
}

}  // namespace headroom
