// What runs along rows: how they are shared out, and how what is in one is summed.
// Included inside each target's region, after <algorithm>, <array>, kernels/walk.h, threads/thread_pool.h, kernels/vector.h and
// kernels/positions.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kBlockElements = 4096;

// Calls f(last, begin, end) for blocks of rows of operands [0, kOperands), as for_positions takes them: the threads share them. An
// element of a row takes as long as `cost` of a pointwise kernel.
template <int kOperands, class F>
void for_row_blocks(Call& call, F&& f, int64_t cost = 1) {
  const int last = collapse(call, kOperands, 0, call.ndim - 1);
  const int64_t rows = count(call, 0, last), n = call.shape[last];
  if (n == 0) return;
  const int64_t per_block = std::max<int64_t>(1, kBlockElements / (n * cost));
  call.threads->for_each_block(ceil_div(rows, per_block), rows * n * cost, [&](int64_t block) {
    f(last, block * per_block, std::min(rows, (block + 1) * per_block));
  });
}

// Calls f(offsets) for every row of operands [0, kOperands).
template <int kOperands, class F>
void for_rows(Call& call, F&& f, int64_t cost = 1) {
  const auto rows = [&](int last, int64_t begin, int64_t end) { for_positions<kOperands>(call, last, begin, end, f); };
  for_row_blocks<kOperands>(call, rows, cost);
}

constexpr int kColumns = 128;  // taken at once

// Whether rows lie across memory, beside each other: whether all of operands [0, kOperands) step by 1 along the dimension before the
// last one, and not along that.
template <int kOperands>
bool has_columns(const Call& call) {
  if (call.ndim < 2 || call.shape[call.ndim - 2] == 1) return false;
  return std::all_of(call.operands, call.operands + kOperands, [&](const Operand& operand) {
    return operand.strides[call.ndim - 2] == 1 && operand.strides[call.ndim - 1] != 1;
  });
}

// Calls f(offsets, rows, steps, width) for runs of at most kColumns columns, which are shared out to the threads.
template <int kOperands, class F>
void for_columns(Call& call, F&& f) {
  const int inner = collapse(call, kOperands, 0, call.ndim - 2);
  const int64_t columns = call.shape[inner], n = call.shape[inner + 1];
  if (n == 0) return;
  int64_t step[kOperands];
  for (int i = 0; i < kOperands; ++i) step[i] = call.operands[i].strides[inner + 1];
  const int64_t runs = ceil_div(columns, kColumns), outer = count(call, 0, inner);
  call.threads->for_each_block(outer * runs, outer * columns * n, [&](int64_t block) {
    Walk<kOperands> at(call, 0, inner, block / runs);
    const int64_t begin = block % runs * kColumns;
    for (int i = 0; i < kOperands; ++i) at.offset[i] += begin;
    f(at.offset, n, step, static_cast<int>(std::min<int64_t>(kColumns, columns - begin)));
  });
}

// Joins kCount terms of each i, begin <= i < end: in lanes, so that it vectorizes and a sum rounds little; one after another if
// there are few.
template <int kCount, class T, class Terms, class Join>
CRESSET_INLINE std::array<T, kCount> join_runs(int64_t begin, int64_t end, T initial, Terms terms, Join join) {
  constexpr int kWidth = 4 * kLanes<T>;
  T lanes[kCount][kWidth];
  std::array<T, kCount> results;
  int64_t i = begin;
  if (end - begin < kWidth) {
    results.fill(initial);
    for (; i < end; ++i) {
      const std::array<T, kCount> t = terms(i);
      for (int c = 0; c < kCount; ++c) results[c] = join(results[c], t[c]);
    }
    return results;
  }
  std::fill_n(lanes[0], kCount * kWidth, initial);
  for (; i + kWidth <= end; i += kWidth) {
    for (int k = 0; k < kWidth; ++k) {
      const std::array<T, kCount> t = terms(i + k);
      for (int c = 0; c < kCount; ++c) lanes[c][k] = join(lanes[c][k], t[c]);
    }
  }
  for (int k = 0; i < end; ++i, ++k) {
    const std::array<T, kCount> t = terms(i);
    for (int c = 0; c < kCount; ++c) lanes[c][k] = join(lanes[c][k], t[c]);
  }
  for (int c = 0; c < kCount; ++c) {
    for (int k = 0; k < 2 * kLanes<T>; ++k) lanes[c][k] = join(lanes[c][k], lanes[c][k + 2 * kLanes<T>]);
    for (int k = 0; k < kLanes<T>; ++k) lanes[c][k] = join(lanes[c][k], lanes[c][k + kLanes<T>]);
    results[c] = join_lanes<kLanes<T>>(lanes[c], join);
  }
  return results;
}

constexpr int64_t kRun = 1024;  // a sum of more is one of sums of so many

// Joins kCount terms of each i < n.
template <int kCount, class T, class Terms, class Join>
CRESSET_INLINE std::array<T, kCount> join_rows(int64_t n, T initial, Terms terms, Join join) {
  std::array<T, kCount> results;
  results.fill(initial);
  for (int64_t i = 0; i < n; i += kRun) {
    const std::array<T, kCount> run = join_runs<kCount>(i, std::min(n, i + kRun), initial, terms, join);
    for (int c = 0; c < kCount; ++c) results[c] = join(results[c], run[c]);
  }
  return results;
}

// Joins term(i) for i < n.
template <class T, class Term, class Join>
CRESSET_INLINE T join_row(int64_t n, T initial, Term term, Join join) {
  return join_rows<1>(n, initial, [=](int64_t i) { return std::array<T, 1>{term(i)}; }, join)[0];
}

template <class T, class Term>
CRESSET_INLINE T row_sum(int64_t n, Term term) {
  return join_row<T>(n, 0, term, [](auto a, auto b) { return a + b; });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
