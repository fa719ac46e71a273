// Elementary functions in double precision, one written order of operations, so that no result of the machine's libm
// (which picks variants by processor) reaches a number: rotary tables, learning rates, bias corrections, initial
// weights. Accurate to about 1e-15 relative on the ranges those need; exact operations (sqrt, fma, floor) are the
// library's.
#pragma once

namespace headroom::real {

double exp(double x);
double log(double x);  // x > 0; -inf at 0, NaN below
// exp(y * log(x)), x > 0: the error grows with |y * log(x)|, about that many 1e-16.
double pow(double x, double y);
// |x| < 2^30.
double sin(double x);
double cos(double x);

}  // namespace headroom::real
