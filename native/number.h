// Conversions between element types, as C casts, but defined for every value: what is outside an integer's range becomes
// its least value (uint8: the low byte of the int64), as x86 does it and PyTorch there.
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

namespace cresset {

template <class To, class From>
[[gnu::always_inline]] inline To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Wide = std::conditional_t<sizeof(To) < 4, int64_t, To>;
    constexpr From limit = -static_cast<From>(std::numeric_limits<Wide>::min());  // a power of two, so exact
    const bool inside = value >= -limit && value < limit;  // false for NaN
    return static_cast<To>(inside ? static_cast<Wide>(value) : std::numeric_limits<Wide>::min());
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace cresset
