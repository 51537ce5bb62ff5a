// Turning rows into columns, in registers.
// Included inside each target's region, after <utility> and kernels/vector.h.
namespace cresset::CRESSET_TARGET {
namespace {

// The lanes of a and b in turn: of their first halves, or of their second.
template <class T>
CRESSET_INLINE Vector<T> interleave_low(Vector<T> a, Vector<T> b) {
  return [=]<int... kLane>(std::integer_sequence<int, kLane...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, (kLane / 2 + kLane % 2 * kLanes<T>)...);
  }(std::make_integer_sequence<int, kLanes<T>>());
}
template <class T>
CRESSET_INLINE Vector<T> interleave_high(Vector<T> a, Vector<T> b) {
  return [=]<int... kLane>(std::integer_sequence<int, kLane...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, (kLanes<T> / 2 + kLane / 2 + kLane % 2 * kLanes<T>)...);
  }(std::make_integer_sequence<int, kLanes<T>>());
}

// Turns as many rows as a vector has lanes into columns, by rounds of interleaving the first half with the second.
template <class T>
CRESSET_INLINE void transpose_square(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int L = kLanes<T>;
  CRESSET_UNROLL for (int round = 1; round < L; round *= 2) {
    Vector<T> next[L];
    CRESSET_UNROLL for (int i = 0; i < L / 2; ++i) {
      next[2 * i] = interleave_low<T>(rows[i], rows[i + L / 2]);
      next[2 * i + 1] = interleave_high<T>(rows[i], rows[i + L / 2]);
    }
    CRESSET_UNROLL for (int i = 0; i < L; ++i) rows[i] = next[i];
  }
}

// out[r * out_stride + c] = a[r + c * a_stride]
template <class T>
void transpose_tile(const T* a, int64_t a_stride, T* out, int64_t out_stride, int64_t rows, int64_t columns) {
  constexpr int n = kLanes<T>;
  const int64_t whole_rows = rows - rows % n, whole_columns = columns - columns % n;
  for (int64_t c = 0; c < whole_columns; c += n) {
    for (int64_t r = 0; r < whole_rows; r += n) {
      Vector<T> square[n];
      for (int i = 0; i < n; ++i) square[i] = load(a + r + (c + i) * a_stride);
      transpose_square<T>(square);
      for (int i = 0; i < n; ++i) store(out + (r + i) * out_stride + c, square[i]);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) out[r * out_stride + c] = a[r + c * a_stride];
  }
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
