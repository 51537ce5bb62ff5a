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

}  // namespace
}  // namespace cresset::CRESSET_TARGET
