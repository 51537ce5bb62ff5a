// Included inside each target's region, after <algorithm> and kernels/walk.h.
namespace cresset::CRESSET_TARGET {
namespace {

// Calls f(the offsets of operands [0, kOperands), n) for the positions [begin, end) of dimensions [0, last), counted row-major:
// each time for n of them along the innermost dimension.
template <int kOperands, class F>
CRESSET_INLINE void for_lines(const Call& call, int last, int64_t begin, int64_t end, F&& f) {
  if (begin >= end) return;
  const int inner = std::max(0, last - 1);
  const int64_t size = last > 0 ? call.shape[inner] : 1;
  int64_t offset[kOperands];
  Walk<kOperands> at(call, 0, inner, begin / size);
  for (int64_t i = begin % size, n; begin < end; i = 0, begin += n, at.next()) {
    n = std::min(end - begin, size - i);
    for (int o = 0; o < kOperands; ++o) offset[o] = at.offset[o] + (last > 0 ? i * call.operands[o].strides[inner] : 0);
    f(offset, n);
  }
}

// Calls f(the offsets) for each of them: a walk, but along the innermost dimension no more than an addition an operand.
template <int kOperands, class F>
CRESSET_INLINE void for_positions(const Call& call, int last, int64_t begin, int64_t end, F&& f) {
  int64_t step[kOperands];
  for (int o = 0; o < kOperands; ++o) step[o] = last > 0 ? call.operands[o].strides[last - 1] : 0;
  for_lines<kOperands>(call, last, begin, end, [&](int64_t* offset, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      f(offset);
      for (int o = 0; o < kOperands; ++o) offset[o] += step[o];
    }
  });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
