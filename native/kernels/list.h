// LIST kernels: the elements of all rows, shared out to the threads.
// Included inside each target's region, after <algorithm>, kernels/walk.h and threads/thread_pool.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kChunk = 16384;  // elements in a block of work
constexpr int64_t kMaxBlocks = 512;

// Calls f(row, begin, end) so that together all elements of all rows are covered, in blocks shared out to the threads.
template <class F>
void for_elements(ListCall& call, F&& f) {
  int64_t total = 0;
  for (int r = 0; r < call.rows; ++r) total += call.row[r].n;
  const int64_t chunk = std::max(kChunk, ceil_div(ceil_div(total, kMaxBlocks), 1024) * 1024);
  call.threads->for_each_block(ceil_div(total, chunk), total, [&](int64_t block) {
    int64_t begin = block * chunk, left = std::min(chunk, total - begin);
    for (int r = 0; left > 0; ++r) {
      const ListRow& row = call.row[r];
      if (begin >= row.n) {
        begin -= row.n;
        continue;
      }
      const int64_t n = std::min(left, row.n - begin);
      f(row, begin, begin + n);
      left -= n;
      begin = 0;
    }
  });
}

template <class F>
Status with_float(ListCall& call, F&& f) {
  if (call.dtype == DType::float32) return f(float{});
  if (call.dtype == DType::float64) return f(double{});
  return Status::unsupported_dtype;
}

// The same for a kernel: f also gets a zero of the call's dtype.
template <class F>
Status each_row(ListCall& call, F&& f) {
  return with_float(call, [&](auto zero) {
    for_elements(call, [&](const ListRow& row, int64_t begin, int64_t end) { f(row, begin, end, zero); });
    return Status::ok;
  });
}

template <class T>
T* at(const ListRow& row, int operand) {
  return reinterpret_cast<T*>(row.operands[operand]);
}

// a + weight (b - a), from the nearer end.
template <class T>
inline T lerp(T a, T b, T weight) {
  return weight < T(0.5) ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
