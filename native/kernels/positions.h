// Included inside each target's region, after <algorithm> and kernels/walk.h.
namespace cresset::CRESSET_TARGET {
namespace {

// Calls f(the offsets of operands [0, kOperands)) for the positions [begin, end) of dimensions [0, last), counted row-major: a walk,
// but along the innermost dimension no more than an addition an operand.
template <int kOperands, class F>
CRESSET_INLINE void for_positions(const Call& call, int last, int64_t begin, int64_t end, F&& f) {
  if (begin >= end) return;
  const int inner = std::max(0, last - 1);
  const int64_t size = last > 0 ? call.shape[inner] : 1;
  int64_t step[kOperands], offset[kOperands];
  for (int o = 0; o < kOperands; ++o) step[o] = last > 0 ? call.operands[o].strides[inner] : 0;
  Walk<kOperands> at(call, 0, inner, begin / size);
  for (int64_t i = begin % size; begin < end; i = 0, at.next()) {
    for (int o = 0; o < kOperands; ++o) offset[o] = at.offset[o] + i * step[o];
    for (const int64_t stop = std::min(end, begin + size - i); begin < stop; ++begin) {
      f(offset);
      for (int o = 0; o < kOperands; ++o) offset[o] += step[o];
    }
  }
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
