// What reductions are of: the operations, and the part of a call that is reduced.
// Included inside each target's region, after <algorithm>, <limits>, <type_traits> and kernels/walk.h.
namespace cresset::CRESSET_TARGET {
namespace {

// An operation: what an element contributes, and how contributions are joined. V is T or a vector of T.
template <class T>
struct Sum {
  static constexpr T initial = 0;
  template <class V> static V map(V x, V) { return x; }
  template <class V> static V join(V a, V b) { return a + b; }
};
template <class T>
struct SumSquares : Sum<T> {
  template <class V> static V map(V x, V) { return x * x; }
};
template <class T>
struct SumSquaresAround : Sum<T> {
  template <class V> static V map(V x, V center) { return (x - center) * (x - center); }
};
template <class T>
struct Product {
  static constexpr T initial = 1;
  template <class V> static V map(V x, V) { return x; }
  template <class V> static V join(V a, V b) { return a * b; }
};
template <class T>
struct Maximum {
  static constexpr T initial = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  template <class V> static V map(V x, V) { return x; }
  template <class V> static auto exceeds(V b, V a) { return b > a; }
  template <class V> static V join(V a, V b) { return (exceeds(b, a) | (b != b)) ? b : a; }
};
template <class T>
struct Minimum {
  static constexpr T initial = std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  template <class V> static V map(V x, V) { return x; }
  template <class V> static auto exceeds(V b, V a) { return b < a; }
  template <class V> static V join(V a, V b) { return (exceeds(b, a) | (b != b)) ? b : a; }
};

// The reduced dimensions [first, ndim) of operand 0: `rows` rows of `length` elements.
struct Reduced {
  const Call& call;
  int first, last;
  int64_t rows, length, stride;

  explicit Reduced(const Call& call, int first) : call(call), first(first), last(std::max(first, call.ndim - 1)) {
    rows = count(call, first, last);
    length = first < call.ndim ? call.shape[last] : 1;
    stride = first < call.ndim ? call.operands[0].strides[last] : 1;
  }
  int64_t elements() const { return rows * length; }
  int64_t offset(int64_t row) const {
    int64_t offset = 0;
    for (int d = last - 1; d >= first; --d) {
      offset += row % call.shape[d] * call.operands[0].strides[d];
      row /= call.shape[d];
    }
    return offset;
  }
};

}  // namespace
}  // namespace cresset::CRESSET_TARGET
