// The libraries that the engine's matrix products are compared with, behind one pipe: reads lines
//   library m k n threads milliseconds
// and answers each with the seconds of the fastest of many products. library is one of
//   openblas  sgemm, or sgemv if that is faster and m = 1
//   onednn    fp32 matmul, weights in the layout that the library likes best
//   read      nothing but reading as many bytes as the weights of fp32 have, from large pages
//   onednn8   int8 x int8 -> int32 matmul, weights likewise
// bench/gemm.sh builds it.
#include <dnnl.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// From the OpenBLAS wheel, 64-bit indices: row-major is 101, no transpose 111, transpose 112.
void scipy_cblas_sgemm64_(int order, int transA, int transB, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                          int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
void scipy_cblas_sgemv64_(int order, int trans, int64_t m, int64_t n, float alpha, const float *a, int64_t lda, const float *x,
                          int64_t incx, float beta, float *y, int64_t incy);
void scipy_openblas_set_num_threads64_(int threads);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define CHECK(call)                                         \
  do {                                                      \
    dnnl_status_t status = (call);                          \
    if (status != dnnl_success) {                           \
      fprintf(stderr, "%s: status %d\n", #call, (int)status); \
      exit(1);                                              \
    }                                                       \
  } while (0)

// best runs f until the time is over and returns the least time of one run.
#define BEST(ms, body)                                      \
  ({                                                        \
    double least = 1e9, end = now() + 1e-3 * (ms);          \
    int runs = 0;                                           \
    while (runs < 3 || now() < end) {                       \
      double start = now();                                 \
      body;                                                 \
      double took = now() - start;                          \
      if (took < least) least = took;                       \
      runs++;                                               \
    }                                                       \
    least;                                                  \
  })

static void *numbers(size_t n, int bytes) {
  void *p = aligned_alloc(64, (n * bytes + 63) / 64 * 64);
  uint32_t x = 1;
  for (size_t i = 0; i < n; i++) {
    x = x * 1664525u + 1013904223u;
    if (bytes == 4)
      ((float *)p)[i] = (int32_t)x * 0x1p-31f;
    else
      ((int8_t *)p)[i] = x >> 24;
  }
  return p;
}

static double openblas(int64_t m, int64_t k, int64_t n, double ms) {
  float *a = numbers(m * k, 4), *b = numbers(k * n, 4), *c = numbers(m * n, 4);
  double least = BEST(ms, scipy_cblas_sgemm64_(101, 111, 111, m, n, k, 1, a, k, b, n, 0, c, n));
  if (m == 1) {
    double other = BEST(ms, scipy_cblas_sgemv64_(101, 112, k, n, 1, b, n, a, 1, 0, c, 1));
    if (other < least) least = other;
  }
  free(a), free(b), free(c);
  return least;
}

static double onednn(int64_t m, int64_t k, int64_t n, double ms, int int8) {
  static dnnl_engine_t engine;
  static dnnl_stream_t stream;
  if (!engine) {
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  }
  dnnl_data_type_t in = int8 ? dnnl_s8 : dnnl_f32, out = int8 ? dnnl_s32 : dnnl_f32;
  int bytes = int8 ? 1 : 4;
  dnnl_memory_desc_t a, b, any, c;
  CHECK(dnnl_memory_desc_create_with_tag(&a, 2, (dnnl_dims_t){m, k}, in, dnnl_ab));
  CHECK(dnnl_memory_desc_create_with_tag(&b, 2, (dnnl_dims_t){k, n}, in, dnnl_ab));
  CHECK(dnnl_memory_desc_create_with_tag(&any, 2, (dnnl_dims_t){k, n}, in, dnnl_format_tag_any));
  CHECK(dnnl_memory_desc_create_with_tag(&c, 2, (dnnl_dims_t){m, n}, out, dnnl_ab));
  dnnl_primitive_desc_t desc, reorderDesc;
  dnnl_primitive_t matmul, reorder;
  CHECK(dnnl_matmul_primitive_desc_create(&desc, engine, a, any, NULL, c, NULL));
  CHECK(dnnl_primitive_create(&matmul, desc));
  const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
  void *x = numbers(m * k, bytes), *y = numbers(k * n, bytes), *z = numbers(m * n, 4);
  dnnl_memory_t am, bm, pm, cm;
  CHECK(dnnl_memory_create(&am, a, engine, x));
  CHECK(dnnl_memory_create(&bm, b, engine, y));
  CHECK(dnnl_memory_create(&pm, packed, engine, DNNL_MEMORY_ALLOCATE));
  CHECK(dnnl_memory_create(&cm, c, engine, z));
  CHECK(dnnl_reorder_primitive_desc_create(&reorderDesc, b, engine, packed, engine, NULL));
  CHECK(dnnl_primitive_create(&reorder, reorderDesc));
  dnnl_exec_arg_t move[] = {{DNNL_ARG_FROM, bm}, {DNNL_ARG_TO, pm}};
  CHECK(dnnl_primitive_execute(reorder, stream, 2, move));
  CHECK(dnnl_stream_wait(stream));
  dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, pm}, {DNNL_ARG_DST, cm}};
  double least = BEST(ms, {
    CHECK(dnnl_primitive_execute(matmul, stream, 3, args));
    CHECK(dnnl_stream_wait(stream));
  });
  dnnl_memory_destroy(am), dnnl_memory_destroy(bm), dnnl_memory_destroy(pm), dnnl_memory_destroy(cm);
  dnnl_primitive_destroy(matmul), dnnl_primitive_destroy(reorder);
  dnnl_primitive_desc_destroy(desc), dnnl_primitive_desc_destroy(reorderDesc);
  dnnl_memory_desc_destroy(a), dnnl_memory_desc_destroy(b), dnnl_memory_desc_destroy(any), dnnl_memory_desc_destroy(c);
  free(x), free(y), free(z);
  return least;
}

typedef uint64_t words __attribute__((vector_size(32), aligned(32)));

// part reads n vectors and returns what keeps the compiler from leaving that out.
__attribute__((target("avx2"))) static uint64_t part(const words *p, size_t n) {
  words a = {0}, b = {0}, c = {0}, d = {0};
  for (size_t i = 0; i + 4 <= n; i += 4) a ^= p[i], b ^= p[i + 1], c ^= p[i + 2], d ^= p[i + 3];
  a ^= b ^ c ^ d;
  return a[0] ^ a[1] ^ a[2] ^ a[3];
}

static uint64_t parts(const words *p, size_t n, int threads) {
  uint64_t all = 0;
#pragma omp parallel for num_threads(threads) reduction(^ : all) if (threads > 1)
  for (int t = 0; t < threads; t++) all ^= part(p + n * t / threads, n * (t + 1) / threads - n * t / threads);
  return all;
}

static double readOnly(int64_t k, int64_t n, int threads, double ms) {
  size_t bytes = k * n * 4, page = 2 << 20, room = (bytes + page - 1) / page * page;
  words *p = aligned_alloc(page, room);
  madvise(p, room, MADV_HUGEPAGE);
  memset(p, 1, bytes);
  volatile uint64_t sink = 0;
  double least = BEST(ms, sink ^= parts(p, bytes / sizeof *p, threads));
  free(p);
  return least;
}

int main(void) {
  char library[16];
  long m, k, n;
  int threads;
  double ms;
  while (scanf("%15s %ld %ld %ld %d %lf", library, &m, &k, &n, &threads, &ms) == 6) {
    omp_set_num_threads(threads);
    scipy_openblas_set_num_threads64_(threads);
    double s = strcmp(library, "openblas") == 0 ? openblas(m, k, n, ms)
               : strcmp(library, "read") == 0   ? readOnly(k, n, threads, ms)
                                                : onednn(m, k, n, ms, strcmp(library, "onednn8") == 0);
    printf("%.9f\n", s);
    fflush(stdout);
  }
  return 0;
}
