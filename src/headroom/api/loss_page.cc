#include "headroom/api/loss_page.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/quantity.h"

namespace headroom {
namespace {

constexpr std::string_view kHead = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>headroom</title>
<style>
:root { color-scheme: light dark; --page: #f6f7f9; --ink: #1c2430; --soft: #5d6878; --grid: #e1e5eb; --bar: #3f76bf;
  --mark: #d9534f; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --ink: #e6eaf0; --soft: #98a3b3; --grid: #262e38;
  --bar: #5b93dc; --mark: #e56a66; } }
body { margin: 0 auto; max-width: 1100px; padding: 22px 24px; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 19px; font-weight: 600; margin: 0 0 6px; overflow-wrap: anywhere; }
p { color: var(--soft); margin: 3px 0; }
table { border-collapse: collapse; width: 100%; margin-top: 14px; font-variant-numeric: tabular-nums; font-size: 13px; }
td { padding: 1px 8px 1px 0; white-space: nowrap; } td.chart { width: 55%; }
.track { position: relative; height: 10px; background: var(--grid); border-radius: 3px; }
.track i { position: absolute; left: 0; top: 0; bottom: 0; background: var(--bar); border-radius: 3px; }
.track b { position: absolute; top: -1px; bottom: -1px; width: 2px; background: var(--mark); }
</style>
</head>
<body>
)page";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '&': result += "&amp;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

}  // namespace

void write_loss_page(const std::string& path, const QuantizeOptions& options, const QuantizeResult& result) {
  std::string page(kHead);
  page += fmt::format("<h1>{} in {} bits, {}</h1>\n", escaped(options.model), options.bits, options.method);
  page += fmt::format("<p>{:.3f} bits per weight, {} of files</p>\n", result.bits_per_weight,
                      format_bytes(result.written_bytes));
  if (const auto& cost = result.evaluation) {
    page += fmt::format(
        "<p>perplexity {:.4f}, where the whole model has {:.4f}; divergence {:.6f} nats; the same token "
        "is the likeliest in {:.3f} % of predictions</p>\n",
        cost->perplexity, cost->reference_perplexity, cost->kl_divergence, 100 * cost->top1_agreement);
  }
  double most = 0;
  for (const QuantizeResult::Loss& loss : result.losses) most = std::max({most, loss.loss, loss.rounding_loss});
  page +=
      "<p>Squared error of each layer's outputs on the calibration's text, relative to the outputs: the bar, and as a "
      "red line that of rounding each number to its nearest code.</p>\n<table>\n";
  for (const QuantizeResult::Loss& loss : result.losses) {
    const auto share = [most](double part) { return most > 0 ? 100 * part / most : 0; };
    page += fmt::format(
        "<tr><td>{}</td><td>{:.3g}</td><td>{:.3g}</td><td class=\"chart\"><div class=\"track\"><i "
        "style=\"width:{:.2f}%\"></i><b style=\"left:{:.2f}%\"></b></div></td></tr>\n",
        escaped(loss.weight), loss.loss, loss.rounding_loss, share(loss.loss), share(loss.rounding_loss));
  }
  write_file_atomically(path, page + "</table>\n</body>\n</html>\n");
}

}  // namespace headroom
