#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/matmul.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
namespace cresset::CRESSET_TARGET {

Status matmul(Call& call) {
  if (call.ndim < 3) return Status::bad_frame;
  return with_type<kNumbers>(call, 4, [&](auto zero) {
    using T = decltype(zero);
    const int batch = call.ndim - 3;
    const int64_t M = call.shape[batch], N = call.shape[batch + 1], K = call.shape[batch + 2];
    const Operand* o = call.operands;
    if (!o[2].data) for (int d = 0; d < call.ndim; ++d) call.operands[2].strides[d] = 0;
    Walk<4> at(call, 0, batch);
    const T alpha = static_cast<T>(call.scalars[0]), beta = static_cast<T>(call.scalars[1]);
    for (int64_t i = 0, n = count(call, 0, batch); i < n; ++i, at.next()) {
      for (int64_t m = 0; m < M; ++m) for (int64_t j = 0; j < N; ++j) {
        T sum = 0;
        for (int64_t k = 0; k < K; ++k)
          sum += o[0].as<T>()[at.offset[0] + m * o[0].strides[batch] + k * o[0].strides[batch + 2]] *
                 o[1].as<T>()[at.offset[1] + j * o[1].strides[batch + 1] + k * o[1].strides[batch + 2]];
        T c = o[2].data && beta != 0 ? beta * o[2].as<T>()[at.offset[2] + m * o[2].strides[batch] + j * o[2].strides[batch + 1]] : T{0};
        o[3].as<T>()[at.offset[3] + m * o[3].strides[batch] + j * o[3].strides[batch + 1]] = static_cast<T>(c + alpha * sum);
      }
    }
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
