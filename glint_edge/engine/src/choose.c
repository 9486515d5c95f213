/* Which sets of kernels are in this build and run on this processor. */
#include "internal.h"

#if defined(__x86_64__)
#include <cpuid.h>
extern const glint_kernels glint_avx2, glint_avx_vnni, glint_avx512_vnni;

/* What the processor has, and the system keeps when it switches threads (XCR0). */
static size_t add_sets(const glint_kernels **sets) {
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  /* F, DQ, BW, VL */
    unsigned a, b, c, d, kept, more = 0;
    size_t count = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) return 0;
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(d) : "c"(0));
    if ((kept & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 5)) return 0;
    if (a >= 1) __get_cpuid_count(7, 1, &more, &a, &d, &d);
    if ((kept & 0xe6) == 0xe6 && (b & avx512) == avx512 && c & 1u << 11)
        sets[count++] = &glint_avx512_vnni;
    if (more & 1u << 4) sets[count++] = &glint_avx_vnni;
    sets[count++] = &glint_avx2;
    return count;
}
#elif defined(__aarch64__)
extern const glint_kernels glint_neon, glint_neon_dot;
#if defined(__linux__)
unsigned long getauxval(unsigned long type);
#elif defined(__APPLE__)
int sysctlbyname(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);
#endif

static size_t add_sets(const glint_kernels **sets) {
    size_t count = 0;
    int has_dot = 0;
#if defined(__ARM_FEATURE_DOTPROD)
    has_dot = 1;
#elif defined(__linux__)
    has_dot = (int)(getauxval(16) >> 20 & 1);  /* AT_HWCAP, HWCAP_ASIMDDP */
#elif defined(__APPLE__)
    size_t bytes = sizeof has_dot;
    if (sysctlbyname("hw.optional.arm.FEAT_DotProd", &has_dot, &bytes, NULL, 0)) has_dot = 0;
#endif
    if (has_dot) sets[count++] = &glint_neon_dot;
    sets[count++] = &glint_neon;
    return count;
}
#elif defined(__wasm_simd128__)
extern const glint_kernels glint_wasm_simd;

static size_t add_sets(const glint_kernels **sets) { return *sets = &glint_wasm_simd, 1; }
#else
static size_t add_sets(const glint_kernels **sets) { return (void)sets, 0; }
#endif

const glint_kernels *glint_kernels_at(size_t number) {
    const glint_kernels *sets[4];
    const size_t count = add_sets(sets);
    sets[count] = &glint_portable;
    return number <= count ? sets[number] : NULL;
}
