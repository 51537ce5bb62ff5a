// Vectors of the target's width. Included inside each target's region, so it has no include guard of its own.
namespace cresset::CRESSET_TARGET {
namespace {

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(CRESSET_VECTOR_BYTES)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int kLanes = CRESSET_VECTOR_BYTES / sizeof(T);

template <class T>
inline Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
inline Vector<T> splat(T x) {
  return x - Vector<T>{};  // not x + 0, which would lose the sign of -0
}

// Joins the kCount lanes of a vector, in halves.
template <int kCount, class T, class Join>
CRESSET_INLINE T join_lanes(const T* lanes, Join join) {
  if constexpr (kCount == 1) {
    return *lanes;
  } else {
    typedef T Half __attribute__((vector_size(kCount / 2 * sizeof(T))));
    Half low, high;
    __builtin_memcpy(&low, lanes, sizeof low);
    __builtin_memcpy(&high, lanes + kCount / 2, sizeof high);
    low = join(low, high);
    return join_lanes<kCount / 2>(reinterpret_cast<const T*>(&low), join);
  }
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
