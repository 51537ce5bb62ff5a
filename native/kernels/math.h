// Elementary functions, branch-free (hence | and & between conditions) so that a loop around them vectorizes. Arithmetic is
// in double: `exp<float>` has as many terms as a float's last bit needs (its overflow, underflow and rounding then come right
// by the conversion), and `exp<double>` as many as a double's. What activations and softmax are made of, and e^x and 2^x themselves,
// is in T's own arithmetic, twice the lanes, as PyTorch's is: e^x and 2^x to an ulp, sigmoid to two.
// Included inside each target's region, after <cmath>, <cstdint>, <limits> and <type_traits>; it includes math64.h.

namespace cresset::CRESSET_TARGET {
namespace {
namespace math {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kLn2High = 0x1.62e42feep-1;  // short enough for exact products with an exponent
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kLog2E = 0x1.71547652b82fep+0;
constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
constexpr double kPi = 0x1.921fb54442d18p+1;

CRESSET_INLINE uint64_t bits(double x) { return __builtin_bit_cast(uint64_t, x); }
CRESSET_INLINE double from_bits(uint64_t x) { return __builtin_bit_cast(double, x); }
CRESSET_INLINE uint32_t bits(float x) { return __builtin_bit_cast(uint32_t, x); }
CRESSET_INLINE float from_bits(uint32_t x) { return __builtin_bit_cast(float, x); }

// condition ? a : b. Of a conditional GCC may make a branch, and copies of what follows for either way, which when they are joined
// again take up to twice as long.
CRESSET_INLINE double select(bool condition, double a, double b) {
  const uint64_t mask = -static_cast<uint64_t>(condition);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}
CRESSET_INLINE float select(bool condition, float a, float b) {
  const uint32_t mask = -static_cast<uint32_t>(condition);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}

// c[0] + c[1] x + c[2] x² + …
template <class T>
CRESSET_INLINE T polynomial(T, std::type_identity_t<T> c) { return c; }
template <class T, class... C>
CRESSET_INLINE T polynomial(T x, std::type_identity_t<T> c, C... rest) {
  return polynomial(x, rest...) * x + c;
}

// Adding 1.5 2^52 rounds to an integer and leaves it in the low bits: no conversion instruction, so SSE2 will do.
constexpr double kRounder = 0x1.8p52;
CRESSET_INLINE double round_small(double x) { return (x + kRounder) - kRounder; }
CRESSET_INLINE double trunc_small(double x) {
  const double nearest = round_small(x), over = std::fabs(nearest) > std::fabs(x) ? 1 : 0;
  return nearest - std::copysign(over, x);
}
// Between integers of up to 51 bits and doubles of the same value.
CRESSET_INLINE int64_t small_integer(double whole) { return static_cast<int64_t>(bits(whole + kRounder) - bits(kRounder)); }
CRESSET_INLINE double small_double(int64_t n) { return from_bits(static_cast<uint64_t>(n) + bits(kRounder)) - kRounder; }
// -1023 gives 0, 1024 infinity.
CRESSET_INLINE double power_of_2(double n) { return from_bits((bits(n + kRounder) + 1023) << 52); }

// e^r - 1 for |r| <= ln(2) / 2.
template <class T>
CRESSET_INLINE double expm1_reduced(double r) {
  if constexpr (std::is_same_v<T, float>) {
    return r * r * polynomial(r, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320) + r;
  } else {
    return r * r * polynomial(r, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800,
                              1. / 39916800, 1. / 479001600, 1. / 6227020800) + r;
  }
}

template <class T>
CRESSET_INLINE T clamp(T x, std::type_identity_t<T> low, std::type_identity_t<T> high) {  // NaN stays NaN
  x = select(x < low, low, x);
  return select(x > high, high, x);
}

// For float and -709.1 <= x <= 709.8, to 0 and infinity at the ends.
CRESSET_INLINE double exp_within(double x) {
  const double n = round_small(x * kLog2E);
  return (expm1_reduced<float>(x - n * kLn2High - n * kLn2Low) + 1) * power_of_2(n);
}

// For float, what is beyond a double's normal range is 0 or infinity.
template <class T>
CRESSET_INLINE double exp(double x) {
  if constexpr (std::is_same_v<T, float>) return exp_within(clamp(x, -709.1, 709.79));
  x = clamp(x, -746, 710);
  const double n = round_small(x * kLog2E), half = round_small(n * 0.5);
  return (expm1_reduced<T>(x - n * kLn2High - n * kLn2Low) + 1) * power_of_2(half) * power_of_2(n - half);
}

// e^r - 1 - r for |r| <= ln(2) / 2, in float: a minimax fit of it over r², a twentieth of an ulp of e^r.
CRESSET_INLINE float exp_beyond_line(float r) {
  return r * r * polynomial(r, 0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f, 0x1.6a234ep-10f);
}
CRESSET_INLINE float expm1_short(float r) { return exp_beyond_line(r) + r; }

// x = power ln(2) + rest + lost, for float and -104 <= x <= 89; what is lost is less than an ulp of the rest.
struct Reduced {
  float rest, lost;
  int32_t power;
};
constexpr float kRound = 0x1.8p23f;
CRESSET_INLINE int32_t rounded_off(float x) { return __builtin_bit_cast(int32_t, x) - __builtin_bit_cast(int32_t, kRound); }
CRESSET_INLINE Reduced reduce(float x) {
  const float rounded = x * 0x1.715476p+0f + kRound, n = rounded - kRound;
  const float near = x - n * 0x1.62e4p-1f;  // ln 2 in two parts, the first short enough for exact products
  const float rest = near - n * 0x1.7f7d1cp-20f, lost = (near - rest) - n * 0x1.7f7d1cp-20f;
  return {rest, lost, rounded_off(rounded)};
}
CRESSET_INLINE float power_of_2(int32_t n) { return __builtin_bit_cast(float, (n + 127) << 23); }
// 2^power (line + rest)
CRESSET_INLINE float restore(float line, float rest, int32_t power) {
  const int32_t half = power >> 1;  // 2^power itself may overflow, or be denormal
  const float scale = power_of_2(half);
  return (rest * scale + line * scale) * power_of_2(power - half);
}

// Within 0.69 ulp, of a denormal 0.77.
CRESSET_INLINE float exp(float x) {
  const auto [rest, lost, power] = reduce(clamp(x, -104, 89));
  const float line = 1 + rest;
  return restore(line, exp_beyond_line(rest) + (rest - (line - 1) + lost), power);
}

// In T's own arithmetic.
template <class T>
CRESSET_INLINE T exp_in(T x) {
  if constexpr (std::is_same_v<T, double>) {
    return exp<double>(x);
  } else {
    const auto y = reduce(clamp(x, -104, 89));
    return restore(1, expm1_short(y.rest), y.power);
  }
}

// 2^x, for float.
CRESSET_INLINE float exp2(float x) {
  x = clamp(x, -151, 128);
  const float rounded = x + kRound;
  return restore(1, expm1_short((x - (rounded - kRound)) * 0x1.62e43p-1f), rounded_off(rounded));
}

// For x <= 0, in T's own arithmetic.
template <class T>
CRESSET_INLINE T exp_negative_in(T x) {
  if constexpr (std::is_same_v<T, double>) {
    return exp<double>(x);
  } else {
    x = x < -104 ? -104 : x;
    const auto y = reduce(x);
    const float scale = power_of_2(y.power + 64);  // normal where the result is not
    return (expm1_short(y.rest) * scale + scale) * 0x1p-64f;
  }
}

template <class T>
CRESSET_INLINE double expm1(double x) {
  const double c = clamp(x, -100, 709.7);
  const double n = round_small(c * kLog2E);
  const double half = power_of_2(n - 1);  // 2^n itself may overflow
  const double y = (half * expm1_reduced<T>(c - n * kLn2High - n * kLn2Low) + (half - 0.5)) * 2;
  return select(x > 709.782712893384, kInfinity, select(std::fabs(x) < 0x1p-54, x, y));
}

// For x <= 0, in T's own arithmetic.
template <class T>
CRESSET_INLINE T expm1_in(T x) {
  if constexpr (std::is_same_v<T, double>) {
    return expm1<double>(x);
  } else {
    const auto y = reduce(clamp(x, -30, 0));
    const float scale = power_of_2(y.power);
    return expm1_short(y.rest) * scale + (scale - 1);
  }
}

// x = 2^exponent mantissa, the mantissa in [sqrt(1/2), sqrt(2)), for 0 < x < infinity.
struct Scaled {
  double mantissa, exponent;
};
template <class T>
CRESSET_INLINE Scaled scale(double x) {
  const bool denormal = std::is_same_v<T, double> && x < 0x1p-1022;  // a float's denormals are normal in double
  const double scaled = denormal ? x * 0x1p54 : x;
  const uint64_t shifted = bits(scaled) - bits(kSqrtHalf);
  const double mantissa = from_bits(bits(scaled) - (shifted & 0xfff0000000000000u));
  // The exponent as a double without an integer conversion: 2^52 + (e + 2048) has it in its low bits.
  return {mantissa, from_bits(((shifted >> 52) ^ 2048) | 0x4330000000000000u) - (0x1p52 + 2048) - (denormal ? 54 : 0)};
}

// For 0 < x < infinity; with kMore terms to a relative 2^-39 for float, else 2^-34.
template <class T, bool kMore = false>
CRESSET_INLINE double log_positive(double x) {
  constexpr bool kShort = std::is_same_v<T, float>;
  const auto [m, e] = scale<T>(x);
  const double f = m - 1, s = f / (m + 1), z = s * s, h = 0.5 * f * f;
  double r;
  if constexpr (kShort && !kMore) {
    r = z * polynomial(z, 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11);
  } else if constexpr (kShort) {
    r = z * polynomial(z, 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13);
  } else {
    r = z * polynomial(z, 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21);
  }
  return e * kLn2High - ((h - (s * (h + r) + e * kLn2Low)) - f);
}

template <class T, bool kMore = false>
CRESSET_INLINE double log(double x) {
  const double y = log_positive<T, kMore>(x);
  return select(x > 0, select(x == kInfinity, x, y), select(x == 0, -kInfinity, kNaN));
}

// log(x) times `factor`, for float. What a float's own bits tell is found out in them, in twice the lanes.
CRESSET_INLINE float log(float x, double factor) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const bool denormal = x < 0x1p-126f;
  const float scaled = select(denormal, x * 0x1p23f, x);
  // m in [sqrt(1/2), sqrt(2)), scaled = 2^e m.
  const uint32_t shifted = bits(scaled) - bits(static_cast<float>(kSqrtHalf));
  const int32_t e = (static_cast<int32_t>(shifted) >> 23) - (denormal ? 23 : 0);
  const double m = from_bits(bits(scaled) - (shifted & 0xff800000u));
  const double s = (m - 1) / (m + 1), z = s * s;
  const double y = e * kLn2 + s * polynomial(z, 2, 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11);
  const float finite = select(x < kInfinite, static_cast<float>(y * factor), x);
  return select(x > 0, finite, select(x == 0, -kInfinite, std::numeric_limits<float>::quiet_NaN()));
}

template <class T>
CRESSET_INLINE double log1p(double x) {
  const double u = 1 + x, y = log<T>(u);
  if constexpr (std::is_same_v<T, float>) return select(std::fabs(x) < 0x1p-20, x - 0.5 * x * x, y);
  const double corrected = y + (x - (u - 1)) / u;  // what rounding took from u
  const bool correct = (u > 0) & (u < kInfinity);
  return select(x == 0, x, select(correct, corrected, y));
}

// For 0 <= x <= 1, in T's own arithmetic.
template <class T>
CRESSET_INLINE T log1p_in(T x) {
  if constexpr (std::is_same_v<T, double>) {
    const double u = 1 + x;
    return log_positive<double>(u) + (x - (u - 1)) / u;
  } else {
    // 2 atanh(s), by a minimax fit of (2 atanh(s) / s - 2) / s²: a twelfth of an ulp.
    const float s = x / (2 + x), z = s * s;
    return s * (z * polynomial(z, 0x1.55550cp-1f, 0x1.99cddap-2f, 0x1.1ef8fap-2f, 0x1.1dcd9cp-2f)) + 2 * s;
  }
}

// log(1 + e^x), in T's own arithmetic.
template <class T>
CRESSET_INLINE T softplus(T x) {
  return (x > 0 ? x : 0) + log1p_in(exp_negative_in(-std::fabs(x)));
}

template <class T>
CRESSET_INLINE T sigmoid(T x) { return 1 / (1 + exp_in<T>(-x)); }

template <class T>
CRESSET_INLINE double tanh(double x) {
  const double a = std::fabs(x);
  const double y = expm1<T>(2 * select(a > 20, 20, a));
  return std::copysign(y / (y + 2), x);
}

template <class T>
CRESSET_INLINE double sinh(double x) {
  const double y = expm1<T>(std::fabs(x));
  return std::copysign(0.5 * select(y == kInfinity, y, y + y / (y + 1)), x);
}

template <class T>
CRESSET_INLINE double cosh(double x) {
  const double y = exp<T>(std::fabs(x));
  return 0.5 * y + 0.5 / y;
}

// For float.
CRESSET_INLINE double asinh(double x) {
  const double a = std::fabs(x), y = log1p<float>(a + a * a / (1 + std::sqrt(a * a + 1)));
  return std::copysign(select(a == kInfinity, a, y), x);
}
CRESSET_INLINE double acosh(double x) {
  const double y = log1p<float>(x - 1 + std::sqrt((x - 1) * (x + 1)));
  return select(x < 1, kNaN, y);
}
CRESSET_INLINE double atanh(double x) {
  const double a = std::fabs(x);
  return std::copysign(0.5 * log1p<float>(2 * a / (1 - a)), x);
}

// erfc(z) e^(z²) for z >= 0, for float: t Q(t), t = 2 / (2 + z); a fit on [0, 14] with relative error 2e-9.
CRESSET_INLINE double scaled_erfc(double z) {
  const double t = 2 / (2 + z);
  return t * polynomial(t, 0.28209744860519026, 0.28200303567927254, 0.2482103313446119, 0.16442527395114648, 0.1493481112480661,
                        -0.2478721829895293, 0.5616298075540207, -1.1174548033396923, 1.1757801837447392, -0.6832129146666173,
                        0.2133959630369417, -0.02835025413383636);
}

// For float. erf(x) / x - 1 is a minimax fit near 0, and log(1 - erf(x)) one beyond, both to a relative 1e-9 of erf(x).
CRESSET_INLINE double erf(double x) {
  const double magnitude = std::fabs(x), a = select(magnitude > 4, 4, magnitude);
  const double small = x + x * polynomial(x * x, 0.1283791657267168, -0.37612625824278698, 0.11283585149175336, -0.026853811959770974,
                                          0.0051883277326778208, -0.00080101940315870178, 7.8538626533170355e-5);
  const double large = 1 - exp_within(polynomial(a, -0.00034153967855311259, -1.127089122367899, -0.63814494534957933, -0.10310665707764974,
                                                 0.021838017568038257, -0.0029476467752072359, 0.00018637802712044079));
  return select(magnitude < 1, small, std::copysign(large, x));
}

// For float.
CRESSET_INLINE double erfc(double x) {
  const double y = exp<float>(-x * x) * scaled_erfc(std::fabs(x));
  return select(x < 0, 2 - y, y);
}

CRESSET_INLINE double erfc64(double x);  // math64.h

// Φ(x), the normal distribution, and its density times sqrt(2 pi), in T's own arithmetic.
template <class T>
struct Normal {
  T cdf, bell;
};
template <class T>
CRESSET_INLINE Normal<T> normal(T x) {
  const T bell = exp_negative_in<T>(x * x * T(-0.5)), z = x * static_cast<T>(kSqrtHalf);
  if constexpr (std::is_same_v<T, double>) {
    return {0.5 * erfc64(-z), bell};
  } else {
    // Φ(-z √2) / bell, z >= 0: a fit on [0, 10.5] with relative error 3e-9.
    const float t = 3 / (3 + std::fabs(z));
    const float tail = bell * (t * polynomial(t, 0.09401887500968595f, 0.09432399352186013f, 0.08586831352859692f, 0.0953579008233601f,
                                              0.0010692781741920322f, 0.19803159781848018f, -0.21616838710758723f, 0.2645833074909637f,
                                              -0.14469036870651056f, 0.027605488233370574f));
    return {x < 0 ? tail : 1 - tail, bell};
  }
}

// For float. The angle is within an eighth of a turn of 0 or a quarter, to where atan's series is short.
CRESSET_INLINE double atan2(double y, double x) {
  constexpr double kHuge = 1e290;  // for infinity, beside what a float may be
  double a = std::fabs(y), b = std::fabs(x);
  a = select(a > kHuge, kHuge, a);
  b = select(b > kHuge, kHuge, b);
  const bool steep = a > b;
  const double low = select(steep, b, a), high = select(steep, a, b);
  const double difference = low - high, sum = low + high;
  const bool far = low > 0.41421356237309503 * high;
  const double over = select(far, difference, low), under = select(far, sum, high);
  const double t = over / select(under == 0, 1, under), z = t * t;
  // A minimax fit of (atan(t) / t - 1) / t² to a relative 2e-11 of atan(t).
  const double p = polynomial(z, -0.3333333247680977, 0.19999902322210547, -0.14281968966084108, 0.11044264731088015,
                              -0.08474098168487222, 0.047398932548150884);
  const double first = select(far, kPi / 4, 0) + (t + t * (z * p)), other = kPi / 2 - first;
  const double right = select(steep, other, first), left = kPi - right;
  const bool backward = bits(x) >> 63;
  return std::copysign(select(backward, left, right), y);
}

// For float. Beyond a half, twice the angle of the root of half of what is missing to 1 is what is missing to a right angle.
CRESSET_INLINE double asin(double x) {
  const double a = std::fabs(x), rest = 0.5 - 0.5 * a;
  const bool far = a > 0.5;
  const double z = select(far, rest, x * x), s = select(far, std::sqrt(rest), a);
  // A minimax fit of (asin(s) / s - 1) / s² to a relative 3e-10 of asin(s).
  const double y = s + s * z * polynomial(z, 0.16666659871770046, 0.075005109238617853, 0.044515719196902992, 0.031817619912608782,
                                          0.01440257587346916, 0.03756524200229209);
  return std::copysign(select(far, kPi / 2 - 2 * y, y), x);
}

// Above kMaxAngle the reduction below is no longer exact.
constexpr double kMaxAngle = 1e6;

struct SinCos {
  double sin, cos;
};
// For float and |x| <= kMaxAngle.
CRESSET_INLINE SinCos sin_cos(double x) {
  const double rounded = x * (2 / kPi) + kRounder;
  const double n = rounded - kRounder;
  const double r = x - n * 0x1.921fb544p+0 - n * 0x1.0b4611a626331p-34;  // pi / 2 in two parts
  const double z = r * r;
  const double s = select(x == 0, x, r + r * z * polynomial(z, -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800));  // -0
  const double c = polynomial(z, 1, -1. / 2, 1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600);
  const uint64_t quadrant = bits(rounded);
  const bool swap = quadrant & 1;
  const uint64_t sin_sign = (quadrant & 2) << 62, cos_sign = ((quadrant + 1) & 2) << 62;
  return {from_bits(bits(swap ? c : s) ^ sin_sign), from_bits(bits(swap ? s : c) ^ cos_sign)};
}

// For float: exp(b log a) has bits to spare.
CRESSET_INLINE double pow_positive(double a, double b) { return exp<float>(b * log<float, true>(a)); }

CRESSET_INLINE double pow(double a, double b) {
  const double magnitude = std::fabs(a);
  double y = pow_positive(magnitude, b);
  const bool one = (b == 0) | (a == 1) | ((a == -1) & (std::fabs(b) == kInfinity));
  y = one ? 1 : y;
  const double half = std::fabs(b) * 0.5;  // odd if this is a half more than an integer; from 2^24 on a float is even
  const double limited = half < 0x1p24 ? half : 0;
  const double fraction = limited - round_small(limited);
  const bool odd = std::fabs(fraction) == 0.5;
  const bool undefined = (a < 0) & (magnitude != kInfinity) & (fraction != 0) & !odd;
  y = undefined ? kNaN : y;
  return odd ? std::copysign(y, a) : y;
}

// Where the asymptotic series of the gamma function's logarithm and its derivative converge: from x on, or 1 - x if it is negative.
struct Stepped {
  double at, inverse, square;  // 1 / at, and its square
  double product, slope;       // of x (x + 1) … up to `at`, and its derivative
};
CRESSET_INLINE Stepped step_up(double x) {
  constexpr int kSteps = 8;
  x = select(x < 0, 1 - x, x);
  double product = x, slope = 1;
  CRESSET_UNROLL for (int i = 1; i < kSteps; ++i) {
    slope = slope * (x + i) + product;
    product *= x + i;
  }
  const bool low = x < kSteps;
  const double at = select(low, x + kSteps, x), inverse = 1 / at;
  return {at, inverse, inverse * inverse, select(low, product, 1), select(low, slope, 0)};
}

CRESSET_INLINE SinCos sin_cos64(double x);  // math64.h

// How far x is from an integer, and the sine and cosine of that many half turns.
struct Turn {
  double fraction, sin, cos;
};
template <class T>
CRESSET_INLINE Turn turn(double x) {
  if constexpr (std::is_same_v<T, double>) {
    const double fraction = x - std::nearbyint(x);
    const SinCos y = sin_cos64(kPi * fraction);
    return {fraction, y.sin, y.cos};
  } else {
    const double fraction = x - round_small(x);
    const SinCos y = sin_cos(kPi * fraction);
    return {fraction, y.sin, y.cos};
  }
}

// For float. By reflection, Γ(x) Γ(1 - x) = π / sin(πx), for negative x.
CRESSET_INLINE double lgamma(double x) {
  const bool negative = x < 0;
  const Stepped y = step_up(x);
  const Turn turned = turn<float>(x);
  const double series = y.inverse * polynomial(y.square, 1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156);
  constexpr double kHalfLog2Pi = 0.91893853320467274;
  const double stirling = (y.at - 0.5) * (log_positive<double>(y.at) - 1) + (kHalfLog2Pi - 0.5) + series;
  const double rest = log_positive<double>(y.product * select(negative, kPi / std::fabs(turned.sin), 1));
  const bool pole = ((x <= 0) & (turned.fraction == 0)) | (std::fabs(x) == kInfinity);
  const bool zero = (x == 1) | (x == 2);  // to a few units of 1e-15, else
  return select(pole, kInfinity, select(zero, 0, select(negative, rest - stirling, stirling - rest)));
}

// By reflection, ψ(x) = ψ(1 - x) - π / tan(πx), for negative x.
template <class T>
CRESSET_INLINE double digamma(double x) {
  const bool negative = x < 0;
  const Stepped y = step_up(x);
  const Turn turned = turn<T>(x);
  const double series = y.square * polynomial(y.square, 1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12);
  const double right = log_positive<double>(y.at) - 0.5 * y.inverse - series - y.slope / y.product;
  const double left = right - kPi * turned.cos / turned.sin;
  const bool pole = (negative & (turned.fraction == 0)) | (x == -kInfinity);
  const double ends = select(x == 0, std::copysign(kInfinity, -x), x);  // of 0 and infinity
  return select((x == 0) | (x == kInfinity), ends, select(pole, kNaN, select(negative, left, right)));
}

// erfinv(x) / x by fits in w = -log(1 - x²), up to 6.25, or in its root, up to 16 (Giles, 2010), to a relative 4e-9.
CRESSET_INLINE double erfinv_near(double w) {
  return polynomial(w - 3, 1.6235420123826079, 0.2416303989545902, -0.005738179667848291, -0.000836171861452099,
                    0.0001951152166044534, -1.2722689091194951e-05, -1.7719717763894105e-06, 4.5209986011158966e-07,
                    -1.8825548594131667e-08, -5.895341431738648e-09, 6.473514544101141e-10, 1.7472395482276016e-11);
}
CRESSET_INLINE double erfinv_middle(double root) {
  return polynomial(root - 3.25, 3.083885606196453, 1.005258987192629, 0.005371305936579793, -0.0037517215427517216,
                    0.0024857533148202327, -0.001684420128260485, 0.0009823117187426848, -0.0003671597144790956,
                    -3.7149068998257404e-05, 8.611584375903183e-05);
}

// For float.
CRESSET_INLINE double erfinv(double x) {
  const double a = std::fabs(x), w = -log_positive<float>((1 - x) * (1 + x));
  const double near = erfinv_near(w), far = erfinv_middle(std::sqrt(w));
  return select(a < 1, x * select(w < 6.25, near, far), select(a == 1, std::copysign(kInfinity, x), kNaN));
}

}  // namespace math
}  // namespace
}  // namespace cresset::CRESSET_TARGET

#include "kernels/math64.h"
