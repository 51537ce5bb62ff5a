// Rows that lie in memory and are short, turned into columns of a buffer, where a vector holds an element of each.
// Included inside each target's region, after <algorithm>, kernels/walk.h, threads/thread_pool.h, kernels/vector.h,
// kernels/transpose.h and kernels/row.h.
namespace cresset::CRESSET_TARGET {
namespace {

// Elements, at most: above, rows by themselves are as fast.
constexpr int64_t kTurnedRow = CRESSET_VECTOR_BYTES == 64 ? 112 : 80;

// Whether operands [0, kOperands) are rows to be turned. An input may step by 0 along the rows.
template <int kOperands>
bool can_turn(const Call& call) {
  const int last = call.ndim - 1;
  if (call.shape[last] > kTurnedRow || call.operands[kOperands - 1].strides[last] != 1) return false;
  return std::all_of(call.operands, call.operands + kOperands, [&](const Operand& operand) {
    return operand.strides[last] == 1 || operand.strides[last] == 0;
  });
}

// columns[i * kLanes + r] = element i of row r.
template <class T>
void turn_in(const T* const* rows, int64_t stride, int64_t n, const T* end, T* columns) {
  constexpr int L = kLanes<T>;
  if (stride == 0) {
    for (int r = 0; r < L; ++r) columns[r] = *rows[r];
    for (int64_t i = 1; i < n; ++i) store(columns + i * L, load(columns));
    return;
  }
  for (int64_t i = 0; i < n; i += L) {
    const int64_t part = std::min<int64_t>(L, n - i);
    Vector<T> square[L];
    CRESSET_UNROLL for (int r = 0; r < L; ++r) square[r] = load_part(rows[r] + i, part, end);
    transpose_square<T>(square);
    CRESSET_UNROLL for (int k = 0; k < L; ++k) store(columns + (i + k) * L, square[k]);
  }
}

// The way back: rows[r * n + i] = element i of column r. Whole vectors are written, and what is too much is written over: the last
// part of each row comes before the first of any.
template <class T>
void turn_out(const T* columns, int64_t n, T* rows) {
  constexpr int L = kLanes<T>;
  for (int64_t i = (n - 1) / L * L; i >= 0; i -= L) {
    Vector<T> square[L];
    CRESSET_UNROLL for (int k = 0; k < L; ++k) square[k] = load(columns + (i + k) * L);
    transpose_square<T>(square);
    CRESSET_UNROLL for (int r = 0; r < L; ++r) store(rows + r * n + i, square[r]);
  }
}

// Calls f(inputs, output, n) for the columns that rows of operands [0, kInputs) become, as many as a vector has lanes; what it
// leaves in `output` becomes rows of operand kInputs.
template <class T, int kInputs, class F>
void for_turned_rows(Call& call, F&& f) {
  constexpr int L = kLanes<T>;
  const int last = collapse(call, kInputs + 1, 0, call.ndim - 1);
  const int64_t rows = count(call, 0, last), n = call.shape[last];
  if (n == 0) return;
  const int64_t per_block = std::max<int64_t>(1, kBlockElements / (n * L)) * L;
  const T* end[kInputs];
  for (int i = 0; i < kInputs; ++i) end[i] = end_of<T>(call, i);
  call.threads->for_each_block(ceil_div(rows, per_block), rows * n, [&](int64_t block) {
    alignas(64) T columns[kInputs + 1][(kTurnedRow + L) * L];
    const T* inputs[kInputs];
    for (int i = 0; i < kInputs; ++i) inputs[i] = columns[i];
    Walk<kInputs + 1> at(call, 0, last, block * per_block);
    for (int64_t row = block * per_block, stop = std::min(rows, row + per_block); row < stop; row += L) {
      const int width = static_cast<int>(std::min<int64_t>(L, stop - row));
      T* at_row[kInputs + 1][L];
      bool joined = true;
      for (int r = 0; r < L; ++r) {
        for (int i = 0; i <= kInputs; ++i) at_row[i][r] = r < width ? call.operands[i].as<T>() + at.offset[i] : at_row[i][r - 1];
        if (r >= width) continue;
        joined &= at_row[kInputs][r] == at_row[kInputs][0] + r * n;
        at.next();
      }
      for (int i = 0; i < kInputs; ++i) turn_in<T>(at_row[i], call.operands[i].strides[last], n, end[i], columns[i]);
      f(inputs, columns[kInputs], n);
      // By way of a buffer, as memory is written fastest in its order.
      turn_out<T>(columns[kInputs], n, columns[0]);
      if (joined) {
        std::copy_n(columns[0], width * n, at_row[kInputs][0]);
      } else {
        for (int r = 0; r < width; ++r) std::copy_n(columns[0] + r * n, n, at_row[kInputs][r]);
      }
    }
  });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
