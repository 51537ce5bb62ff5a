// Reductions of rows that lie in memory and are short, as many at a time as a vector has lanes.
// Included inside each target's region, after <algorithm>, <type_traits>, kernels/walk.h, threads/thread_pool.h, kernels/vector.h
// and kernels/transpose.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kBlockElements = 16384;  // about what one block of work reads

// Rows of up to 2 KB are joined as many at a time as a vector has lanes: for each by itself, joining its lanes would take the
// time. Operands of one byte would take too many. From kLongRow on it is in several chains that elements are joined.
template <class T>
constexpr int64_t kLongRow = 8 * kLanes<T>;
template <class T>
constexpr int64_t kShortRow = sizeof(T) == 1 ? 0 : 2048 / sizeof(T);

// out[r] = row r joined, for as many rows as a vector has lanes.
template <class T, class Op>
void fold_short_rows(const T* const* rows, int64_t n, const T* end, const T* centers, T* out) {
  constexpr int L = kLanes<T>;
  Vector<T> lane;
  for (int i = 0; i < L; ++i) lane[i] = static_cast<T>(i);
  const int64_t whole = n / L * L;
  const auto counts = lane < splat(static_cast<T>(n - whole));
  const Vector<T> initial = splat<T>(Op::initial);
  Vector<T> parts[L];
  for (int r = 0; r < L; ++r) {
    const Vector<T> center = splat(centers[r]);
    Vector<T> part = initial;
    int64_t i = 0;
    if (n > kLongRow<T>) {
      Vector<T> chains[4] = {initial, initial, initial, initial};
      for (; i + 4 * L <= n; i += 4 * L) {
        CRESSET_UNROLL for (int k = 0; k < 4; ++k) chains[k] = Op::join(chains[k], Op::map(load(rows[r] + i + k * L), center));
      }
      part = Op::join(Op::join(chains[0], chains[1]), Op::join(chains[2], chains[3]));
    }
    for (; i < whole; i += L) part = Op::join(part, Op::map(load(rows[r] + i), center));
    if (whole < n) part = Op::join(part, counts ? Op::map(load_part(rows[r] + whole, n - whole, end), center) : initial);
    parts[r] = part;
  }
  // A round joins halves and puts the rows' results in turn: after the last one lane r holds row r.
  CRESSET_UNROLL for (int half = L / 2; half > 0; half /= 2) {
    CRESSET_UNROLL for (int r = 0; r < half; ++r) {
      const Vector<T> a = parts[r], b = parts[r + half];
      if (2 * half > kTurnedLanes<T>) parts[r] = Op::join(join_halves<T, false>(a, b), join_halves<T, true>(a, b));
      else parts[r] = Op::join(interleave<T, false>(a, b), interleave<T, true>(a, b));
    }
  }
  store(out, parts[0]);
}

// Calls f(rows, count, offsets) for groups of at most kLanes neighbouring rows of operand 0; `rows` is filled up with the last.
template <class T, class F>
void for_short_rows(Call& call, int kept, int64_t n, F f) {
  constexpr int L = kLanes<T>;
  const int inner = kept - 1;
  const int64_t all = call.shape[inner], per_block = std::max<int64_t>(1, kBlockElements / (n * L)) * L;
  const int64_t bands = ceil_div(all, per_block), step = call.operands[0].strides[inner];
  call.threads->for_each_block(count(call, 0, inner) * bands, count(call, 0, kept) * n, [&](int64_t block) {
    Walk<3> at(call, 0, inner, block / bands);
    const int64_t first = block % bands * per_block, end = std::min(all, first + per_block);
    for (int64_t row = first; row < end; row += L) {
      const int width = static_cast<int>(std::min<int64_t>(L, end - row));
      int64_t offset[3];
      for (int i = 0; i < 3; ++i) offset[i] = at.offset[i] + row * call.operands[i].strides[inner];
      const T* rows[L];
      for (int r = 0; r < L; ++r) rows[r] = call.operands[0].as<T>() + offset[0] + std::min(r, width - 1) * step;
      f(rows, width, offset);
    }
  });
}

// A vector of these has as many lanes as one of T, of 4 or 8 bytes.
template <class T>
using Position = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Takes the elements x, which are at `position`, where they are better than the best before them, or the first NaN.
template <class T, class Op>
CRESSET_INLINE void take_better(Vector<T> x, int64_t position, Vector<T>& best, Vector<Position<T>>& positions) {
  const auto better = Op::exceeds(x, best) | ((x != x) & (best == best));
  best = better ? x : best;
  positions = better ? splat(static_cast<Position<T>>(position)) : positions;
}

// out[r] = the position in row r that find would find, for as many rows as a vector has lanes.
template <class T, class Op>
void find_in_short_rows(const T* const* rows, int64_t n, const T* end, int64_t* out) {
  constexpr int L = kLanes<T>;
  Vector<T> best = splat<T>(Op::initial);
  Vector<Position<T>> positions = {};
  for (int64_t i = 0; i < n; i += L) {
    const int64_t part = std::min<int64_t>(L, n - i);
    Vector<T> columns[L];
    CRESSET_UNROLL for (int r = 0; r < L; ++r) columns[r] = load_part(rows[r] + i, part, end);
    transpose_square<T>(columns);
    for (int k = 0; k < part; ++k) take_better<T, Op>(columns[k], i + k, best, positions);
  }
  for (int r = 0; r < L; ++r) out[r] = positions[r];
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
