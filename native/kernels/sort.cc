// Sorting along the last dimension, whole or its first elements only.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/sort.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/positions.h"
#include "kernels/row.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kFew = 64;   // so many first elements are kept in order while the rest is only looked at
constexpr int64_t kCost = 16;  // what an element takes, in those of a pointwise kernel

// With more keys than these, sorting by their bytes is faster than comparing each with all.
template <class Key>
constexpr int64_t kRanked = sizeof(Key) == 8 ? 96 : sizeof(Key) == 4 ? 128 : 8 * sizeof(Key);

// An unsigned integer that orders as x does: NaN greatest, -0 equal to 0.
template <class T>
auto sort_key(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using Key = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    if (x != x) return std::numeric_limits<Key>::max();
    const T positive_zero = x + T{0};
    Key bits;
    __builtin_memcpy(&bits, &positive_zero, sizeof bits);
    constexpr Key sign = Key{1} << (8 * sizeof(Key) - 1);
    return static_cast<Key>(bits & sign ? ~bits : bits | sign);
  } else {
    using Key = std::make_unsigned_t<T>;
    constexpr Key sign = std::is_signed_v<T> ? Key{1} << (8 * sizeof(Key) - 1) : 0;
    return static_cast<Key>(static_cast<Key>(x) ^ sign);
  }
}

template <class Key>
struct Item {
  Key key;
  int64_t index;

  bool operator<(const Item& other) const { return key != other.key ? key < other.key : index < other.index; }
};

// The `wanted` least items of n, in order, where key_of(i) is the i-th one's. Once there are so many, most runs of keys hold none
// that is less than their last.
template <class Key, class KeyOf>
void least(Item<Key>* items, int64_t wanted, int64_t n, KeyOf key_of) {
  constexpr int64_t kKeys = 32;
  Key keys[kKeys];
  const auto insert = [=](int64_t at, Item<Key> item) {
    for (; at > 0 && item.key < items[at - 1].key; --at) items[at] = items[at - 1];
    items[at] = item;
  };
  for (int64_t i = 0; i < wanted; ++i) insert(i, {key_of(i), i});
  for (int64_t begin = wanted; begin < n; begin += kKeys) {
    const int64_t count = std::min(kKeys, n - begin);
    const Key last = items[wanted - 1].key;
    Key any = 0;
    for (int64_t i = 0; i < count; ++i) {
      keys[i] = key_of(begin + i);
      any |= keys[i] < last;
    }
    if (!any) continue;
    for (int64_t i = 0; i < count; ++i) {
      if (keys[i] < items[wanted - 1].key) insert(wanted - 1, {keys[i], begin + i});
    }
  }
}

// ranks[i] = the number of keys that come before the i-th one: all are compared with all, in vectors.
template <class Key>
void rank(const Key* keys, Key* ranks, int64_t n) {
  std::fill_n(ranks, n, Key{0});
  for (int64_t i = 0; i < n; ++i) {
    const Key key = keys[i];
    for (int64_t j = 0; j < i; ++j) ranks[j] += key < keys[j];
    for (int64_t j = i + 1; j < n; ++j) ranks[j] += key <= keys[j];
  }
}

// Sorts by the keys' bytes, from the lowest to the highest, to and fro between the two; each pass keeps the order of equals.
// Returns where the result is.
template <class Key>
Item<Key>* radix_sort(Item<Key>* from, Item<Key>* to, int64_t n) {
  int64_t starts[sizeof(Key)][256] = {};
  const auto byte = [](Key key, size_t b) { return key >> (8 * b) & 255; };
  for (int64_t i = 0; i < n; ++i) {
    for (size_t b = 0; b < sizeof(Key); ++b) ++starts[b][byte(from[i].key, b)];
  }
  for (size_t b = 0; b < sizeof(Key); ++b) {
    if (starts[b][byte(from[0].key, b)] == n) continue;  // all the same
    int64_t start = 0;
    for (int64_t& s : starts[b]) start += std::exchange(s, start);
    for (int64_t i = 0; i < n; ++i) to[starts[b][byte(from[i].key, b)]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

}  // namespace

Status sort(Call& call) {
  return with_type<kAnyType>(call, [&](auto zero) {
    using T = decltype(zero);
    using Key = decltype(sort_key(T{}));
    const int last = call.ndim - 1;
    const int64_t n = call.shape[last], stride = call.operands[0].strides[last];
    const int64_t out_stride = call.operands[1].strides[last], index_stride = call.operands[2].strides[last];
    const double count = call.scalars[1];
    const int64_t wanted = count >= 0 && count < static_cast<double>(n) ? static_cast<int64_t>(count) : n;
    const Key flip = call.scalars[0] != 0 ? std::numeric_limits<Key>::max() : 0;  // descending: the complement's order
    std::atomic<bool> failed = false;
    const bool few = wanted > 0 && wanted <= std::min(kFew, n / 8), part = !few && wanted <= n / 64;
    const bool ranked = !few && !part && n <= kRanked<Key>;
    const auto sort_row = [&](const int64_t* offset) {
      const T* a = call.operands[0].as<T>() + offset[0];
      const auto key_of = [=](int64_t i) { return static_cast<Key>(sort_key(a[i * stride]) ^ flip); };
      const auto write = [&](int64_t to, int64_t from) {
        call.operands[1].as<T>()[offset[1] + to * out_stride] = a[from * stride];
        call.operands[2].as<int64_t>()[offset[2] + to * index_stride] = from;
      };
      if (ranked) {
        Key keys[kRanked<Key>], ranks[kRanked<Key>];
        for (int64_t i = 0; i < n; ++i) keys[i] = key_of(i);
        rank(keys, ranks, n);
        for (int64_t i = 0; i < n; ++i) {
          if (static_cast<int64_t>(ranks[i]) < wanted) write(ranks[i], i);
        }
        return;
      }
      const std::unique_ptr<Item<Key>[]> memory(new (std::nothrow) Item<Key>[few ? wanted : part ? n : 2 * n]);
      Item<Key>* items = memory.get();
      if (!items) {
        failed = true;
        return;
      }
      if (few) {
        least(items, wanted, n, key_of);
      } else {
        for (int64_t i = 0; i < n; ++i) items[i] = {key_of(i), i};
        if (part) std::partial_sort(items, items + wanted, items + n);
        else items = radix_sort(items, items + n, n);
      }
      for (int64_t i = 0; i < wanted; ++i) write(i, items[i].index);
    };
    for_rows<3>(call, sort_row, kCost);
    return failed ? Status::out_of_memory : Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
