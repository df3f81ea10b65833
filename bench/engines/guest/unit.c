/* Something to compile: sorting, hashing and matching, without a header. */
typedef unsigned long word;

static word mix(word value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdul;
  value ^= value >> 33;
  return value * 0xc4ceb9fe1a85ec53ul;
}

static void swap(word *first, word *second) {
  word held = *first;
  *first = *second;
  *second = held;
}

void sort(word *items, long count) {
  while (count > 1) {
    word middle = items[count / 2];
    long low = 0, high = count - 1;
    while (low <= high) {
      while (items[low] < middle) low++;
      while (items[high] > middle) high--;
      if (low <= high) swap(&items[low++], &items[high--]);
    }
    sort(items, high + 1);
    items += low;
    count -= low;
  }
}

#define TABLE(name, bits)                                        \
  static word name##_slots[1 << bits];                           \
  int name##_put(word key) {                                     \
    for (word at = mix(key);; at++) {                            \
      word *slot = &name##_slots[at & ((1 << bits) - 1)];        \
      if (*slot == key) return 0;                                \
      if (*slot == 0) return *slot = key, 1;                     \
    }                                                            \
  }                                                              \
  word name##_sum(void) {                                        \
    word sum = 0;                                                \
    for (int at = 0; at < 1 << bits; at++) sum += mix(name##_slots[at]); \
    return sum;                                                  \
  }

TABLE(small, 6)
TABLE(middle, 10)
TABLE(large, 14)
TABLE(huge, 18)

int matches(const char *pattern, const char *text) {
  for (; *pattern; pattern++, text++) {
    switch (*pattern) {
    case '*':
      for (; *text; text++)
        if (matches(pattern + 1, text)) return 1;
      return matches(pattern + 1, text);
    case '?':
      if (!*text) return 0;
      break;
    case '[': {
      int found = 0;
      for (pattern++; *pattern && *pattern != ']'; pattern++) {
        if (pattern[1] == '-' && pattern[2]) {
          found |= *text >= pattern[0] && *text <= pattern[2];
          pattern += 2;
        } else {
          found |= *pattern == *text;
        }
      }
      if (!found) return 0;
      break;
    }
    default:
      if (*pattern != *text) return 0;
    }
  }
  return !*text;
}

double product(const double *left, const double *right, double *result, int size) {
  double trace = 0;
  for (int row = 0; row < size; row++)
    for (int column = 0; column < size; column++) {
      double sum = 0;
      for (int at = 0; at < size; at++) sum += left[row * size + at] * right[at * size + column];
      result[row * size + column] = sum;
      if (row == column) trace += sum;
    }
  return trace;
}
