// The sums of vectors' lanes, added in halves as join_lanes does.
// Included inside each target's region, after <type_traits>, <utility> and kernels/vector.h.

namespace cresset::CRESSET_TARGET {
namespace {

template <class T, int kHalf, int... kIndices>
inline Vector<T> add_half(Vector<T> v, std::integer_sequence<int, kIndices...>) {
  return v + __builtin_shufflevector(v, v, ((kIndices + kHalf) % kLanes<T>)...);
}

template <class T, int kHalf = kLanes<T> / 2>
inline T sum_lanes(Vector<T> v) {
  if constexpr (kHalf == 0) return v[0];
  else return sum_lanes<T, kHalf / 2>(add_half<T, kHalf>(v, std::make_integer_sequence<int, kLanes<T>>{}));
}

// The lanes' sums of a and b, each of which holds those of several vectors in blocks of kBlock lanes: halves of the blocks are
// added, and stand in blocks of half the size, those of a and b taking turns.
template <class T, int kBlock, int... kIndices>
inline Vector<T> fold(Vector<T> a, Vector<T> b, std::integer_sequence<int, kIndices...>) {
  constexpr int L = kLanes<T>, H = kBlock / 2;
  return __builtin_shufflevector(a, b, (kIndices / kBlock * kBlock + kIndices % H + kIndices / H % 2 * L)...) +
         __builtin_shufflevector(a, b, (kIndices / kBlock * kBlock + kIndices % H + kIndices / H % 2 * L + H)...);
}

template <class T, int kHalf, int... kIndices>
inline Vector<T> add_neighbours(Vector<T> v, std::integer_sequence<int, kIndices...> all) {
  if constexpr (kHalf == 0) return v;
  else return add_neighbours<T, kHalf / 2>(v + __builtin_shufflevector(v, v, (kIndices ^ kHalf)...), all);
}

// sums[i] = sum_lanes(v[i]), bit for bit, for kCount vectors: four at a time.
template <class T, int kCount>
inline void sum_lanes_of(const Vector<T>* v, T* sums) {
  constexpr int L = kLanes<T>;
  constexpr std::make_integer_sequence<int, L> kAll{};
  int i = 0;
  if constexpr (L >= 4) {
    for (; i + 4 <= kCount; i += 4) {
      const Vector<T> four = fold<T, L / 2>(fold<T, L>(v[i], v[i + 1], kAll), fold<T, L>(v[i + 2], v[i + 3], kAll), kAll);
      const Vector<T> sum = add_neighbours<T, L / 8>(four, kAll);
      constexpr int kTurns[] = {0, 2, 1, 3};
      CRESSET_UNROLL for (int j = 0; j < 4; ++j) sums[i + j] = sum[kTurns[j] * (L / 4)];
    }
  }
  for (; i < kCount; ++i) sums[i] = sum_lanes<T>(v[i]);
}

// The bits of a vector that count.
template <class T>
using Mask = typename VectorOf<std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>::type;
template <class T>
inline Mask<T> last_lanes(int64_t n) {
  Mask<T> mask;
  for (int i = 0; i < kLanes<T>; ++i) mask[i] = -(i >= kLanes<T> - n);
  return mask;
}

template <class T>
inline Vector<T> masked(Vector<T> v, Mask<T> mask) {
  return __builtin_bit_cast(Vector<T>, __builtin_bit_cast(Mask<T>, v) & mask);
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
