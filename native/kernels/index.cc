// Kernels that index. Elements are moved by size; where a run of positions shares one index (a row of an embedding,
// of index_select), the run is moved as one.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/index.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/positions.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kBlockElements = 16384;
constexpr int kIndex = 1;

// The call of one indexing kernel, brought to: outer dimensions [0, inner), then one run of `length` positions with one
// index, then the indexed dimension. Without such a run `length` is 1.
struct Indexed {
  int inner;       // dimensions before the run
  bool run;
  int64_t length;  // of the run
  struct Steps {
    int64_t a, index, out;
  } line_steps = {};  // along the innermost of the outer dimensions
  int64_t run_strides[3];
  int64_t size, step;  // of the indexed dimension
  int64_t runs;

  Indexed(Call& call, int indexed) {
    const int last = collapse(call, 3, 0, call.ndim - 1);
    size = call.shape[last];
    step = call.operands[indexed].strides[last];
    run = last > 0 && call.operands[kIndex].strides[last - 1] == 0;
    inner = last - run;
    length = run ? call.shape[inner] : 1;
    for (int i = 0; i < 3; ++i) run_strides[i] = run ? call.operands[i].strides[inner] : 0;
    if (inner > 0) {
      const auto stride = [&](int i) { return call.operands[i].strides[inner - 1]; };
      line_steps = {stride(0), stride(1), stride(2)};
    }
    runs = count(call, 0, inner);
  }
};

// Whether an index of the positions [begin, end) is out of range.
bool any_outside(const Call& call, const Indexed& indexed, int64_t begin, int64_t end) {
  const int64_t* index = call.operands[kIndex].as<int64_t>();
  const int64_t stride = indexed.line_steps.index;
  const uint64_t last = static_cast<uint64_t>(indexed.size - 1);
  uint64_t signs = 0;
  for_lines<2>(call, indexed.inner, begin, end, [&](const int64_t* offset, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t k = static_cast<uint64_t>(index[offset[kIndex] + i * stride]);
      signs |= k | (last - k);
    }
  });
  return signs >> 63;
}

// Reports the first index out of range, of which there is one.
Status outside(Call& call, const Indexed& indexed) {
  bool first = true;
  for_positions<2>(call, indexed.inner, 0, indexed.runs, [&](const int64_t* offset) {
    const int64_t k = call.operands[kIndex].as<int64_t>()[offset[kIndex]];
    if (!first || static_cast<uint64_t>(k) < static_cast<uint64_t>(indexed.size)) return;
    first = false;
    call.detail[0] = static_cast<double>(k);
    call.detail[1] = static_cast<double>(indexed.size);
  });
  return Status::index_out_of_range;
}

// Checks all indices, where what is written must stay as it was if one is out of range.
Status check_indices(Call& call, const Indexed& indexed) {
  if (indexed.length == 0) return Status::ok;
  Call each = call;  // only the dimensions along which the index varies
  for (int d = 0; d < indexed.inner; ++d) {
    if (call.operands[kIndex].strides[d] == 0 && call.shape[d] > 0) each.shape[d] = 1;
  }
  const int64_t n = count(each, 0, indexed.inner);
  std::atomic<bool> any = false;
  call.threads->for_each_block(ceil_div(n, kBlockElements), n, [&](int64_t block) {
    const int64_t begin = block * kBlockElements;
    if (any_outside(each, indexed, begin, std::min(n, begin + kBlockElements))) any = true;
  });
  return any ? outside(call, indexed) : Status::ok;
}

// Calls f with a zero of an unsigned type of the dtype's size.
template <class F>
Status with_size(Call& call, F&& f) {
  switch (item_size(call.operands[0].dtype)) {
    case 1: return f(uint8_t{});
    case 4: return f(uint32_t{});
    default: return f(uint64_t{});
  }
}

template <class T>
CRESSET_INLINE void copy_run(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t n) {
  if (from_stride == 1 && to_stride == 1) {
    move_items(from, to, n);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <class T>
T wrapping_sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a + b;
  else return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// Calls put(y, x) for each run of positions with one index: y the elements of operand 2 that it names, x those of operand 0.
// Threads share out the indices, so that each element is put to in order; where runs are short, looking through all indices more
// than once would take longer than it saves.
template <class T, class Put>
void scatter_runs(Call& call, const Indexed& indexed, Put put) {
  const int64_t from_stride = indexed.run_strides[0], to_stride = indexed.run_strides[2], n = indexed.length;
  const int64_t parts = indexed.step == 0 ? 1 : std::clamp<int64_t>(n / 32, 1, 8), per_part = ceil_div(indexed.size, parts);
  call.threads->for_each_block(parts, indexed.runs * n, [&](int64_t part) {
    for_positions<3>(call, indexed.inner, 0, indexed.runs, [&](const int64_t* offset) {
      const int64_t k = call.operands[kIndex].as<int64_t>()[offset[kIndex]];
      if (k < part * per_part || k >= (part + 1) * per_part) return;
      const T* x = call.operands[0].as<T>() + offset[0];
      T* y = call.operands[2].as<T>() + offset[2] + k * indexed.step;
      if (from_stride == 1 && to_stride == 1) {
        for (int64_t i = 0; i < n; ++i) put(y[i], x[i]);
      } else {
        for (int64_t i = 0; i < n; ++i) put(y[i * to_stride], x[i * from_stride]);
      }
    });
  });
}

// The same where each position has an index of its own. Threads share out the positions of the largest dimension in which the
// output has a step: what they put to lies apart, and each element is put to in order.
template <class T, class Put>
void scatter_elements(const Call& call, const Indexed& indexed, Put put) {
  constexpr int64_t kMost = 16, kLine = 16;
  int along = -1;
  for (int d = 0; d < indexed.inner; ++d) {
    if (call.operands[2].strides[d] != 0 && (along < 0 || call.shape[d] > call.shape[along])) along = d;
  }
  const int64_t length = along < 0 ? 1 : call.shape[along];
  const int64_t wanted = std::clamp<int64_t>(2 * indexed.runs / kBlockElements, 1, kMost);
  const int64_t per_part = ceil_div(ceil_div(length, wanted), kLine) * kLine;
  call.threads->for_each_block(ceil_div(length, per_part), indexed.runs, [&](int64_t block) {
    Call part = call;
    int64_t start[3] = {};
    if (along >= 0) {
      part.shape[along] = std::min(per_part, length - block * per_part);
      for (int i = 0; i < 3; ++i) start[i] = block * per_part * call.operands[i].strides[along];
    }
    for_lines<3>(part, indexed.inner, 0, count(part, 0, indexed.inner), [&](const int64_t* offset, int64_t n) {
      const T* x = call.operands[0].as<T>() + start[0] + offset[0];
      const int64_t* index = call.operands[kIndex].as<int64_t>() + start[kIndex] + offset[kIndex];
      T* y = call.operands[2].as<T>() + start[2] + offset[2];
      const auto [x_step, index_step, y_step] = indexed.line_steps;
      for (int64_t i = 0; i < n; ++i) put(y[i * y_step + index[i * index_step] * indexed.step], x[i * x_step]);
    });
  });
}

template <class T, class Put>
Status scatter_by(Call& call, Put put) {
  const Indexed indexed(call, 2);
  if (const Status status = check_indices(call, indexed); status != Status::ok) return status;
  if (indexed.runs == 0) return Status::ok;
  if (indexed.run) scatter_runs<T>(call, indexed, put);
  else scatter_elements<T>(call, indexed, put);
  return Status::ok;
}

}  // namespace

Status gather(Call& call) {
  return with_size(call, [&](auto zero) {
    using T = decltype(zero);
    const Indexed indexed(call, 0);
    if (indexed.length == 0) return Status::ok;
    const int64_t per_block = std::max<int64_t>(1, kBlockElements / indexed.length);
    const T* a = call.operands[0].as<T>();
    const int64_t* index = call.operands[kIndex].as<int64_t>();
    T* out = call.operands[2].as<T>();
    std::atomic<bool> any = false;
    call.threads->for_each_block(ceil_div(indexed.runs, per_block), indexed.runs * indexed.length, [&](int64_t block) {
      const int64_t begin = block * per_block, end = std::min(indexed.runs, begin + per_block);
      // Block by block, as indices of several megabytes would come from memory twice.
      if (any_outside(call, indexed, begin, end)) {
        any = true;
        return;
      }
      for_lines<3>(call, indexed.inner, begin, end, [&](const int64_t* offset, int64_t n) {
        const T* from = a + offset[0];
        const int64_t* at = index + offset[kIndex];
        T* to = out + offset[2];
        const auto [a_step, index_step, out_step] = indexed.line_steps;
        if (!indexed.run && index_step == 1 && out_step == 1) {
          for (int64_t i = 0; i < n; ++i) to[i] = from[i * a_step + at[i] * indexed.step];
        } else if (!indexed.run) {
          for (int64_t i = 0; i < n; ++i) to[i * out_step] = from[i * a_step + at[i * index_step] * indexed.step];
        } else {
          for (int64_t i = 0; i < n; ++i) {
            const T* run = from + i * a_step + at[i * index_step] * indexed.step;
            copy_run(run, indexed.run_strides[0], to + i * out_step, indexed.run_strides[2], indexed.length);
          }
        }
      });
    });
    return any ? outside(call, indexed) : Status::ok;
  });
}

Status scatter(Call& call) {
  return with_size(call, [&](auto zero) {
    using T = decltype(zero);
    return scatter_by<T>(call, [](T& to, T from) { to = from; });
  });
}

Status scatter_add(Call& call) {
  return with_type<kNumbers>(call, [&](auto zero) {
    using T = decltype(zero);
    return scatter_by<T>(call, [](T& to, T from) { to = wrapping_sum(to, from); });
  });
}

Status nonzero(Call& call) {
  return with_type<kAnyType>(call, [&](auto zero) {
    using T = decltype(zero);
    const T* a = call.operands[0].as<T>();
    int64_t* out = call.operands[1].as<int64_t>();
    const int64_t n = call.shape[0], count = call.shape[1];
    const int64_t stride = call.operands[0].strides[0], out_stride = call.operands[1].strides[1];
    int64_t found = 0;
    // Each position is written, and written over unless it counts: there is nothing to predict.
    const auto find = [&](int64_t i, int64_t end) {
      for (; i < end && found < count; ++i) {
        out[found * out_stride] = i;
        found += a[i * stride] != 0;
      }
    };
    int64_t i = 0;
    if constexpr (sizeof(T) == 1) {
      // Masks are often sparse: eight zeros are passed over at once.
      for (uint64_t eight; stride == 1 && i + 8 <= n && found < count; i += 8) {
        std::memcpy(&eight, a + i, sizeof eight);
        if (eight != 0) find(i, i + 8);
      }
    }
    find(i, n);
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
