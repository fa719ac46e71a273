#include "headroom/base/real_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace headroom::real {
namespace {

constexpr double kLog2High = 0x1.62e42fefa38p-1;  // the last bits are zero: k * kLog2High is exact
constexpr double kLog2Low = 0x1.ef35793c7673p-45;

double power_of_two(int64_t exponent) { return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52); }

// Taylor series on [-pi/4, pi/4], highest power first.
double sin_near_zero(double r) {
  const double z = r * r;
  double p = 1.0 / 355687428096000.0;
  for (const double factorial : {-1307674368000.0, 6227020800.0, -39916800.0, 362880.0, -5040.0, 120.0, -6.0}) {
    p = std::fma(p, z, 1.0 / factorial);
  }
  return std::fma(p * z, r, r);
}

double cos_near_zero(double r) {
  const double z = r * r;
  double p = 1.0 / 20922789888000.0;
  for (const double factorial : {-87178291200.0, 479001600.0, -3628800.0, 40320.0, -720.0, 24.0, -2.0}) {
    p = std::fma(p, z, 1.0 / factorial);
  }
  return std::fma(p, z, 1.0);
}

struct Reduced {
  double r;
  int64_t quadrant;
};

// x - n * pi/2 with pi/2 in three parts (Cody and Waite 1980).
Reduced reduce(double x) {
  const double n = std::floor(std::fma(x, 0x1.45f306dc9c883p-1, 0.5));
  double r = std::fma(-n, 0x1.921fb54442d18p+0, x);
  r = std::fma(-n, 0x1.1a62633145c07p-54, r);
  r = std::fma(-n, -0x1.f1976b7ed8fbcp-110, r);
  return {r, static_cast<int64_t>(n)};
}

double sin_of_quadrant(double r, int64_t quadrant) {
  const double magnitude = (quadrant & 1) != 0 ? cos_near_zero(r) : sin_near_zero(r);
  return (quadrant & 2) != 0 ? -magnitude : magnitude;
}

}  // namespace

double exp(double x) {
  if (!(x > -745.2)) return x != x ? x : 0.0;
  if (x > 709.79) return std::numeric_limits<double>::infinity();
  const double k = std::floor(std::fma(x, 0x1.71547652b82fep+0, 0.5));
  double r = std::fma(-k, kLog2High, x);
  r = std::fma(-k, kLog2Low, r);
  double p = 1.0;
  for (int power = 14; power >= 1; --power) p = std::fma(p, r / power, 1.0);
  const int64_t half = static_cast<int64_t>(k) / 2;  // two factors: the result may be denormal
  return p * power_of_two(half) * power_of_two(static_cast<int64_t>(k) - half);
}

double log(double x) {
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (!(x > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == std::numeric_limits<double>::infinity()) return x;
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // exact
  if (mantissa < 0x1.6a09e667f3bcdp-1) {
    mantissa *= 2;
    --exponent;
  }
  // log(m) = 2 * (s + s^3/3 + s^5/5 + ...), s = (m - 1) / (m + 1), |s| < 0.172
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double z = s * s;
  double p = 1.0 / 25.0;
  for (int odd = 23; odd >= 3; odd -= 2) p = std::fma(p, z, 1.0 / odd);
  const double e = exponent;
  return std::fma(e, kLog2High, std::fma(e, kLog2Low, 2.0 * std::fma(p * z, s, s)));
}

double pow(double x, double y) { return exp(y * log(x)); }

double sin(double x) {
  const Reduced reduced = reduce(x);
  return sin_of_quadrant(reduced.r, reduced.quadrant);
}

double cos(double x) {
  const Reduced reduced = reduce(x);
  return sin_of_quadrant(reduced.r, reduced.quadrant + 1);
}

}  // namespace headroom::real
