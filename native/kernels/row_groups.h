// Sums along contiguous rows, several rows at a time.
// Included inside each target's region, after <algorithm>, <array>, kernels/walk.h, kernels/vector.h, kernels/positions.h,
// kernels/row.h and kernels/sum_lanes.h.
namespace cresset::CRESSET_TARGET {
namespace {

// Rows are taken in groups: adding up the lanes of a short one takes longer than going over it, and those of several little more
// than of one. The group stays in the first-level cache.
constexpr int kGroup = 8;
constexpr int64_t kGroupElements = 4096;

int group_of(int64_t n) { return static_cast<int>(std::clamp<int64_t>(kGroupElements / std::max<int64_t>(1, n), 1, kGroup)); }

// V is a vector, or T itself for rows shorter than one.
template <class V, class T>
CRESSET_INLINE V load_as(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// Calls f with the V for rows of n.
template <class T, class F>
CRESSET_INLINE void with_width(int64_t n, F f) {
  if (n < kLanes<T>) f(T{});
  else f(Vector<T>{});
}

// Adds to sums[c] the c-th of terms(i), terms at i and after it, for begin <= i < end, in kChains sums that grow at once; the last
// terms end at `end`, and `rest` tells their lanes that count.
template <class V, class T, int kChains, int kCount, class Terms>
CRESSET_INLINE void add_run(int64_t begin, int64_t end, Mask<T> rest, Terms terms, V (&sums)[kCount]) {
  constexpr int L = sizeof(V) / sizeof(T);
  V chains[kChains][kCount] = {};
  const auto add = [&](int chain, const std::array<V, kCount>& more) __attribute__((always_inline)) {
    CRESSET_UNROLL for (int c = 0; c < kCount; ++c) chains[chain][c] += more[c];
  };
  int64_t i = begin;
  if constexpr (kChains > 1) {
    for (; i + kChains * L <= end; i += kChains * L) {
      CRESSET_UNROLL for (int chain = 0; chain < kChains; ++chain) add(chain, terms(i + chain * L));
    }
  }
  for (; i + L <= end; i += L) add(0, terms(i));
  if constexpr (L > 1) {
    if (i < end) {
      std::array<V, kCount> last = terms(end - L);
      CRESSET_UNROLL for (int c = 0; c < kCount; ++c) last[c] = masked<T>(last[c], rest);
      add(kChains > 1 ? 1 : 0, last);
    }
  }
  CRESSET_UNROLL for (int c = 0; c < kCount; ++c) {
    if constexpr (kChains == 1) sums[c] += chains[0][c];
    else sums[c] += (chains[0][c] + chains[1][c]) + (chains[2][c] + chains[3][c]);
  }
}

// sums[c][r] = the sum of terms_of(r)(i)[c] for i < n and the rows r of a group; a sum of more than kRun is one of sums of so many.
template <class V, class T, int kCount, class Terms>
CRESSET_INLINE void add_rows(int rows, int64_t n, Terms terms_of, T (&sums)[kCount][kGroup]) {
  const Mask<T> rest = last_lanes<T>(n % kLanes<T>);
  V lanes[kCount][kGroup] = {};
  for (int r = 0; r < rows; ++r) {
    V of_row[kCount] = {};
    const auto terms = terms_of(r);
    if (n < 4 * kLanes<T>) add_run<V, T, 1>(0, n, rest, terms, of_row);
    else for (int64_t i = 0; i < n; i += kRun) add_run<V, T, 4>(i, std::min(n, i + kRun), rest, terms, of_row);
    for (int c = 0; c < kCount; ++c) lanes[c][r] = of_row[c];
  }
  for (int c = 0; c < kCount; ++c) {
    if constexpr (sizeof(V) == sizeof(T)) std::copy_n(lanes[c], kGroup, sums[c]);
    else sum_lanes_of<T, kGroup>(lanes[c], sums[c]);
  }
}

// Calls f(rows, offsets) for groups of rows of operands [0, kOperands), where offsets[o][r] is operand o's of row r.
template <int kOperands, class F>
void for_row_groups(Call& call, F&& f) {
  for_row_blocks<kOperands>(call, [&](int last, int64_t begin, int64_t end) {
    const int group = group_of(call.shape[last]);
    int64_t offsets[kOperands][kGroup];
    int held = 0;
    for_positions<kOperands>(call, last, begin, end, [&](const int64_t* offset) {
      for (int o = 0; o < kOperands; ++o) offsets[o][held] = offset[o];
      if (++held < group) return;
      f(held, offsets);
      held = 0;
    });
    if (held > 0) f(held, offsets);
  });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
