// Elementary functions of doubles, branch-free as those of math.h: to a unit or two in the last place, erfc to five, erfinv to three.
// Polynomials are minimax fits. Of two products that are added one is fused by name: of which it is, compilers decide anew for vectors.
// Included by math.h.

namespace cresset::CRESSET_TARGET {
namespace {
namespace math {

// Whether these functions are to be used: without a multiply-add, and comparisons of 64 bits, which SSE2 lacks too, the standard
// library's take less time.
#if defined(__x86_64__) || defined(_M_X64)
constexpr bool kVectorized64 = CRESSET_VECTOR_BYTES > 16;
#else
constexpr bool kVectorized64 = true;
#endif
template <class V, class S>
CRESSET_INLINE auto vectorized_or(V vectorized, S standard) {
  if constexpr (kVectorized64) return vectorized;
  else return standard;
}

// A number and what rounding took from it.
struct Double2 {
  double high, low;
};
CRESSET_INLINE Double2 difference(double a, double b) {
  const double high = a - b, taken = high - a;
  return {high, (a - (high - taken)) - (b + taken)};
}

constexpr Double2 kHalfPi = {kPi / 2, 0x1.1a62633145c07p-54};

CRESSET_INLINE double exp2(double x) {
  x = clamp(x, -1077, 1025);
  const double n = round_small(x), half = round_small(n * 0.5);
  return (expm1_reduced<double>((x - n) * kLn2) + 1) * power_of_2(half) * power_of_2(n - half);
}

// e^x / 2, for x >= 0: e^x itself may overflow where the half does not.
CRESSET_INLINE double half_exp(double x) {
  x = clamp(x, 0, 711);
  const double n = round_small(x * kLog2E), half = round_small(n * 0.5);
  return (expm1_reduced<double>(x - n * kLn2High - n * kLn2Low) + 1) * power_of_2(half) * power_of_2(n - half - 1);
}

CRESSET_INLINE double sinh64(double x) {
  const double a = std::fabs(x), y = expm1<double>(select(a > 22, 22, a));
  return std::copysign(select(a > 22, half_exp(a), 0.5 * (y + y / (y + 1))), x);
}

CRESSET_INLINE double cosh64(double x) {
  const double y = half_exp(std::fabs(x));
  return y + 0.25 / y;
}

// A logarithm's base b: log_b(2) and 1 / ln(b), the first parts short enough for exact products with an exponent, or a short number.
struct Base {
  Double2 of_2, per_e;
};
constexpr Base kBase2 = {{1, 0}, {0x1.7154765p+0, 0x1.5c17f0bbbe88p-31}};
constexpr Base kBase10 = {{0x1.34413509f6p-2, 0x1.9fef311f12b36p-42}, {0x1.bcb7b15p-2, 0x1.37287195355bbp-33}};

// log_b(x): that of a power of b is exact.
CRESSET_INLINE double log64(double x, const Base& base) {
  const auto [m, e] = scale<double>(x);
  const double f = m - 1, s = f / (m + 1), z = s * s, h = 0.5 * f * f;
  const double r = z * polynomial(z, 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21);
  const double high = from_bits(bits(f - h) & 0xffffffff00000000u), low = (f - high) - h + s * (h + r);  // ln(m)
  const double main = high * base.per_e.high, whole = e * base.of_2.high, sum = whole + main;
  const double parts = std::fma(low + high, base.per_e.low, e * base.of_2.low);
  const double rest = std::fma(low, base.per_e.high, parts) + ((whole - sum) + main);
  return select(x > 0, select(x == kInfinity, x, sum + rest), select(x == 0, -kInfinity, kNaN));
}

CRESSET_INLINE double asinh64(double x) {
  const double a = std::fabs(x);
  const bool large = a > 0x1p28;
  const double c = select(large, 1, a), y = log1p<double>(c + c * c / (1 + std::sqrt(c * c + 1)));
  return std::copysign(select(large, log<double>(a) + kLn2, y), x);
}

CRESSET_INLINE double acosh64(double x) {
  const bool large = x > 0x1p28;
  const double t = select(large, 1, x - 1), y = select(large, log<double>(x) + kLn2, log1p<double>(t + std::sqrt(t * (t + 2))));
  return select(x < 1, kNaN, y);
}

CRESSET_INLINE double atanh64(double x) {
  const double a = std::fabs(x), twice = 2 * a;
  return std::copysign(0.5 * log1p<double>(select(a < 0.5, twice + twice * a / (1 - a), twice / (1 - a))), x);
}

// For |x| <= kMaxAngle. What is left of x beside quarters of a turn has two parts: where it is small, x itself had more digits.
CRESSET_INLINE SinCos sin_cos64(double x) {
  if constexpr (!kVectorized64) return {std::sin(x), std::cos(x)};
  const double rounded = x * (2 / kPi) + kRounder, n = rounded - kRounder;
  const Double2 second = difference(x - n * 0x1.921fb544p+0, n * 0x1.0b4611a6p-34);  // pi / 2 in parts, with exact products
  const Double2 third = difference(second.high, n * 0x1.3198a2ep-69);
  const double rest = (second.low + third.low) - n * 0x1.b839a252049c1p-104;
  const double high = third.high + rest, low = (third.high - high) + rest, z = high * high, half = 0.5 * z, w = 1 - half;
  const double sin = high * z * polynomial(z, -0.166666666666666319, 0.00833333333332236998, -0.000198412698297711635,
                                           2.75573136786641515e-6, -2.50507559611107215e-8, 1.58966664888258658e-10);
  const double cos = z * z * polynomial(z, 0.0416666666666665992, -0.00138888888888740649, 0.0000248015872894434878,
                                        -2.7557314340662803e-7, 2.08757216243073028e-9, -1.13595593655570381e-11);
  const double s = select(x == 0, x, high + std::fma(low, w, sin));  // -0
  const double c = w + (((1 - w) - half) + std::fma(-high, low, cos));
  const uint64_t quadrant = bits(rounded);
  const bool swap = quadrant & 1;
  const uint64_t sin_sign = (quadrant & 2) << 62, cos_sign = ((quadrant + 1) & 2) << 62;
  return {from_bits(bits(select(swap, c, s)) ^ sin_sign), from_bits(bits(select(swap, s, c)) ^ cos_sign)};
}

// As math.h's.
CRESSET_INLINE double atan2_64(double y, double x) {
  double a = std::fabs(y), b = std::fabs(x);
  const bool infinite = (a == kInfinity) & (b == kInfinity);
  const double scale = select((a > 0x1p1000) | (b > 0x1p1000), 0x1p-10, 1);  // that sums do not overflow
  a = select(infinite, 1, a * scale);
  b = select(infinite, 1, b * scale);
  const bool steep = a > b;
  const double low = select(steep, b, a), high = select(steep, a, b);
  const bool far = low > 0.41421356237309503 * high;
  const double over = select(far, low - high, low), under = select(far, low + high, high);
  const double t = over / select(under == 0, 1, under), z = t * t;
  const double p = polynomial(z, -0.333333333333333276, 0.199999999999976913, -0.14285714285390788, 0.111111110883511823,
                              -0.0909090815079103673, 0.0769228290042944532, -0.0666622885340685636, 0.0587704234863585409,
                              -0.0521853684522807443, 0.0450408872522674848, -0.0334870292031688654, 0.0152079396286325261);
  const double first = select(far, kHalfPi.high / 2, 0) + (t + (t * z * p + select(far, kHalfPi.low / 2, 0)));
  const double right = select(steep, (kHalfPi.high - first) + kHalfPi.low, first), left = (kPi - right) + 2 * kHalfPi.low;
  const bool backward = bits(x) >> 63;
  return std::copysign(select(backward, left, right), y);
}

// asin(a) for a up to a half, else half of what it is less than a right angle: as math.h's.
CRESSET_INLINE bool is_steep(double a) { return a > 0.5; }
CRESSET_INLINE double arcsine(double a) {
  const double rest = 0.5 - 0.5 * a;
  const double z = select(is_steep(a), rest, a * a), s = select(is_steep(a), std::sqrt(rest), a);
  const double p = polynomial(z, 0.166666666666667625, 0.0749999999997024721, 0.0446428571751319125, 0.0303819426831777404,
                              0.022372215670834594, 0.0173515999273472134, 0.0139809631947019182, 0.0113977632098162018,
                              0.0107865939091271408, 0.0036828181615259386, 0.0217640003123793935, -0.0210779487935084827,
                              0.0326772717330752747);
  return s + s * z * p;
}
CRESSET_INLINE double asin64(double x) {
  const double a = std::fabs(x), y = arcsine(a);
  return std::copysign(select(is_steep(a), kHalfPi.high - (2 * y - kHalfPi.low), y), x);
}
CRESSET_INLINE double acos64(double x) {
  const double a = std::fabs(x), y = arcsine(a);
  const bool steep = is_steep(a);
  const double angle = std::copysign(select(steep, 2 * y, y), x), turned = select(steep, angle, -angle);
  // The angle is taken from a right one, or added to none or two.
  const double from = kHalfPi.high - std::copysign(select(steep, kHalfPi.high, 0), x);
  const double rest = kHalfPi.low - std::copysign(select(steep, kHalfPi.low, 0), x);
  return from + (turned + rest);
}

// erfc(z) for z >= 1/2: t Q(t - 1/2) e^(-z²), t = 4 / (4 + z).
CRESSET_INLINE double erfc_tail(double z) {
  z = clamp(z, 0.5, 28);
  const double sum = 4 + z, t = 4 / sum, high = from_bits(bits(z) & 0xfffffffff8000000u), d = (z - high) * (z + high);  // z² = high² + d
  // What rounding took from t would count fivefold.
  const double lost = (std::fma(-t, sum, 4) - t * (z - (sum - 4))) * (0.25 * t);
  const double y = t * polynomial((t - 0.5) + lost, 0.27399891525012278, 0.488274364540440996, 0.773208702265235998, 1.08170766262647043,
                                  1.32340635151233306, 1.3920874979195359, 1.22210423852019715, 0.843841706879510134,
                                  0.391171563454269756, 0.0359627354402660034, -0.116493532287844723, -0.0905281831781710987,
                                  -0.00372156023751383647, 0.0386274465457256608, 0.0192179722390155153, -0.0116705738797419533,
                                  -0.0137845581500403721, 0.00249576284762049912, 0.00776326602872597637, -0.0001759672508301752,
                                  -0.0030889059805187983);
  return exp<double>(-high * high) * (y - y * (d - d * d * (0.5 - d * (1. / 6))));
}

// For |x| up to 1.
CRESSET_INLINE double erf_near(double x) {
  return x + x * polynomial(x * x, 0.128379167095512574, -0.376126389031837524, 0.112837916709551197, -0.0268661706451297334,
                            0.00522397762542208454, -0.000854832702185312224, 0.000120553328993549717, -0.0000149256474650412513,
                            1.64620434064298319e-6, -1.6364614404715675e-7, 1.47921456134119238e-8, -1.21630411714243826e-9,
                            8.70378752304912451e-11, -4.22289300791320639e-12);
}

CRESSET_INLINE double erf64(double x) {
  const double a = std::fabs(x);
  return select(a < 1, erf_near(x), std::copysign(1 - erfc_tail(a), x));
}

CRESSET_INLINE double erfc64(double x) {
  if constexpr (!kVectorized64) return std::erfc(x);
  const double a = std::fabs(x), tail = erfc_tail(a);
  return select(a < 0.5, 1 - erf_near(x), select(x < 0, 2 - tail, select(x == x, tail, x)));
}

// A fit as math.h's to a relative 1e-8, and one of Halley's steps, on erf, or on erfc where erf saturates.
CRESSET_INLINE double erfinv64(double x) {
  const double a = std::fabs(x), rest = 1 - a, w = -log_positive<double>(select(a < 1, rest * (1 + a), 1)), s = std::sqrt(w);
  const double near = erfinv_near(w), middle = erfinv_middle(s);
  const double far = polynomial(s - 5, 4.84990639350161989, 1.01030023619082925, -0.00013859789533289071, -0.000213542623696004164,
                                0.0000755960138406909981, -0.0000220513750809383872, 5.06786122370229311e-6);
  const double y = a * select(w < 6.25, near, select(w < 16, middle, far));
  const double error = select(a < 0.5, erf_near(y) - a, rest - select(y < 0.5, 1 - erf_near(y), erfc_tail(y)));
  const double newton = error * 0.8862269254527580 * exp<double>(y * y);  // sqrt(pi) / 2
  const double better = y - newton / (1 + y * newton);
  return select(a < 1, std::copysign(better, x), select(a == 1, std::copysign(kInfinity, x), kNaN));
}

CRESSET_INLINE double hypot64(double x, double y) {
  const double a = std::fabs(x), b = std::fabs(y), most = select(a > b, a, b), least = select(a > b, b, a);
  const bool huge = most > 0x1p500, tiny = most < 0x1p-450;
  const double scale = select(huge, 0x1p-600, select(tiny, 0x1p600, 1)), back = select(huge, 0x1p600, select(tiny, 0x1p-600, 1));
  const double length = std::sqrt(std::fma(most * scale, most * scale, (least * scale) * (least * scale))) * back;
  return select((a == kInfinity) | (b == kInfinity), kInfinity, length);
}

}  // namespace math
}  // namespace
}  // namespace cresset::CRESSET_TARGET
