// What runs along rows: how they are shared out, and how what is in one is summed.
// Included inside each target's region, after <algorithm>, kernels/walk.h, kernels/vector.h and threads/thread_pool.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kBlockElements = 4096;

// Calls f(offsets) for every row of operands [0, kOperands). Rows are shared out to the threads.
template <int kOperands, class F>
void for_rows(Call& call, F&& f) {
  const int last = collapse(call, kOperands, 0, call.ndim - 1);
  const int64_t rows = count(call, 0, last), n = call.shape[last];
  if (n == 0) return;
  const int64_t per_block = std::max<int64_t>(1, kBlockElements / n);
  call.threads->for_each_block(ceil_div(rows, per_block), rows * n, [&](int64_t block) {
    Walk<kOperands> at(call, 0, last, block * per_block);
    for (int64_t i = block * per_block, end = std::min(rows, i + per_block); i < end; ++i, at.next()) f(at.offset);
  });
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

// Joins the kCount lanes of a vector, in halves.
template <int kCount, class T, class Join>
CRESSET_INLINE T join_lanes(const T* lanes, Join join) {
  if constexpr (kCount == 1) {
    return *lanes;
  } else {
    typedef T Half __attribute__((vector_size(kCount / 2 * sizeof(T))));
    Half low, high;
    __builtin_memcpy(&low, lanes, sizeof low);
    __builtin_memcpy(&high, lanes + kCount / 2, sizeof high);
    low = join(low, high);
    return join_lanes<kCount / 2>(reinterpret_cast<const T*>(&low), join);
  }
}

// Joins term(i) for begin <= i < end: in lanes, so that it vectorizes and a sum rounds little; one after another if there
// are few.
template <class T, class Term, class Join>
CRESSET_INLINE T join_run(int64_t begin, int64_t end, T initial, Term term, Join join) {
  constexpr int kWidth = 4 * kLanes<T>;
  T lanes[kWidth];
  int64_t i = begin;
  if (end - begin < kWidth) {
    for (; i < end; ++i) initial = join(initial, term(i));
    return initial;
  }
  std::fill_n(lanes, kWidth, initial);
  for (; i + kWidth <= end; i += kWidth) {
    for (int k = 0; k < kWidth; ++k) lanes[k] = join(lanes[k], term(i + k));
  }
  for (int k = 0; i < end; ++i, ++k) lanes[k] = join(lanes[k], term(i));
  for (int k = 0; k < 2 * kLanes<T>; ++k) lanes[k] = join(lanes[k], lanes[k + 2 * kLanes<T>]);
  for (int k = 0; k < kLanes<T>; ++k) lanes[k] = join(lanes[k], lanes[k + kLanes<T>]);
  return join_lanes<kLanes<T>>(lanes, join);
}

constexpr int64_t kRun = 1024;  // a sum of more is one of sums of so many

// Joins term(i) for i < n.
template <class T, class Term, class Join>
CRESSET_INLINE T join_row(int64_t n, T initial, Term term, Join join) {
  T result = initial;
  for (int64_t i = 0; i < n; i += kRun) result = join(result, join_run(i, std::min(n, i + kRun), initial, term, join));
  return result;
}

template <class T, class Term>
CRESSET_INLINE T row_sum(int64_t n, Term term) {
  return join_row<T>(n, 0, term, [](auto a, auto b) { return a + b; });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
