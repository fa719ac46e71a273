// Attention: causal over whole sequences forwards and backwards, and decoding, which streams keys and values.
//   B sequences of L tokens, H query heads, K heads of keys and values, D head size.
#include "headroom/base/cache_kind.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

struct Form {
  int64_t batch = 1;
  int64_t length = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_size = 0;
};

Attributes attributes_of(const Form& form) {
  return {{"heads", form.heads}, {"kv_heads", form.kv_heads}, {"scale", 0.125}};
}

std::string heads_of(const Form& form) {
  return form.heads == form.kv_heads ? fmt::format("{} heads of {}", form.heads, form.head_size)
                                     : fmt::format("{}/{} heads of {}", form.heads, form.kv_heads, form.head_size);
}

std::string words_of(const Form& form) {
  return fmt::format("{}length {}, {}", form.batch == 1 ? "" : fmt::format("{} x ", form.batch), form.length,
                     heads_of(form));
}

// Pairs of a query and a key that it sees, over all heads.
double pairs(const Form& form) {
  const double length = static_cast<double>(form.length);
  return static_cast<double>(form.batch * form.heads) * length * (length + 1) / 2;
}

// Each sequence whole: (first query row, queries, first key row, position of the first query).
void fill_sequences(const Tensor& sequences, int64_t length) {
  for (int64_t row = 0; row < sequences.dim(0); ++row) {
    int32_t* numbers = sequences.as<int32_t>() + row * 4;
    numbers[0] = numbers[2] = static_cast<int32_t>(row * length);
    numbers[1] = static_cast<int32_t>(length);
  }
}

// Two products: four flops a pair and element of a head.
KernelCase forward(const Form& form) {
  const int64_t rows = form.batch * form.length;
  const Type q = f32({rows, form.heads * form.head_size});
  const Type kv = f32({rows, form.kv_heads * form.head_size});
  return {.name = fmt::format("attention {}", words_of(form)),
          .op = "attention",
          .inputs = {q, kv, kv, i32({form.batch, 4})},
          .attributes = attributes_of(form),
          .limit = Limit::fma,
          .fill = [form](std::span<const Tensor> inputs) { fill_sequences(inputs[3], form.length); },
          .work = pairs(form) * 4 * static_cast<double>(form.head_size)};
}

// Five products.
KernelCase backward(const Form& form) {
  const int64_t rows = form.batch * form.length;
  const Type q = f32({rows, form.heads * form.head_size});
  const Type kv = f32({rows, form.kv_heads * form.head_size});
  return {.name = fmt::format("attention_backward {}", words_of(form)),
          .op = "attention_backward",
          .inputs = {q, kv, kv, q, f32({rows, form.heads}), q, i32({form.batch, 4})},
          .attributes = attributes_of(form),
          .limit = Limit::fma,
          .fill =
              [form](std::span<const Tensor> inputs) {
                fill_constant(inputs[4], 6);  // about the logarithm of the number of keys
                fill_sequences(inputs[6], form.length);
              },
          .work = pairs(form) * 10 * static_cast<double>(form.head_size)};
}

// One new token against `length` keys, kept in a scalar format or in 8 or 4 bits.
KernelCase decode(const Form& form, std::string_view cache) {
  const Type q = f32({1, form.heads * form.head_size});
  const Shape shape = {form.length, form.kv_heads * form.head_size};
  const CacheTypes types = cache_types(parse_cache_kind(cache, "cache"), form.head_size);
  return {.name = fmt::format("attention decode, {} {}, {}", cache, form.length, heads_of(form)),
          .op = "attention",
          .inputs = {q, {types.keys, shape}, {types.values, shape}, i32({1, 4})},
          .attributes = attributes_of(form),
          .limit = Limit::read,
          .fill = [form](std::span<const Tensor> inputs) {
            inputs[3].as<int32_t>()[1] = 1;
            inputs[3].as<int32_t>()[3] = static_cast<int32_t>(form.length - 1);
          }};
}

}  // namespace

std::vector<KernelCase> attention_cases() {
  std::vector<KernelCase> cases;
  for (const Form& form : {Form{4, 512, 12, 12, 64}, Form{1, 1024, 12, 12, 64}, Form{1, 4096, 4, 4, 64},
                           Form{1, 1024, 16, 16, 128}, Form{1, 4096, 4, 4, 128}, Form{1, 1024, 32, 8, 128}}) {
    cases.push_back(forward(form));
    cases.push_back(backward(form));
  }
  for (const Form& form : {Form{1, 8192, 16, 16, 128}, Form{1, 8192, 32, 8, 128}}) {
    for (const std::string_view cache : {"f32", "bf16", "f16", "q8", "q4"}) cases.push_back(decode(form, cache));
  }
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(attention_cases);
