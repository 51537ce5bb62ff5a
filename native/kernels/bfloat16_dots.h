#pragma once
#include "call.h"

namespace cresset {

// The kernel matmul_bfloat16 on x86 processors with AVX512-BF16, for a k of at least 1 and rows of c and out that are contiguous.
// Of a symmetric result what lies above the diagonal is left undefined.
Status matmul_with_bfloat16_dots(Call& call);

}  // namespace cresset
