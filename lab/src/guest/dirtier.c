/*
 * Changes memory at a set rate, as dirtier.pl does and with the same commands, but fast enough for every rate that a link can
 * carry: an interpreter in an emulated guest reaches a few MiB/s. On TCP port 7000, one command a connection:
 *   dirty MIB RATE COMPRESSIBLE [WRITERS [ON OFF]]
 *                                 writes to MIB mebibytes in turn, RATE mebibytes a second; of each page the share
 *                                 COMPRESSIBLE (percent) is zeros, the rest random. So many processes share that (1), each with
 *                                 memory of its own; they write for ON milliseconds, and then do nothing for OFF
 *   dirty 0 0 0                   stops
 *   status                        what it does
 *   written                       mebibytes written since the last `dirty`, and the seconds since then
 * Answers one line and closes.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PER_MIB 256u
#define MOST_WRITERS 16u

/* A writer's own, which the server reads. */
struct writer {
  volatile uint64_t written;
  volatile int ready;
};

static struct writer *shared;
static pid_t pids[MOST_WRITERS];
static uint64_t mib, rate, compressible, writers, on_ms, off_ms;
static double began;

static double now(void) {
  struct timespec spec;
  clock_gettime(CLOCK_MONOTONIC, &spec);
  return (double)spec.tv_sec + (double)spec.tv_nsec / 1e9;
}

static void pause_ms(long ms) {
  struct timespec time = {0, ms * 1000000};
  nanosleep(&time, NULL);
}

/* No page is written with what it holds already. */
static void write_page(uint8_t *page, uint64_t *state) {
  uint64_t words = PAGE * (100 - compressible) / 100 / 8, *word = (uint64_t *)page;
  if (words == 0) words = 1;
  for (uint64_t index = 0; index < words; index++) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    word[index] = *state;
  }
}

static void write_on(struct writer *own, uint64_t number) {
  uint64_t pages = mib * PER_MIB / writers, at = 0, state = 88172645463325252ull + number;
  uint8_t *memory = aligned_alloc(PAGE, pages * PAGE);
  if (memory == NULL) _exit(1);
  memset(memory, 0, pages * PAGE);
  own->ready = 1;
  double per_second = (double)rate * PER_MIB / (double)writers, due = began;
  for (;;) {
    double time = now();
    if (on_ms > 0 && (uint64_t)((time - began) * 1000) % (on_ms + off_ms) >= on_ms) {
      due = time;
      pause_ms(5);
      continue;
    }
    uint64_t owed = (uint64_t)((time - due) * per_second);
    if (owed == 0) {
      pause_ms(5);
      continue;
    }
    /* What it could not write in time it does not make up for. */
    if (owed > 4096) {
      owed = 4096;
      due = time;
    } else {
      due += (double)owed / per_second;
    }
    for (uint64_t count = 0; count < owed; count++) {
      write_page(memory + at * PAGE, &state);
      at = at + 1 == pages ? 0 : at + 1;
    }
    own->written += owed;
  }
}

static void stop(void) {
  for (uint64_t number = 0; number < writers; number++) {
    kill(pids[number], SIGKILL);
    waitpid(pids[number], NULL, 0);
  }
  writers = 0;
}

/* Whether all of them have their memory. */
static int start(int listener, int client) {
  memset(shared, 0, MOST_WRITERS * sizeof *shared);
  began = now();
  for (uint64_t number = 0; number < writers; number++) {
    pids[number] = fork();
    if (pids[number] < 0) {
      writers = number;
      return 0;
    }
    if (pids[number] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(listener);
      close(client);
      write_on(&shared[number], number);
    }
  }
  for (uint64_t number = 0; number < writers; number++)
    while (!shared[number].ready) {
      if (waitpid(pids[number], NULL, WNOHANG) != 0) return 0;
      pause_ms(5);
    }
  return 1;
}

static uint64_t pages_written(void) {
  uint64_t sum = 0;
  for (uint64_t number = 0; number < MOST_WRITERS; number++) sum += shared[number].written;
  return sum;
}

static void command(int listener, int client, const char *line, char *answer, size_t room) {
  uint64_t wanted_mib, wanted_rate, share, count = 1, on = 0, off = 0;
  if (sscanf(line, "dirty %lu %lu %lu %lu %lu %lu", &wanted_mib, &wanted_rate, &share, &count, &on, &off) >= 3 &&
      share <= 100 && count >= 1 && count <= MOST_WRITERS) {
    stop();
    mib = wanted_mib;
    rate = wanted_rate;
    compressible = share;
    on_ms = off > 0 ? on : 0;
    off_ms = off;
    writers = mib > 0 && rate > 0 ? count : 0;
    if (start(listener, client)) {
      snprintf(answer, room, "ok\n");
    } else {
      stop();
      mib = rate = 0;
      snprintf(answer, room, "no memory\n");
    }
  } else if (strncmp(line, "status", 6) == 0) {
    snprintf(answer, room, "dirtying %lu MiB at %lu MiB/s, %lu %% compressible\n", mib, rate, compressible);
  } else if (strncmp(line, "written", 7) == 0) {
    snprintf(answer, room, "%.3f %.3f\n", (double)pages_written() / PER_MIB, now() - began);
  } else {
    snprintf(answer, room, "usage: dirty MIB RATE COMPRESSIBLE [WRITERS [ON OFF]] | status | written\n");
  }
}

static void serve(int listener) {
  int client = accept(listener, NULL, NULL);
  if (client < 0) return;
  struct timeval limit = {2, 0};
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char line[128], answer[128];
  ssize_t length = read(client, line, sizeof line - 1);
  if (length > 0) {
    line[length] = 0;
    command(listener, client, line, answer, sizeof answer);
    if (write(client, answer, strlen(answer)) < 0) perror("dirtier");
  }
  close(client);
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7000)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  shared = mmap(NULL, MOST_WRITERS * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4) < 0) {
    perror("dirtier");
    return 1;
  }
  for (;;) serve(listener);
}
