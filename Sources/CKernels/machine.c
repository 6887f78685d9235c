// The processor's caches: found once, from the operating system or OCTNET_CACHE_SIZES.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "CKernels.h"
#include "threading.h"

// What a processor of these years has, where the system does not say.
static const oct_machine usual = {.l1_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 32 << 20};

enum { LEAST_BYTES = 1 << 10, MOST_BYTES = 1 << 30 };

/// "48K", "2M", "512": bytes, and the text behind them; 0 where it is no size from 1 KiB to 1 GiB.
static ptrdiff_t parse_size(const char *text, const char **rest) {
  ptrdiff_t bytes = 0;
  const char *c = text;
  while (*c >= '0' && *c <= '9' && bytes <= MOST_BYTES) bytes = 10 * bytes + (*c++ - '0');
  if (*c == 'K') {
    bytes *= 1 << 10;
    c++;
  } else if (*c == 'M' && bytes <= MOST_BYTES >> 10) {
    bytes *= 1 << 20;
    c++;
  }
  *rest = c;
  return c == text || bytes < LEAST_BYTES || bytes > MOST_BYTES ? 0 : bytes;
}

/// "48K,2M,32M": first, second and third level.
static bool parse(const char *text, oct_machine *machine) {
  ptrdiff_t sizes[3];
  for (int level = 0; level < 3; level++) {
    sizes[level] = parse_size(text, &text);
    if (sizes[level] == 0 || *text != (level < 2 ? ',' : '\0')) return false;
    text++;
  }
  *machine = (oct_machine){.l1_bytes = sizes[0], .l2_bytes = sizes[1], .l3_bytes = sizes[2]};
  return true;
}

#if defined(__linux__)
/// The first line of a file of a cache of the first processor; empty where there is none.
static void read_line(int index, const char *name, char *line, int size) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
  line[0] = '\0';
  FILE *file = fopen(path, "r");
  if (!file) return;
  if (!fgets(line, size, file)) line[0] = '\0';
  fclose(file);
  line[strcspn(line, "\n")] = '\0';
}

static oct_machine find(void) {
  oct_machine machine = usual;
  for (int index = 0; index < 8; index++) {
    char level[16], type[32], size[32];
    read_line(index, "level", level, sizeof level);
    if (level[0] == '\0') break;
    read_line(index, "type", type, sizeof type);
    read_line(index, "size", size, sizeof size);
    const char *rest;
    const ptrdiff_t bytes = parse_size(size, &rest);
    if (bytes == 0 || strcmp(type, "Instruction") == 0) continue;
    if (level[0] == '1') machine.l1_bytes = bytes;
    if (level[0] == '2') machine.l2_bytes = bytes;
    if (level[0] == '3') machine.l3_bytes = bytes;
  }
  return machine;
}
#elif defined(__APPLE__)
static oct_machine find(void) {
  oct_machine machine = usual;
  const char *names[] = {"hw.perflevel0.l1dcachesize", "hw.perflevel0.l2cachesize"};
  ptrdiff_t *sizes[] = {&machine.l1_bytes, &machine.l2_bytes};
  for (int i = 0; i < 2; i++) {
    int64_t bytes = 0;
    size_t length = sizeof bytes;
    if (sysctlbyname(names[i], &bytes, &length, NULL, 0) == 0 && bytes >= LEAST_BYTES) *sizes[i] = (ptrdiff_t)bytes;
  }
  return machine;
}
#else
static oct_machine find(void) { return usual; }
#endif

bool oct_machine_is_valid(void) {
  const char *text = getenv("OCTNET_CACHE_SIZES");
  oct_machine machine;
  return text == NULL || parse(text, &machine);
}

oct_machine oct_active_machine(void) {
  // Racing first calls find the same, so each number may be stored by itself; 0 stands for not yet.
  static _Atomic ptrdiff_t cached[3];
  oct_machine machine;
  machine.l1_bytes = atomic_load_explicit(&cached[0], memory_order_relaxed);
  machine.l2_bytes = atomic_load_explicit(&cached[1], memory_order_relaxed);
  machine.l3_bytes = atomic_load_explicit(&cached[2], memory_order_relaxed);
  if (machine.l1_bytes && machine.l2_bytes && machine.l3_bytes) return machine;
  const char *text = getenv("OCTNET_CACHE_SIZES");
  if (text == NULL || !parse(text, &machine)) machine = find();
  atomic_store_explicit(&cached[0], machine.l1_bytes, memory_order_relaxed);
  atomic_store_explicit(&cached[1], machine.l2_bytes, memory_order_relaxed);
  atomic_store_explicit(&cached[2], machine.l3_bytes, memory_order_relaxed);
  return machine;
}
