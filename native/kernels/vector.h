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

// The first n of a vector's lanes, of memory that ends at `end`; the others are anything.
template <class T>
CRESSET_INLINE Vector<T> load_part(const T* p, int64_t n, const T* end) {
  if (end - p >= kLanes<T>) return load(p);
  Vector<T> v = {};
  __builtin_memcpy(&v, p, n * sizeof(T));
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

// Moves more than 64 bytes. From some kilobytes on glibc's memmove leaves it to the string instruction, which mostly is as fast as
// can be, but on Zen 3 takes 15 times as long where `to` lies less than kNear past `from`, whole pages not counted.
inline void move_run(const char* from, char* to, int64_t bytes) {
  struct alignas(1) Piece { char bytes[64]; };
  constexpr int64_t kPage = 4096, kNear = 32, kPiece = sizeof(Piece);
  const intptr_t apart = reinterpret_cast<intptr_t>(to) - reinterpret_cast<intptr_t>(from);
  const bool overlap = apart < bytes && -apart < bytes;
  if (overlap || (apart & (kPage - 1)) >= kNear) {
    __builtin_memmove(to, from, bytes);
    return;
  }
  const auto move = [=](int64_t at) __attribute__((always_inline)) {
    Piece piece;
    __builtin_memcpy(&piece, from + at, kPiece);
    __builtin_memcpy(to + at, &piece, kPiece);
  };
  for (int64_t i = 0; i + kPiece < bytes; i += kPiece) move(i);
  move(bytes - kPiece);
}

// Moves n elements, few of them without a call; the places may overlap.
template <class T>
CRESSET_INLINE void move_items(const T* from, T* to, int64_t n) {
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T));
  // Two pieces, which overlap where they are too long.
  const auto move_pieces = [=]<class Piece>(Piece) __attribute__((always_inline)) {
    const int64_t second = bytes - static_cast<int64_t>(sizeof(Piece));
    Piece a, b;
    __builtin_memcpy(&a, from, sizeof(Piece));
    __builtin_memcpy(&b, reinterpret_cast<const char*>(from) + second, sizeof(Piece));
    __builtin_memcpy(to, &a, sizeof(Piece));
    __builtin_memcpy(reinterpret_cast<char*>(to) + second, &b, sizeof(Piece));
  };
  struct alignas(1) Bytes32 { char bytes[32]; };
  struct alignas(1) Bytes16 { char bytes[16]; };
  if (bytes < 4) __builtin_memmove(to, from, bytes);
  else if (bytes > 64) move_run(reinterpret_cast<const char*>(from), reinterpret_cast<char*>(to), bytes);
  else if (bytes >= 32) move_pieces(Bytes32{});
  else if (bytes >= 16) move_pieces(Bytes16{});
  else if (bytes >= 8) move_pieces(uint64_t{});
  else move_pieces(uint32_t{});
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
