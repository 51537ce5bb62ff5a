// Activations and the losses of differences, each with its backward in a single pass.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/activation.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/transpose.h"
#include "kernels/loops.h"
#include "kernels/math.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class F>
Status backward(Call& call, F f) {
  return binary<Class::F>(call, f);
}

// The tanh approximation: Φ(x) ≈ sigmoid(2 u), u = sqrt(2 / pi) (x + c x³).
template <class T>
constexpr T kSqrt2OverPi = 0.79788456080286535588;
template <class T>
constexpr T kCubic = 0.044715;

template <class T>
CRESSET_INLINE T approximate_normal(T x) {
  return math::sigmoid(2 * kSqrt2OverPi<T> * (x + kCubic<T> * x * x * x));
}

// The derivative of softplus: sigmoid, with all its digits where it is small.
template <class T>
CRESSET_INLINE T softplus_slope(T x) {
  const T e = math::exp_negative_in(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

template <class T>
CRESSET_INLINE T six_at_most(T x) {  // and at least 0; NaN stays
  x = x < 0 ? 0 : x;
  return x > 6 ? 6 : x;
}

template <class T>
CRESSET_INLINE bool within(T x, T low, T high) {
  return (x >= low) & (x <= high);
}

}  // namespace

Status sigmoid(Call& call) {
  return unary<Class::F>(call, [](auto x) { return math::sigmoid(x); });
}

Status relu(Call& call) {
  return unary<Class::N>(call, [](auto x) { return x < 0 ? decltype(x){} : x; });
}

Status gelu(Call& call) {
  return unary<Class::F>(call, [](auto x) { return x * math::normal(x).cdf; });
}

Status gelu_tanh(Call& call) {
  return unary<Class::F>(call, [](auto x) { return x * approximate_normal(x); });
}

Status silu(Call& call) {
  return unary<Class::F>(call, [](auto x) { return x / (1 + math::exp_in(-x)); });
}

Status mish(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) {
    const T y = math::exp_in<T>(x > 40 ? 40 : x);
    const T w = y * (y + 2);  // tanh(log(1 + y)) = w / (w + 2)
    return x * (w / (w + 2));
  });
}

Status softplus(Call& call) {
  const double beta = call.scalars[0], threshold = call.scalars[1];
  return unary<Class::F>(call, [beta, threshold]<class T>(T a) {
    const T x = a * static_cast<T>(beta), y = math::softplus(x) / static_cast<T>(beta);
    return x > static_cast<T>(threshold) ? a : y;
  });
}

Status log_sigmoid(Call& call) {
  return unary<Class::F>(call, []<class T>(T x) { return (x < 0 ? x : 0) - math::log1p_in(math::exp_negative_in(-std::fabs(x))); });
}

Status elu(Call& call) {
  const double negative = call.scalars[0] * call.scalars[1], positive = call.scalars[1], input_scale = call.scalars[2];
  return unary<Class::F>(call, [negative, positive, input_scale]<class T>(T x) {
    const T below = math::expm1_in(x * static_cast<T>(input_scale)) * static_cast<T>(negative);
    return x < 0 ? below : x * static_cast<T>(positive);
  });
}

Status leaky_relu(Call& call) {
  const double slope = call.scalars[0];
  return unary<Class::F>(call, [slope]<class T>(T x) { return x > 0 ? x : x * static_cast<T>(slope); });
}

Status hardsigmoid(Call& call) {
  return unary<Class::F>(call, [](auto x) { return six_at_most(x + 3) / 6; });
}

Status hardswish(Call& call) {
  return unary<Class::F>(call, [](auto x) { return x * six_at_most(x + 3) / 6; });
}

Status hardshrink(Call& call) {
  const double lambd = call.scalars[0];
  return unary<Class::F>(call, [lambd]<class T>(T x) {
    return within(x, -static_cast<T>(lambd), static_cast<T>(lambd)) ? T{} : x;
  });
}

Status softshrink(Call& call) {
  const double lambd = call.scalars[0];
  return unary<Class::F>(call, [lambd]<class T>(T x) {
    const T limit = static_cast<T>(lambd), inside = x != x ? x : T{};
    return x > limit ? x - limit : x < -limit ? x + limit : inside;
  });
}

Status threshold(Call& call) {
  const double threshold = call.scalars[0], value = call.scalars[1];
  return dispatch<Class::N>(call, 0, 2, [&]<class T>(T) {
    const T limit = saturate<T>(threshold), other = saturate<T>(value);
    return map<T, T>(call, [limit, other](T x) { return x <= limit ? other : x; });
  });
}

Status threshold_backward(Call& call) {
  const double threshold = call.scalars[0];
  return backward(call, [threshold]<class T>(T grad, T a) { return a <= static_cast<T>(threshold) ? T{} : grad; });
}

Status sigmoid_backward(Call& call) {
  return backward(call, []<class T>(T grad, T y) { return grad * (1 - y) * y; });
}

Status tanh_backward(Call& call) {
  return backward(call, []<class T>(T grad, T y) { return grad * (1 - y * y); });
}

Status gelu_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) {
    constexpr T kDensity = 0.39894228040143267794;  // 1 / sqrt(2 pi)
    const math::Normal<T> normal = math::normal(x);
    return grad * (normal.cdf + x * (normal.bell * kDensity));
  });
}

Status gelu_tanh_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) {
    const T y = approximate_normal(x);
    return grad * (y + x * (y * (1 - y) * (2 * kSqrt2OverPi<T>) * (1 + 3 * kCubic<T> * x * x)));
  });
}

Status silu_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) {
    const T y = math::sigmoid(x);
    return grad * (y * (1 + x * (1 - y)));
  });
}

Status mish_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) {
    x = x > 40 ? 40 : x;  // from there on the slope is 1
    const T y = math::exp_in(x), w = y * (y + 2), q = 1 / (w + 2);  // tanh(softplus(x)) = w q, its slope 4 y (y + 1) q²
    return grad * (w * q + 4 * x * (y * (y + 1) * q) * q);
  });
}

Status softplus_backward(Call& call) {
  const double beta = call.scalars[0], threshold = call.scalars[1];
  return backward(call, [beta, threshold]<class T>(T grad, T a) {
    const T x = a * static_cast<T>(beta), slope = softplus_slope(x);
    return x > static_cast<T>(threshold) ? grad : grad * slope;
  });
}

Status log_sigmoid_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) { return grad * softplus_slope(-x); });
}

Status elu_backward(Call& call) {
  const double input_scale = call.scalars[2], positive = call.scalars[1], negative = call.scalars[0] * positive * input_scale;
  return backward(call, [negative, positive, input_scale]<class T>(T grad, T x) {
    const T slope = static_cast<T>(negative) * math::exp_in(x * static_cast<T>(input_scale));
    return grad * (x > 0 ? static_cast<T>(positive) : slope);  // NaN for NaN
  });
}

Status leaky_relu_backward(Call& call) {
  const double slope = call.scalars[0];
  return backward(call, [slope]<class T>(T grad, T x) { return x > 0 ? grad : grad * static_cast<T>(slope); });
}

Status hardsigmoid_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) { return (x > -3) & (x < 3) ? grad * static_cast<T>(1. / 6) : T{}; });
}

Status hardswish_backward(Call& call) {
  return backward(call, []<class T>(T grad, T x) {
    const T between = grad * (x / 3 + static_cast<T>(0.5));
    return x >= 3 ? grad : x <= -3 ? T{} : between;
  });
}

Status shrink_backward(Call& call) {
  const double lambd = call.scalars[0];
  return backward(call, [lambd]<class T>(T grad, T x) {
    return (x < -static_cast<T>(lambd)) | (x > static_cast<T>(lambd)) ? grad : T{};
  });
}

Status clamp_backward(Call& call) {
  const double min = call.scalars[0], max = call.scalars[1];
  return backward(call, [min, max]<class T>(T grad, T x) {
    return within(x, static_cast<T>(min), static_cast<T>(max)) ? grad : T{};
  });
}

Status hardtanh_backward(Call& call) {
  const double min = call.scalars[0], max = call.scalars[1];
  return backward(call, [min, max]<class T>(T grad, T x) {
    return (x > static_cast<T>(min)) & (x < static_cast<T>(max)) ? grad : T{};
  });
}

Status huber(Call& call) {
  const double delta = call.scalars[0];
  return binary<Class::F>(call, [delta]<class T>(T a, T b) {
    const T z = std::fabs(a - b), limit = static_cast<T>(delta), half = static_cast<T>(0.5);
    return z <= limit ? half * z * z : limit * (z - half * limit);
  });
}

Status smooth_l1(Call& call) {
  const double beta = call.scalars[0];
  return binary<Class::F>(call, [beta]<class T>(T a, T b) {
    const T z = std::fabs(a - b), limit = static_cast<T>(beta), half = static_cast<T>(0.5), square = half * z * z / limit;
    return z < limit ? square : z - half * limit;
  });
}

Status huber_backward(Call& call) {
  const double delta = call.scalars[0], factor = call.scalars[1];
  return binary<Class::F>(call, [delta, factor]<class T>(T a, T b) {
    const T d = a - b, limit = static_cast<T>(delta), end = static_cast<T>(factor) * limit;
    return d <= -limit ? -end : d >= limit ? end : static_cast<T>(factor) * d;
  });
}

Status smooth_l1_backward(Call& call) {
  const double beta = call.scalars[0], factor = call.scalars[1];
  return binary<Class::F>(call, [beta, factor]<class T>(T a, T b) {
    const T d = a - b, limit = static_cast<T>(beta), end = static_cast<T>(factor), between = end * d / limit;
    return d <= -limit ? -end : d >= limit ? end : between;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
