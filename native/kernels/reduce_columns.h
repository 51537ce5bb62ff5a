// Reductions of columns whose neighbours lie beside each other, row by row.
// Included inside each target's region, after <algorithm>, <limits>, <type_traits>, kernels/walk.h, kernels/vector.h,
// kernels/reduction.h and kernels/reduce_rows.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int kTileVectors = 8;
template <class T>
constexpr int kTile = kTileVectors * kLanes<T>;
constexpr int64_t kRowRun = 32;  // rows joined without recursion

inline int64_t middle_row(int64_t begin, int64_t end) { return begin + ceil_div((end - begin) / 2, kRowRun) * kRowRun; }

// Few tiles of many rows are cut for the threads, where fold_columns would cut them: in a power of two of parts.
struct RowParts {
  static constexpr int64_t kMost = 16;  // of all tiles
  int64_t count = 1;
  int64_t bounds[kMost + 1];

  RowParts(int64_t rows, int64_t tiles) {
    while (2 * tiles * count <= kMost && rows / count >= 16 * kRowRun) count *= 2;
    bounds[0] = 0;
    bounds[count] = rows;
    for (int64_t half = count / 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < count; i += 2 * half) bounds[i + half] = middle_row(bounds[i], bounds[i + 2 * half]);
    }
  }
};

template <class T, class Op>
void join_tiles(T* tile, const T* other, int width) {
  for (int j = 0; j < width; j += kLanes<T>) store(tile + j, Op::join(load(tile + j), load(other + j)));
}

// Joins rows [begin, end) of `width` neighbouring columns. `out` takes whole vectors; what lies behind the columns is anything.
template <class T, class Op>
void fold_columns(const T* a, const Reduced& reduced, int64_t begin, int64_t end, int width, const T* centers, T* out) {
  if (end - begin > kRowRun) {
    const int64_t middle = middle_row(begin, end);
    T other[kTile<T>];
    fold_columns<T, Op>(a, reduced, begin, middle, width, centers, out);
    fold_columns<T, Op>(a, reduced, middle, end, width, centers, other);
    join_tiles<T, Op>(out, other, width);
    return;
  }
  const auto row = [&](int64_t i) {
    return reduced.rows == 1 ? a + i * reduced.stride : a + reduced.offset(i / reduced.length) + i % reduced.length * reduced.stride;
  };
  constexpr int L = kLanes<T>;
  if (width == kTile<T>) {
    Vector<T> sums[kTileVectors];
    for (auto& sum : sums) sum = splat<T>(Op::initial);
    for (int64_t i = begin; i < end; ++i) {
      const T* p = row(i);
      for (int k = 0; k < kTileVectors; ++k) sums[k] = Op::join(sums[k], Op::map(load(p + k * L), load(centers + k * L)));
    }
    for (int k = 0; k < kTileVectors; ++k) store(out + k * L, sums[k]);
    return;
  }
  // Fewer columns, a vector at a time: whole ones are read as long as they end before the last row does.
  const T* const last = row(reduced.elements() - 1) + width;
  for (int j = 0; j < width; j += L) {
    const Vector<T> around = load(centers + j);
    Vector<T> sum = splat<T>(Op::initial);
    int64_t i = begin;
    for (; i < end && row(i) + j + L <= last; ++i) sum = Op::join(sum, Op::map(load(row(i) + j), around));
    store(out + j, sum);
    for (; i < end; ++i) {
      const T* p = row(i);
      for (int l = j; l < std::min(width, j + L); ++l) out[l] = Op::join(out[l], Op::map(p[l], centers[l]));
    }
  }
}

constexpr int kFoundVectors = 4;  // of neighbouring columns

// Whether the columns of a matrix, or of several, are reduced, and their neighbours lie beside each other: as many as are found at
// once, for fewer take as long.
template <class T>
bool is_of_columns(const Call& call, int kept, const Reduced& reduced) {
  return kept > 0 && call.operands[0].strides[kept - 1] == 1 && call.shape[kept - 1] >= kFoundVectors * kLanes<T> &&
         reduced.rows == 1 && reduced.stride > 1 && reduced.length <= std::numeric_limits<int32_t>::max();
}

// out[j] = the position in column j that find would find, for `width` neighbouring columns of n elements, `step` apart.
template <class T, class Op>
void find_in_columns(const T* a, int64_t n, int64_t step, int width, const T* end, int64_t* out) {
  constexpr int L = kLanes<T>, kAll = kFoundVectors * L;
  const auto find_in = [&]<int kVectors>(std::integral_constant<int, kVectors>, int from) {
    Vector<T> best[kVectors];
    Vector<Position<T>> positions[kVectors] = {};
    for (auto& each : best) each = splat<T>(Op::initial);
    const int64_t read = std::min(kVectors * L, width - from);
    for (int64_t i = 0; i < n; ++i) {
      const T* row = a + i * step + from;
      CRESSET_UNROLL for (int v = 0; v < kVectors; ++v) {
        const Vector<T> x = kVectors > 1 ? load(row + v * L) : load_part(row, read, end);
        take_better<T, Op>(x, i, best[v], positions[v]);
      }
    }
    for (int j = 0; j < read; ++j) out[from + j] = positions[j / L][j % L];
  };
  if (width == kAll) return find_in(std::integral_constant<int, kFoundVectors>(), 0);
  for (int from = 0; from < width; from += L) find_in(std::integral_constant<int, 1>(), from);
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
