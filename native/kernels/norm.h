// Sums of the terms of a p-norm, pairwise.
// Included inside each target's region, after <algorithm>, <cmath>, kernels/walk.h and kernels/vector.h.
namespace cresset::CRESSET_TARGET {
namespace {

// How a p-norm takes an element in, and how partial results are joined.
enum class Norm { zero, one, two, infinity, minus_infinity, any };

template <class T, Norm kNorm>
inline T norm_term(T x, T p) {
  if constexpr (kNorm == Norm::zero) return x != 0;
  if constexpr (kNorm == Norm::two) return x * x;
  if constexpr (kNorm == Norm::any) return std::pow(std::abs(x), p);
  return std::abs(x);
}

template <class T, Norm kNorm>
inline T norm_join(T a, T b) {
  if constexpr (kNorm == Norm::infinity) return b > a || b != b ? b : a;
  if constexpr (kNorm == Norm::minus_infinity) return b < a || b != b ? b : a;
  return a + b;
}

constexpr int64_t kNormRun = 1024;

// Pairwise above kNormRun elements, in lanes below.
template <class T, Norm kNorm>
T norm_part(const T* a, int64_t n, T p) {
  constexpr T initial = kNorm == Norm::minus_infinity ? T(INFINITY) : T(0);
  if (n > kNormRun) {
    const int64_t half = ceil_div(n / 2, kNormRun) * kNormRun;
    return norm_join<T, kNorm>(norm_part<T, kNorm>(a, half, p), norm_part<T, kNorm>(a + half, n - half, p));
  }
  constexpr int kWidth = 4 * kLanes<T>;
  T sums[kWidth];
  std::fill_n(sums, kWidth, initial);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    for (int k = 0; k < kWidth; ++k) sums[k] = norm_join<T, kNorm>(sums[k], norm_term<T, kNorm>(a[i + k], p));
  }
  for (int k = 0; i < n; ++i, ++k) sums[k] = norm_join<T, kNorm>(sums[k], norm_term<T, kNorm>(a[i], p));
  for (int width = kWidth / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) sums[k] = norm_join<T, kNorm>(sums[k], sums[k + width]);
  }
  return sums[0];
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
