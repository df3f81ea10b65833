/*
 * Changes memory at a set rate, as dirtier.pl does and with the same commands, but fast enough for every rate that a link can
 * carry: an interpreter in an emulated guest reaches a few MiB/s. On TCP port 7000, one command a connection:
 *   dirty MIB RATE COMPRESSIBLE   writes to MIB mebibytes in turn, RATE mebibytes a second; of each page the share
 *                                 COMPRESSIBLE (percent) is zeros, the rest random
 *   dirty 0 0 0                   stops
 *   status                        what it does
 *   written                       mebibytes written since the last `dirty`, and the seconds since then
 * Answers one line and closes.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PER_MIB 256u

static uint8_t *memory;
static uint64_t pages, mib, rate, compressible, written, at;
static double due, began;
static uint64_t state = 88172645463325252ull;

static double now(void) {
  struct timespec spec;
  clock_gettime(CLOCK_MONOTONIC, &spec);
  return (double)spec.tv_sec + (double)spec.tv_nsec / 1e9;
}

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* No page is written with what it holds already. */
static void write_page(uint8_t *page) {
  uint64_t words = PAGE * (100 - compressible) / 100 / 8, *word = (uint64_t *)page;
  if (words == 0) words = 1;
  for (uint64_t index = 0; index < words; index++) word[index] = next_random();
}

static void command(const char *line, char *answer, size_t room) {
  uint64_t wanted_mib, wanted_rate, wanted_share;
  if (sscanf(line, "dirty %lu %lu %lu", &wanted_mib, &wanted_rate, &wanted_share) == 3 && wanted_share <= 100) {
    free(memory);
    mib = wanted_mib;
    rate = wanted_rate;
    compressible = wanted_share;
    pages = mib * PER_MIB;
    memory = pages > 0 ? aligned_alloc(PAGE, pages * PAGE) : NULL;
    if (pages > 0 && memory == NULL) {
      mib = rate = pages = 0;
      snprintf(answer, room, "no memory\n");
      return;
    }
    if (memory != NULL) memset(memory, 0, pages * PAGE);
    written = at = 0;
    began = due = now();
    snprintf(answer, room, "ok\n");
  } else if (strncmp(line, "status", 6) == 0) {
    snprintf(answer, room, "dirtying %lu MiB at %lu MiB/s, %lu %% compressible\n", mib, rate, compressible);
  } else if (strncmp(line, "written", 7) == 0) {
    snprintf(answer, room, "%.3f %.3f\n", (double)written / PER_MIB, now() - began);
  } else {
    snprintf(answer, room, "usage: dirty MIB RATE COMPRESSIBLE | status | written\n");
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
    command(line, answer, sizeof answer);
    if (write(client, answer, strlen(answer)) < 0) perror("dirtier");
  }
  close(client);
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7000)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4) < 0) {
    perror("dirtier");
    return 1;
  }
  for (;;) {
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    if (poll(&ready, 1, rate > 0 && pages > 0 ? 5 : -1) > 0) serve(listener);
    if (rate == 0 || pages == 0) continue;
    double time = now();
    uint64_t owed = (uint64_t)((time - due) * (double)rate * PER_MIB);
    if (owed == 0) continue;
    /* What it could not write in time it does not make up for, and it hears commands in between. */
    if (owed > 4096) {
      owed = 4096;
      due = time;
    } else {
      due += (double)owed / ((double)rate * PER_MIB);
    }
    for (uint64_t count = 0; count < owed; count++) {
      write_page(memory + at * PAGE);
      at = at + 1 == pages ? 0 : at + 1;
    }
    written += owed;
  }
}
