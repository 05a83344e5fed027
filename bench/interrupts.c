/* The state changes of "post, notify, deliver, EOI" by hand: what bench/interrupts.ts compares the machine with. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { VCPUS = 4, NOTIFY = 0xf2, USERSPACE = 0, HOST_KERNEL = 1, IN_GUEST = 1 };

struct vcpu {
  uint32_t pir[8], virr[8], visr[8];
  uint8_t on, sn, mode, created, in_kernel, interrupts, in_nmi;
  uint16_t svr;
  uint32_t id, irqs;
};
static struct { struct vcpu vcpu[VCPUS]; uint32_t irr[VCPUS][8]; uint8_t context, parked[VCPUS]; double now, moments; } m;

/* Another processor may look here: a step ends. */
#define STEP() do { m.now += 50; m.moments += 1; __asm__ volatile("" ::: "memory"); } while (0)

static int highest(const uint32_t *set) {
  for (int i = 7; i >= 0; i--) if (set[i]) return i * 32 + 31 - __builtin_clz(set[i]);
  return -1;
}

static void guest(int i) {
  struct vcpu *v = &m.vcpu[i];
  for (;;) {
    int vector = highest(m.irr[i]);
    if (vector == NOTIFY) {
      m.irr[i][NOTIFY >> 5] &= ~(1u << (NOTIFY & 31));
      v->on = 0;
      for (int w = 0; w < 8; w++) { v->virr[w] |= v->pir[w]; v->pir[w] = 0; }
      STEP();
      continue;
    }
    STEP();
    int next = highest(v->virr), served = highest(v->visr);
    if (next < 0 || !v->interrupts || v->in_nmi || (served >= 0 && next >> 4 <= served >> 4)) { m.parked[i] = 1; STEP(); return; }
    v->virr[next >> 5] &= ~(1u << (next & 31));
    v->visr[next >> 5] |= 1u << (next & 31);
    v->irqs++;
    STEP();
    v->visr[next >> 5] &= ~(1u << (next & 31));
    STEP();
  }
}

static void post(struct vcpu *v, int i, int vector) {
  uint32_t bit = 1u << (vector & 31), was = v->pir[vector >> 5];
  v->pir[vector >> 5] |= bit;
  STEP();
  if (was & bit) return;
  was = v->on;
  v->on = 1;
  STEP();
  if (was) return;
  if (v->mode == IN_GUEST) { m.irr[i][NOTIFY >> 5] |= 1u << (NOTIFY & 31); m.parked[i] = 0; }
  STEP();
}

static void signal_msi(uint32_t dest, int vector) {
  m.context = HOST_KERNEL;
  STEP();
  for (int i = 0; i < VCPUS; i++) {
    struct vcpu *v = &m.vcpu[i];
    if (!v->created || !v->in_kernel || v->id != dest) continue;
    STEP();
    if (v->svr & 0x100) post(v, i, vector);
  }
  STEP();
  m.context = USERSPACE;
  STEP();
  for (int i = 0; i < VCPUS; i++) if (!m.parked[i]) guest(i);
}

int main(int argc, char **argv) {
  long count = argc > 1 ? atol(argv[1]) : 1000000;
  for (int i = 0; i < VCPUS; i++) {
    struct vcpu fresh = { .mode = IN_GUEST, .created = 1, .in_kernel = 1, .interrupts = 1, .svr = 0x1ff, .id = (uint32_t)i };
    m.vcpu[i] = fresh;
    m.parked[i] = 1;
  }
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (long n = 0; n < count; n++) signal_msi((uint32_t)(n & 3), 0x31 + (int)(n % 7) * 16);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  uint32_t irqs = 0;
  for (int i = 0; i < VCPUS; i++) irqs += m.vcpu[i].irqs;
  printf("%u %.0f\n", irqs, (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec));
  return 0;
}
