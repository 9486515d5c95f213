/* A clock that runs a thousand times faster: preloaded, it turns whole microseconds into whole
 * nanoseconds. CLOCK_MONOTONIC_RAW stays as it is, so that a process can tell. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define SPEED 1000
#define SECOND 1000000000LL

typedef int (*clock_gettime_type)(clockid_t, struct timespec *);

static clock_gettime_type real_clock;
static struct timespec start[2]; /* CLOCK_REALTIME is 0, CLOCK_MONOTONIC 1 */

__attribute__((constructor)) static void remember_start(void) {
  real_clock = (clock_gettime_type)dlsym(RTLD_NEXT, "clock_gettime");
  real_clock(CLOCK_REALTIME, &start[CLOCK_REALTIME]);
  real_clock(CLOCK_MONOTONIC, &start[CLOCK_MONOTONIC]);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real_clock) remember_start(); /* another library's constructor may come first */
  int failed = real_clock(clock, now);
  if (failed || clock < CLOCK_REALTIME || clock > CLOCK_MONOTONIC) return failed;
  const struct timespec *from = &start[clock];
  int64_t passed = (now->tv_sec - from->tv_sec) * SECOND + (now->tv_nsec - from->tv_nsec);
  int64_t shown = from->tv_nsec + passed * SPEED;
  now->tv_sec = from->tv_sec + shown / SECOND;
  now->tv_nsec = shown % SECOND;
  return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  struct timespec fine;
  int failed = clock_gettime(CLOCK_REALTIME, &fine);
  now->tv_sec = fine.tv_sec;
  now->tv_usec = fine.tv_nsec / 1000;
  return failed;
}
