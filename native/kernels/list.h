// LIST kernels: the elements of all rows, shared out to the threads.
// Included inside each target's region, after <algorithm>, <bit>, <cmath>, kernels/walk.h and threads/thread_pool.h.
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kChunk = 16384;  // elements in a block of work
constexpr int64_t kMaxBlocks = 128;

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

constexpr int64_t kLongRow = 65536;  // rows from this on are shared out to the threads, shorter ones stay whole
constexpr int kMaxParts = 64;
constexpr int kRowsPerBlock = 4;

// For each row: part(row, begin, end) over parts of it, their results joined by join(a, b), then done(row, result, each),
// where each(f) calls f(begin, end) so that the whole row is covered. Parts do not depend on the number of threads.
template <class S, class Part, class Join, class Done>
void reduce_rows(ListCall& call, Part&& part, Join&& join, Done&& done) {
  int64_t total = 0;
  for (int r = 0; r < call.rows; ++r) {
    const ListRow& row = call.row[r];
    if (row.n < kLongRow) {
      total += row.n;
      continue;
    }
    const int64_t size = ceil_div(ceil_div(row.n, kMaxParts), 1024) * 1024, parts = ceil_div(row.n, size);
    const auto each_block = [&](auto&& f) {
      call.threads->for_each_block(parts, row.n, [&](int64_t block) {
        f(block, block * size, std::min(row.n, (block + 1) * size));
      });
    };
    S results[kMaxParts];
    each_block([&](int64_t block, int64_t begin, int64_t end) { results[block] = part(row, begin, end); });
    for (int64_t i = 1; i < parts; ++i) results[0] = join(results[0], results[i]);
    done(row, results[0], [&](auto&& f) { each_block([&](int64_t, int64_t begin, int64_t end) { f(begin, end); }); });
  }
  call.threads->for_each_block(ceil_div(call.rows, kRowsPerBlock), total, [&](int64_t block) {
    for (int r = static_cast<int>(block) * kRowsPerBlock, end = std::min(call.rows, r + kRowsPerBlock); r < end; ++r) {
      const ListRow& row = call.row[r];
      if (row.n < kLongRow) done(row, part(row, 0, row.n), [&](auto&& f) { f(0, row.n); });
    }
  });
}

template <class T>
T* at(const ListRow& row, int operand) {
  return reinterpret_cast<T*>(row.operands[operand]);
}

// A factor whose products are rounded: they pass through integers, which have the sign of the factor to add, and so are not
// contracted with what they go into. A step is then that of gradients or parameters multiplied beforehand, to the bit.
template <class T>
class RoundedFactor {
 public:
  explicit RoundedFactor(double factor)
      : size_(std::abs(static_cast<T>(factor))), sign_(Bits(std::signbit(factor)) << (8 * sizeof(T) - 1)) {}
  T operator*(T x) const { return std::bit_cast<T>(std::bit_cast<Bits>(size_ * x) ^ sign_); }

 private:
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  T size_;
  Bits sign_;
};

// a b + c, with one rounding where the target has an instruction for it. For a sum of two products, of which the compiler
// could join either with the sum, and does so differently in a loop's vectors and in what is left over.
template <class T>
inline T multiply_add(T a, T b, T c) {
#if defined(__x86_64__) || defined(_M_X64)
  if constexpr (CRESSET_VECTOR_BYTES == 16) return a * b + c;
#endif
  return std::fma(a, b, c);
}

// a + weight (b - a), from the nearer end.
template <class T>
inline T lerp(T a, T b, T weight) {
  return weight < T(0.5) ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
