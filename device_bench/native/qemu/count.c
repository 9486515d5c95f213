/* A QEMU plugin that counts the guest's instructions and writes the count down at its marks.

   The guest makes a mark by prctl(GLINT_MARK, n), a call that the kernel refuses at once. Each
   becomes a line "n COUNT" in the file given by `-plugin count.so,out=FILE`, COUNT being the
   instructions executed since the start, in all threads, up to and with that call.

   QEMU's development header is in no package of Debian's, so what is used of its plugin interface
   is declared here, after "QEMU TCG Plugins" in QEMU's documentation
   (https://www.qemu.org/docs/master/devel/tcg-plugins.html). It is versioned, and QEMU refuses a
   plugin whose version it no longer knows: INTERFACE is set by the build, from QEMU's own. */

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../src/mark.h"

#ifndef INTERFACE
#define INTERFACE 1 /* QEMU 4.2 to 8.2 */
#endif
#define PRCTL 167 /* on aarch64, the guest */
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { NO_REGISTERS };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned cpu, void *),
                                          enum qemu_plugin_cb_flags, void *data);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id,
                                          void (*)(plugin_id, unsigned cpu, int64_t number,
                                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = INTERFACE;

static _Atomic uint64_t executed;
static FILE *out;

/* Data is the block's number of instructions: blocks are short, and a callback is exact where an
   inline addition would lose some of two threads'. */
static void on_block(unsigned cpu, void *data) {
  (void)cpu;
  atomic_fetch_add_explicit(&executed, (uintptr_t)data, memory_order_relaxed);
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block) {
  (void)id;
  uintptr_t size = qemu_plugin_tb_n_insns(block);
  qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, NO_REGISTERS, (void *)size);
}

static void on_call(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t second,
                    uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number == PRCTL && (uint32_t)first == GLINT_MARK) {
    fprintf(out, "%" PRIu64 " %" PRIu64 "\n", second, atomic_load(&executed));
    fflush(out); /* the guest may be killed */
  }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **options) {
  (void)info;
  if (count != 1 || strncmp(options[0], "out=", 4) != 0) {
    fprintf(stderr, "count: give it out=FILE\n");
    return 1;
  }
  out = fopen(options[0] + 4, "w");
  if (out == NULL) {
    perror("count: cannot write its file");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_vcpu_syscall_cb(id, on_call);
  return 0;
}
