// Iteration spaces and dtypes for kernels that are not pointwise. Plain code: nothing here is vectorized.
#pragma once
#include <algorithm>
#include <cstdint>
#include "call.h"

namespace cresset {

// The status of an operand whose dtype the kernel does not take.
inline Status unsupported(Call& call, int operand) {
  call.detail[0] = operand;
  call.detail[1] = static_cast<double>(call.operands[operand].dtype);
  return Status::unsupported_dtype;
}

constexpr unsigned kFloats = 0b000011, kNumbers = 0b011111, kAnyType = 0b111111;

// Calls f with a zero of operand 0's dtype, if `kTypes` has it. A bool is a uint8_t of 0 or 1.
template <unsigned kTypes, class F>
Status with_type(Call& call, F&& f) {
  switch (call.operands[0].dtype) {
    case DType::float32: if constexpr (kTypes & 1) return f(float{}); break;
    case DType::float64: if constexpr (kTypes & 2) return f(double{}); break;
    case DType::int64: if constexpr (kTypes & 4) return f(int64_t{}); break;
    case DType::int32: if constexpr (kTypes & 8) return f(int32_t{}); break;
    case DType::uint8: if constexpr (kTypes & 16) return f(uint8_t{}); break;
    case DType::boolean: if constexpr (kTypes & 32) return f(uint8_t{}); break;
  }
  return unsupported(call, 0);
}

inline int64_t count(const Call& call, int first, int last) {
  int64_t n = 1;
  for (int d = first; d < last; ++d) n *= call.shape[d];
  return n;
}

inline void move_dim(Call& call, int operands, int from, int to) {
  call.shape[to] = call.shape[from];
  for (int i = 0; i < operands; ++i) {
    if (call.operands[i].data) call.operands[i].strides[to] = call.operands[i].strides[from];
  }
}

// Drops dimensions of size 1 from [first, last) and merges neighbours that every operand steps through as one.
// Returns the new `last`; the dimensions after it move down.
inline int collapse(Call& call, int operands, int first, int last) {
  int kept = first;
  for (int d = first; d < last; ++d) {
    if (call.shape[d] == 1) continue;
    bool merges = kept > first;
    for (int i = 0; merges && i < operands; ++i) {
      const Operand& operand = call.operands[i];
      merges = !operand.data || operand.strides[kept - 1] == operand.strides[d] * call.shape[d];
    }
    const int64_t size = merges ? call.shape[kept - 1] * call.shape[d] : call.shape[d];
    if (!merges) ++kept;
    move_dim(call, operands, d, kept - 1);
    call.shape[kept - 1] = size;
  }
  for (int d = last; d < call.ndim; ++d) move_dim(call, operands, d, kept + d - last);
  call.ndim -= last - kept;
  return kept;
}

// A position in dimensions [first, last), counted row-major, with the offset in elements of operands [0, kOperands).
template <int kOperands>
struct Walk {
  const Call& call;
  const int first, last;
  int64_t index[kMaxDims];
  int64_t offset[kOperands] = {};

  Walk(const Call& call, int first, int last, int64_t position = 0) : call(call), first(first), last(last) {
    for (int d = last - 1; d >= first; --d) {
      index[d] = position % call.shape[d];
      position /= call.shape[d];
      for (int i = 0; i < kOperands; ++i) offset[i] += index[d] * call.operands[i].strides[d];
    }
  }

  void next() {
    for (int d = last - 1; d >= first; --d) {
      const bool wraps = ++index[d] == call.shape[d];
      const int64_t steps = wraps ? 1 - index[d] : 1;
      for (int i = 0; i < kOperands; ++i) offset[i] += steps * call.operands[i].strides[d];
      if (!wraps) return;
      index[d] = 0;
    }
  }
};

// Where an operand ends: what lies between its first element and that can be read.
template <class T>
const T* end_of(const Call& call, int operand) {
  const T* last = call.operands[operand].as<T>();
  for (int d = 0; d < call.ndim; ++d) last += std::max<int64_t>(0, (call.shape[d] - 1) * call.operands[operand].strides[d]);
  return last + 1;
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace cresset
