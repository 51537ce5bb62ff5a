// Activations, and the backward of those that have one in a single pass.
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
    const double x = a * beta;
    const T y = static_cast<T>(math::softplus<T>(x) / beta);
    return x > threshold ? a : y;
  });
}

Status elu(Call& call) {
  const double negative = call.scalars[0] * call.scalars[1], positive = call.scalars[1], input_scale = call.scalars[2];
  return unary<Class::F>(call, [negative, positive, input_scale]<class T>(T a) {
    const double x = a;
    return static_cast<T>(x < 0 ? math::expm1<T>(x * input_scale) * negative : x * positive);
  });
}

Status leaky_relu(Call& call) {
  const double slope = call.scalars[0];
  return unary<Class::F>(call, [slope]<class T>(T x) { return x > 0 ? x : x * static_cast<T>(slope); });
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

}  // namespace cresset::CRESSET_TARGET
#endif
