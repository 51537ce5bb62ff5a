// Pointwise kernels of two and three inputs.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/pointwise_binary.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/transpose.h"
#include "kernels/loops.h"
#include "kernels/math.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class T>
constexpr bool kReal = std::is_floating_point_v<T>;

// Integers are added and multiplied unsigned, and so wrap; 64 bits keep a narrow type from being promoted to int.
template <class T>
CRESSET_INLINE uint64_t wrapping(T x) { return static_cast<uint64_t>(x); }

template <class T>
CRESSET_INLINE T product(T a, T b) {
  if constexpr (kReal<T>) {
    return a * b;
  } else {
    return static_cast<T>(wrapping(a) * wrapping(b));
  }
}

// |x| - the whole multiple of |y|, where their quotient has at most so many bits before the point; exact. Of a float in double, in
// which that multiple is exact; of a double by a multiply-add: at most the quotient rounded up to an integer, by one too many.
template <class T>
constexpr double kMostQuotient = sizeof(T) == 4 ? 0x1p29 : 0x1p52;
template <class T>
CRESSET_INLINE T whole_rest(double x, double y, double quotient) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<float>(x - std::trunc(quotient) * y);
  } else {
    const double rest = std::fma(-std::trunc(quotient), y, x);
    return math::select(rest < 0, rest + y, rest);
  }
}

// What `then` makes of each a, b and fmod(a, b), of floats or doubles. Where the quotient is too large, or a or b is none to divide,
// C's function does it, for a few elements together.
template <class T, class Then>
Status with_remainders(Call& call, Then then) {
  const Loop loop = [](const void* context, int64_t n, char* const* operands) {
    constexpr int64_t kTogether = 64;
    const Then then = *static_cast<const Then*>(context);
    const T *a = reinterpret_cast<const T*>(operands[0]), *b = reinterpret_cast<const T*>(operands[1]);
    T* out = reinterpret_cast<T*>(operands[2]);
    for (; n > 0; n -= kTogether, a += kTogether, b += kTogether, out += kTogether) {
      const int64_t count = std::min(n, kTogether);
      T rest[kTogether] = {};
      int32_t others = 0;
      for (int64_t i = 0; i < count; ++i) {
        const double x = std::fabs(a[i]), y = std::fabs(b[i]), quotient = x / y;
        others |= !((quotient < kMostQuotient<T>) & (y < math::kInfinity));
        rest[i] = std::copysign(whole_rest<T>(x, y, quotient), a[i]);
      }
      if (others) for (int64_t i = 0; i < count; ++i) rest[i] = std::fmod(a[i], b[i]);
      for (int64_t i = 0; i < count; ++i) rest[i] = then(a[i], b[i], rest[i]);
      std::copy_n(rest, count, out);
    }
  };
  Iteration(call, 0, 2, true, loop, &then).run();
  return Status::ok;
}

// with_remainders for floats, and for doubles where that pays; `others` for the rest.
template <class Then, class Others>
Status remainders_or(Call& call, Then then, Others others) {
  const auto all = [&](DType dtype) {
    return std::all_of(call.operands, call.operands + 3, [=](const Operand& each) { return each.dtype == dtype; });
  };
  if (all(DType::float32)) return with_remainders<float>(call, then);
  if (math::kVectorized64 && all(DType::float64)) return with_remainders<double>(call, then);
  return others();
}

// PyTorch's (and Python's) floor division, given r = fmod(a, b): exact where a / b rounds to an integer it does not reach.
template <class T>
CRESSET_INLINE T floor_quotient(T a, T b, T r) {
  const T rounded = a / b, exact = (a - r) / b;
  const T q = exact - (((r != 0) & ((r < 0) != (b < 0))) ? T{1} : T{0});
  const T floor = std::floor(q), nearest = q - floor > T{0.5} ? floor + 1 : floor;
  const T whole = q == 0 ? std::copysign(T{}, rounded) : nearest;
  return b == 0 ? rounded : whole;
}

template <class T>
CRESSET_INLINE T integer_power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  }
  uint64_t y = 1;
  uint64_t x = wrapping(base);
  for (; exponent > 0; exponent /= 2, x *= x) {
    if (exponent % 2 != 0) y *= x;
  }
  return static_cast<T>(y);
}

// Whether an integer and any quotient by it are exact in a double, between which and the integer additions convert: of 64 bits up to
// 2^51, and of 32 bits all but the smallest, whose quotient by -1 does not fit.
template <class T>
CRESSET_INLINE bool divides_in_double(T x) {
  if constexpr (sizeof(T) == 8) return (wrapping(x) + (uint64_t{1} << 51)) >> 52 == 0;
  return !std::is_signed_v<T> || x != std::numeric_limits<T>::min();
}

// The integers' loop of divide(), in double where that is exact, as that vectorizes.
template <class T, class F>
void divide_integers(F f, int64_t n, const T* a, const T* b, T* out) {
  constexpr int64_t kTogether = 64;
  for (; n > 0; n -= kTogether, a += kTogether, b += kTogether, out += kTogether) {
    const int64_t count = std::min(n, kTogether);
    T others = 0;
    for (int64_t i = 0; i < count; ++i) others |= !(divides_in_double(a[i]) & divides_in_double(b[i]) & (b[i] != 0));
    if (!others) {
      CRESSET_INDEPENDENT
      for (int64_t i = 0; i < count; ++i) {
        const double x = math::small_double(a[i]), y = math::small_double(b[i]), quotient = math::trunc_small(x / y);
        out[i] = f(static_cast<T>(math::small_integer(quotient)), static_cast<T>(math::small_integer(x - quotient * y)), b[i]);
      }
    } else {
      for (int64_t i = 0; i < count; ++i) {  // zero traps, and the smallest integer over -1
        const bool negates = std::is_signed_v<T> && b[i] == static_cast<T>(-1);
        const T quotient = b[i] == 0 ? 0 : negates ? static_cast<T>(0 - wrapping(a[i])) : a[i] / b[i];
        const T rest = b[i] == 0 ? 0 : static_cast<T>(wrapping(a[i]) - wrapping(quotient) * wrapping(b[i]));
        out[i] = f(quotient, rest, b[i]);
      }
    }
  }
}

// Division of numbers: real(a, b) of floats, and of integers integer(quotient, rest, b), the quotient truncated. The integers'
// divisors are searched for a zero first, so that nothing is written if there is one; it can still come about where the output
// overlaps the divisors, and then gives any number.
template <class Real, class Integer>
Status divide(Call& call, Real real, Integer integer) {
  return dispatch<Class::N>(call, 0, 3, [&]<class T>(T) {
    if constexpr (kReal<T>) {
      return map<T, T, T>(call, real);
    } else {
      struct Search {
        mutable std::atomic<bool> zero = false;
      } search;
      const Loop find = [](const void* context, int64_t n, char* const* operands) {
        const T* b = reinterpret_cast<const T*>(operands[0]);
        bool found = false;
        for (int64_t i = 0; i < n; ++i) found |= b[i] == 0;
        if (found) static_cast<const Search*>(context)->zero = true;
      };
      Iteration(call, 1, 1, false, find, &search).run();
      if (search.zero) return Status::division_by_zero;
      const Loop loop = [](const void* context, int64_t n, char* const* operands) {
        divide_integers(*static_cast<const Integer*>(context), n, reinterpret_cast<const T*>(operands[0]),
                        reinterpret_cast<const T*>(operands[1]), reinterpret_cast<T*>(operands[2]));
      };
      Iteration(call, 0, 2, true, loop, &integer).run();
      return Status::ok;
    }
  });
}

template <class F>
Status compare(Call& call, F f) {
  if (call.operands[2].dtype != DType::boolean) return unsupported(call, 2);
  return dispatch<Class::A>(call, 0, 2, [&]<class T>(T) {
    return map<uint8_t, T, T>(call, [f](T a, T b) { return static_cast<uint8_t>(f(a, b)); });
  });
}

}  // namespace

Status add(Call& call) {
  const double alpha = call.scalars[0];
  return dispatch<Class::N>(call, 0, 3, [&]<class T>(T) {
    if constexpr (kReal<T>) {
      if (alpha == 1) return map<T, T, T>(call, [](T a, T b) { return a + b; });
      return map<T, T, T>(call, [factor = static_cast<T>(alpha)](T a, T b) { return std::fma(factor, b, a); });
    } else {
      const uint64_t factor = wrapping(saturate<int64_t>(alpha));
      return map<T, T, T>(call, [factor](T a, T b) { return static_cast<T>(wrapping(a) + factor * wrapping(b)); });
    }
  });
}

Status mul(Call& call) {
  return binary<Class::N>(call, [](auto a, auto b) { return product(a, b); });
}

Status div(Call& call) {
  return binary<Class::F>(call, [](auto a, auto b) { return a / b; });
}

Status div_floor(Call& call) {
  return remainders_or(call, [](auto a, auto b, auto r) { return floor_quotient(a, b, r); }, [&] {
    return divide(call, [](auto a, auto b) { return floor_quotient(a, b, std::fmod(a, b)); },
                  []<class T>(T quotient, T rest, T b) -> T { return (rest != 0) & ((rest < 0) != (b < 0)) ? quotient - 1 : quotient; });
  });
}

Status div_trunc(Call& call) {
  return divide(call, [](auto a, auto b) { return std::trunc(a / b); }, []<class T>(T quotient, T, T) { return quotient; });
}

Status fmod(Call& call) {
  return remainders_or(call, [](auto, auto, auto r) { return r; }, [&] {
    return divide(call, [](auto a, auto b) { return std::fmod(a, b); }, []<class T>(T, T rest, T) { return rest; });
  });
}

Status remainder(Call& call) {
  constexpr auto floored = [](auto, auto b, auto r) {
    const auto raised = r + b;
    return ((r != 0) & ((r < 0) != (b < 0))) ? raised : r;
  };
  return remainders_or(call, floored, [&] {
    return divide(call, [=](auto a, auto b) { return floored(a, b, std::fmod(a, b)); }, []<class T>(T, T rest, T b) -> T {
      return (rest != 0) & ((rest < 0) != (b < 0)) ? static_cast<T>(wrapping(rest) + wrapping(b)) : rest;
    });
  });
}

Status pow(Call& call) {
  const Operand& exponent = call.operands[1];
  const int64_t* strides = exponent.strides;
  const bool constant = std::all_of(strides, strides + call.ndim, [](int64_t stride) { return stride == 0; });
  return dispatch<Class::N>(call, 0, 3, [&]<class T>(T) {
    // By far the most frequent, and rounded as PyTorch's are.
    const double same = constant ? static_cast<double>(*exponent.as<T>()) : 0;
    if (same == 2) return map<T, T, T>(call, [](T a, T) { return product(a, a); });
    if constexpr (kReal<T>) {
      if (same == 3) return map<T, T, T>(call, [](T a, T) { return a * a * a; });
      if (same == -2) return map<T, T, T>(call, [](T a, T) { return 1 / (a * a); });
    }
    if constexpr (std::is_same_v<T, float>) {
      if (same != 0 && std::isfinite(same)) {  // what depends on the exponent alone is found out once
        const bool whole = same == std::trunc(same), odd = std::fmod(same, 2) != 0 && whole;
        return map<T, T, T>(call, [=](T a, T) {
          const float magnitude = std::fabs(a), y = static_cast<float>(math::pow_positive(magnitude, same));
          const bool undefined = (a < 0) & (magnitude != std::numeric_limits<float>::infinity()) & !whole;
          return undefined ? std::numeric_limits<float>::quiet_NaN() : odd ? std::copysign(y, a) : y;
        });
      }
    }
    return map<T, T, T>(call, [](T a, T b) {
      if constexpr (std::is_same_v<T, float>) {
        return static_cast<float>(math::pow(a, b));
      } else if constexpr (kReal<T>) {
        return std::pow(a, b);
      } else {
        return integer_power(a, b);
      }
    });
  });
}

Status maximum(Call& call) {
  return binary<Class::A>(call, [](auto a, auto b) { return a > b || a != a ? a : b; });
}

Status minimum(Call& call) {
  return binary<Class::A>(call, [](auto a, auto b) { return a < b || a != a ? a : b; });
}

Status atan2(Call& call) {
  return binary<Class::F>(call, []<class T>(T a, T b) {
    if constexpr (std::is_same_v<T, float>) return static_cast<T>(math::atan2(a, b));
    else return math::vectorized_or([](T y, T x) { return math::atan2_64(y, x); }, [](T y, T x) { return std::atan2(y, x); })(a, b);
  });
}

Status hypot(Call& call) {
  return binary<Class::F>(call, []<class T>(T a, T b) {
    if constexpr (std::is_same_v<T, float>) {
      const double x = a, y = b;
      const bool infinite = (std::fabs(x) == math::kInfinity) | (std::fabs(y) == math::kInfinity);
      return static_cast<float>(infinite ? math::kInfinity : std::sqrt(x * x + y * y));
    } else {
      return math::vectorized_or([](T x, T y) { return math::hypot64(x, y); }, [](T x, T y) { return std::hypot(x, y); })(a, b);
    }
  });
}

Status logaddexp(Call& call) {
  return binary<Class::F>(call, []<class T>(T a, T b) {
    const T y = (a > b ? a : b) + math::log1p_in(math::exp_negative_in(-std::fabs(a - b)));
    return a == b ? a + static_cast<T>(math::kLn2) : y;  // infinities too
  });
}

Status lerp(Call& call) {
  const double weight = call.scalars[0];
  return dispatch<Class::F>(call, 0, 3, [&]<class T>(T) {
    const T near = static_cast<T>(weight), far = static_cast<T>(weight - 1);
    if (std::fabs(weight) < 0.5) return map<T, T, T>(call, [near](T a, T b) { return std::fma(near, b - a, a); });
    return map<T, T, T>(call, [far](T a, T b) { return std::fma(far, b - a, b); });
  });
}

Status copysign(Call& call) {
  return binary<Class::F>(call, [](auto a, auto b) { return std::copysign(a, b); });
}

Status eq(Call& call) {
  return compare(call, [](auto a, auto b) { return a == b; });
}

Status ne(Call& call) {
  return compare(call, [](auto a, auto b) { return a != b; });
}

Status lt(Call& call) {
  return compare(call, [](auto a, auto b) { return a < b; });
}

Status le(Call& call) {
  return compare(call, [](auto a, auto b) { return a <= b; });
}

Status gt(Call& call) {
  return compare(call, [](auto a, auto b) { return a > b; });
}

Status ge(Call& call) {
  return compare(call, [](auto a, auto b) { return a >= b; });
}

Status logical_and(Call& call) {
  return compare(call, [](auto a, auto b) { return (a != 0) & (b != 0); });
}

Status logical_or(Call& call) {
  return compare(call, [](auto a, auto b) { return (a != 0) | (b != 0); });
}

Status logical_xor(Call& call) {
  return compare(call, [](auto a, auto b) { return (a != 0) ^ (b != 0); });
}

Status bitwise_and(Call& call) {
  return binary<Class::I>(call, []<class T>(T a, T b) { return static_cast<T>(a & b); });
}

Status bitwise_or(Call& call) {
  return binary<Class::I>(call, []<class T>(T a, T b) { return static_cast<T>(a | b); });
}

Status bitwise_xor(Call& call) {
  return binary<Class::I>(call, []<class T>(T a, T b) { return static_cast<T>(a ^ b); });
}

Status where(Call& call) {
  if (call.operands[0].dtype != DType::boolean) return unsupported(call, 0);
  return dispatch<Class::A>(call, 1, 4, [&]<class T>(T) {
    return map<T, uint8_t, T, T>(call, [](uint8_t condition, T a, T b) { return condition ? a : b; });
  });
}

Status addcmul(Call& call) {
  const double value = call.scalars[0];
  return dispatch<Class::N>(call, 0, 4, [&]<class T>(T) {
    if constexpr (kReal<T>) {
      return map<T, T, T, T>(call, [factor = static_cast<T>(value)](T a, T b, T c) { return std::fma(factor * b, c, a); });
    } else {
      const uint64_t factor = wrapping(saturate<int64_t>(value));
      return map<T, T, T, T>(call, [factor](T a, T b, T c) {
        return static_cast<T>(wrapping(a) + factor * wrapping(b) * wrapping(c));
      });
    }
  });
}

Status addcdiv(Call& call) {
  const double value = call.scalars[0];
  return dispatch<Class::F>(call, 0, 4, [&]<class T>(T) {
    return map<T, T, T, T>(call, [factor = static_cast<T>(value)](T a, T b, T c) { return a + factor * b / c; });
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
