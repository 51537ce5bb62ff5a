// Turning rows into columns, in registers.
// Included inside each target's region, after <algorithm>, <utility> and kernels/vector.h.
namespace cresset::CRESSET_TARGET {
namespace {

// Lanes that are interleaved among themselves: AVX2 takes another instruction for what crosses its vectors' middle.
template <class T>
constexpr int kTurnedLanes = CRESSET_VECTOR_BYTES == 32 ? kLanes<T> / 2 : kLanes<T>;

// The lanes of a and b in turn: of the first halves of their kTurnedLanes, or of the second.
template <class T, bool kSecond>
CRESSET_INLINE Vector<T> interleave(Vector<T> a, Vector<T> b) {
  return [=]<int... kLane>(std::integer_sequence<int, kLane...>) __attribute__((always_inline)) {
    constexpr int kTurned = kTurnedLanes<T>, kFrom = kSecond ? kTurned / 2 : 0;
    return __builtin_shufflevector(a, b, (kLane / kTurned * kTurned + kFrom + kLane % kTurned / 2 + kLane % 2 * kLanes<T>)...);
  }(std::make_integer_sequence<int, kLanes<T>>());
}

// The first halves of a and b, or the second.
template <class T, bool kSecond>
CRESSET_INLINE Vector<T> join_halves(Vector<T> a, Vector<T> b) {
  return [=]<int... kLane>(std::integer_sequence<int, kLane...>) __attribute__((always_inline)) {
    constexpr int kHalf = kLanes<T> / 2, kFrom = kSecond ? kHalf : 0;
    return __builtin_shufflevector(a, b, (kFrom + kLane % kHalf + kLane / kHalf * kLanes<T>)...);
  }(std::make_integer_sequence<int, kLanes<T>>());
}

// Turns as many rows as a vector has lanes into columns, by rounds of interleaving the first half of kTurnedLanes rows with the
// second.
template <class T>
CRESSET_INLINE void transpose_square(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int L = kLanes<T>, kTurned = kTurnedLanes<T>;
  Vector<T> next[L];
  if constexpr (kTurned < L) {
    CRESSET_UNROLL for (int i = 0; i < L / 2; ++i) {
      next[i] = join_halves<T, false>(rows[i], rows[i + L / 2]);
      next[i + L / 2] = join_halves<T, true>(rows[i], rows[i + L / 2]);
    }
    CRESSET_UNROLL for (int i = 0; i < L; ++i) rows[i] = next[i];
  }
  CRESSET_UNROLL for (int round = 1; round < kTurned; round *= 2) {
    CRESSET_UNROLL for (int i = 0; i < L / 2; ++i) {
      const int first = i / (kTurned / 2) * kTurned + i % (kTurned / 2);
      next[2 * i] = interleave<T, false>(rows[first], rows[first + kTurned / 2]);
      next[2 * i + 1] = interleave<T, true>(rows[first], rows[first + kTurned / 2]);
    }
    CRESSET_UNROLL for (int i = 0; i < L; ++i) rows[i] = next[i];
  }
}

// out[r * out_stride + c] = a[r + c * a_stride], where the two do not overlap.
template <class T>
void transpose_tile(const T* a, int64_t a_stride, T* out, int64_t out_stride, int64_t rows, int64_t columns) {
  constexpr int n = kLanes<T>;
  if (rows < n || columns < n) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) out[r * out_stride + c] = a[r + c * a_stride];
    }
    return;
  }
  // The last squares begin earlier where they would not be whole.
  for (int64_t column = 0; column < columns; column += n) {
    const int64_t c = std::min(column, columns - n);
    for (int64_t row = 0; row < rows; row += n) {
      const int64_t r = std::min(row, rows - n);
      Vector<T> square[n];
      for (int i = 0; i < n; ++i) square[i] = load(a + r + (c + i) * a_stride);
      transpose_square<T>(square);
      for (int i = 0; i < n; ++i) store(out + (r + i) * out_stride + c, square[i]);
    }
  }
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
