// What a kernel's line in the contract means for the frame that calls it. These rules are what makes a call safe: a
// kernel may rely on them, and frame.cc lets no frame through that breaks one.
#pragma once
#include <array>
#include <utility>

#include "dispatch.h"

namespace cresset {

enum class DTypeRule : uint8_t {
  common,  // all such operands of a call have one dtype; which ones a kernel takes is its own check
  boolean,
  int32,
  int64,
  any,
};

struct OperandRule {
  bool optional = false;
  bool output = false;  // else it may be an immediate number
  bool single = false;  // LIST: one element rather than the row's n
  DTypeRule dtype = DTypeRule::common;
  // STRIDED: bit i set where dimension ndim - 1 - i is not the operand's own, so that its stride there must be 0.
  uint8_t foreign_dims = 0;
};

struct Signature {
  bool list = false;
  int operand_count = 0;
  int scalar_count = 0;
  std::array<OperandRule, kMaxOperands> operands{};
  int min_dims = 0;
  int max_dims = kMaxDims;
  int reduced = -1;              // the scalar that says how many dimensions are reduced; outputs have stride 0 there
  int index = -1;                // the operand of indices: it is checked before it is used, so no output may overlap it
  int empty_tail = 0;            // how many of the last dimensions (beside the reduced) may have size 0 in a call of the kernel
};

namespace detail {

constexpr bool among(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const size_t end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    words = end == words.npos ? std::string_view() : words.substr(end + 1);
  }
  return false;
}

constexpr int position(std::string_view word, std::string_view words) {
  for (int i = 0; !words.empty(); i++) {
    const size_t end = words.find(' ');
    if (words.substr(0, end) == word) return i;
    words = end == words.npos ? std::string_view() : words.substr(end + 1);
  }
  return -1;
}

constexpr int count(std::string_view words) {
  int n = words.empty() ? 0 : 1;
  for (char c : words) n += c == ' ';
  return n;
}

constexpr std::string_view kRandom = "uniform normal bernoulli random randperm exponential cauchy geometric";

constexpr DTypeRule dtype_rule(std::string_view kernel, std::string_view operand) {
  if (kernel == "copy") return DTypeRule::any;
  if (operand == "condition") return DTypeRule::boolean;
  if (operand == "state") return DTypeRule::int32;
  if (among(operand, "index indices")) return DTypeRule::int64;
  if (operand != "out") return DTypeRule::common;
  if (among(kernel, "eq ne lt le gt ge logical_and logical_or logical_xor logical_not")) return DTypeRule::boolean;
  if (among(kernel, "argmax argmin nonzero multinomial")) return DTypeRule::int64;
  return DTypeRule::common;
}

constexpr uint8_t foreign_dims(std::string_view kernel, std::string_view operand) {
  if (among(kernel, "matmul matmul_bfloat16")) return operand == "a" ? 0b010 : operand == "b" ? 0b100 : 0b001;  // M N K
  if (kernel == "linear_backward") {  // M N K
    if (operand == "grad") return 0b001;
    if (operand == "grad_bias") return 0b101;
    return among(operand, "input grad_input") ? 0b010 : 0b100;
  }
  if (among(kernel, "layer_norm layer_norm_backward")) return among(operand, "weight bias grad_weight grad_bias") ? 0b10 : 0;  // rows n
  if (among(kernel, kRandom)) return operand == "out" ? 0b01 : 0b10;  // n 625
  if (kernel == "multinomial") return operand == "a" ? 0b010 : 0b001;  // rows samples categories
  if (kernel == "gather") return operand != "a";
  if (among(kernel, "scatter scatter_add")) return operand != "out";
  if (kernel == "nll_loss") return !among(operand, "a weight");
  if (kernel == "nll_loss_backward") return !among(operand, "weight out");
  if (kernel == "nonzero") return operand == "a" ? 0b01 : 0b10;  // n count
  return 0;
}

constexpr Signature signature(const KernelLine& line) {
  Signature s;
  s.list = line.list;
  s.scalar_count = count(line.scalars);
  for (std::string_view rest = line.operands; !rest.empty();) {
    const size_t end = rest.find(' ');
    std::string_view name = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    OperandRule& rule = s.operands[s.operand_count++];
    rule.optional = name.ends_with('?');
    if (rule.optional) name.remove_suffix(1);
    rule.output = among(name, "out indices var mean total grad_input grad_weight grad_bias state");
    rule.single = among(name, "out factor");
    rule.dtype = dtype_rule(line.name, name);
    rule.foreign_dims = foreign_dims(line.name, name);
  }
  s.reduced = position("reduced", line.scalars);
  s.index = position("index", line.operands);
  const bool indexed = s.index >= 0;
  s.empty_tail = indexed || among(line.name, "matmul matmul_bfloat16");
  const bool vector = among(line.name, "arange linspace");
  const bool along = among(line.name, "cumsum cumprod softmax log_softmax softmax_backward log_softmax_backward sort");
  if (indexed || vector || along) s.min_dims = 1;
  const bool matrix = among(line.name, "nonzero layer_norm layer_norm_backward") || among(line.name, kRandom);
  if (matrix || among(line.name, "tril triu")) s.min_dims = 2;
  if (among(line.name, "matmul matmul_bfloat16 linear_backward multinomial")) s.min_dims = 3;
  if (vector || matrix || among(line.name, "matmul_bfloat16 linear_backward multinomial")) s.max_dims = s.min_dims;
  return s;
}

}  // namespace detail

// Each an expression of its own: compilers bound what one may compute.
template <size_t kKernel>
inline constexpr Signature kSignatureOf = detail::signature(kContract[kKernel]);

inline constexpr auto kSignatures = []<size_t... kKernels>(std::index_sequence<kKernels...>) {
  return std::array<Signature, kKernelCount>{kSignatureOf<kKernels>...};
}(std::make_index_sequence<kKernelCount>{});

}  // namespace cresset
