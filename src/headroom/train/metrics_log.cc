#include "headroom/train/metrics_log.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kPieceBytes = 65536;

struct Line {
  int64_t step = 0;
  double loss = 0;
};

Line read_line(JsonReader& json) {
  Line line;
  bool has_step = false, has_loss = false;
  std::string key;
  for (json.begin_object(); json.next_key(key);) {
    if (key == "step") {
      line.step = json.integer(1, INT64_MAX);
      has_step = true;
    } else if (key == "loss") {
      line.loss = json.real();
      has_loss = true;
    } else {
      json.skip();
    }
  }
  if (!has_step || !has_loss) json.fail("expected the fields step and loss");
  return line;
}

File open_or_create(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) ? File::open_to_update(path) : File::create(path);
}

// Bytes of the lines of steps 1 to `last_step`.
int64_t bytes_until(const File& file, int64_t last_step) {
  JsonReader json(file, 0, file.size_bytes(), file.path());
  int64_t end = 0;
  for (int64_t step = 1; step <= last_step; ++step) {
    if (json.at_end()) {
      throw InvalidInput("{}: ends after step {}; expected the steps up to the checkpoint's, {}", file.path(), step - 1,
                         last_step);
    }
    const int64_t got = read_line(json).step;
    if (got != step) json.fail(fmt::format("expected step {}, got {}", step, got));
    end = json.position_bytes();
  }
  return end;
}

}  // namespace

MetricsLog::MetricsLog(const std::string& path, int64_t last_step) : file_(open_or_create(path)) {
  size_bytes_ = bytes_until(file_, last_step);
  file_.truncate(size_bytes_);
  if (last_step > 0) {  // the kill may have come before the line end
    file_.write(size_bytes_, "\n", 1);
    ++size_bytes_;
  }
}

void MetricsLog::append(std::string_view object) {
  const std::string line = std::string(object) + "\n";
  file_.write(size_bytes_, line.data(), static_cast<int64_t>(line.size()));
  size_bytes_ += static_cast<int64_t>(line.size());
}

bool MetricsLog::is_there() const {
  std::error_code error;
  return std::filesystem::exists(file_.path(), error);
}

void MetricsLog::restore() {
  File copy = File::create(file_.path());
  std::vector<char> piece(kPieceBytes);
  for (int64_t offset = 0; offset < size_bytes_;) {
    const int64_t size = std::min(kPieceBytes, size_bytes_ - offset);
    file_.read(offset, piece.data(), size);
    copy.write(offset, piece.data(), size);
    offset += size;
  }
  file_ = std::move(copy);
}

void MetricsLog::for_each_loss(const std::function<void(int64_t, double)>& visit) const {
  JsonReader json(file_, 0, size_bytes_, file_.path());
  while (!json.at_end()) {
    const Line line = read_line(json);
    visit(line.step, line.loss);
  }
}

}  // namespace headroom
