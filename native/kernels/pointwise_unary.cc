// Pointwise kernels of one input: arithmetic and elementary functions.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/pointwise_unary.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/transpose.h"
#include "kernels/loops.h"
#include "kernels/math.h"

namespace cresset::CRESSET_TARGET {
namespace {

// What wraps in integers is computed unsigned.
template <class T>
CRESSET_INLINE T negate(T x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));
  } else {
    return -x;
  }
}

// A function of each dtype; of a double by the standard library's where that takes less time.
template <class F, class D>
Status by_precision(Call& call, F of_float, D of_double) {
  return dispatch<Class::F>(call, 0, 2, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, float>) {
      return map<float, float>(call, [of_float](float x) { return static_cast<float>(of_float(x)); });
    } else {
      return map<double, double>(call, of_double);
    }
  });
}
template <class F, class D, class S>
Status by_precision(Call& call, F of_float, D of_double, S standard) {
  return by_precision(call, of_float, math::vectorized_or(of_double, standard));
}

// `of_float` or `of_double`, but for angles that are too large for it.
template <class F, class D, class S>
Status trigonometric(Call& call, F of_float, D of_double, S standard) {
  struct Functions {
    F of_float;
    D of_double;
    S standard;
  };
  return dispatch<Class::F>(call, 0, 2, [&]<class T>(T) {
    const Functions functions{of_float, of_double, standard};
    const Loop loop = [](const void* context, int64_t n, char* const* operands) {
      const Functions& f = *static_cast<const Functions*>(context);
      const T* in = reinterpret_cast<const T*>(operands[0]);
      T* out = reinterpret_cast<T*>(operands[1]);
      T large = 0;
      for (int64_t i = 0; i < n; ++i) large = std::fabs(in[i]) > static_cast<T>(math::kMaxAngle) ? 1 : large;
      const auto of = [&](T x) {
        if constexpr (std::is_same_v<T, float>) return static_cast<T>(f.of_float(x));
        else return f.of_double(x);
      };
      if (large == 0) {
        contiguous_loop(of, n, out, in);
      } else {
        for (int64_t i = 0; i < n; ++i) out[i] = std::fabs(in[i]) > math::kMaxAngle ? static_cast<T>(f.standard(in[i])) : of(in[i]);
      }
    };
    Iteration(call, 0, 1, true, loop, &functions).run();
    return Status::ok;
  });
}

}  // namespace

Status neg(Call& call) {
  return unary<Class::N>(call, [](auto x) { return negate(x); });
}

Status abs(Call& call) {
  return unary<Class::N>(call, [](auto x) {
    if constexpr (std::is_floating_point_v<decltype(x)>) {
      return std::fabs(x);
    } else {
      return x < 0 ? negate(x) : x;
    }
  });
}

Status sign(Call& call) {
  return unary<Class::N>(call, [](auto x) { return static_cast<decltype(x)>((x > 0) - (x < 0)); });
}

Status floor(Call& call) {
  return unary<Class::F>(call, [](auto x) { return std::floor(x); });
}

Status ceil(Call& call) {
  return unary<Class::F>(call, [](auto x) { return std::ceil(x); });
}

Status round(Call& call) {
  return unary<Class::F>(call, [](auto x) { return std::nearbyint(x); });
}

Status trunc(Call& call) {
  return unary<Class::F>(call, [](auto x) { return std::trunc(x); });
}

Status frac(Call& call) {
  return unary<Class::F>(call, [](auto x) { return x - std::trunc(x); });
}

Status exp(Call& call) {
  return by_precision(call, [](float x) { return math::exp(x); }, [](double x) { return math::exp<double>(x); });
}

Status exp2(Call& call) {
  return by_precision(call, [](float x) { return math::exp2(x); }, [](double x) { return math::exp2(x); },
                      [](double x) { return std::exp2(x); });
}

Status expm1(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) { return static_cast<T>(math::expm1<T>(x)); });
}

Status log(Call& call) {
  return by_precision(call, [](float x) { return math::log(x, 1); }, [](double x) { return math::log<double>(x); });
}

Status log2(Call& call) {
  return by_precision(call, [](float x) { return math::log(x, math::kLog2E); }, [](double x) { return math::log64(x, math::kBase2); },
                      [](double x) { return std::log2(x); });
}

Status log10(Call& call) {
  constexpr double kLog10E = 0.43429448190325182765;
  return by_precision(call, [](float x) { return math::log(x, kLog10E); }, [](double x) { return math::log64(x, math::kBase10); },
                      [](double x) { return std::log10(x); });
}

Status log1p(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) { return static_cast<T>(math::log1p<T>(x)); });
}

Status round_bfloat16(Call& call) {
  if (call.operands[0].dtype != DType::float32) return unsupported(call, 0);
  return unary<Class::F>(call, []<class T>(T x) {
    if constexpr (std::is_same_v<T, float>) {
      const uint32_t bits = std::bit_cast<uint32_t>(x);
      return x == x ? std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000) : x;
    } else {
      return x;
    }
  });
}

Status sqrt(Call& call) {
  return unary<Class::F>(call, [](auto x) { return std::sqrt(x); });
}

Status rsqrt(Call& call) {
  return unary<Class::F>(call, [](auto x) { return 1 / std::sqrt(x); });
}

Status reciprocal(Call& call) {
  return unary<Class::F>(call, [](auto x) { return 1 / x; });
}

Status sin(Call& call) {
  return trigonometric(call, [](double x) { return math::sin_cos(x).sin; }, [](double x) { return math::sin_cos64(x).sin; },
                       [](double x) { return std::sin(x); });
}

Status cos(Call& call) {
  return trigonometric(call, [](double x) { return math::sin_cos(x).cos; }, [](double x) { return math::sin_cos64(x).cos; },
                       [](double x) { return std::cos(x); });
}

Status tan(Call& call) {
  constexpr auto ratio = [](math::SinCos y) { return y.sin / y.cos; };
  return trigonometric(call, [=](double x) { return ratio(math::sin_cos(x)); }, [=](double x) { return ratio(math::sin_cos64(x)); },
                       [](double x) { return std::tan(x); });
}

Status sinc(Call& call) {
  constexpr auto sinc_by = [](auto sin) { return [sin](double x) { return x == 0 ? 1 : sin(x * math::kPi) / (x * math::kPi); }; };
  return trigonometric(call, sinc_by([](double x) { return math::sin_cos(x).sin; }),
                       sinc_by([](double x) { return math::sin_cos64(x).sin; }), sinc_by([](double x) { return std::sin(x); }));
}

Status asin(Call& call) {
  return by_precision(call, [](double x) { return math::asin(x); }, [](double x) { return math::asin64(x); },
                      [](double x) { return std::asin(x); });
}

Status acos(Call& call) {
  return by_precision(call, [](double x) { return math::kPi / 2 - math::asin(x); }, [](double x) { return math::acos64(x); },
                      [](double x) { return std::acos(x); });
}

Status atan(Call& call) {
  return by_precision(call, [](double x) { return math::atan2(x, 1); }, [](double x) { return math::atan2_64(x, 1); },
                      [](double x) { return std::atan(x); });
}

Status sinh(Call& call) {
  return by_precision(call, [](double x) { return math::sinh<float>(x); }, [](double x) { return math::sinh64(x); },
                      [](double x) { return std::sinh(x); });
}

Status cosh(Call& call) {
  return by_precision(call, [](double x) { return math::cosh<float>(x); }, [](double x) { return math::cosh64(x); },
                      [](double x) { return std::cosh(x); });
}

Status tanh(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) { return static_cast<T>(math::tanh<T>(x)); });
}

Status asinh(Call& call) {
  return by_precision(call, [](double x) { return math::asinh(x); }, [](double x) { return math::asinh64(x); },
                      [](double x) { return std::asinh(x); });
}

Status acosh(Call& call) {
  return by_precision(call, [](double x) { return math::acosh(x); }, [](double x) { return math::acosh64(x); },
                      [](double x) { return std::acosh(x); });
}

Status atanh(Call& call) {
  return by_precision(call, [](double x) { return math::atanh(x); }, [](double x) { return math::atanh64(x); },
                      [](double x) { return std::atanh(x); });
}

Status erf(Call& call) {
  return by_precision(call, [](double x) { return math::erf(x); }, [](double x) { return math::erf64(x); },
                      [](double x) { return std::erf(x); });
}

Status erfc(Call& call) {
  return by_precision(call, [](double x) { return math::erfc(x); }, [](double x) { return math::erfc64(x); });
}

Status erfinv(Call& call) {
  return by_precision(call, [](double x) { return math::erfinv(x); }, [](double x) { return math::erfinv64(x); });
}

Status lgamma(Call& call) {
  return by_precision(call, [](double x) { return math::lgamma(x); }, [](double x) { return std::lgamma(x); });
}

Status digamma(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) { return static_cast<T>(math::digamma<T>(x)); });
}

Status logit(Call& call) {
  const double eps = call.scalars[0];
  return dispatch<Class::F>(call, 0, 2, [&]<class T>(T) {
    const auto of = [](T x) {
      const T odds = x / (1 - x);
      const T y = std::is_same_v<T, float> ? math::log(static_cast<float>(odds), 1) : static_cast<T>(math::log<double>(odds));
      return x == 1 ? std::numeric_limits<T>::infinity() : y;
    };
    if (!(eps >= 0)) return map<T, T>(call, of);
    const T low = static_cast<T>(eps), high = static_cast<T>(1 - eps);
    return map<T, T>(call, [=](T x) { return of(x < low ? low : x > high ? high : x); });
  });
}

Status clamp(Call& call) {
  const double low = call.scalars[0], high = call.scalars[1];
  return dispatch<Class::N>(call, 0, 2, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      if (low != low || high != high) return map<T, T>(call, [](T) { return std::numeric_limits<T>::quiet_NaN(); });
    }
    const T min = saturate<T>(low), max = saturate<T>(high);
    return map<T, T>(call, [min, max](T x) {
      x = x < min ? min : x;
      return x > max ? max : x;
    });
  });
}

Status logical_not(Call& call) {
  if (call.operands[1].dtype != DType::boolean) return unsupported(call, 1);
  return dispatch<Class::A>(call, 0, 1, [&]<class T>(T) {
    return map<uint8_t, T>(call, [](T x) { return static_cast<uint8_t>(x == 0); });
  });
}

Status bitwise_not(Call& call) {
  const int flip = call.operands[0].dtype == DType::boolean ? 1 : -1;
  return dispatch<Class::I>(call, 0, 2, [&]<class T>(T) {
    return map<T, T>(call, [flip](T x) { return static_cast<T>(x ^ flip); });
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
